package provider

import (
	"context"
	"fmt"
	"slices"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// Policy is what a service provider decides for itself. A nil field means the default that Or gives.
type Policy struct {
	// QuarantineDays is how long a number rests after its line is disconnected (default 90).
	QuarantineDays *int `json:"quarantineDays,omitzero"`
	// ReservationMinutes is how long a number is held for who reserved it (default 30).
	ReservationMinutes *int `json:"reservationMinutes,omitzero"`
	// CartHours is how long a cart lives after its last change (default 72).
	CartHours *int `json:"cartHours,omitzero"`
	// GraceDays is how long an unpaid renewal is tried again before the line is suspended (default 3); 0 suspends
	// it at once.
	GraceDays *int `json:"graceDays,omitzero"`
	// SuspendedDays is how long a line stays suspended for want of payment before it expires (default 30).
	SuspendedDays *int `json:"suspendedDays,omitzero"`
	// DormantDays is after how long without use or top-up a line is dormant (default 90); 0 is never.
	DormantDays *int `json:"dormantDays,omitzero"`
	// ExpiredDays is how long a line stays dormant before it expires, and expired before it is disconnected
	// (default 90 each).
	ExpiredDays *int `json:"expiredDays,omitzero"`
	// VoucherTries is how many bad PINs in a row block refill for a line (default 5), and
	// VoucherBlockMinutes for how long (default 1440).
	VoucherTries        *int `json:"voucherTries,omitzero"`
	VoucherBlockMinutes *int `json:"voucherBlockMinutes,omitzero"`
	// UsageFutureMinutes is how far ahead of the clock a usage record may lie (default 5), UsageMaxAgeDays how
	// old it may be (default 90).
	UsageFutureMinutes *int `json:"usageFutureMinutes,omitzero"`
	UsageMaxAgeDays    *int `json:"usageMaxAgeDays,omitzero"`
	// BalanceThresholds are percentages of what a bucket was granted at which its holder is told (default 20, 0);
	// an empty list tells nothing.
	BalanceThresholds []int `json:"balanceThresholds,omitzero"`
	// Adjustment is how balances may be adjusted by hand with approval; Referral is what comes of recommendations.
	Adjustment *AdjustmentPolicy `json:"adjustment,omitzero"`
	Referral   *ReferralPolicy   `json:"referral,omitzero"`
	// AutoTopup is when top-ups that a stored payment method pays are made.
	AutoTopup *AutoTopupPolicy `json:"autoTopup,omitzero"`
	// Payment are the rules of charges through payment gateways.
	Payment *PaymentPolicy `json:"payment,omitzero"`
	// Message is how customers are spoken to, Credential how PINs and one-time passwords are.
	Message    *MessagePolicy    `json:"message,omitzero"`
	Credential *CredentialPolicy `json:"credential,omitzero"`
	Rest       sid.Rest          `json:",embed"`
}

// mostThresholds bounds how often a holder is told of one bucket.
const mostThresholds = 10

const tenYears = 3650

// check says of every attribute whether it is one, and within its range.
func (p *Policy) check() (found []fault.Detail) {
	if p == nil {
		return nil
	}
	within := func(attribute string, v *int, low, high int, unit string) {
		if v != nil && (*v < low || *v > high) {
			found = append(found, fault.Detail{Attribute: "policy." + attribute, Message: fmt.Sprintf("%s is %d to %d %s", attribute, low, high, unit)})
		}
	}
	within("quarantineDays", p.QuarantineDays, 0, tenYears, "days")
	within("reservationMinutes", p.ReservationMinutes, 1, 43_200, "minutes")
	within("cartHours", p.CartHours, 1, 8_760, "hours")
	within("graceDays", p.GraceDays, 0, 365, "days")
	within("suspendedDays", p.SuspendedDays, 0, tenYears, "days")
	within("dormantDays", p.DormantDays, 0, tenYears, "days (0: never)")
	within("expiredDays", p.ExpiredDays, 1, tenYears, "days")
	within("voucherTries", p.VoucherTries, 1, 100, "tries")
	within("voucherBlockMinutes", p.VoucherBlockMinutes, 1, 525_600, "minutes")
	within("usageFutureMinutes", p.UsageFutureMinutes, 0, 1_440, "minutes")
	within("usageMaxAgeDays", p.UsageMaxAgeDays, 1, tenYears, "days")
	found = append(append(found, p.Adjustment.check()...), p.Referral.check()...)
	found = append(found, p.AutoTopup.check()...)
	found = append(append(found, p.Message.check()...), p.Credential.check()...)
	if len(p.BalanceThresholds) > mostThresholds {
		found = append(found, fault.Detail{Attribute: "policy.balanceThresholds", Message: fmt.Sprintf("there are at most %d thresholds", mostThresholds)})
	}
	for n, percent := range p.BalanceThresholds {
		at := fmt.Sprintf("policy.balanceThresholds[%d]", n)
		if percent < 0 || percent > 100 {
			found = append(found, fault.Detail{Attribute: at, Message: "a threshold is 0 to 100 percent"})
		} else if slices.Contains(p.BalanceThresholds[:n], percent) {
			found = append(found, fault.Detail{Attribute: at, Message: "a threshold stands there once"})
		}
	}
	found = append(found, p.Payment.check()...)
	unknown := make([]string, 0, len(p.Rest))
	for name := range p.Rest {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	for _, name := range unknown { // kept unread, a rule that is misspelt would seem to hold
		found = append(found, fault.Detail{Attribute: "policy." + name, Message: "there is no such rule"})
	}
	return found
}

// Or is what p says, or the default when it says nothing.
func Or(p *int, otherwise int) int {
	if p == nil {
		return otherwise
	}
	return *p
}

// Rules is the policy of the scope's service provider: never nil; the empty policy, and UTC, while the service
// provider was not created.
func (p *Service) Rules(ctx context.Context) (ServiceProvider, error) {
	i, err := p.Find(ctx)
	if err != nil || i == "" {
		return ServiceProvider{Policy: &Policy{}, TimeZone: "UTC"}, err
	}
	v, err := p.Shared(ctx, i)
	if err != nil {
		return ServiceProvider{Policy: &Policy{}}, err
	}
	rules := *v
	if rules.Policy == nil {
		rules.Policy = &Policy{}
	}
	return rules, nil
}
