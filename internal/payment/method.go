package payment

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/pan"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// methodDomain is what events call the API of payment methods.
const methodDomain = "paymentMethodManagement"

// StatusChange is what TMF670 calls a change of a method's status.
const StatusChange event.Verb = "StatusChange"

// MethodActive is the status of a new method. TMF670 leaves the status free text.
const MethodActive = "active"

// tokenizedCard is the type of a method that a gateway's token stands for.
const tokenizedCard = "tokenizedCard"

// methodTypes are the types of methods (TMF670 PaymentMethod @type).
var methodTypes = []string{
	"cash", "digitalWallet", tokenizedCard, "bankAccountTransfer", "bankAccountDebit", "bankCard", "voucher", "check", "bucketPaymentMethod",
	"accountPaymentMethod", "loyaltyPaymentMethod", "directDebit",
}

// Method is a means of payment (TMF670 PaymentMethod). An account of demarc's own has one at most.
type Method struct {
	Type       string    `json:"@type,omitzero"`
	Name       string    `json:"name,omitzero"`
	Status     string    `json:"status,omitzero"`
	StatusDate time.Time `json:"statusDate,omitzero"`
	Account    []sid.Ref `json:"account,omitzero"`
	// LastFour and Expiration are the card's: the last moment of its last month.
	LastFour   string     `json:"lastFourDigits,omitzero"`
	Expiration *time.Time `json:"expirationDate,omitzero"`
	// CardNumber is masked, if it is there at all.
	CardNumber string `json:"cardNumber,omitzero"`
	// TokenID is the token that a gateway is asked with, and Instrument holds it fast.
	TokenID    id.ID    `json:"tokenID,omitzero"`
	Instrument *sid.Ref `json:"instrument,omitzero"`
	// Value comes in as the gateway's token and is kept locked up alone. CVV comes in and is refused.
	Value Secret   `json:"token,omitzero"`
	CVV   Secret   `json:"cvv,omitzero"`
	Rest  sid.Rest `json:",embed"`
}

// Owner is the account of demarc's own that has it; empty when there is none.
func (v Method) Owner() id.ID {
	for _, a := range v.Account {
		if id.ID(a.ID).Is(account.BillingKind) {
			return id.ID(a.ID)
		}
	}
	return ""
}

// Card is what is known of its card.
func (v Method) Card() Card {
	c := Card{Masked: v.LastFour}
	if v.Expiration != nil {
		c.Expiry = v.Expiration.UTC().Format("2006/01")
	}
	return c
}

// NewMethod is a method to store for an account.
type NewMethod struct {
	Account id.ID
	// Value is the gateway's token; Token names one that was kept before.
	Value Secret
	Token id.ID
	Card  Card
	Name  string
}

// AddMethod stores a method for an account. Faults: those of CreateToken and Token; Conflict when the account has one
// (CodeMethodStored).
func (s *Service) AddMethod(ctx context.Context, n NewMethod) (i id.ID, m Method, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		v := Method{Type: tokenizedCard, Name: n.Name, Account: []sid.Ref{{ID: string(n.Account)}}, Value: n.Value, TokenID: n.Token}
		if err := v.describe(n.Card, s.store.Now(ctx)); err != nil {
			return err
		}
		if v.Name == "" {
			v.Name = "Card"
			if v.LastFour != "" {
				v.Name = "Card ending in " + v.LastFour
			}
		}
		var d store.Doc
		if i, d, err = s.Methods.Add(ctx, &v); err != nil {
			return err
		}
		m = Method{}
		if err := json.Unmarshal(d.Body, &m); err != nil {
			return fault.Internalf(err, "the stored method %s cannot be read", i)
		}
		return nil
	})
	return i, m, err
}

// ChangeMethod puts another token, or other facts of the card, in the place of those of a method. What is empty stays as it is.
func (s *Service) ChangeMethod(ctx context.Context, i id.ID, n NewMethod) (Method, error) {
	return s.Methods.Change(ctx, i, func(v *Method) error {
		if v.Value = n.Value; n.Token != "" {
			v.TokenID = n.Token
		}
		if n.Value != "" || n.Token != "" { // what was known of the old card
			v.LastFour, v.Expiration = "", nil
		}
		if n.Name != "" {
			v.Name = n.Name
		}
		return v.describe(n.Card, s.store.Now(ctx))
	})
}

// describe notes what is said of the card.
func (v *Method) describe(c Card, now time.Time) error {
	var found fault.Several
	c.check(&found, now)
	if err := found.Err(); err != nil {
		return err
	}
	if c.Masked != "" {
		v.LastFour = c.Masked
	}
	if m := expiryForm.FindStringSubmatch(c.Expiry); m != nil {
		last := ends(m).Add(-time.Second)
		v.Expiration = &last
	}
	return nil
}

func (s *Service) methodRules() resource.Rules[Method] {
	return resource.Rules[Method]{
		Domain: methodDomain,
		Home:   func(v *Method) (id.Home, bool) { return v.Owner().Home() },
		Create: func(ctx context.Context, _ id.ID, v *Method, now time.Time) error {
			if v.Status == "" {
				v.Status = MethodActive
			}
			if v.Instrument = nil; v.StatusDate.IsZero() {
				v.StatusDate = now
			}
			if err := v.form(); err != nil {
				return err
			}
			return s.own(ctx, &Method{}, v)
		},
		Change: func(ctx context.Context, prev, next *Method, now time.Time) error {
			if next.Status != prev.Status {
				next.StatusDate = now
			}
			if err := next.form(); err != nil {
				return err
			}
			return s.own(ctx, prev, next)
		},
		After: s.methodKept,
		Fixed: []string{"@type", "instrument"},
	}
}

