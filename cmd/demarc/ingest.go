package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

type ingestCommand struct {
	Paths  []string      `arg:"" name:"path" help:"Files of usage records, or folders to watch for them." type:"existingpath"`
	At     int           `name:"spid" help:"Service provider that the usage is of." default:"1"`
	Source string        `help:"Who recorded what names no source." default:""`
	Format string        `help:"csv or jsonl; told by how a file begins when it is left out." enum:",csv,jsonl" default:""`
	Once   bool          `help:"Take what is in the folders, and stop."`
	Every  time.Duration `help:"How often to look into the folders." default:"5s"`
	Done   string        `help:"Folder that files are moved to when they are taken; done below a watched folder by default." placeholder:"DIR"`
	Failed string        `help:"Folder for those that are refused or end in the middle of a record; failed below a watched folder by default." placeholder:"DIR"`
}

// Run takes files in, and watches folders until it is told to stop. It fails when a file was refused or incomplete.
func (k ingestCommand) Run(c *invocation) error {
	h, done, err := app.Ingesting(c.ctx, &c.settings.Settings, app.NewLogger(c.stderr, &c.settings.Settings))
	if err != nil {
		return err
	}
	defer done()
	w := &ingesting{ingestCommand: k, c: c, house: h, sizes: map[string]fs.FileInfo{}}
	folders, err := w.files()
	if err != nil {
		return err
	}
	for {
		for _, dir := range folders {
			if err := w.folder(dir); err != nil {
				return err
			}
		}
		if k.Once || len(folders) == 0 {
			return w.verdict()
		}
		select {
		case <-c.ctx.Done():
			return w.verdict()
		case <-clock.Real{}.After(k.Every):
		}
	}
}

// ingesting is one run of the command.
type ingesting struct {
	ingestCommand
	c     *invocation
	house *app.House
	wrong int
	// sizes are the files of the folders as they were last seen: one that still grows is not taken yet.
	sizes map[string]fs.FileInfo
}

func (w *ingesting) verdict() error {
	if w.wrong > 0 {
		return fmt.Errorf("refused or incomplete files: %d", w.wrong)
	}
	return nil
}

// files takes the files that are named, and gives the folders.
func (w *ingesting) files() (folders []string, err error) {
	for _, p := range w.Paths {
		info, err := os.Stat(p)
		switch {
		case err != nil:
			return nil, err
		case info.IsDir():
			folders = append(folders, p)
		default:
			if err := w.take(p, w.Done, w.Failed); err != nil {
				return nil, err
			}
		}
	}
	return folders, nil
}

// folder takes the files of a folder, in the order of their names.
func (w *ingesting) folder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !w.ready(path, info) {
			continue
		}
		if err != nil {
			return err
		}
		if err := w.take(path, or(w.Done, filepath.Join(dir, "done")), or(w.Failed, filepath.Join(dir, "failed"))); err != nil {
			return err
		}
	}
	return nil
}

// ready reports whether a file is one to take: not hidden, not under a name for what is still written, and as it was
// when it was last seen.
func (w *ingesting) ready(path string, info fs.FileInfo) bool {
	name := info.Name()
	if !info.Mode().IsRegular() || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".part") {
		return false
	}
	was, seen := w.sizes[path]
	w.sizes[path] = info
	return w.Once || seen && was.Size() == info.Size() && was.ModTime().Equal(info.ModTime())
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// take takes one file in, tells what became of it, and moves it aside. What is wrong with a file does not keep others
// from being taken; a database that is away does.
func (w *ingesting) take(path, done, failed string) error {
	bar := newProgress(w.c.stderr)
	f, err := w.house.Ingest(w.c.ctx, app.Ingest{
		SPID: w.At, Path: path, Source: w.Source, Format: w.Format,
		Progress: func(n, of int64) { bar.show(n, of, filepath.Base(path)) },
	})
	bar.end()
	delete(w.sizes, path)
	if err != nil {
		if k := fault.KindOf(err); k != fault.Invalid && k != fault.Conflict {
			return fmt.Errorf("%s: %w", path, err)
		}
		w.wrong++
		_, _ = fmt.Fprintf(w.c.stdout, "%s: refused: %s\n", path, fault.From(err).Message)
		return aside(path, failed)
	}
	_, _ = fmt.Fprintf(w.c.stdout, "%s: %d rows: %d rated, %d in suspense, %d came before, %d refused\n", path, f.Rows, f.Rated, f.Suspended, f.Duplicates, f.Refused)
	for _, b := range f.Bad {
		_, _ = fmt.Fprintf(w.c.stdout, "  line %d (byte %d): %s\n", b.Line, b.Offset, b.Reason)
	}
	if f.Truncated == nil {
		return aside(path, done)
	}
	w.wrong++
	_, _ = fmt.Fprintf(w.c.stdout, "  line %d (byte %d): %s\n", f.Truncated.Line, f.Truncated.Offset, f.Truncated.Reason)
	return aside(path, failed)
}

// aside moves a file into a folder; without one it stays. A name that is taken there gets a number.
func aside(path, dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	to := filepath.Join(dir, filepath.Base(path))
	for n := 1; ; n++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return os.Rename(path, to)
		}
		to = filepath.Join(dir, fmt.Sprintf("%s.%d", filepath.Base(path), n))
	}
}
