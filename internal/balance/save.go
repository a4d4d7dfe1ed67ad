package balance

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// ThresholdEvent is the type of the events that tell that a bucket fell to a threshold.
const ThresholdEvent = "BalanceThresholdEvent"

// Save writes what was decided in wallets that were loaded together: postings, balances and the buckets that
// changed. Events tell of the buckets and of thresholds that were crossed. A wallet can go on to be used after it.
func (s *Service) Save(ctx context.Context, wallets ...*Wallet) error {
	byHome := map[id.Home][]store.Posting{}
	var homes []id.Home
	for _, w := range wallets {
		if len(w.postings) == 0 {
			continue
		}
		if byHome[w.home] == nil {
			homes = append(homes, w.home)
		}
		byHome[w.home] = append(byHome[w.home], w.postings...)
	}
	ledger := map[string]int64{}
	for _, home := range homes {
		all := byHome[home]
		if err := s.store.PostAll(ctx, home, all); err != nil {
			return err
		}
		for _, p := range all {
			for _, e := range p.Entries {
				ledger[e.Account] = e.Balance
			}
		}
	}
	for _, w := range wallets {
		w.postings = nil
		for _, h := range w.Held {
			if !h.changed {
				continue
			}
			if held, moved := ledger[string(h.ID)]; moved && held != h.Left {
				return fault.Internalf(fmt.Errorf("balance: the ledger holds %d of %s, the bucket %d", held, h.ID, h.Left), "a balance is not in step with its ledger")
			}
			if err := s.keep(ctx, w, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep stores one bucket as it is now.
func (s *Service) keep(ctx context.Context, w *Wallet, h *Held) error {
	b := &h.Bucket
	b.Remaining, b.Reserved = Quantity(b.Unit, h.Left), Quantity(b.Unit, h.Reserved())
	if b.Status == Expired && len(b.Reservations) == 0 {
		b.HeldBy = ""
	}
	crossed := h.crossed(w.Rules.Policy.BalanceThresholds)
	body, err := json.Marshal(b, json.Deterministic(true))
	if err != nil {
		return fault.Internalf(err, "the bucket %s cannot be written", h.ID)
	}
	verb := event.Create
	var d store.Doc
	if h.version == 0 {
		d, err = s.Buckets.InsertEncoded(ctx, h.ID, body)
	} else {
		verb = event.Change
		if h.was != b.Status {
			verb = event.State
		}
		d, err = s.Buckets.UpdateEncoded(ctx, h.ID, h.version, body)
	}
	if err != nil {
		return err
	}
	h.version, h.was, h.changed = d.Version, b.Status, false
	err = s.store.Emit(ctx, event.Event{
		Type: event.TypeOf(BucketKind.Name, verb), Domain: domain, Resource: BucketKind.Name, Subject: h.ID, Document: d.Body, Quiet: true,
	})
	for _, percent := range crossed {
		if err == nil {
			err = s.tell(ctx, h, percent, d.Body)
		}
	}
	return err
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
		if h.version > 0 && (b.Told == nil || percent < *b.Told) {
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
