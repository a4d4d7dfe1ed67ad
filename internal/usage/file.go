package usage

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// FileKind is the id kind of usage files, partKind that of the parts in which one that was sent waits to be taken.
var (
	FileKind = id.Kind{Name: "usageFile", Prefix: "ufl"}
	partKind = id.Kind{Name: "usageFilePart", Prefix: "ufp"}
)

const (
	// CodeDuplicateFile is a file whose every byte came before.
	CodeDuplicateFile fault.Code = "duplicateFile"

	fileClaim = "usage.file"
	jobFile   = "usage.file"
)

// The statuses of a file.
const (
	// FileInProgress is being taken, or was when whoever took it was stopped: sent again, it goes on.
	FileInProgress = "inProgress"
	FileCompleted  = "completed"
	// FileIncomplete ended in the middle of a record; what stood before it is taken.
	FileIncomplete = "incomplete"
)

// mostBad bounds how many bad rows a file tells one by one.
const mostBad = 100

// File is a file of usage records and how far it is taken.
type File struct {
	Type   string `json:"@type,omitzero"`
	Name   string `json:"name,omitzero"`
	Source string `json:"source,omitzero"`
	Format string `json:"format,omitzero"`
	// Digest is its SHA-256: the same file is not taken twice.
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	Status string `json:"status"`
	// Rows are done, of them Rated and Suspended were new, Duplicates came before, and Refused are no usage.
	Rows       int64 `json:"rowCount"`
	Rated      int64 `json:"ratedCount"`
	Suspended  int64 `json:"suspendedCount"`
	Duplicates int64 `json:"duplicateCount"`
	Refused    int64 `json:"refusedCount"`
	// Bad are the first of the refused rows.
	Bad []BadRow `json:"badRow,omitzero"`
	// Truncated is the last record, in the middle of which the file ends.
	Truncated *BadRow `json:"truncated,omitzero"`
	// Line is the last line that is done: a file that is sent again goes on after it.
	Line      int64      `json:"line"`
	StartDate time.Time  `json:"startDate,omitzero"`
	EndDate   *time.Time `json:"endDate,omitzero"`
	Rest      sid.Rest   `json:",embed"`
}

func files(s *store.Store) *resource.Set[File] {
	return resource.New(s, store.Definition{Kind: FileKind, Table: "usage_file", Quiet: true, Indexed: map[string]string{"status": "status"}}, resource.Rules[File]{
		Domain: domain,
		State:  func(v *File) string { return v.Status },
	})
}

// part is a piece of a file that was sent.
type part struct {
	Rows []Row    `json:"row"`
	Bad  []BadRow `json:"bad,omitzero"`
	Next id.ID    `json:"nextPart,omitzero"`
	File string   `json:"fileId"`
}

// Digest is how a file is known when it comes again.
func Digest(file []byte) string {
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:])
}

// Begin begins a file, or goes on with one that was not finished: f names it, with its Digest and Size. A file that
// is done is a Conflict fault (CodeDuplicateFile).
func (s *Service) Begin(ctx context.Context, f File) (i id.ID, v File, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		i, err = s.store.Claimant(ctx, fileClaim, f.Digest)
		if err != nil {
			return err
		}
		if i != "" {
			if v, _, err = s.Files.Get(ctx, i); err == nil && v.Status != FileInProgress {
				err = fault.Conflictf(CodeDuplicateFile, "the file came before, as %s on %s", v.Name, v.StartDate.Format(time.RFC3339)).At("file")
			}
			return err
		}
		v = f
		v.Type, v.Status, v.StartDate = "UsageFile", FileInProgress, s.store.Now(ctx)
		if i, _, err = s.Files.Add(ctx, &v); err != nil {
			return err
		}
		return s.store.Claim(ctx, fileClaim, f.Digest, i)
	})
	return i, v, err
}

// TakeFile takes what a decoder reads into a file that was begun, in transactions that keep how far it is together
// with what was taken; rows that are done are passed over. progress, which may be nil, hears of each.
func (s *Service) TakeFile(ctx context.Context, i id.ID, v File, d Decoder, progress func(File)) (File, error) {
	for {
		rows, bad, end, err := read(d, v.Line)
		if err != nil {
			return v, err
		}
		if v, err = s.takeRows(ctx, i, v.Source, rows, bad, end); err != nil {
			return v, err
		}
		if progress != nil {
			progress(v)
		}
		if end {
			return v, nil
		}
	}
}

// read reads the next rows after a line; end says that there are no more.
func read(d Decoder, after int64) (rows []Row, bad []BadRow, end bool, err error) {
	for len(rows)+len(bad) < chunk {
		row, err := d.Next()
		var b *BadRow
		switch {
		case errors.Is(err, io.EOF):
			return rows, bad, true, nil
		case errors.As(err, &b):
			if b.Line > after {
				bad = append(bad, *b)
			}
		case err != nil:
			return nil, nil, false, err
		case row.Line > after:
			rows = append(rows, row)
		}
	}
	return rows, bad, false, nil
}

