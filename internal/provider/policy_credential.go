package provider

import (
	"fmt"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// CredentialPolicy is how a service provider has PINs and one-time passwords.
type CredentialPolicy struct {
	// MinimumLength and MaximumLength bound a PIN that is chosen (default 4 and 8); GeneratedLength is how many digits
	// one has that demarc draws (default 6).
	MinimumLength   *int `json:"minimumLength,omitzero"`
	MaximumLength   *int `json:"maximumLength,omitzero"`
	GeneratedLength *int `json:"generatedLength,omitzero"`
	// Tries is how many wrong tries in a row lock (default 5), LockMinutes for how long (default 60); 0 is until somebody
	// unlocks it.
	Tries       *int `json:"tries,omitzero"`
	LockMinutes *int `json:"lockMinutes,omitzero"`
	// ExpiryDays is for how many days a PIN is good (default 0: for ever).
	ExpiryDays *int `json:"expiryDays,omitzero"`
	// IssuesPerHour is how often a PIN or one-time password is sent to one line in an hour (default 5).
	IssuesPerHour *int `json:"issuesPerHour,omitzero"`
	// OTPLength is how many digits a one-time password has (default 6), OTPMinutes for how long it is good (default 5).
	OTPLength  *int `json:"otpLength,omitzero"`
	OTPMinutes *int `json:"otpMinutes,omitzero"`
}

// Defaults of a CredentialPolicy.
const (
	defaultShortest, defaultLongest, defaultGenerated = 4, 8, 6
)

// Lengths are the least and most digits of a PIN, and how many a generated one has.
func (p *CredentialPolicy) Lengths() (least, most, generated int) {
	if p == nil {
		return defaultShortest, defaultLongest, defaultGenerated
	}
	least, most = Or(p.MinimumLength, defaultShortest), Or(p.MaximumLength, defaultLongest)
	return least, most, Or(p.GeneratedLength, max(least, min(most, defaultGenerated)))
}

// check says what is wrong with it.
func (p *CredentialPolicy) check() (found []fault.Detail) {
	if p == nil {
		return nil
	}
	within := func(attribute string, v *int, low, high int) {
		if v != nil && (*v < low || *v > high) {
			found = append(found, fault.Detail{Attribute: "policy.credential." + attribute, Message: fmt.Sprintf("%s is %d to %d", attribute, low, high)})
		}
	}
	within("minimumLength", p.MinimumLength, 4, 12)
	within("maximumLength", p.MaximumLength, 4, 12)
	within("generatedLength", p.GeneratedLength, 4, 12)
	within("tries", p.Tries, 1, 20)
	within("lockMinutes", p.LockMinutes, 0, 525_600)
	within("expiryDays", p.ExpiryDays, 0, tenYears)
	within("issuesPerHour", p.IssuesPerHour, 1, 100)
	within("otpLength", p.OTPLength, 4, 10)
	within("otpMinutes", p.OTPMinutes, 1, 60)
	if least, most, generated := p.Lengths(); len(found) == 0 && (least > most || generated < least || generated > most) {
		found = append(found, fault.Detail{Attribute: "policy.credential.generatedLength", Message: "minimumLength ≤ generatedLength ≤ maximumLength does not hold"})
	}
	return found
}
