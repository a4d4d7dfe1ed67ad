package payment

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/pan"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

const (
	// tokenClaim leads from what a value is recognised by to its token, methodClaim from an account to its method.
	tokenClaim  = "payment.token"
	methodClaim = "payment.method"
	// longestValue is how many characters a token's value has at most.
	longestValue = 255
)

// Token stands for a means of payment that a gateway keeps. Its value is known to the gateway and kept locked up: no
// document, event, audit record or answer has it.
type Token struct {
	ID   id.ID  `json:"-"`
	Type string `json:"@type,omitzero"`
	// Account is whose it is.
	Account id.ID    `json:"accountID"`
	Owner   *sid.Ref `json:"account,omitzero"`
	// Masked is the last four digits of the card, Expiry the month in which it ends ("2031/04"); both may be dummies.
	Masked string `json:"maskedCardNumber,omitzero"`
	Expiry string `json:"expiryDate,omitzero"`
	// ReplacedBy is the token that a change of the account's stored method put in its place.
	ReplacedBy id.ID     `json:"replacedBy,omitzero"`
	Created    time.Time `json:"creationDate,omitzero"`
	// Vault is where its value is locked up.
	Vault id.ID `json:"vaultId,omitzero"`
}

// Card is what is known of a means of payment beside its token; an empty text says nothing.
type Card struct {
	// Masked is the last four digits, alone or behind a mask ("**** 1111").
	Masked string
	// Expiry is YYYY/MM.
	Expiry string
}

var (
	maskForm   = regexp.MustCompile(`^[*xX•.# -]*([0-9]{4})$`)
	expiryForm = regexp.MustCompile(`^([0-9]{4})/(0[1-9]|1[0-2])$`)
)

// check refuses a full card number and an end that is past, and brings the mask to its last four digits.
func (c *Card) check(found *fault.Several, now time.Time) {
	if c.Masked != "" {
		m := maskForm.FindStringSubmatch(c.Masked)
		if m == nil {
			found.Invalidf("maskedCardNumber", "maskedCardNumber is the last four digits of the card; a full number is neither taken nor kept")
		} else {
			c.Masked = m[1]
		}
	}
	if c.Expiry == "" {
		return
	}
	m := expiryForm.FindStringSubmatch(c.Expiry)
	if m == nil {
		found.Invalidf("expiryDate", "expiryDate is a year and a month, as 2031/04")
		return
	}
	if !now.Before(ends(m)) {
		found.Invalidf("expiryDate", "the card has expired")
	}
}

// ends is the first moment after a card's last month.
func ends(m []string) time.Time {
	year, _ := strconv.Atoi(m[1])
	month, _ := strconv.Atoi(m[2])
	return time.Date(year, time.Month(month)+1, 1, 0, 0, 0, 0, time.UTC)
}

func checkValue(value Secret, found *fault.Several) {
	v := value.Reveal()
	switch {
	case strings.TrimSpace(v) == "":
		found.Invalidf("tokenValue", "tokenValue is mandatory: what the payment gateway knows the means of payment by")
	case len(v) > longestValue || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }):
		found.Invalidf("tokenValue", "tokenValue has at most %d printable characters of ASCII, without spaces", longestValue)
	case pan.Found(v):
		found.Invalidf("tokenValue", "tokenValue is the payment gateway's token; a full card number is neither taken nor kept")
	}
}

func (s *Service) tokenRules() resource.Rules[Token] {
	return resource.Rules[Token]{
		Domain: domain,
		Home:   func(v *Token) (id.Home, bool) { return v.Account.Home() },
		After: func(ctx context.Context, _ id.ID, prev, next *Token) error {
			if next != nil {
				return nil
			}
			return s.forget(ctx, prev.Vault)
		},
		Fixed: []string{"accountID", "account", "vaultId", "replacedBy", "creationDate"},
	}
}

