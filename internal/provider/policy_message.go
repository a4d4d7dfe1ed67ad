package provider

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// MessagePolicy is how a service provider speaks to its customers.
type MessagePolicy struct {
	// Channels are how customers are told, the preferred first (default sms, email, push).
	Channels []string `json:"channels,omitzero"`
	// Silent names templates of which nothing is said. Secrets that are asked for are always sent.
	Silent []string `json:"silent,omitzero"`
	// SMSSender is whom short messages come from: digits, or at most 11 letters and digits (default: the service
	// provider's name, as far as it fits).
	SMSSender string `json:"smsSender,omitzero"`
	// EmailSender is the address that e-mails come from (default: the installation's).
	EmailSender string `json:"emailSender,omitzero"`
	// ExpiryHours is after how many hours a message that could not be sent is given up (default 48).
	ExpiryHours *int `json:"expiryHours,omitzero"`
}

var (
	channels   = []string{"sms", "email", "push"}
	senderForm = regexp.MustCompile(`^([0-9]{3,15}|[A-Za-z0-9][A-Za-z0-9 ._-]{0,10})$`)
)

// mostSilent is more than there are templates.
const mostSilent = 200

// Silences reports whether nothing is said of a template.
func (p *MessagePolicy) Silences(template string) bool {
	return p != nil && slices.Contains(p.Silent, template)
}

// check says what is wrong with it.
func (p *MessagePolicy) check() (found []fault.Detail) {
	if p == nil {
		return nil
	}
	add := func(bad bool, attribute, message string) {
		if bad {
			found = append(found, fault.Detail{Attribute: "policy.message." + attribute, Message: message})
		}
	}
	for n, c := range p.Channels {
		add(!slices.Contains(channels, c) || slices.Contains(p.Channels[:n], c), fmt.Sprintf("channels[%d]", n), "channels are sms, email and push, each once")
	}
	add(len(p.Silent) > mostSilent, "silent", fmt.Sprintf("there are at most %d of them", mostSilent))
	add(p.SMSSender != "" && !senderForm.MatchString(p.SMSSender), "smsSender", "a sender is 3 to 15 digits, or at most 11 letters, digits, spaces, dots and hyphens")
	if p.EmailSender != "" {
		a, err := mail.ParseAddress(p.EmailSender)
		add(err != nil || a.Address != p.EmailSender, "emailSender", "the sender of e-mails is an address such as info@example.com")
	}
	add(p.ExpiryHours != nil && (*p.ExpiryHours < 1 || *p.ExpiryHours > 720), "expiryHours", "expiryHours is 1 to 720 hours")
	return found
}
