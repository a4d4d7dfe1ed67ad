package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// ReferralPolicy is what comes of it when a customer brings another. Without one nobody is rewarded, and referral codes
// are not taken.
type ReferralPolicy struct {
	// Referrer and Referred are what each of the two gets.
	Referrer *ReferralBonus `json:"referrer,omitzero"`
	Referred *ReferralBonus `json:"referred,omitzero"`
	// AfterDays is how many days after the new line's activation the bonuses are paid, if it is in use then (default 0:
	// with the activation).
	AfterDays *int `json:"afterDays,omitzero"`
	// MostPerMonth and MostInAll are how many customers one may be rewarded for in a calendar month, and ever; left out:
	// any number.
	MostPerMonth *int `json:"mostPerMonth,omitzero"`
	MostInAll    *int `json:"mostInAll,omitzero"`
	// ApplyWithinDays is for how long after its activation a line that is there may still say who recommended it
	// (default 30); 0: it must be said with the order.
	ApplyWithinDays *int     `json:"applyWithinDays,omitzero"`
	Rest            sid.Rest `json:",embed"`
}

// ReferralBonus is what one side gets.
type ReferralBonus struct {
	// Amount is money, in the service provider's currency.
	Amount *money.Amount `json:"amount,omitzero"`
	// AddOns are the keys of add-ons whose allowances are given; what they cost is not charged, and they do not renew.
	AddOns []string `json:"addOn,omitzero"`
	Rest   sid.Rest `json:",embed"`
}

const mostBonusAddOns = 10

// in checks that bonuses are in a currency.
func (p *ReferralPolicy) in(c money.Currency) (found []fault.Detail) {
	if p == nil || !c.Valid() {
		return nil
	}
	for _, b := range []struct {
		at string
		of *ReferralBonus
	}{{"referrer", p.Referrer}, {"referred", p.Referred}} {
		if b.of != nil && b.of.Amount != nil && b.of.Amount.Currency() != c {
			found = append(found, fault.Detail{Attribute: "policy.referral." + b.at + ".amount", Message: fmt.Sprintf("the service provider's balances are in %s", c)})
		}
	}
	return found
}

func (p *ReferralPolicy) check() (found []fault.Detail) {
	if p == nil {
		return nil
	}
	add := func(bad bool, at, format string, args ...any) {
		if bad {
			found = append(found, fault.Detail{Attribute: "policy.referral." + at, Message: fmt.Sprintf(format, args...)})
		}
	}
	atMost := func(at string, v *int, most int) {
		add(v != nil && (*v < 0 || *v > most), at, "%s is 0 to %d", at, most)
	}
	atMost("afterDays", p.AfterDays, 365)
	atMost("mostPerMonth", p.MostPerMonth, 1_000_000)
	atMost("mostInAll", p.MostInAll, 1_000_000)
	atMost("applyWithinDays", p.ApplyWithinDays, tenYears)
	for at, b := range map[string]*ReferralBonus{"referrer": p.Referrer, "referred": p.Referred} {
		if b == nil {
			continue
		}
		if a := b.Amount; a != nil {
			add(a.Sign() <= 0, at+".amount", "a bonus is above 0")
			add(a.Round() != *a, at+".amount", "an amount of %s has at most %d decimals", a.Currency(), a.Currency().Digits())
		}
		add(len(b.AddOns) > mostBonusAddOns, at+".addOn", "a bonus has at most %d add-ons", mostBonusAddOns)
		for n, key := range b.AddOns {
			add(key == "" || len(key) > 255, fmt.Sprintf("%s.addOn[%d]", at, n), "an add-on is named by its key")
			add(slices.Contains(b.AddOns[:n], key), fmt.Sprintf("%s.addOn[%d]", at, n), "an add-on stands there once")
		}
		noOther(&found, "policy.referral."+at+".", b.Rest)
	}
	noOther(&found, "policy.referral.", p.Rest)
	slices.SortStableFunc(found, func(a, b fault.Detail) int { return strings.Compare(a.Attribute, b.Attribute) })
	return found
}