// CreateToken keeps a token of a gateway for an account. The same value again is the token that there is, with what the card
// says that came last. Faults: NotFound for the account; Invalid.
func (s *Service) CreateToken(ctx context.Context, account id.ID, value Secret, c Card) (t Token, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		t, err = s.createToken(ctx, account, value, c)
		return err
	})
	return t, err
}

func (s *Service) createToken(ctx context.Context, account id.ID, value Secret, c Card) (Token, error) {
	b, err := s.secrets()
	if err != nil {
		return Token{}, err
	}
	now := s.store.Now(ctx)
	var found fault.Several
	checkValue(value, &found)
	c.check(&found, now)
	if err := found.Err(); err != nil {
		return Token{}, err
	}
	if _, err := s.payer(ctx, account); err != nil {
		return Token{}, err
	}
	by := b.of(account, value)
	was, err := s.store.Claimant(ctx, tokenClaim, by)
	if err != nil {
		return Token{}, err
	}
	if was != "" {
		return s.describe(ctx, was, c)
	}
	t := Token{Type: "PaymentToken", Account: account, Owner: &sid.Ref{ID: string(account)}, Masked: c.Masked, Expiry: c.Expiry, Created: now}
	i, _, err := s.Tokens.Add(ctx, &t)
	if err != nil {
		return Token{}, err
	}
	return s.lock(ctx, i, value, by)
}

// lock keeps the value of a token.
func (s *Service) lock(ctx context.Context, i id.ID, value Secret, by string) (Token, error) {
	at, err := s.keep(ctx, i, value, by)
	if err != nil {
		return Token{}, err
	}
	if err := s.store.Claim(ctx, tokenClaim, by, i); err != nil {
		return Token{}, err
	}
	t, err := s.Tokens.Change(ctx, i, func(t *Token) error {
		t.Vault = at
		return nil
	})
	t.ID = i
	return t, err
}

// describe notes what is known of a card.
func (s *Service) describe(ctx context.Context, i id.ID, c Card) (Token, error) {
	t, _, err := s.Tokens.Get(ctx, i)
	if err == nil && (c.Masked != "" && c.Masked != t.Masked || c.Expiry != "" && c.Expiry != t.Expiry) {
		t, err = s.Tokens.Change(ctx, i, func(t *Token) error {
			if c.Masked != "" {
				t.Masked = c.Masked
			}
			if c.Expiry != "" {
				t.Expiry = c.Expiry
			}
			return nil
		})
	}
	t.ID = i
	return t, err
}

// ReadToken gives a token by its id; a NotFound fault (CodeNoToken) when there is none.
func (s *Service) ReadToken(ctx context.Context, i id.ID) (Token, error) {
	t, _, err := s.Tokens.Get(ctx, i)
	if fault.KindOf(err) == fault.NotFound {
		err = fault.New(fault.NotFound, CodeNoToken, "there is no such payment token").At("tokenID")
	}
	t.ID = i
	return t, err
}

// Token gives a token that an account may be charged with: the one named or, where the account's stored method was changed
// since, the one in its place. Faults: NotFound (CodeNoToken); Conflict for another account's (CodeOtherAccount).
func (s *Service) Token(ctx context.Context, account, token id.ID) (Token, error) {
	t, err := s.ReadToken(ctx, token)
	if err != nil {
		return Token{}, err
	}
	if t.Account != account {
		return Token{}, fault.Conflictf(CodeOtherAccount, "the payment token belongs to another account").At("tokenID")
	}
	for n := 0; t.ReplacedBy != "" && n < 100; n++ {
		if t, err = s.ReadToken(ctx, t.ReplacedBy); err != nil {
			return Token{}, err
		}
	}
	return t, nil
}

