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
		Fixed:  []string{"accountID", "account", "vaultId", "replacedBy", "creationDate"},
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
