package provider

import "github.com/demarc-bss/demarc/internal/kernel/fault"

// PaymentPolicy is what a service provider decides about charges through payment gateways.
type PaymentPolicy struct {
	// ResendMinutes is for how long a charge that the gateway did not answer is asked for again (default 60); after that the
	// gateway is only asked what it knows. 0 asks once.
	ResendMinutes *int `json:"resendMinutes,omitzero"`
}

// mostResend is how long gateways are known to recognise a charge that is asked for again: a day, less an hour.
const mostResend = 23 * 60

func (p *PaymentPolicy) check() (found []fault.Detail) {
	if p != nil && p.ResendMinutes != nil && (*p.ResendMinutes < 0 || *p.ResendMinutes > mostResend) {
		found = append(found, fault.Detail{Attribute: "policy.payment.resendMinutes", Message: "resendMinutes is 0 to 1380 minutes"})
	}
	return found
}

// Resend is ResendMinutes; nil when nothing is said.
func (p *PaymentPolicy) Resend() *int {
	if p == nil {
		return nil
	}
	return p.ResendMinutes
}
