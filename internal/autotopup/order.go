package autotopup

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
)

// Orders set up the top-ups that come with orders of new lines: it implements order.AutoTopup. When such a top-up applies
// is the service provider's default.
type Orders struct{ *Service }

// Check refuses a token or an amount that cannot be used for the account.
func (o Orders) Check(ctx context.Context, account id.ID, token string, amount jsontext.Value) error {
	a, currency, err := o.amount(ctx, account, amount)
	if err != nil {
		return err
	}
	var wrong fault.Several
	payable(&wrong, "atuAmount", a, currency)
	if err := wrong.Err(); err != nil {
		return err
	}
	if err := o.usable(ctx, account, id.ID(token)); err != nil {
		return fault.From(err).At("atuTokenID")
	}
	return nil
}

// Begin sets the top-up up for a line that has none.
func (o Orders) Begin(ctx context.Context, line id.ID, token string, amount jsontext.Value) error {
	has, err := o.OfLine(ctx, line)
	if err != nil || has != "" {
		return err
	}
	v, _, err := o.Subscriptions.Lines.Get(ctx, line)
	if err != nil {
		return err
	}
	a, _, err := o.amount(ctx, v.AccountID, amount)
	if err != nil {
		return err
	}
	_, _, err = o.Create(ctx, Wish{Line: line, Token: id.ID(token), Amount: a})
	return err
}

// End takes back what Begin did.
func (o Orders) End(ctx context.Context, line id.ID) error {
	i, err := o.OfLine(ctx, line)
	if err != nil || i == "" {
		return err
	}
	return o.Delete(ctx, i)
}

// amount reads an amount: a number, or a text of one, of the account's currency, or an amount with its unit.
func (o Orders) amount(ctx context.Context, account id.ID, raw jsontext.Value) (a money.Amount, currency money.Currency, err error) {
	v, _, err := o.Accounts.Billing.Get(ctx, account)
	if err != nil {
		return a, "", err
	}
	if currency, err = o.Accounts.CurrencyOf(ctx, v); err != nil {
		return a, "", err
	}
	switch raw.Kind() {
	case '0':
		a, err = money.Parse(string(raw), currency)
	case '"':
		var text string
		if err = json.Unmarshal(raw, &text); err == nil {
			a, err = money.Parse(text, currency)
		}
	case '{':
		err = json.Unmarshal(raw, &a)
	default:
		err = fault.Invalidf("atuAmount", "atuAmount is mandatory with atuTokenID: how much is topped up")
	}
	if err != nil {
		if f := fault.From(err); f.Kind != fault.Internal {
			return a, "", f.At("atuAmount")
		}
		return a, "", fault.Invalidf("atuAmount", "atuAmount is a number, or an amount with its unit").Because(err)
	}
	return a, currency, nil
}
