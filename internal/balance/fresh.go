package balance

import (
	"context"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Fresh gives empty wallets to lines that were made in this transaction, which have no buckets yet; Save them together.
func (s *Service) Fresh(ctx context.Context, of []Holder) ([]*Wallet, error) {
	rules, err := s.parts.Providers.Rules(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*Wallet, len(of))
	for n, h := range of {
		home, ok := h.Subscription.Home()
		if !ok {
			return nil, fault.NotFoundf("there is no subscription %s", h.Subscription)
		}
		out[n] = &Wallet{Line: h.Subscription, Account: h.Account, Now: s.store.Now(ctx), Rules: rules, home: home}
	}
	return out, nil
}
