package house

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// holders are the lines of an account, for balances.
func (h *House) holders(ctx context.Context, account id.ID) (all []balance.Holder, err error) {
	page, err := h.Subscriptions.Lines.Docs(ctx, store.Query{NoTotal: true, Filters: []store.Filter{{
		Path: []string{"accountId"}, Op: store.Eq, Values: []string{string(account)}, Type: store.Text,
	}}})
	for _, d := range page.Items {
		var v subscription.Line
		if err := json.Unmarshal(d.Body, &v); err != nil {
			return nil, fault.Internalf(err, "a stored subscription cannot be read")
		}
		all = append(all, balance.Holder{Subscription: d.ID, Account: v.AccountID, Number: string(v.MSISDN)})
	}
	return all, err
}
