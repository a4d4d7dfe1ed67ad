package subscription

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// Change is something of a line that became something else.
type Change struct {
	At time.Time
	// What is "state", "pricePlan", "mobileNumber", "sim", "product", "creditLimit" or "monthlySpendLimit".
	What     string
	From, To string
	// Reason is why a state was entered, where that was said.
	Reason string
	// By is who did it, Operation in which way ("order.step").
	By, Operation string
}

// History is what became of a line, the oldest first, as the audit trail tells it.
func (s *Service) History(ctx context.Context, i id.ID) ([]Change, error) {
	records, err := s.store.Audit(ctx, i)
	if err != nil {
		return nil, err
	}
	var all []Change
	for _, r := range records {
		var was, is Line
		if err := read(r.Before, &was); err != nil {
			return nil, err
		}
		if err := read(r.After, &is); err != nil {
			return nil, err
		}
		for _, c := range differences(was, is) {
			c.By, c.Operation = r.Subject, r.Operation
			if c.At.IsZero() {
				c.At = r.At
			}
			all = append(all, c)
		}
	}
	return all, nil
}

func read(doc []byte, v *Line) error {
	if len(doc) == 0 {
		return nil
	}
	if err := json.Unmarshal(doc, v); err != nil {
		return fault.Internalf(err, "the audit trail of a subscription cannot be read")
	}
	return nil
}

// differences are what became of a line from one document to the next.
func differences(was, is Line) (all []Change) {
	add := func(what, from, to string) {
		if from != to {
			all = append(all, Change{What: what, From: from, To: to})
		}
	}
	add("state", string(was.State), string(is.State))
	if len(all) > 0 && is.StateSince != nil {
		all[0].At, all[0].Reason = *is.StateSince, is.StateReason
	}
	plan := func(v Line) string {
		if v.Plan() == nil {
			return ""
		}
		return v.Plan().Name
	}
	add("pricePlan", plan(was), plan(is))
	add("mobileNumber", string(was.MSISDN), string(is.MSISDN))
	add("sim", was.ICCID, is.ICCID)
	for _, h := range is.Products {
		if before := was.Product(h.ID); before == nil {
			add("product", "", h.Name+": "+h.Status)
		} else {
			add("product", h.Name+": "+before.Status, h.Name+": "+h.Status)
		}
	}
	for _, h := range was.Products {
		if is.Product(h.ID) == nil {
			add("product", h.Name+": "+h.Status, "")
		}
	}
	limit := func(what string, from, to interface{ String() string }, had, has bool) {
		texts := [2]string{}
		if had {
			texts[0] = from.String()
		}
		if has {
			texts[1] = to.String()
		}
		add(what, texts[0], texts[1])
	}
	limit("creditLimit", was.CreditLimit, is.CreditLimit, was.CreditLimit != nil, is.CreditLimit != nil)
	limit("monthlySpendLimit", was.MonthlySpendLimit, is.MonthlySpendLimit, was.MonthlySpendLimit != nil, is.MonthlySpendLimit != nil)
	return all
}
