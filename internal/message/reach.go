package message

import (
	"cmp"
	"context"
	"net/mail"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// reached is somebody with the ways to them.
type reached struct {
	name, language string
	// at are addresses by channel.
	at map[Channel]string
	// party is who it is, as a receiver names it.
	party   *sid.Ref
	number  string // of the line, for people
	line    id.ID
	account id.ID
}

func (r *reached) set(c Channel, address string) {
	if r.at == nil {
		r.at = map[Channel]string{}
	}
	if address != "" && r.at[c] == "" {
		r.at[c] = address
	}
}

// whom finds whom an order is for.
func (s *Service) whom(ctx context.Context, o Order) (r reached, err error) {
	if o.To != "" {
		if err := s.plainly(ctx, &r, o.To); err != nil {
			return r, err
		}
	}
	if o.Line != "" {
		err = s.holder(ctx, &r, o.Line, o.To == "")
	}
	if err == nil && o.Account != "" && r.account == "" {
		err = s.owner(ctx, &r, o.Account, o.To == "")
	}
	return r, err
}

// plainly takes an address as it is: an e-mail address or a mobile number.
func (s *Service) plainly(ctx context.Context, r *reached, to string) error {
	if strings.Contains(to, "@") {
		address, ok := mailbox(to)
		if !ok {
			return fault.Invalidf("to", "that is no e-mail address")
		}
		r.set(Email, address)
		return nil
	}
	n, err := s.Subscriptions.Number(ctx, to)
	if err != nil {
		return err
	}
	r.set(SMS, string(n))
	return nil
}

func mailbox(text string) (string, bool) {
	a, err := mail.ParseAddress(strings.TrimSpace(text))
	if err != nil || strings.ContainsAny(a.Address, "\r\n") {
		return "", false
	}
	return a.Address, true
}

// holder is who has a line: the line's own number comes first. With reach false the addresses are said already.
func (s *Service) holder(ctx context.Context, r *reached, line id.ID, reach bool) error {
	v, _, err := s.Subscriptions.Lines.Get(ctx, line)
	if err != nil {
		return err
	}
	r.line = line
	if v.MSISDN != "" {
		r.number = v.MSISDN.E123()
		if reach && !v.State.Ended() {
			r.set(SMS, string(v.MSISDN))
		}
	}
	if v.AccountID == "" {
		return nil
	}
	return s.owner(ctx, r, v.AccountID, reach)
}

// owner is who has an account: the account's contacts come first, then the customer's, the party's, and the number of
// one of its lines.
func (s *Service) owner(ctx context.Context, r *reached, i id.ID, reach bool) error {
	v, _, err := s.Accounts.Billing.Get(ctx, i)
	if err != nil {
		return err
	}
	r.account = i
	var media []party.ContactMedium
	if reach {
		media = append(media, contactsOf(v)...)
	}
	if c := v.Customer(); c != "" {
		more, err := s.customer(ctx, r, c)
		if err != nil {
			return err
		}
		media = append(media, more...)
	}
	if p := v.Party(); p != "" {
		more, err := s.partyOf(ctx, r, p)
		if err != nil {
			return err
		}
		media = append(media, more...)
	}
	r.name = cmp.Or(r.name, v.Name)
	if !reach {
		return nil
	}
	s.media(ctx, r, media)
	if r.at[SMS] == "" {
		return s.anyLine(ctx, r, i)
	}
	return nil
}

// contactsOf are the contacts that an account names itself (TMF666 Contact).
func contactsOf(v account.Account) (out []party.ContactMedium) {
	var all []struct {
		Media []party.ContactMedium `json:"contactMedium"`
	}
	if err := json.Unmarshal(v.Rest["contact"], &all); err != nil {
		return nil // nothing is said there, or not in the standard's form
	}
	for _, c := range all {
		out = append(out, c.Media...)
	}
	return out
}

func (s *Service) customer(ctx context.Context, r *reached, i id.ID) ([]party.ContactMedium, error) {
	v, _, err := s.Customers.Customers.Get(ctx, i)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.name = cmp.Or(r.name, v.Name)
	r.party = &sid.Ref{ID: string(i), Name: v.Name, Role: "customer", ReferredType: "Customer"}
	r.set(Push, string(i))
	r.language = cmp.Or(r.language, characteristic(v.Rest["characteristic"]))
	media := v.Contacts
	if v.EngagedParty == nil {
		return media, nil
	}
	more, err := s.partyOf(ctx, r, id.ID(v.EngagedParty.ID))
	return append(slices.Clone(media), more...), err
}

// partyOf is what a person or organization says of itself.
func (s *Service) partyOf(ctx context.Context, r *reached, i id.ID) (media []party.ContactMedium, err error) {
	var rest sid.Rest
	switch {
	case i.Is(party.IndividualKind):
		var v party.Individual
		v, _, err = s.Parties.Individuals.Get(ctx, i)
		media, rest, r.name = v.Contacts, v.Rest, cmp.Or(r.name, v.DisplayName())
	case i.Is(party.OrganizationKind):
		var v party.Organization
		v, _, err = s.Parties.Organizations.Get(ctx, i)
		media, rest, r.name = v.Contacts, v.Rest, cmp.Or(r.name, v.DisplayName())
	}
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	r.language = cmp.Or(r.language, ability(rest["languageAbility"]), characteristic(rest["partyCharacteristic"]))
	return media, err
}

// ability is the language that a person likes best, else the first one it speaks (TMF632 LanguageAbility).
func ability(v jsontext.Value) string {
	var all []struct {
		Code      string `json:"languageCode"`
		Favourite bool   `json:"isFavouriteLanguage"`
	}
	if json.Unmarshal(v, &all) != nil || len(all) == 0 {
		return ""
	}
	if n := slices.IndexFunc(all, func(a struct {
		Code      string `json:"languageCode"`
		Favourite bool   `json:"isFavouriteLanguage"`
	}) bool {
		return a.Favourite
	}); n >= 0 {
		return all[n].Code
	}
	return all[0].Code
}

// characteristic is the language among characteristics.
func characteristic(v jsontext.Value) string {
	var all []sid.Characteristic
	if json.Unmarshal(v, &all) != nil {
		return ""
	}
	for _, c := range all {
		var text string
		if (strings.EqualFold(c.Name, "language") || strings.EqualFold(c.Name, "preferredLanguage")) && json.Unmarshal(c.Value, &text) == nil {
			return text
		}
	}
	return ""
}

// media takes addresses from contacts, the preferred first.
func (s *Service) media(ctx context.Context, r *reached, all []party.ContactMedium) {
	for _, preferred := range []bool{true, false} {
		for _, m := range all {
			if m.Preferred != preferred || m.Characteristic == nil {
				continue
			}
			if address, ok := mailbox(m.Characteristic.EmailAddress); ok {
				r.set(Email, address)
			}
			if mobile(m.MediumType) && m.Characteristic.PhoneNumber != "" {
				if n, err := s.Subscriptions.Number(ctx, m.Characteristic.PhoneNumber); err == nil {
					r.set(SMS, string(n))
				}
			}
		}
	}
}

// mobile reports whether a contact medium takes short messages. TMF632 leaves its words free: what is not said to be
// something else is a mobile telephone.
func mobile(mediumType string) bool {
	plain := strings.ToLower(mediumType)
	return !strings.Contains(plain, "fax") && !strings.Contains(plain, "fixed") && !strings.Contains(plain, "landline") && !strings.Contains(plain, "postal")
}

// mostLines is among how many lines of an account one is looked for.
const mostLines = 20

// anyLine is the number of the oldest line of an account that has one and is in service.
func (s *Service) anyLine(ctx context.Context, r *reached, i id.ID) error {
	page, err := s.Subscriptions.Lines.Docs(ctx, store.Query{NoTotal: true, Limit: mostLines, Filters: []store.Filter{{
		Path: []string{"accountId"}, Op: store.Eq, Values: []string{string(i)}, Type: store.Text,
	}}})
	if err != nil {
		return err
	}
	for _, d := range page.Items {
		var v subscription.Line
		if err := json.Unmarshal(d.Body, &v); err != nil {
			return fault.Internalf(err, "a stored subscription cannot be read")
		}
		if v.MSISDN != "" && !v.Recorded && v.State.MayUse() {
			r.set(SMS, string(v.MSISDN))
			return nil
		}
	}
	return nil
}

// address is where a receiver is reached that a client names; why says why it is not.
func (s *Service) address(ctx context.Context, c Channel, messageType string, r Receiver) (to, why string, err error) {
	if c == "" {
		return "", "messages of the type " + clip(messageType) + " are not sent: there are SMS, Email and Push", nil
	}
	if s.Connectors[c] == nil {
		return "", "there is no way to send " + wireName(c), nil
	}
	switch given := map[Channel]string{SMS: r.PhoneNumber, Email: r.Email, Push: r.AppUserID}[c]; {
	case given == "":
	case c == Push:
		return given, "", nil
	case c == Email:
		if address, ok := mailbox(given); ok {
			return address, "", nil
		}
		return "", "the receiver's e-mail address is none", nil
	default:
		n, err := s.Subscriptions.Number(ctx, given)
		if fault.KindOf(err) == fault.Invalid {
			return "", "the receiver's phone number is none", nil
		}
		return string(n), "", err
	}
	var who reached
	for _, i := range []id.ID{id.ID(r.ID), partyID(r)} {
		if err := s.lookUp(ctx, &who, i); err != nil && fault.KindOf(err) != fault.NotFound {
			return "", "", err
		}
	}
	if who.at[c] == "" {
		return "", "the receiver has no address for " + wireName(c), nil
	}
	return who.at[c], "", nil
}

func partyID(r Receiver) id.ID {
	if r.Party == nil {
		return ""
	}
	return id.ID(r.Party.ID)
}

// lookUp finds the ways to a line, account, customer or party of demarc's.
func (s *Service) lookUp(ctx context.Context, r *reached, i id.ID) error {
	var media []party.ContactMedium
	var err error
	switch {
	case i.Is(subscription.Kind):
		return s.holder(ctx, r, i, true)
	case i.Is(account.BillingKind):
		return s.owner(ctx, r, i, true)
	case i.Is(customer.Kind):
		media, err = s.customer(ctx, r, i)
	case i.Is(party.IndividualKind), i.Is(party.OrganizationKind):
		media, err = s.partyOf(ctx, r, i)
	}
	s.media(ctx, r, media)
	return err
}
