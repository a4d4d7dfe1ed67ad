package account

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// State is where an account stands. TMF666 leaves it free text: the states below have rules, any other is
// kept as it came.
type State string

// The states that have rules, with the codes they have in operators' systems (0 to 7, in this order).
const (
	Active              State = "active"
	Suspended           State = "suspended"
	Inactive            State = "inactive"
	NonPaymentWarned    State = "nonPaymentWarned"
	NonPaymentSuspended State = "nonPaymentSuspended"
	PromiseToPay        State = "promiseToPay"
	InArrears           State = "inArrears"
	InCollection        State = "inCollection"
)

var states = [...]State{Active, Suspended, Inactive, NonPaymentWarned, NonPaymentSuspended, PromiseToPay, InArrears, InCollection}

var next = map[State][]State{
	Active:              {Suspended, Inactive, NonPaymentWarned, NonPaymentSuspended, PromiseToPay, InArrears},
	Suspended:           {Active, Inactive},
	Inactive:            {Active},
	NonPaymentWarned:    {Active, Inactive, NonPaymentSuspended, PromiseToPay, InArrears},
	NonPaymentSuspended: {Active, Inactive, PromiseToPay, InArrears, InCollection},
	PromiseToPay:        {Active, Inactive, NonPaymentWarned, NonPaymentSuspended, InArrears},
	InArrears:           {Active, Inactive, NonPaymentSuspended, PromiseToPay, InCollection},
	InCollection:        {Active, Inactive, InArrears},
}

// Code is the state's number; ok is false for a state without rules.
func (s State) Code() (code int, ok bool) {
	i := slices.Index(states[:], s)
	return i, i >= 0
}

// separators are left out where words are compared.
var separators = strings.NewReplacer("_", "", " ", "", "-", "")

// stateOf reads a state in any of its spellings ("Active", "NON_PAYMENT_WARNED"); other text stays as it is.
func stateOf(text State) State {
	folded := separators.Replace(string(text))
	for _, s := range states {
		if strings.EqualFold(folded, string(s)) {
			return s
		}
	}
	return text
}

// May reports whether to may follow; a state without rules may be entered and left freely.
func (s State) May(to State) bool {
	allowed, known := next[s]
	_, ruled := next[to]
	return s == to || !known || !ruled || slices.Contains(allowed, to)
}

// over are states of free text that say of an account that it is no more, or not for now.
var over = []string{"closed", "terminated", "ended", "cancelled", "canceled", "deactivated", "disabled", "blocked", "barred", "deleted", "archived", "frozen"}

// MayOrder reports whether something may be ordered on an account in this state. Its lines are suspended while it
// may not.
func (s State) MayOrder() bool {
	switch s {
	case Suspended, Inactive, NonPaymentSuspended, InCollection:
		return false
	}
	return !slices.Contains(over, strings.ToLower(strings.TrimSpace(string(s))))
}

const numberClaim = "accountNumber"

// numberDraws is how often a number is drawn before the pool of 90 million counts as full.
const numberDraws = 50

func (v Account) check(needsParty bool) (found []fault.Detail) {
	add := func(bad bool, attribute, message string) {
		if bad {
			found = append(found, fault.Detail{Attribute: attribute, Message: message})
		}
	}
	add(strings.TrimSpace(v.Name) == "", "name", "name is mandatory and must not be blank")
	add(needsParty && len(v.RelatedParty) == 0, "relatedParty", "relatedParty is mandatory: the customer or party that the account belongs to")
	for _, r := range v.RelatedParty {
		add(strings.TrimSpace(r.ID) == "", "relatedParty.id", "every related party needs an id")
	}
	add(v.Currency != "" && !v.Currency.Valid(), "currency", "currency is a code of ISO 4217 such as EUR")
	return found
}

func (v *Account) begin(typ string, needsParty bool) error {
	if v.Type == "" {
		v.Type = typ
	}
	if v.State = stateOf(v.State); v.State == "" {
		v.State = Active
	}
	return fault.InvalidAll(v.check(needsParty))
}

