package provider

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/govalues/decimal"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// AdjustmentPolicy is how balances may be adjusted by hand with approval.
type AdjustmentPolicy struct {
	// Reasons are the catalogue of reasons; empty: demarc's own.
	Reasons []AdjustmentReason `json:"reason,omitzero"`
	// Limits say who may adjust how much; empty: demarc's own.
	Limits []AdjustmentLimit `json:"limit,omitzero"`
	// PendingDays is after how many days a request that nobody decided is rejected (default 14).
	PendingDays *int     `json:"pendingDays,omitzero"`
	Rest        sid.Rest `json:",embed"`
}

// AdjustmentReason is one reason to adjust a balance.
type AdjustmentReason struct {
	// Code names it in requests and histories.
	Code        string `json:"code"`
	Description string `json:"description,omitzero"`
	// Operation is "credit" or "debit" when it is a reason for that alone.
	Operation string `json:"operation,omitzero"`
	// NeedsNote has who asks say more in words.
	NeedsNote bool `json:"needsNote,omitzero"`
	// Retired takes it out of use; what was asked for with it keeps its name.
	Retired bool     `json:"retired,omitzero"`
	Rest    sid.Rest `json:",embed"`
}

// AdjustmentLimit is how much of one unit those may adjust who have a role. Amounts are numbers of 0 or more, whether
// something is given or taken. Who has several roles may do what the most generous lets do.
type AdjustmentLimit struct {
	// Role is the name of a role as the identity provider has it; empty: everybody.
	Role string `json:"role,omitzero"`
	// Unit is a currency (EUR) or a unit of usage (GB, min, messages); it stands for the others of its kind.
	Unit string `json:"unit"`
	// WithoutApproval is how much a line may be given or have taken in a day without anybody's approval (default 0).
	WithoutApproval jsontext.Value `json:"withoutApproval,omitzero"`
	// Maximum is the most that may be asked for at once; left out: any amount.
	Maximum jsontext.Value `json:"maximum,omitzero"`
	// MayApprove is the most that may be approved at once by those who may approve; left out: Maximum.
	MayApprove jsontext.Value `json:"mayApprove,omitzero"`
	Rest       sid.Rest       `json:",embed"`
}

const (
	mostReasons = 100
	mostLimits  = 200
)

var reasonForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$`)

func (p *AdjustmentPolicy) check() (found []fault.Detail) {
	if p == nil {
		return nil
	}
	add := func(bad bool, at, format string, args ...any) {
		if bad {
			found = append(found, fault.Detail{Attribute: "policy.adjustment." + at, Message: fmt.Sprintf(format, args...)})
		}
	}
	add(p.PendingDays != nil && (*p.PendingDays < 1 || *p.PendingDays > 365), "pendingDays", "pendingDays is 1 to 365 days")
	add(len(p.Reasons) > mostReasons, "reason", "there are at most %d reasons", mostReasons)
	add(len(p.Limits) > mostLimits, "limit", "there are at most %d limits", mostLimits)
	for n, r := range p.Reasons {
		at := fmt.Sprintf("reason[%d].", n)
		add(!reasonForm.MatchString(r.Code), at+"code", "a reason has a code of at most 40 letters, digits, dots, lines and underscores")
		add(slices.ContainsFunc(p.Reasons[:n], func(o AdjustmentReason) bool { return strings.EqualFold(o.Code, r.Code) }), at+"code", "a reason stands there once")
		add(len(r.Description) > 255, at+"description", "a description has at most 255 characters")
		add(!slices.Contains([]string{"", "credit", "debit"}, r.Operation), at+"operation", "operation is credit or debit, or left out for both")
		noOther(&found, "policy.adjustment."+at, r.Rest)
	}
	for n, l := range p.Limits {
		l.check(fmt.Sprintf("limit[%d].", n), add)
		add(slices.ContainsFunc(p.Limits[:n], func(o AdjustmentLimit) bool { return o.Role == l.Role && o.Unit == l.Unit }), fmt.Sprintf("limit[%d]", n),
			"a role has one limit for a unit")
		noOther(&found, fmt.Sprintf("policy.adjustment.limit[%d].", n), l.Rest)
	}
	noOther(&found, "policy.adjustment.", p.Rest)
	return found
}

func (l AdjustmentLimit) check(at string, add func(bad bool, at, format string, args ...any)) {
	add(l.Unit == "" || len(l.Unit) > 32, at+"unit", "a limit is for a unit: a currency, or a unit of usage such as GB")
	add(len(l.Role) > 255, at+"role", "the name of a role has at most 255 characters")
	var numbers [3]*decimal.Decimal
	names := [...]string{"withoutApproval", "maximum", "mayApprove"}
	for n, v := range []jsontext.Value{l.WithoutApproval, l.Maximum, l.MayApprove} {
		if len(v) == 0 {
			continue
		}
		d, err := decimal.Parse(string(v))
		add(err != nil || d.IsNeg(), at+names[n], "%s is a number of 0 or more", names[n])
		if err == nil {
			numbers[n] = &d
		}
	}
	add(numbers[0] != nil && numbers[1] != nil && numbers[0].Cmp(*numbers[1]) > 0, at+names[0], "what needs no approval is not more than may be asked for")
}

// noOther refuses attributes that are unknown: kept unread, a rule that is misspelt would seem to hold.
func noOther(found *[]fault.Detail, at string, rest sid.Rest) {
	unknown := make([]string, 0, len(rest))
	for name := range rest {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		*found = append(*found, fault.Detail{Attribute: at + name, Message: "there is no such rule"})
	}
}
