package provider

import "context"

// Policy is what a service provider decides for itself. A nil field means the default that Or gives.
type Policy struct {
	// QuarantineDays is how long a number rests after its line is disconnected (default 90).
	QuarantineDays *int `json:"quarantineDays,omitzero"`
	// ReservationMinutes is how long a number is held for who reserved it (default 30).
	ReservationMinutes *int `json:"reservationMinutes,omitzero"`
	// CartHours is how long a cart lives after its last change (default 72).
	CartHours *int `json:"cartHours,omitzero"`
	// GraceDays is how long an unpaid renewal is tried again before the line is suspended (default 3).
	GraceDays *int `json:"graceDays,omitzero"`
	// SuspendedDays is how long a line stays suspended for want of payment before it expires (default 30).
	SuspendedDays *int `json:"suspendedDays,omitzero"`
	// DormantDays is after how long without use or top-up a line is dormant (default 90).
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
	// BalanceThresholds are percentages of what a bucket was granted at which its holder is told (default 20, 0).
	BalanceThresholds []int `json:"balanceThresholds,omitzero"`
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
	v, _, err := p.Get(ctx, i)
	if v.Policy == nil {
		v.Policy = &Policy{}
	}
	return v, err
}
