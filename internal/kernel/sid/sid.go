// Package sid holds the small shapes that TM Forum's resources share (GB922, the Shared
// Information/Data model): references, periods, characteristics.
//
// Domain types declare the attributes that rules touch, and embed Rest for all others, which are kept as
// they came.
package sid

import (
	"maps"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Rest keeps the attributes that a type does not declare, byte for byte. Embed it as
//
//	Rest sid.Rest `json:",embed"`
type Rest map[string]jsontext.Value

// Without is a copy that lacks some attributes: those that another type, which is to keep the rest, declares
// itself. A document cannot hold an attribute twice.
func (r Rest) Without(names ...string) Rest {
	out := maps.Clone(r)
	for _, name := range names {
		delete(out, name)
	}
	return out
}

// Ref refers to another resource: of demarc when its id has demarc's own form, of another system
// otherwise.
type Ref struct {
	ID   string `json:"id,omitzero"`
	Href string `json:"href,omitzero"`
	Name string `json:"name,omitzero"`
	Role string `json:"role,omitzero"`
	// ReferredType is the type of the thing referred to ("Individual").
	ReferredType string `json:"@referredType,omitzero"`
	Rest         Rest   `json:",embed"`
}

// Period is a span of time; a missing end is open.
type Period struct {
	Start *time.Time `json:"startDateTime,omitzero"`
	End   *time.Time `json:"endDateTime,omitzero"`
	Rest  Rest       `json:",embed"`
}

// Contains reports whether t lies within the period, its start included and its end not.
func (p Period) Contains(t time.Time) bool {
	return (p.Start == nil || !t.Before(*p.Start)) && (p.End == nil || t.Before(*p.End))
}

// Characteristic is a named value that the standard type has no attribute for.
type Characteristic struct {
	Name  string         `json:"name"`
	Value jsontext.Value `json:"value,omitzero"`
	Rest  Rest           `json:",embed"`
}

// Quantity is an amount of a unit that is not money ("GB", "min").
type Quantity struct {
	Amount jsontext.Value `json:"amount,omitzero"`
	Units  string         `json:"units,omitzero"`
}
