package payment

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// Method is a means of payment that an account has stored (TMF670 PaymentMethod).
type Method struct {
	Type       string    `json:"@type,omitzero"`
	Name       string    `json:"name,omitzero"`
	Status     string    `json:"status,omitzero"`
	StatusDate time.Time `json:"statusDate,omitzero"`
	Account    []sid.Ref `json:"account,omitzero"`
	TokenID    id.ID     `json:"tokenID,omitzero"`
	Instrument *sid.Ref  `json:"instrument,omitzero"`
	LastFour   string    `json:"lastFourDigits,omitzero"`
	Expiration string    `json:"expirationDate,omitzero"`
	Rest       sid.Rest  `json:",embed"`
}

// Stored is the token of an account's stored method; a Conflict fault (CodeNoMethod) when it has none.
func (s *Service) Stored(ctx context.Context, account id.ID) (id.ID, Token, error) {
	i, err := s.store.Claimant(ctx, methodClaim, string(account))
	if err != nil {
		return "", Token{}, err
	}
	if i == "" {
		return "", Token{}, fault.Conflictf(CodeNoMethod, "the account has no stored payment method").At("paymentMethod")
	}
	m, _, err := s.Methods.Get(ctx, i)
	if err != nil {
		return "", Token{}, err
	}
	if m.TokenID == "" {
		return "", Token{}, fault.Conflictf(CodeNoMethod, "the account's payment method is none that a gateway can be asked with").At("paymentMethod")
	}
	t, err := s.Token(ctx, account, m.TokenID)
	return i, t, err
}

func (s *Service) methodRules() resource.Rules[Method] {
	return resource.Rules[Method]{Domain: "paymentMethodManagement"}
}