// UpdateToken puts another value, or other facts of the card, in the place of a token's. Faults: NotFound (CodeNoToken);
// Invalid; Conflict for a value that another token of the account has, and for another value while a payment with the token
// is not settled (CodeState).
func (s *Service) UpdateToken(ctx context.Context, i id.ID, value Secret, c Card) (t Token, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if t, err = s.ReadToken(ctx, i); err != nil {
			return err
		}
		if t.ReplacedBy != "" {
			return fault.Conflictf(CodeState, "the token was replaced by %s", t.ReplacedBy).At("tokenID")
		}
		var found fault.Several
		if value != "" {
			checkValue(value, &found)
		}
		c.check(&found, s.store.Now(ctx))
		if err := found.Err(); err != nil {
			return err
		}
		if value != "" {
			if err := s.revalue(ctx, t, value); err != nil {
				return err
			}
		}
		if t, err = s.describe(ctx, i, c); err != nil {
			return err
		}
		return s.show(ctx, t)
	})
	return t, err
}

// revalue gives a token another value.
func (s *Service) revalue(ctx context.Context, t Token, value Secret) error {
	b, err := s.secrets()
	if err != nil {
		return err
	}
	by := b.of(t.Account, value)
	was, err := s.store.Claimant(ctx, tokenClaim, by)
	switch {
	case err != nil:
		return err
	case was == t.ID:
		return nil
	case was != "":
		return fault.Conflictf(CodeState, "the account has another token with this value").At("tokenValue")
	}
	open, err := s.open(ctx, t)
	if err != nil {
		return err
	}
	if open {
		return fault.Conflictf(CodeState, "a payment with the token is not settled yet").At("tokenValue")
	}
	if err := s.forget(ctx, t.Vault); err != nil {
		return err
	}
	_, err = s.lock(ctx, t.ID, value, by)
	return err
}

// open reports whether a payment with a token has not ended.
func (s *Service) open(ctx context.Context, t Token) (bool, error) {
	is := func(path []string, value string) store.Filter {
		return store.Filter{Path: path, Op: store.Eq, Values: []string{value}, Type: store.Text}
	}
	page, err := s.Payments.Docs(ctx, store.Query{NoTotal: true, Limit: 1, Filters: []store.Filter{
		is([]string{"account", "id"}, string(t.Account)), is([]string{"status"}, string(Pending)), is([]string{"tokenID"}, string(t.ID)),
	}})
	return len(page.Items) > 0, err
}

// show brings the method that is paid by a token in step with it.
func (s *Service) show(ctx context.Context, t Token) error {
	i, err := s.store.Claimant(ctx, methodClaim, string(t.Account))
	if err != nil || i == "" {
		return err
	}
	m, _, err := s.Methods.Get(ctx, i)
	if err != nil || m.TokenID != t.ID || m.Card() == (Card{t.Masked, t.Expiry}) {
		return err
	}
	_, err = s.Methods.Change(ctx, i, func(m *Method) error { return m.describe(Card{t.Masked, t.Expiry}, time.Time{}) })
	return err
}

// replaced puts one token in the place of another, whose value is forgotten unless a payment that is not settled needs it.
func (s *Service) replaced(ctx context.Context, old, by id.ID) error {
	t, err := s.Tokens.Change(ctx, old, func(t *Token) error {
		t.ReplacedBy = by
		return nil
	})
	if err != nil {
		return err
	}
	t.ID = old
	open, err := s.open(ctx, t)
	if err != nil || open {
		return err
	}
	return s.forgetReplaced(ctx, old)
}

// forgetReplaced destroys the value of a token that another has replaced.
func (s *Service) forgetReplaced(ctx context.Context, i id.ID) error {
	t, _, err := s.Tokens.Get(ctx, i)
	if err != nil || t.ReplacedBy == "" || t.Vault == "" {
		return err
	}
	if err := s.forget(ctx, t.Vault); err != nil {
		return err
	}
	_, err = s.Tokens.Change(ctx, i, func(t *Token) error {
		t.Vault = ""
		return nil
	})
	return err
}

// DeleteToken forgets a token. Faults: NotFound (CodeNoToken); Conflict while a method, a schedule or a payment that is not
// settled needs it.
func (s *Service) DeleteToken(ctx context.Context, i id.ID) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		if _, err := s.ReadToken(ctx, i); err != nil {
			return err
		}
		return s.Tokens.Delete(ctx, i, 0)
	})
}
