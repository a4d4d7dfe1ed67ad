package event

import "testing"

func TestTypeOf(t *testing.T) {
	for _, c := range []struct {
		resource string
		verb     Verb
		want     string
	}{
		{"customer", Create, "CustomerCreateEvent"},
		{"billingAccount", State, "BillingAccountStateChangeEvent"},
		{"individual", Change, "IndividualAttributeValueChangeEvent"},
		{"partyRole", Delete, "PartyRoleDeleteEvent"},
	} {
		if got := TypeOf(c.resource, c.verb); got != c.want {
			t.Errorf("TypeOf(%q, %q) = %q, want %q", c.resource, c.verb, got, c.want)
		}
	}
}
