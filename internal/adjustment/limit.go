package adjustment

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
)

// usualPending is after how many days a request that nobody decided is rejected.
const usualPending = 14

// usualReasons are the reasons of a service provider that has none of its own.
var usualReasons = []provider.AdjustmentReason{
	{Code: "GOODWILL", Description: "A gesture of goodwill", Operation: "credit"},
	{Code: "SERVICE_OUTAGE", Description: "The service was not there", Operation: "credit"},
	{Code: "BILLING_ERROR", Description: "Something was charged wrongly"},
	{Code: "CORRECTION", Description: "Corrects what was adjusted before"},
	{Code: "MISUSE", Description: "Taken back: it was not the customer's due", Operation: "debit"},
	{Code: "OTHER", Description: "Something else; the note says what", NeedsNote: true},
}

// usualLimits are everybody's, of a service provider that has none of its own, by unit of the ledger: what needs no
// approval, and the most.
var usualLimits = map[string]provider.AdjustmentLimit{
	balance.Seconds:  {Unit: "min", WithoutApproval: jsontext.Value("60"), Maximum: jsontext.Value("6000")},
	balance.Bytes:    {Unit: "GB", WithoutApproval: jsontext.Value("1"), Maximum: jsontext.Value("100")},
	balance.Messages: {Unit: "messages", WithoutApproval: jsontext.Value("100"), Maximum: jsontext.Value("10000")},
}

// usualLimit is the one for a unit of the ledger.
func usualLimit(unit string) []provider.AdjustmentLimit {
	if l, ok := usualLimits[unit]; ok {
		return []provider.AdjustmentLimit{l}
	}
	if money.Currency(unit).Valid() {
		return []provider.AdjustmentLimit{{Unit: unit, WithoutApproval: jsontext.Value("10"), Maximum: jsontext.Value("500")}}
	}
	return []provider.AdjustmentLimit{{Unit: unit}}
}

// policy is the service provider's.
func (s *Service) policy(ctx context.Context) (provider.AdjustmentPolicy, provider.ServiceProvider, error) {
	rules, err := s.Providers.Rules(ctx)
	if err != nil || rules.Policy.Adjustment == nil {
		return provider.AdjustmentPolicy{}, rules, err
	}
	return *rules.Policy.Adjustment, rules, nil
}

// Reasons is the catalogue of reasons that can be given now.
func (s *Service) Reasons(ctx context.Context) ([]provider.AdjustmentReason, error) {
	p, _, err := s.policy(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(reasons(p)), func(r provider.AdjustmentReason) bool { return r.Retired }), nil
}

func reasons(p provider.AdjustmentPolicy) []provider.AdjustmentReason {
	if len(p.Reasons) == 0 {
		return usualReasons
	}
	return p.Reasons
}

// reasonable refuses a reason that does not fit.
func reasonable(p provider.AdjustmentPolicy, a Asked, count int64) error {
	for _, r := range reasons(p) {
		if r.Code != a.Reason || r.Retired {
			continue
		}
		switch {
		case r.Operation == "credit" && count < 0, r.Operation == "debit" && count > 0:
			return fault.Conflictf(CodeReason, "%s is a reason for a %s alone", r.Code, r.Operation).At("reasonCode")
		case r.NeedsNote && a.Note == "":
			return fault.Invalidf("csrInput", "%s says little: csrInput must say more", r.Code)
		}
		return nil
	}
	return fault.Conflictf(CodeReason, "there is no reason %q: GET /api/subscription/adjustment/reason lists them", short(a.Reason)).At("reasonCode")
}

// short is as much of a text as a message repeats, in whole characters.
func short(text string) string {
	if cut := fmt.Sprintf("%.40s", text); cut != text {
		return cut + "…"
	}
	return text
}

// Limit is what a caller may do in one unit of the ledger. A bound that is not there is math.MaxInt64.
type Limit struct {
	Unit string
	// Free is what a line may be given or have taken in a day without approval, Most what may be asked for at once, and
	// Approve what may be approved by those who may.
	Free, Most, Approve int64
}

