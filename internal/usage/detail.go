package usage

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/rating"
	"github.com/demarc-bss/demarc/internal/store"
)

// Period asks for the call details of a line: those that began from From and before To, of one usage type or of all.
type Period struct {
	Line      id.ID
	From, To  time.Time
	UsageType string
	// Offset skips that many, Limit is the most to give.
	Offset, Limit int
}

// Detail is one call detail.
type Detail struct {
	ID    id.ID
	Usage Usage
	Facts Record
}

// Total sums what a line used in a period of one usage type; Charged and Uncollected are in micros.
type Total struct {
	UsageType            string
	Count, Quantity      int64
	Charged, Uncollected int64
}

// Details lists what a line used and was charged for, the newest first, with the totals of the whole period by usage
// type. A line that is not there is a NotFound fault.
func (s *Service) Details(ctx context.Context, p Period) (page []Detail, totals []Total, err error) {
	by := map[string]*Total{rating.Voice: {UsageType: rating.Voice}, rating.Data: {UsageType: rating.Data}, rating.SMS: {UsageType: rating.SMS}}
	text := func(path string, op store.Op, v string) store.Filter {
		return store.Filter{Path: []string{path}, Op: op, Values: []string{v}, Type: store.Text}
	}
	q := store.Query{NoTotal: true, Limit: 1000, Sort: []store.Sort{{Path: []string{"usageDate"}, Desc: true, Type: store.Text}}, Filters: []store.Filter{
		text("subscriptionId", store.Eq, string(p.Line)),
		text("usageDate", store.Gte, p.From.UTC().Truncate(time.Second).Format(time.RFC3339)),
		text("usageDate", store.Lt, p.To.UTC().Truncate(time.Second).Format(time.RFC3339)),
	}}
	skipped := 0
	err = s.store.Snapshot(ctx, func(ctx context.Context) error {
		page, skipped, q.Offset = nil, 0, 0
		line, _, err := s.Subscriptions.Lines.Get(ctx, p.Line)
		if err != nil {
			return err
		}
		for k := range by {
			*by[k] = Total{UsageType: k}
		}
		for {
			some, err := s.Usages.Docs(ctx, q)
			if err != nil {
				return err
			}
			for _, d := range some.Items {
				one := Detail{ID: d.ID}
				if err := json.Unmarshal(d.Body, &one.Usage); err != nil {
					return fault.Internalf(err, "the stored usage %s cannot be read", d.ID)
				}
				if !one.read(p.UsageType) {
					continue
				}
				if one.Facts.MSISDN == "" { // the usage named its line in another way than by mobileNumber
					one.Facts.MSISDN = string(line.MSISDN)
				}
				by[one.Facts.UsageType].add(one)
				if skipped < p.Offset {
					skipped++
				} else if len(page) < p.Limit {
					page = append(page, one)
				}
			}
			if q.Offset += len(some.Items); len(some.Items) < q.Limit {
				return nil
			}
		}
	})
	for _, k := range []string{rating.Voice, rating.Data, rating.SMS} {
		if by[k].Count > 0 {
			totals = append(totals, *by[k])
		}
	}
	return page, totals, err
}

// read reads what was used; ok is false for what was not charged, or is of another type.
func (d *Detail) read(usageType string) (ok bool) {
	var err error
	d.Facts, err = d.Usage.Facts()
	return err == nil && d.Usage.Status.charged() && (usageType == "" || d.Facts.UsageType == usageType)
}

func (t *Total) add(d Detail) {
	t.Count++
	t.Quantity += d.Facts.Quantity
	if c := d.Usage.Charged; c != nil {
		t.Charged += c.Micros()
	}
	if c := d.Usage.Uncollected; c != nil {
		t.Uncollected += c.Micros()
	}
}
