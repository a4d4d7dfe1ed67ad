package referral

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// alphabet has no letters that are taken for others or for digits: no I, L, O, U, and neither 0 nor 1. It has 30, so that
// ten of them are one of 6 x 10^14 codes.
const (
	alphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
	length   = 10
)

// draw makes a code.
func draw() string {
	out := make([]byte, 0, length)
	var b [1]byte
	for len(out) < length {
		_, _ = rand.Read(b[:]) // documented never to fail
		if int(b[0]) < 256/len(alphabet)*len(alphabet) {
			out = append(out, alphabet[int(b[0])%len(alphabet)])
		}
	}
	return string(out)
}

// Shown is a code as people write it: 7KQ2M-XW4FA.
func Shown(code string) string {
	if len(code) != length {
		return code
	}
	return code[:length/2] + "-" + code[length/2:]
}

// normal is a code without what people put into it.
func normal(text string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "\t", "").Replace(text))
}

// CodeOf is a customer's code; it is made when there is none yet. Faults: NotFound for an unknown customer.
func (s *Service) CodeOf(ctx context.Context, of id.ID) (c Code, err error) {
	if i, err := s.store.Claimant(ctx, customerClaim, string(of)); err != nil || i != "" {
		if err == nil {
			c, _, err = s.Codes.Get(ctx, i)
		}
		return c, err
	}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if _, _, err := s.Customers.Customers.Get(ctx, of); err != nil {
			return err
		}
		i, err := s.store.Claimant(ctx, customerClaim, string(of))
		if err != nil {
			return err
		}
		if i != "" {
			c, _, err = s.Codes.Get(ctx, i)
			return err
		}
		return s.newCode(ctx, of, &c)
	})
	return c, err
}

func (s *Service) newCode(ctx context.Context, of id.ID, c *Code) error {
	for {
		text := draw()
		if holder, err := s.store.Claimant(ctx, codeClaim, text); err != nil {
			return err
		} else if holder != "" {
			continue
		}
		*c = Code{Type: "ReferralCode", Code: text, CustomerID: of, Created: s.store.Now(ctx)}
		i, _, err := s.Codes.Add(ctx, c)
		if err != nil {
			return err
		}
		if err := s.store.Claim(ctx, codeClaim, text, i); err != nil {
			return err
		}
		return s.store.Claim(ctx, customerClaim, string(of), i)
	}
}

func unknown() *fault.Error {
	return fault.Conflictf(CodeUnknown, "there is no such referral code").At("referralCode")
}

// ByCode finds who has a code. One that nobody has is a Conflict fault (CodeUnknown), whatever is wrong with it.
func (s *Service) ByCode(ctx context.Context, text string) (Code, store.Doc, error) {
	text = normal(text)
	if len(text) != length || strings.Trim(text, alphabet) != "" {
		return Code{}, store.Doc{}, unknown()
	}
	i, err := s.store.Claimant(ctx, codeClaim, text)
	if err != nil {
		return Code{}, store.Doc{}, err
	}
	if i == "" {
		return Code{}, store.Doc{}, unknown()
	}
	return s.Codes.Get(ctx, i)
}

// Customer finds the customer that an id, an account or a line names: a customer's id, an account's id or number, a
// line's id or mobile number. Faults: NotFound.
func (s *Service) Customer(ctx context.Context, name string) (id.ID, error) {
	switch i := id.ID(name); {
	case i.Is(customer.Kind):
		_, err := s.Customers.Customers.Doc(ctx, i)
		return i, err
	case i.Is(account.BillingKind):
		a, _, err := s.Accounts.Billing.Get(ctx, i)
		return customerOf(a, err)
	}
	if i, err := s.Accounts.ByNumber(ctx, name); err == nil {
		a, _, err := s.Accounts.Billing.Get(ctx, i)
		return customerOf(a, err)
	}
	_, v, err := s.Subscriptions.Resolve(ctx, name)
	if k := fault.KindOf(err); k == fault.Invalid || k == fault.NotFound {
		return "", fault.NotFoundf("there is no customer, account or subscription of that name")
	}
	if err != nil {
		return "", err
	}
	a, _, err := s.Accounts.Billing.Get(ctx, v.AccountID)
	return customerOf(a, err)
}

func customerOf(a account.Account, err error) (id.ID, error) {
	if err == nil && a.Customer() == "" {
		err = fault.NotFoundf("the account %s has no customer", a.AccountNumber)
	}
	return a.Customer(), err
}

// accounts are a customer's.
func (s *Service) accounts(ctx context.Context, of id.ID) ([]id.ID, error) {
	return s.store.Referring(ctx, of, account.BillingKind)
}

// paid is the oldest line of a customer that can be given something: one in use, with money. Empty: there is none.
func (s *Service) paid(ctx context.Context, of id.ID) (id.ID, error) {
	accounts, err := s.accounts(ctx, of)
	if err != nil {
		return "", err
	}
	var found id.ID
	for _, a := range accounts {
		page, err := s.Subscriptions.Lines.Docs(ctx, store.Query{NoTotal: true, Filters: []store.Filter{{
			Path: []string{"accountId"}, Op: store.Eq, Values: []string{string(a)}, Type: store.Text,
		}}})
		if err != nil {
			return "", err
		}
		for _, d := range page.Items {
			if found != "" && found < d.ID {
				continue
			}
			ok, err := s.fit(ctx, d.ID)
			if err != nil {
				return "", err
			}
			if ok {
				found = d.ID
			}
		}
	}
	return found, nil
}

// fit reports whether a line can be given something: it is in use, and has money.
func (s *Service) fit(ctx context.Context, i id.ID) (bool, error) {
	v, _, err := s.Subscriptions.Lines.Get(ctx, i)
	if err != nil || !inUse(v.State) {
		return false, err
	}
	_, _, err = s.Balances.Money(ctx, i)
	if fault.KindOf(err) == fault.Conflict {
		return false, nil
	}
	return err == nil, err
}

func inUse(s subscription.State) bool {
	switch s {
	case subscription.Pending, subscription.Available, subscription.Disconnecting, subscription.Locked:
		return false
	}
	return !s.Ended()
}