// takeRows takes rows and notes in the file that they are done, together.
func (s *Service) takeRows(ctx context.Context, i id.ID, source string, rows []Row, bad []BadRow, end bool) (File, error) {
	var v File
	err := s.store.Write(ctx, func(ctx context.Context) error {
		records := make([]Record, len(rows))
		for n, r := range rows {
			records[n] = r.Record
			if records[n].Source == "" {
				records[n].Source = source
			}
		}
		done, err := s.ingest(ctx, records, i)
		if err != nil {
			return err
		}
		v, err = s.Files.Change(ctx, i, func(v *File) error {
			refused := slices.Clone(bad)
			for n, o := range done {
				if o.Err != nil {
					f := fault.From(o.Err)
					refused = append(refused, BadRow{Line: rows[n].Line, Offset: rows[n].Offset, Reason: f.Attribute + ": " + f.Message})
					continue
				}
				v.count(rows[n], o)
			}
			slices.SortFunc(refused, func(a, b BadRow) int { return cmp.Compare(a.Line, b.Line) })
			for _, b := range refused {
				v.refuse(b)
			}
			if end {
				v.end(s.store.Now(ctx))
			}
			return nil
		})
		return err
	})
	return v, err
}

func (v *File) count(r Row, o Outcome) {
	v.Line = max(v.Line, r.Line)
	switch {
	case o.Duplicate:
		v.Duplicates++
	case o.Suspense != "":
		v.Suspended++
	default:
		v.Rated++
	}
	v.Rows++
}

func (v *File) refuse(b BadRow) {
	v.Line = max(v.Line, b.Line)
	if b.Truncated {
		v.Truncated = &b
		return
	}
	v.Rows++
	v.Refused++
	if len(v.Bad) < mostBad {
		v.Bad = append(v.Bad, b)
	}
}

func (v *File) end(now time.Time) {
	v.Status, v.EndDate = FileCompleted, &now
	if v.Truncated != nil {
		v.Status = FileIncomplete
	}
}

// Sent is a file that was sent whole, read into parts.
type Sent struct {
	file  File
	parts []part
}

// Read reads a file that was sent. One that is not of its format is an Invalid fault (CodeFormat).
func Read(name, source, format string, file []byte) (*Sent, error) {
	d, format, err := NewDecoder(format, bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	sent := &Sent{file: File{Name: name, Source: source, Format: format, Digest: Digest(file), Size: int64(len(file))}}
	for end := false; !end; {
		var p part
		if p.Rows, p.Bad, end, err = read(d, 0); err != nil {
			return nil, err
		}
		sent.parts = append(sent.parts, p)
	}
	return sent, nil
}

// Send keeps a file that was sent and promises to take it. One that came before is a Conflict fault
// (CodeDuplicateFile).
func (s *Service) Send(ctx context.Context, sent *Sent) (d store.Doc, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if there, err := s.store.Claimant(ctx, fileClaim, sent.file.Digest); err != nil || there != "" {
			if err == nil {
				err = fault.Conflictf(CodeDuplicateFile, "the file came before, as %s", there).At("file")
			}
			return err
		}
		i, _, err := s.Begin(ctx, sent.file)
		if err != nil {
			return err
		}
		home, _ := i.Home()
		drafts := make([]store.Draft, len(sent.parts))
		for n := len(sent.parts) - 1; n >= 0; n-- {
			p := sent.parts[n]
			p.File = string(i)
			if n+1 < len(sent.parts) {
				p.Next = drafts[n+1].ID
			}
			body, err := json.Marshal(&p, json.Deterministic(true))
			if err != nil {
				return fault.Internalf(err, "a part of a file cannot be written")
			}
			drafts[n] = store.Draft{ID: id.New(partKind, home, s.store.Now(ctx)), Body: body}
		}
		if _, err := s.parts.InsertMany(ctx, drafts); err != nil {
			return err
		}
		if d, err = s.Files.Doc(ctx, i); err != nil {
			return err
		}
		return s.promisePart(ctx, drafts[0].ID)
	})
	return d, err
}

func (s *Service) promisePart(ctx context.Context, p id.ID) error {
	payload, err := json.Marshal(p)
	if err != nil {
		return fault.Internalf(err, "a job cannot be written")
	}
	home, _ := p.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{Kind: jobFile, Key: string(p), Payload: payload})
	return err
}

// nextPart takes the next part of a file that was sent.
func (s *Service) nextPart(ctx context.Context, j job.Job) error {
	var i id.ID
	if err := json.Unmarshal(j.Payload, &i); err != nil {
		return job.Permanent{Err: err}
	}
	return s.store.Write(ctx, func(ctx context.Context) error {
		p, d, err := s.parts.Get(ctx, i)
		if err != nil {
			if fault.KindOf(err) == fault.NotFound {
				return nil // it was taken
			}
			return err
		}
		v, _, err := s.Files.Get(ctx, id.ID(p.File))
		if err != nil {
			return err
		}
		if _, err := s.takeRows(ctx, id.ID(p.File), v.Source, p.Rows, p.Bad, p.Next == ""); err != nil {
			return err
		}
		if err := s.parts.Delete(ctx, i, d.Version); err != nil || p.Next == "" {
			return err
		}
		return s.promisePart(ctx, p.Next)
	})
}