// limit is what those may do in a unit who have some roles; ok is false when the service provider lets them do nothing.
func limit(p provider.AdjustmentPolicy, unit string, roles []string) (l Limit, ok bool) {
	all := p.Limits
	if len(all) == 0 {
		all = usualLimit(unit)
	}
	l.Unit = unit
	for _, one := range all {
		if one.Role != "" && !slices.Contains(roles, one.Role) || !measures(one.Unit, unit) {
			continue
		}
		most := bound(one, unit, one.Maximum, math.MaxInt64)
		l.Free, l.Most = max(l.Free, bound(one, unit, one.WithoutApproval, 0)), max(l.Most, most)
		l.Approve, ok = max(l.Approve, bound(one, unit, one.MayApprove, most)), true
	}
	return l, ok
}

// measures reports whether amounts in a unit that people use are of one of the ledger's.
func measures(as, unit string) bool {
	_, err := balance.Count(unit, sid.Quantity{Amount: jsontext.Value("0"), Units: as})
	return err == nil
}

// bound reads a bound of a limit. One that cannot be in the unit, half a message, bounds at nothing.
func bound(l provider.AdjustmentLimit, unit string, v jsontext.Value, otherwise int64) int64 {
	if len(v) == 0 {
		return otherwise
	}
	n, err := balance.Count(unit, sid.Quantity{Amount: v, Units: l.Unit})
	if err != nil {
		return 0
	}
	return n
}

// spoken are those of a caller's roles that the limits speak of.
func spoken(p provider.AdjustmentPolicy, roles []string) (out []string) {
	for _, l := range p.Limits {
		if l.Role != "" && slices.Contains(roles, l.Role) && !slices.Contains(out, l.Role) {
			out = append(out, l.Role)
		}
	}
	return out
}

// within refuses what is above a bound.
func within(unit string, count, most int64, what string) error {
	if magnitude(count) <= most {
		return nil
	}
	return fault.Conflictf(CodeAboveLimit, "at most %s %s may be %s", balance.Decimal(unit, most), unit, what).At("amount")
}

func magnitude(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// tally is what a line was given or had taken without approval on one day: many small adjustments are a large one.
type tally struct {
	SubscriptionID id.ID `json:"subscriptionId"`
	// Day is the service provider's ("2026-11-22"), Sums what it comes to by unit of the ledger.
	Day  string            `json:"day"`
	Sums map[string]string `json:"sum"`
}

// free reports whether so much needs no approval, and counts it if so.
func (s *Service) free(ctx context.Context, line id.ID, l Limit, count int64, now time.Time, zone *time.Location) (bool, error) {
	if magnitude(count) > l.Free {
		return false, nil
	}
	i, err := s.store.Claimant(ctx, tallyClaim, string(line))
	if err != nil {
		return false, err
	}
	t, version := tally{SubscriptionID: line}, int64(0)
	if i != "" {
		v, d, err := s.tallies.Get(ctx, i)
		if err != nil {
			return false, err
		}
		t, version = v, d.Version
	}
	if day := now.In(zone).Format(time.DateOnly); t.Day != day {
		t.Day, t.Sums = day, map[string]string{}
	}
	sum, err := strconv.ParseInt("0"+t.Sums[l.Unit], 10, 64)
	if err != nil {
		return false, fault.Internalf(err, "the tally of %s cannot be read", line)
	}
	if magnitude(count) > l.Free-sum {
		return false, nil
	}
	t.Sums[l.Unit] = strconv.FormatInt(sum+magnitude(count), 10)
	if version > 0 {
		_, err = s.tallies.Update(ctx, i, version, &t)
		return true, err
	}
	home, _ := line.Home()
	i = id.New(tallyKind, home, now)
	if err := s.store.Claim(ctx, tallyClaim, string(line), i); err != nil {
		return false, err
	}
	_, err = s.tallies.Insert(ctx, i, &t)
	return true, err
}
