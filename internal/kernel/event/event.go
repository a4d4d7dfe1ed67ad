// Package event is what demarc tells others: something happened to a resource (TMF630 part 2,
// TMF688 Event).
package event

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// Kind is the id kind of events.
var Kind = id.Kind{Name: "event", Prefix: "evt"}

// Verb is what happened, as TMF630 names it.
type Verb string

// The four verbs of TMF630.
const (
	Create Verb = "Create"
	Change Verb = "AttributeValueChange"
	State  Verb = "StateChange"
	Delete Verb = "Delete"
)

// Event is one thing that happened. It is stored in the transaction in which it happened.
type Event struct {
	ID id.ID `json:"eventId"`
	// Time is when it happened, in UTC.
	Time time.Time `json:"eventTime"`
	// Type is resource and verb: "CustomerCreateEvent".
	Type string `json:"eventType"`
	// Domain is the API that owns the resource ("customerManagement").
	Domain string `json:"domain,omitempty"`
	// Title and Description are for people.
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	// CorrelationID is the request id of the call that caused it.
	CorrelationID string `json:"correlationId,omitempty"`
	// Resource is the wire name of the thing ("customer"), and Document the thing as it is now (as it
	// was, for Delete), without href.
	Resource string         `json:"-"`
	Subject  id.ID          `json:"-"`
	SPID     int            `json:"-"`
	Document jsontext.Value `json:"-"`
	// Quiet has the event stored and told only where somebody wants it.
	Quiet bool `json:"-"`
}

// TypeOf is the event type of a verb on a resource: TypeOf("customer", Create) is "CustomerCreateEvent".
func TypeOf(resource string, v Verb) string {
	return string(resource[0]&^0x20) + resource[1:] + string(v) + "Event"
}
