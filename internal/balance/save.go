package balance

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/store"
)

// ThresholdEvent is the type of the events that tell that a bucket fell to a threshold.
const ThresholdEvent = "BalanceThresholdEvent"

// Save writes what was decided in wallets that were loaded together: postings, balances and the buckets that
// changed. Events tell of the buckets and of thresholds that were crossed. A wallet can go on to be used after it.
func (s *Service) Save(ctx context.Context, wallets ...*Wallet) error {
	var bookings []store.Booking
	for _, w := range wallets {
		for _, p := range w.postings {
			bookings = append(bookings, store.Booking{Home: w.home, Posting: p})
		}
		w.postings = nil
	}
	if len(bookings) > 0 {
		if err := s.store.Book(ctx, bookings); err != nil {
			return err
		}
	}
	ledger := map[string]int64{}
	for _, b := range bookings {
		for _, e := range b.Entries {
			ledger[e.Account] = e.Balance
		}
	}
	var changed []change
	for _, w := range wallets {
		for _, h := range w.Held {
			if !h.changed {
				continue
			}
			if held, moved := ledger[string(h.ID)]; moved && held != h.Left {
				return fault.Internalf(fmt.Errorf("balance: the ledger holds %d of %s, the bucket %d", held, h.ID, h.Left), "a balance is not in step with its ledger")
			}
			c, err := h.show(w.Rules.Policy.BalanceThresholds)
			if err != nil {
				return err
			}
			h.changed = false
			changed = append(changed, c)
		}
	}
	return s.keep(ctx, changed)
}

// change is a bucket to be stored.
type change struct {
	h    *Held
	body jsontext.Value
	// crossed are the thresholds that it fell to.
	crossed []int
	// low says that it fell below what is watched.
	low bool
}

// show brings the document of a bucket in step with what it holds.
func (h *Held) show(thresholds []int) (change, error) {
	b := &h.Bucket
	b.Remaining, b.Reserved = Quantity(b.Unit, h.Left), Quantity(b.Unit, h.Reserved())
	if b.Status == Expired && len(b.Reservations) == 0 {
		b.HeldBy = ""
	}
	c := change{h: h, crossed: h.crossed(thresholds), low: h.fell()}
	body, err := json.Marshal(b, json.Deterministic(true))
	if err != nil {
		return c, fault.Internalf(err, "the bucket %s cannot be written", h.ID)
	}
	c.body = body
	return c, nil
}

// keep stores buckets and tells of them.
func (s *Service) keep(ctx context.Context, changed []change) error {
	var drafts []store.Draft
	var revisions []store.Revision
	var opened, moved []*Held
	for _, c := range changed {
		if c.h.stored.Version == 0 {
			drafts, opened = append(drafts, store.Draft{ID: c.h.ID, Body: c.body}), append(opened, c.h)
		} else {
			revisions, moved = append(revisions, store.Revision{Was: c.h.stored, Body: c.body}), append(moved, c.h)
		}
	}
	verbs := map[*Held]event.Verb{}
	if len(drafts) > 0 {
		docs, err := s.Buckets.InsertMany(ctx, drafts)
		if err != nil {
			return err
		}
		for i, h := range opened {
			h.stored, h.was, verbs[h] = docs[i], h.Bucket.Status, event.Create
		}
	}
	if len(revisions) > 0 {
		docs, err := s.Buckets.UpdateMany(ctx, revisions)
		if err != nil {
			return err
		}
		for i, h := range moved {
			verbs[h] = event.Change
			if h.was != h.Bucket.Status {
				verbs[h] = event.State
			}
			h.stored, h.was = docs[i], h.Bucket.Status
		}
	}
	for _, c := range changed {
		err := s.store.Emit(ctx, event.Event{
			Type: event.TypeOf(BucketKind.Name, verbs[c.h]), Domain: domain, Resource: BucketKind.Name, Subject: c.h.ID,
			Document: c.h.stored.Body, Quiet: true,
		})
		for _, percent := range c.crossed {
			if err == nil {
				err = s.tell(ctx, c.h, percent, c.h.stored.Body)
			}
		}
		if err == nil && c.low {
			err = s.tellLow(ctx, c.h)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) tell(ctx context.Context, h *Held, percent int, body jsontext.Value) error {
	title := fmt.Sprintf("%s: %d %% is left", h.Bucket.Name, percent)
	if percent == 0 {
		title = h.Bucket.Name + ": nothing is left"
	}
	return s.store.Emit(ctx, event.Event{
		Type: ThresholdEvent, Domain: domain, Resource: BucketKind.Name, Subject: h.ID, Document: body, Title: title,
		Description: fmt.Sprintf("%s %s of %s are left", Decimal(h.Bucket.Unit, h.Left), h.Bucket.Unit, h.Bucket.Name),
	})
}

func (s *Service) tellLow(ctx context.Context, h *Held) error {
	return s.store.Emit(ctx, event.Event{
		Type: LowBalanceEvent, Domain: domain, Resource: BucketKind.Name, Subject: h.ID, Document: h.stored.Body, Title: h.Bucket.Name + " is low",
		Description: fmt.Sprintf("%s %s of %s are left", Decimal(h.Bucket.Unit, h.Unspent()), h.Bucket.Unit, h.Bucket.Name),
	})
}

var defaultThresholds = []int{20, 0}

// crossed are the thresholds, in percent, that the bucket fell to since it was last told, the highest first; it
// notes them in the bucket. Rising above one lets it be told again. A new bucket, and one that ended, crosses none.
func (h *Held) crossed(thresholds []int) (percents []int) {
	b := &h.Bucket
	if b.Status != Active {
		return nil
	}
	if len(thresholds) == 0 {
		thresholds = defaultThresholds
	}
	full := h.Granted()
	if b.FullValue != nil {
		full = h.count(*b.FullValue)
	}
	sorted := slices.Clone(thresholds)
	slices.Sort(sorted)
	var lowest *int
	for _, percent := range slices.Backward(sorted) {
		if h.Left > share(full, percent) {
			continue
		}
		if h.stored.Version > 0 && (b.Told == nil || percent < *b.Told) {
			percents = append(percents, percent)
		}
		lowest = &percent
	}
	b.Told = lowest
	return percents
}

// share is so many percent of n, rounded down.
func share(n int64, percent int) int64 {
	return n/100*int64(percent) + n%100*int64(percent)/100
}
