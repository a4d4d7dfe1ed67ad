package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/usage"
)

// Ingesting opens the database for files of usage records; see OpenAlone.
func Ingesting(ctx context.Context, s *config.Settings, log *slog.Logger) (h *House, done func(), err error) {
	return OpenAlone(ctx, s, log, "send the files to the server: POST /api/usage/file")
}

// Ingest names a file of usage records that is to be taken in.
type Ingest struct {
	SPID int
	Path string
	// Source is who recorded what names no source, Format csv or jsonl; empty, it is told by how the file begins.
	Source, Format string
	// Progress hears how many bytes of how many are done; nil for nobody.
	Progress func(done, total int64)
}

// Ingest takes a file of usage records in, and says what became of it. One whose taking was cut short goes on where
// it was left; one that is done is a Conflict fault (usage.CodeDuplicateFile), and one that is not of its format an
// Invalid one (usage.CodeFormat).
func (h *House) Ingest(ctx context.Context, in Ingest) (usage.File, error) {
	ctx = h.As(ctx, in.SPID)
	f, err := os.Open(in.Path)
	if err != nil {
		return usage.File{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return usage.File{}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return usage.File{}, err
	}
	read := &metered{Reader: f}
	d, format, err := usage.NewDecoder(in.Format, read)
	if err != nil {
		return usage.File{}, err
	}
	i, v, err := h.Usage.Begin(ctx, usage.File{
		Name: filepath.Base(in.Path), Source: in.Source, Format: format, Digest: hex.EncodeToString(sum.Sum(nil)), Size: size,
	})
	if err != nil {
		return v, err
	}
	return h.Usage.TakeFile(ctx, i, v, d, func(usage.File) {
		if in.Progress != nil {
			in.Progress(read.n, size)
		}
	})
}

// metered is a reader that knows how much was read.
type metered struct {
	io.Reader
	n int64
}

// Read implements io.Reader.
func (c *metered) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}
