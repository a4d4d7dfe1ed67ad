package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/party"
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// from draws the culture of a customer by the weights.
func from(r *rand.Rand) culture {
	all := cultures()
	d := r.IntN(100)
	for _, c := range all {
		if d -= c.weight; d < 0 {
			return c
		}
	}
	return all[0]
}

// person is a new customer: one in twelve is an organization.
func person(r *rand.Rand, n int) account.NewPrepaid {
	c := from(r)
	given, family := pick(r, c.given), pick(r, c.family)
	if r.IntN(12) == 0 {
		name := fmt.Sprintf("%s %s", pick(r, places()), pick(r, trades()))
		return account.NewPrepaid{Organization: &party.Organization{
			TradingName: name, Status: party.OrganizationValidated, Contacts: contacts(r, c, "office", strings.ReplaceAll(name, " ", "-"), n),
		}}
	}
	status := party.IndividualValidated
	if r.IntN(5) == 0 {
		status = party.IndividualInitialized
	}
	return account.NewPrepaid{Individual: &party.Individual{
		GivenName: given, FamilyName: family, Status: status,
		BirthDate: fmt.Sprintf("%04d-%02d-%02d", 1940+r.IntN(66), 1+r.IntN(12), 1+r.IntN(28)),
		Contacts:  contacts(r, c, given, family, n),
	}}
}

func contacts(r *rand.Rand, c culture, given, family string, n int) []party.ContactMedium {
	place := strings.Split(pick(r, c.towns), "/")
	return []party.ContactMedium{
		{MediumType: "email", Preferred: true, Characteristic: &party.MediumCharacteristic{
			EmailAddress: fmt.Sprintf("%s.%s%d@example.com", plain(given), plain(family), n),
		}},
		{MediumType: "postalAddress", Characteristic: &party.MediumCharacteristic{
			Street1: fmt.Sprintf("%d %s", 1+r.IntN(120), pick(r, c.streets)), PostCode: place[1], City: place[2], Country: place[0],
		}},
	}
}

// plain writes a name with the letters that mail addresses are made of.
func plain(name string) string {
	return strings.NewReplacer(
		"á", "a", "é", "e", "è", "e", "ê", "e", "ë", "e", "í", "i", "ï", "i", "ó", "o", "ö", "oe", "ô", "o", "ú", "u", "ü", "ue",
		"ä", "ae", "ñ", "n", "ç", "c", "ß", "ss", "ś", "s", "ý", "y", "ì", "i",
	).Replace(strings.ToLower(name))
}

// order orders one subscription on an account.
func (h *House) order(ctx context.Context, on, offering id.ID) error {
	_, _, err := h.Orders.Place(ctx, &order.Order{
		BillingAccount: &sid.Ref{ID: string(on)},
		Items:          []order.Item{{Offering: &sid.Ref{ID: string(offering)}}},
	})
	return err
}
