package provider

import (
	"fmt"
	"slices"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// AutoTopupPolicy is what a service provider decides about automatic top-ups. A nil field means the default.
type AutoTopupPolicy struct {
	// Default is what starts a top-up of which nothing else was said, as of one that came with an order: "lowBalance"
	// (the default), "weekly", "fortnightly" or "monthly".
	Default string `json:"default,omitzero"`
	// LowBalancePercent is how much of a top-up's amount the balance falls below, where nothing else was said, when it
	// is topped up (default 25).
	LowBalancePercent *int `json:"lowBalancePercent,omitzero"`
	// DailyLimit and MonthlyLimit are how many top-ups by low balance a line gets in a day (default 3) and in a calendar
	// month (default 15).
	DailyLimit   *int `json:"dailyLimit,omitzero"`
	MonthlyLimit *int `json:"monthlyLimit,omitzero"`
	// RetryDays are how many days after a payment was first refused it is tried again (default 1, 3, 7). When the last is
	// refused too, the schedule is suspended. An empty list suspends at once.
	RetryDays []int    `json:"retryDays,omitzero"`
	Rest      sid.Rest `json:",embed"`
}

// AutoTopupDefaults are what may start a top-up of which nothing else was said; the first is the default.
var AutoTopupDefaults = []string{"lowBalance", "weekly", "fortnightly", "monthly"}

// mostRetries bounds how often a refused payment is tried again.
const mostRetries = 10

// Retries are the days after which a refused payment is tried again.
func (p *AutoTopupPolicy) Retries() []int {
	if p == nil || p.RetryDays == nil {
		return []int{1, 3, 7}
	}
	return p.RetryDays
}

// check says of every attribute whether it is one, and within its range.
func (p *AutoTopupPolicy) check() (found []fault.Detail) {
	if p == nil {
		return nil
	}
	add := func(attribute, format string, args ...any) {
		found = append(found, fault.Detail{Attribute: "policy.autoTopup." + attribute, Message: fmt.Sprintf(format, args...)})
	}
	within := func(attribute string, v *int, low, high int, unit string) {
		if v != nil && (*v < low || *v > high) {
			add(attribute, "%s is %d to %d %s", attribute, low, high, unit)
		}
	}
	if p.Default != "" && !slices.Contains(AutoTopupDefaults, p.Default) {
		add("default", "default is one of %v", AutoTopupDefaults)
	}
	within("lowBalancePercent", p.LowBalancePercent, 1, 100, "percent")
	within("dailyLimit", p.DailyLimit, 1, 100, "top-ups")
	within("monthlyLimit", p.MonthlyLimit, 1, 1000, "top-ups")
	if len(p.RetryDays) > mostRetries {
		add("retryDays", "there are at most %d retries", mostRetries)
	}
	for n, day := range p.RetryDays {
		at := fmt.Sprintf("retryDays[%d]", n)
		if day < 1 || day > 90 {
			add(at, "a payment is tried again 1 to 90 days after it was refused")
		} else if n > 0 && day <= p.RetryDays[n-1] {
			add(at, "each retry is later than the one before")
		}
	}
	unknown := make([]string, 0, len(p.Rest))
	for name := range p.Rest {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		add(name, "there is no such rule")
	}
	return found
}