func (v *Account) follow(prev *Account, needsParty bool) error {
	if v.State = stateOf(v.State); v.State == "" {
		v.State = prev.State
	}
	if err := fault.InvalidAll(v.check(needsParty)); err != nil {
		return err
	}
	if !prev.State.May(v.State) {
		return fault.Conflictf(CodeState, "an account that is %s cannot become %s", prev.State, v.State).At("state")
	}
	return nil
}

func (s *Service) rules(typ string, needsParty bool) resource.Rules[Account] {
	return resource.Rules[Account]{
		Domain: "accountManagement",
		Home:   (*Account).home,
		Create: func(ctx context.Context, _ id.ID, v *Account, _ time.Time) error {
			if err := v.begin(typ, needsParty); err != nil {
				return err
			}
			return s.owners(ctx, v)
		},
		Change: func(_ context.Context, prev, v *Account, _ time.Time) error { return v.follow(prev, needsParty) },
		State:  func(v *Account) string { return string(v.State) },
		Touch:  func(v *Account, now time.Time) { v.LastModified = now },
	}
}

func (s *Service) billingRules() resource.Rules[Account] {
	r := s.rules("BillingAccount", true)
	general := r.Create
	r.Create = func(ctx context.Context, i id.ID, v *Account, now time.Time) error {
		if err := general(ctx, i, v, now); err != nil {
			return err
		}
		return s.number(ctx, i, v)
	}
	r.After = func(ctx context.Context, _ id.ID, prev, next *Account) error {
		if next != nil {
			return nil
		}
		return s.store.Unclaim(ctx, numberClaim, prev.AccountNumber)
	}
	r.Fixed = []string{"accountNumber", "currency"}
	return r
}

// number gives a new account a number of its own. An account that comes from another system brings its own.
func (s *Service) number(ctx context.Context, i id.ID, v *Account) error {
	if v.AccountNumber != "" {
		if len(v.AccountNumber) != 8 || strings.Trim(v.AccountNumber, "0123456789") != "" {
			return fault.Invalidf("accountNumber", "an account number has 8 digits")
		}
		return s.store.Claim(ctx, numberClaim, v.AccountNumber, i)
	}
	for range numberDraws {
		n := id.Number()
		holder, err := s.store.Claimant(ctx, numberClaim, n)
		if err != nil {
			return err
		}
		if holder != "" {
			continue
		}
		v.AccountNumber = n
		return s.store.Claim(ctx, numberClaim, n, i)
	}
	return fault.Internalf(nil, "no free account number in %d draws", numberDraws)
}

// owners checks the customers and parties that a new account names, and completes the references with
// their type and name (TMF666 asks for both; clients often have only the id).
func (s *Service) owners(ctx context.Context, v *Account) error {
	whole := slices.Clone(v.RelatedParty)
	for n := range whole {
		if err := s.owner(ctx, &whole[n]); err != nil {
			return err
		}
	}
	v.RelatedParty = whole
	return nil
}

func (s *Service) owner(ctx context.Context, r *sid.Ref) error {
	var name, typ string
	var err error
	if id.ID(r.ID).Is(customer.Kind) {
		var c customer.Customer
		if c, _, err = s.customers.Customers.Get(ctx, id.ID(r.ID)); err == nil && c.Status == customer.Closed {
			return fault.Conflictf(CodeCustomerClosed, "the customer %s is closed and gets no new account", r.ID).At("relatedParty")
		}
		name, typ = c.Name, "Customer"
	} else {
		name, typ, err = s.parties.NameOf(ctx, id.ID(r.ID))
	}
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return nil // the store refuses a reference to nothing, and lets one to another server pass
	}
	if err != nil || typ == "" {
		return err
	}
	if r.Name == "" {
		r.Name = name
	}
	if r.ReferredType == "" {
		r.ReferredType = typ
	}
	return nil
}

func namedRules(typ string) resource.Rules[Named] {
	check := func(v *Named) error {
		if strings.TrimSpace(v.Name) == "" {
			return fault.Invalidf("name", "name is mandatory and must not be blank")
		}
		return nil
	}
	return resource.Rules[Named]{
		Domain: "accountManagement",
		Create: func(_ context.Context, _ id.ID, v *Named, _ time.Time) error {
			if v.Type == "" {
				v.Type = typ
			}
			return check(v)
		},
		Change: func(_ context.Context, _, v *Named, _ time.Time) error { return check(v) },
	}
}
