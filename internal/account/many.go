package account

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/store"
)

// Nobody is the related party of a prepaid account whose owner is not known yet: a card that lies on a shelf.
var Nobody = sid.Ref{ID: "anonymous", Name: "Not registered", Role: "owner"}

// Anonymous is prepaid accounts of Nobody's that are about to be opened.
type Anonymous struct {
	s      *Service
	now    time.Time
	ids    []id.ID
	names  []string
	drafts []store.Draft
	// numbers are drawn, and not claimed yet.
	numbers []string
}

// Anonymous makes ready what Open opens: accounts under the ids and names given. It needs no database, so that it can be
// done while that is busy.
func (s *Service) Anonymous(now time.Time, ids []id.ID, names []string) (*Anonymous, error) {
	a := &Anonymous{s: s, now: now, ids: ids, names: names, drafts: make([]store.Draft, len(ids)), numbers: make([]string, len(ids))}
	for n := range ids {
		if err := a.draw(n); err != nil {
			return nil, err
		}
	}
	return a, s.Billing.Look(a.drafts)
}

// draw gives an account another number.
func (a *Anonymous) draw(n int) error {
	a.numbers[n] = id.Number()
	v := Account{Name: a.names[n], AccountNumber: a.numbers[n], AccountType: Prepaid, LastModified: a.now, RelatedParty: []sid.Ref{Nobody}}
	if err := v.begin("BillingAccount", true); err != nil {
		return err
	}
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return fault.Internalf(err, "an account cannot be written as JSON")
	}
	a.drafts[n] = store.Draft{ID: a.ids[n], Body: body}
	return nil
}

// Open opens the accounts, in one transaction with what ctx has open. Who registers takes the place of Nobody: account,
// line and balance stay as they are.
func (a *Anonymous) Open(ctx context.Context) error {
	return a.s.store.Write(ctx, func(ctx context.Context) error {
		if err := a.claim(ctx); err != nil {
			return err
		}
		_, err := a.s.Billing.InsertMany(ctx, a.drafts)
		return err
	})
}

// claim claims the numbers, and others for those that are taken.
func (a *Anonymous) claim(ctx context.Context) error {
	left := make([]int, len(a.ids))
	for n := range left {
		left[n] = n
	}
	for range numberDraws {
		owners, drawn := map[string]id.ID{}, map[string]int{}
		var again []int
		for _, n := range left {
			if _, twice := drawn[a.numbers[n]]; twice {
				again = append(again, n)
				continue
			}
			owners[a.numbers[n]], drawn[a.numbers[n]] = a.ids[n], n
		}
		taken, err := a.s.store.ClaimAll(ctx, numberClaim, owners)
		if err != nil {
			return err
		}
		for number := range taken {
			again = append(again, drawn[number])
		}
		if left = again; len(left) == 0 {
			return nil
		}
		for _, n := range left {
			if err := a.draw(n); err != nil {
				return err
			}
		}
	}
	return fault.Internalf(nil, "no free account numbers in %d draws", numberDraws)
}
