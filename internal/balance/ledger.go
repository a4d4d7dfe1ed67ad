package balance

import (
	"context"
	"slices"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// Move books movements of buckets at one home as one posting and brings the buckets in step with the ledger. Faults
// are those of Wallet.Move; then nothing is booked.
func (s *Service) Move(ctx context.Context, c Cause, moves ...Movement) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		var buckets []id.ID
		for _, m := range moves {
			buckets = append(buckets, m.Bucket)
			if i := id.ID(m.Against); i.Is(BucketKind) {
				buckets = append(buckets, i)
			}
		}
		w, err := s.walletOf(ctx, buckets...)
		if err != nil {
			return err
		}
		if err := w.Move(c, moves...); err != nil {
			return err
		}
		return s.Save(ctx, w)
	})
}

// Charge takes a price out of a money bucket, in one entry, and books it as sales and the tax in it. gross and
// tax are in micros. Faults as those of Move.
func (s *Service) Charge(ctx context.Context, c Cause, bucket id.ID, gross, tax int64) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		w, err := s.walletOf(ctx, bucket)
		if err != nil {
			return err
		}
		if err := w.Charge(c, w.Held[0], gross, tax, false); err != nil {
			return err
		}
		return s.Save(ctx, w)
	})
}

// Reverse takes back what one cause did to the buckets of a line, and says why in words: what stands in the ledger
// under the cause sums to zero then, except for what of a bundle was used meanwhile. Buckets that the cause opened
// end, unless others have put money into them. Reversing twice changes nothing.
func (s *Service) Reverse(ctx context.Context, line id.ID, of, because Cause) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		page, err := s.Buckets.Docs(ctx, ofLine(line))
		if err != nil || len(page.Items) == 0 {
			return err
		}
		all := make([]id.ID, len(page.Items))
		for i, d := range page.Items {
			all[i] = d.ID
		}
		w, err := s.walletOf(ctx, all...)
		if err != nil {
			return err
		}
		for _, h := range w.Held {
			if err := s.reverse(ctx, w, h, of, because); err != nil {
				return err
			}
		}
		return s.Save(ctx, w)
	})
}

func (s *Service) reverse(ctx context.Context, w *Wallet, h *Held, of, because Cause) error {
	if h.Bucket.Status == Expired {
		return nil
	}
	postings, err := s.store.Postings(ctx, w.home, store.History{Account: string(h.ID), Unit: h.Bucket.Unit})
	if err != nil {
		return err
	}
	net := map[string]int64{}
	var others []string
	for _, p := range postings {
		if p.CauseKind != of.Kind || p.Cause != of.ID {
			continue
		}
		mine := false // a bucket's entry comes before those that it is moved against
		for _, e := range p.Entries {
			if id.ID(e.Account).Is(BucketKind) {
				mine = e.Account == string(h.ID)
				continue
			}
			if !mine {
				continue
			}
			if !slices.Contains(others, e.Account) {
				others = append(others, e.Account)
			}
			net[e.Account] += e.Amount
		}
	}
	opened := h.Bucket.OpenedByKind == of.Kind && h.Bucket.OpenedBy == of.ID
	back := int64(0)
	for _, account := range others {
		n := -net[account] // into the other account
		if opened && !h.Bucket.Monetary() {
			n = min(n, h.Left-back)
		}
		net[account] = n
		back += n
	}
	p := w.plan()
	if slices.ContainsFunc(others, func(account string) bool { return net[account] != 0 }) {
		if err := p.take(h, -back, true); err != nil {
			return err
		}
	}
	for _, account := range others {
		if net[account] != 0 {
			p.other(account, h.Bucket.Unit, net[account])
		}
	}
	p.done(Cause{Kind: of.Kind, ID: of.ID, Text: because.Text})
	if opened && h.Left == 0 {
		h.Bucket.Status, h.changed = Expired, true
	}
	return nil
}

func ofLine(line id.ID) store.Query {
	return store.Query{NoTotal: true, Filters: []store.Filter{{
		Path: []string{"subscriptionId"}, Op: store.Eq, Values: []string{string(line)}, Type: store.Text,
	}}}
}
