package bulkupload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
)

// jobRun takes in what was received.
const jobRun = "bulkUpload.run"

// partSize is how much of a file one document keeps.
const partSize = 256 << 10

// Receive keeps a file and has it taken in by jobs, whichever node runs them; see Begin.
func (s *Service) Receive(ctx context.Context, u Upload, file []byte, anew bool) (i id.ID, kept Upload, again bool, err error) {
	if err := holds(u.Of); err != nil {
		return "", kept, false, err
	}
	if _, err := header(bytes.NewReader(file), u.Of); err != nil {
		return "", kept, false, err
	}
	sum := sha256.Sum256(file)
	u.Size, u.Digest = int64(len(file)), hex.EncodeToString(sum[:])
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if i, kept, again, err = s.Begin(ctx, u, anew); err != nil || again {
			return err
		}
		home, _ := i.Home()
		var drafts []store.Draft
		for n := 0; n*partSize < len(file); n++ {
			body, err := json.Marshal(part{At: partAt(i, n), Data: file[n*partSize : min((n+1)*partSize, len(file))]})
			if err != nil {
				return fault.Internalf(err, "a part of the file cannot be written")
			}
			drafts = append(drafts, store.Draft{ID: id.New(partKind, home, s.store.Now(ctx)), Body: body})
		}
		if _, err := s.parts.InsertMany(ctx, drafts); err != nil {
			return err
		}
		return s.promise(ctx, i, 0)
	})
	return i, kept, again, err
}

func partAt(i id.ID, n int) string { return fmt.Sprintf("%s/%06d", i, n) }

// promise has an upload gone on with from where it stands.
func (s *Service) promise(ctx context.Context, i id.ID, done int64) error {
	payload, err := json.Marshal(i)
	if err != nil {
		return fault.Internalf(err, "a job cannot be written down")
	}
	home, _ := i.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{Kind: jobRun, Key: fmt.Sprintf("%s/%d", i, done), Payload: payload, MaxAttempts: 100})
	return err
}

// chunksAtOnce is how much of a file one job takes in.
const chunksAtOnce = 8

func (s *Service) run(ctx context.Context, j job.Job) error {
	var i id.ID
	if err := json.Unmarshal(j.Payload, &i); err != nil {
		return job.Permanent{Err: err}
	}
	var u Upload
	var err error
	for range chunksAtOnce {
		if u, err = s.Step(ctx, i, &kept{ctx: ctx, s: s, upload: i}); err != nil {
			return err
		}
		if u.Ended() {
			return s.drop(ctx, i)
		}
	}
	return s.store.Write(ctx, func(ctx context.Context) error { return s.promise(ctx, i, u.BytesDone) })
}

// drop forgets the file of an upload that has ended.
func (s *Service) drop(ctx context.Context, i id.ID) error {
	for {
		page, err := s.parts.Docs(ctx, store.Query{Filters: s.partsOf(i), Limit: 64, NoTotal: true})
		if err != nil || len(page.Items) == 0 {
			return err
		}
		if err := s.store.Write(ctx, func(ctx context.Context) error {
			for _, d := range page.Items {
				if err := s.parts.Delete(ctx, d.ID, d.Version); err != nil && fault.KindOf(err) != fault.NotFound {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
}

func (s *Service) partsOf(i id.ID) []store.Filter {
	return []store.Filter{
		{Path: []string{"at"}, Op: store.Gte, Values: []string{string(i) + "/"}, Type: store.Text},
		{Path: []string{"at"}, Op: store.Lt, Values: []string{string(i) + "0"}, Type: store.Text}, // 0 follows /
	}
}

// kept reads a received file, a part at a time.
type kept struct {
	ctx    context.Context
	s      *Service
	upload id.ID
	n      int
	data   []byte
}

// ReadAt implements io.ReaderAt; it gives no more than what one part has.
func (k *kept) ReadAt(b []byte, at int64) (int, error) {
	n := int(at / partSize)
	if k.data == nil || k.n != n {
		page, err := k.s.parts.Docs(k.ctx, store.Query{NoTotal: true, Limit: 1, Filters: []store.Filter{
			{Path: []string{"at"}, Op: store.Eq, Values: []string{partAt(k.upload, n)}, Type: store.Text},
		}})
		if err != nil {
			return 0, err
		}
		if len(page.Items) == 0 {
			return 0, io.EOF
		}
		var p part
		if err := json.Unmarshal(page.Items[0].Body, &p); err != nil {
			return 0, fault.Internalf(err, "a part of the file cannot be read")
		}
		k.n, k.data = n, p.Data
	}
	from := int(at % partSize)
	if from >= len(k.data) {
		return 0, io.EOF
	}
	return copy(b, k.data[from:]), nil
}

// reader reads on from a place; unlike io.SectionReader it takes short reads for what they are.
type reader struct {
	from io.ReaderAt
	at   int64
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.from.ReadAt(b, r.at)
	r.at += int64(n)
	if n > 0 {
		return n, nil
	}
	return n, err
}
