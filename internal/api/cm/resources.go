package cm

import (
	_ "embed" // for the shapes
	"slices"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
)

//go:embed cm.shapes
var shapeText string

// shapes are the façade's own types. That they can be read is a matter of the binary, not of input.
func shapes() map[string]*tmf630.Shape {
	a, err := tmf630.ParseShapes(shapeText)
	if err != nil {
		panic("cm: " + err.Error())
	}
	return a.Shapes
}

// resources are those that go by TMF630 as they are.
func (a *api) resources() []tmf630.Resource {
	own := shapes()
	all := []tmf630.Resource{
		{Set: a.Parties.Individuals, Shape: tmf630.ShapeOf("TMF632", "Individual"), Path: desk.Base + "/individual",
			Example: map[string]any{"givenName": "Jane", "familyName": "Doe", "birthDate": "1990-12-31T00:00:00Z"}},
		{Set: a.Customers.Customers, Shape: relaxed(tmf630.ShapeOf("TMF629", "Customer")), Path: desk.Base + "/customer",
			Example: map[string]any{"name": "Jane Doe", "engagedParty": map[string]any{"id": "500", "@referredType": "Individual"}}},
		{Set: a.Accounts.Billing, Shape: billingAccount(), Path: desk.Base + "/billingAccount",
			Example: map[string]any{"name": "Jane's account", "accountType": "prepaid", "relatedParty": []any{map[string]any{"id": "500", "role": "customer"}}}},
		{Set: a.Providers, Shape: own["ServiceProvider"], Path: desk.Base + "/serviceProvider",
			Verbs:   tmf630.List | tmf630.Create | tmf630.Get | tmf630.Patch,
			Example: map[string]any{"name": "HappyPhone", "currency": "CHF", "timeZone": "Europe/Zurich", "country": "CH", "language": "en"}},
		{Set: a.Catalog.Offerings, Shape: own["ProductOffering"], Path: desk.Base + "/productOffering", Verbs: tmf630.List | tmf630.Get},
		{Set: a.Catalog.Categories, Shape: tmf630.ShapeOf("TMF620", "Category"), Path: desk.Base + "/category", Verbs: tmf630.List | tmf630.Get,
			Entity: "productOffering"},
		{Set: a.Orders.Orders, Shape: own["ProductOrder"], Path: desk.Base + "/productOrder", Verbs: tmf630.Get},
		{Set: a.Orders.Cancellations, Shape: own["CancelProductOrder"], Path: desk.Base + "/productOrder/cancel", Verbs: tmf630.List | tmf630.Get,
			Entity: "productOrder"},
		{Set: a.Messages.Templates, Shape: own["MessageTemplate"], Path: desk.Base + "/messageTemplate",
			Example: map[string]any{"name": "order.block", "language": "de", "content": "Ihre SIM {number} ist gesperrt."}},
		a.cart(own),
	}
	for n := range all {
		r := &all[n]
		r.Facade, r.Paging, r.Tag = a.facade, a.Paging, r.Shape.Name
		r.Aliases = []string{desk.Alias + r.Path[len(desk.Base):]}
	}
	return all
}

// relaxed is a shape whose related parties need no more than an id: demarc completes the reference to a
// party it knows, and the guide of this API asks for id and href alone.
func relaxed(s *tmf630.Shape) *tmf630.Shape {
	out := *s
	out.Attributes = make([]*tmf630.Attribute, len(s.Attributes))
	for n, at := range s.Attributes {
		next := *at
		if t := at.Type.Shape; t != nil && t.Name == "RelatedParty" {
			next.Type.Shape = onlyID(t)
		}
		out.Attributes[n] = &next
	}
	return &out
}

func onlyID(s *tmf630.Shape) *tmf630.Shape {
	out := *s
	out.Name = s.API + "PartyReference" // the whole one stands elsewhere in the same document
	out.Attributes = make([]*tmf630.Attribute, len(s.Attributes))
	for n, at := range s.Attributes {
		next := *at
		next.Required = at.Name == "id"
		out.Attributes[n] = &next
	}
	return &out
}

// billingAccount is TMF666's with the attributes that demarc adds.
func billingAccount() *tmf630.Shape {
	s := relaxed(tmf630.ShapeOf("TMF666", "BillingAccount"))
	s.Attributes = append(slices.Clone(s.Attributes),
		&tmf630.Attribute{Name: "accountNumber", Type: tmf630.Type{Base: "string"}, Fixed: true},
		&tmf630.Attribute{Name: "currency", Type: tmf630.Type{Base: "string"}})
	return s
}
