package bulkupload

import (
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

const (
	// chunk is how many rows one transaction takes in.
	chunk = 2500
	// mostErrors is how many bad rows of an upload are kept by name; the others are counted.
	mostErrors = 10_000
)

// Step takes in the next rows of a file, in one transaction with the record of how far the upload is: whatever is
// killed and when, each row is taken in once. An upload that has ended stays as it is.
func (s *Service) Step(ctx context.Context, i id.ID, file io.ReaderAt) (u Upload, err error) {
	if u, _, err = s.Uploads.Get(ctx, i); err != nil || u.Ended() {
		return u, err
	}
	h, err := header(&reader{from: file}, u.Of)
	if err != nil {
		if fault.KindOf(err) != fault.Invalid {
			return u, err
		}
		return s.end(ctx, i, Failed, fault.From(err).Message)
	}
	if u.BytesDone == 0 {
		u.BytesDone, u.Lines = h.size, 1
	}
	all, lines, bytes, err := rows(&reader{from: file, at: u.BytesDone}, h, u.Lines, chunk)
	if err != nil {
		return u, err
	}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		was, _, err := s.Uploads.Get(ctx, i)
		if err != nil {
			return err
		}
		if was.Ended() || was.BytesDone != 0 && was.BytesDone != u.BytesDone { // another went on with it meanwhile
			u = was
			return nil
		}
		bad, err := s.take(store.InBulk(ctx), i, was, all)
		if err != nil {
			return err
		}
		if err := s.keepErrors(ctx, i, was, all, bad); err != nil {
			return err
		}
		now := s.store.Now(ctx)
		u, err = s.Uploads.Change(ctx, i, func(v *Upload) error {
			v.Status = InProgress
			v.BytesDone, v.Lines = u.BytesDone+bytes, u.Lines+lines
			v.Rows, v.Bad, v.Added = v.Rows+len(all), v.Bad+len(bad), v.Added+len(all)-len(bad)
			if len(all) < chunk {
				v.finish(Completed, "", now)
			}
			return nil
		})
		return err
	})
	return u, err
}

func (v *Upload) finish(status, message string, now time.Time) {
	v.Status, v.Message, v.CompletionDate = status, message, &now
}

func (s *Service) end(ctx context.Context, i id.ID, status, message string) (Upload, error) {
	now := s.store.Now(ctx)
	return s.Uploads.Change(ctx, i, func(v *Upload) error { v.finish(status, message, now); return nil })
}

// take takes in rows and says of those that it could not why, by their places.
func (s *Service) take(ctx context.Context, i id.ID, u Upload, all []row) (map[int]error, error) {
	if len(all) == 0 {
		return nil, nil
	}
	bad := map[int]error{}
	var good []int
	for n, r := range all {
		if r.bad != nil {
			bad[n] = r.bad
			continue
		}
		good = append(good, n)
	}
	list := make([]row, len(good))
	for n, at := range good {
		list[n] = all[at]
	}
	var wrong map[int]error
	var err error
	switch u.Of {
	case SIMs:
		wrong, err = s.sims(ctx, u, list)
	case Numbers:
		wrong, err = s.numbers(ctx, u, list)
	case Subscribers:
		wrong, err = s.subscribers(ctx, i, u, list)
	}
	for n, why := range wrong {
		bad[good[n]] = why
	}
	return bad, err
}

// keepErrors keeps the rows that are bad, as long as there are not too many.
func (s *Service) keepErrors(ctx context.Context, i id.ID, u Upload, all []row, bad map[int]error) error {
	out := rowErrors{Upload: i}
	for _, n := range slices.Sorted(maps.Keys(bad)) {
		if u.Bad+len(out.Rows) >= mostErrors {
			break
		}
		out.Rows = append(out.Rows, RowError{Row: all[n].line, Value: all[n].name(), Reason: reason(bad[n])})
	}
	if len(out.Rows) == 0 {
		return nil
	}
	home, _ := i.Home()
	_, err := s.errors.Insert(ctx, id.New(faultKind, home, s.store.Now(ctx)), &out)
	return err
}

// reason is what a person is told; a failure of demarc's own is none of a row's.
func reason(err error) string {
	if f := fault.From(err); f.Kind != fault.Internal {
		return f.Message
	}
	return err.Error()
}

// Errors are the rows of an upload that were not taken, in their order; of very many the first.
func (s *Service) Errors(ctx context.Context, i id.ID) ([]RowError, error) {
	if _, _, err := s.Uploads.Get(ctx, i); err != nil {
		return nil, err
	}
	page, err := s.errors.Docs(ctx, store.Query{NoTotal: true, Filters: []store.Filter{
		{Path: []string{"upload"}, Op: store.Eq, Values: []string{string(i)}, Type: store.Text},
	}})
	if err != nil {
		return nil, err
	}
	out := []RowError{}
	for _, d := range page.Items {
		var e rowErrors
		if err := json.Unmarshal(d.Body, &e); err != nil {
			return nil, fault.Internalf(err, "the errors of the upload cannot be read")
		}
		out = append(out, e.Rows...)
	}
	slices.SortStableFunc(out, func(a, b RowError) int { return a.Row - b.Row })
	return out, nil
}