// form refuses what no method can be, and what must not be kept of one.
func (v *Method) form() error {
	var found fault.Several
	folded := slices.IndexFunc(methodTypes, func(t string) bool { return strings.EqualFold(t, v.Type) })
	if folded < 0 {
		found.Invalidf("@type", "@type is one of %s", strings.Join(methodTypes, ", "))
	} else {
		v.Type = methodTypes[folded]
	}
	if strings.TrimSpace(v.Name) == "" {
		found.Invalidf("name", "name is mandatory and must not be blank")
	}
	if v.CVV != "" {
		found.Invalidf("cvv", "a card's security code is neither taken nor kept")
	}
	if digits := strings.Count(strings.Map(digitsOnly, v.CardNumber), "0"); digits > 4 || pan.Found(v.CardNumber) {
		found.Invalidf("cardNumber", "of a card's number the last four digits are kept alone; send it masked")
	}
	if v.LastFour != "" && !maskForm.MatchString(v.LastFour) {
		found.Invalidf("lastFourDigits", "lastFourDigits are four digits")
	}
	if v.Value != "" {
		checkValue(v.Value, &found)
		if v.LastFour == "" || v.Expiration == nil {
			found.Invalidf("lastFourDigits", "a token comes with the lastFourDigits and the expirationDate of its card; where there is none, 1111 and 2200-01-31T00:00:00Z")
		}
	}
	if v.Type == "voucher" {
		v.Rest = v.Rest.Without("code") // it is as good as money
	}
	owners := 0
	for _, a := range v.Account {
		if id.ID(a.ID).Is(account.BillingKind) {
			owners++
		}
	}
	if owners > 1 {
		found.Invalidf("account", "a method belongs to one account")
	}
	return found.Err()
}

// digitsOnly maps digits to 0 and leaves everything else out.
func digitsOnly(r rune) rune {
	if r >= '0' && r <= '9' {
		return '0'
	}
	return -1
}

// own finds, or keeps, the token of a method.
func (s *Service) own(ctx context.Context, prev, next *Method) error {
	owner, value := next.Owner(), next.Value
	next.Value, next.CVV = "", ""
	if owner != prev.Owner() && prev.Owner() != "" {
		return fault.Invalidf("account", "a method stays with its account")
	}
	if owner == "" {
		if value != "" || next.TokenID != "" {
			return fault.Invalidf("account", "a token is kept for an account: name the account that the method belongs to")
		}
		return nil
	}
	if owner != prev.Owner() {
		if err := s.only(ctx, owner); err != nil {
			return err
		}
	}
	var t Token
	var err error
	switch {
	case value != "":
		t, err = s.createToken(ctx, owner, value, next.Card())
	case next.TokenID != "":
		if t, err = s.Token(ctx, owner, next.TokenID); err == nil {
			t, err = s.describe(ctx, t.ID, next.Card())
		}
	default:
		_, err = s.payer(ctx, owner)
	}
	if err != nil {
		return err
	}
	if t.ID == "" {
		next.TokenID, next.Instrument = "", nil
		return nil
	}
	next.TokenID, next.Instrument = t.ID, &sid.Ref{ID: string(t.ID)}
	return next.describe(Card{Masked: t.Masked, Expiry: t.Expiry}, time.Time{})
}

// only holds that an account has no method yet.
func (s *Service) only(ctx context.Context, owner id.ID) error {
	was, err := s.store.Claimant(ctx, methodClaim, string(owner))
	if err == nil && was != "" {
		err = fault.Conflictf(CodeMethodStored, "the account has a stored payment method, %s, and can have one only: change that one", was).At("account")
	}
	return err
}

// methodKept does what follows from a method that was stored, changed or deleted.
func (s *Service) methodKept(ctx context.Context, i id.ID, prev, next *Method) error {
	switch {
	case next == nil:
		return s.methodGone(ctx, *prev)
	case prev == nil:
		if owner := next.Owner(); owner != "" {
			return s.store.Claim(ctx, methodClaim, string(owner), i)
		}
		return nil
	}
	if next.Owner() != "" && prev.Owner() == "" {
		if err := s.store.Claim(ctx, methodClaim, string(next.Owner()), i); err != nil {
			return err
		}
	}
	if prev.TokenID != "" && prev.TokenID != next.TokenID {
		if err := s.replaced(ctx, prev.TokenID, next.TokenID); err != nil {
			return err
		}
	}
	if prev.Status == next.Status {
		return nil
	}
	body, err := json.Marshal(next, json.Deterministic(true))
	if err != nil {
		return fault.Internalf(err, "a payment method cannot be written")
	}
	return s.store.Emit(ctx, event.Event{
		Type: event.TypeOf(MethodKind.Name, StatusChange), Domain: methodDomain, Resource: MethodKind.Name, Subject: i, Document: body,
	})
}

// methodGone deletes the token of a method with it. It is refused while something else, as a schedule or a payment that is
// not settled, needs the token.
func (s *Service) methodGone(ctx context.Context, v Method) error {
	if owner := v.Owner(); owner != "" {
		if err := s.store.Unclaim(ctx, methodClaim, string(owner)); err != nil {
			return err
		}
	}
	if v.TokenID == "" {
		return nil
	}
	return s.Tokens.Delete(ctx, v.TokenID, 0)
}

// MethodOf is the document of the method that an account has stored; ok is false when it has none.
func (s *Service) MethodOf(ctx context.Context, account id.ID) (d store.Doc, ok bool, err error) {
	i, err := s.store.Claimant(ctx, methodClaim, string(account))
	if err != nil || i == "" {
		return d, false, err
	}
	d, err = s.Methods.Doc(ctx, i)
	return d, err == nil, err
}

// Stored is the method that an account has stored, with its token; a Conflict fault (CodeNoMethod) when it has none.
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
