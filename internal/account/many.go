package account

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/store"
)

// Nobody is the related party of a prepaid account whose owner is not known yet: a card that lies on a shelf.
var Nobody = sid.Ref{ID: "anonymous", Name: "Not registered", Role: "owner"}

// OpenAnonymous opens prepaid accounts of Nobody's under the ids and names given, in one transaction with what ctx has
// open. Who registers takes the place of Nobody: account, line and balance stay as they are.
func (s *Service) OpenAnonymous(ctx context.Context, ids []id.ID, names []string) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		now := s.store.Now(ctx)
		numbers, err := s.numbers(ctx, ids)
		if err != nil {
			return err
		}
		drafts := make([]store.Draft, len(names))
		for n, name := range names {
			v := Account{Name: name, AccountNumber: numbers[n], AccountType: Prepaid, LastModified: now, RelatedParty: []sid.Ref{Nobody}}
			if err := v.begin("BillingAccount", true); err != nil {
				return err
			}
			body, err := json.Marshal(v, json.Deterministic(true))
			if err != nil {
				return fault.Internalf(err, "an account cannot be written as JSON")
			}
			drafts[n] = store.Draft{ID: ids[n], Body: body}
		}
		_, err = s.Billing.InsertMany(ctx, drafts)
		return err
	})
}

// numbers draws a number for each account and claims it.
func (s *Service) numbers(ctx context.Context, ids []id.ID) ([]string, error) {
	out := make([]string, len(ids))
	left := make([]int, len(ids))
	for n := range left {
		left[n] = n
	}
	for range numberDraws {
		owners, drawn := map[string]id.ID{}, map[string]int{}
		var again []int
		for _, n := range left {
			number := id.Number()
			if _, twice := drawn[number]; twice {
				again = append(again, n)
				continue
			}
			owners[number], drawn[number] = ids[n], n
		}
		taken, err := s.store.ClaimAll(ctx, numberClaim, owners)
		if err != nil {
			return nil, err
		}
		for number, n := range drawn {
			if _, no := taken[number]; no {
				again = append(again, n)
				continue
			}
			out[n] = number
		}
		if left = again; len(left) == 0 {
			return out, nil
		}
	}
	return nil, fault.Internalf(nil, "no free account numbers in %d draws", numberDraws)
}
