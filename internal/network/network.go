// Package network has the network do what a line needs: activate, suspend, resume, change, disconnect. A request
// is kept, sent by a job until it is answered, answered at once or later by a callback, and told once.
package network

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/store"
)

// Kind is the id kind of provisioning requests.
var Kind = id.Kind{Name: "provisioningRequest", Prefix: "nrq"}

// Action is what is asked of the network.
type Action string

// The actions. Activate may be repeated for a line that is active; Deactivate undoes it for good.
const (
	Activate   Action = "activate"
	Suspend    Action = "suspend"
	Resume     Action = "resume"
	Modify     Action = "modify"
	Deactivate Action = "deactivate"
)

// Order is one thing asked of the network. ID makes it idempotent: the network does what carries one id once.
type Order struct {
	ID     id.ID         `json:"id"`
	Action Action        `json:"action"`
	Line   id.ID         `json:"subscriptionId"`
	MSISDN msisdn.Number `json:"msisdn"`
	ICCID  string        `json:"iccid,omitzero"`
	IMSI   string        `json:"imsi,omitzero"`
	// Plan and Services are keys of offerings.
	Plan     string         `json:"plan,omitzero"`
	Services []string       `json:"services,omitzero"`
	Detail   jsontext.Value `json:"detail,omitzero"`
}

// Result is how a request stands with the network.
type Result string

// Accepted is a request whose answer comes later. Refused is for good; anything else that goes wrong is an error
// of the call, which is repeated.
const (
	Accepted Result = "accepted"
	Done     Result = "done"
	Refused  Result = "refused"
	Unknown  Result = "unknown"
)

// Answer is what the network says of a request.
type Answer struct {
	Result Result `json:"result"`
	// Reason says why a request was refused, for people.
	Reason string `json:"reason,omitzero"`
}

// Connector is a way to a network. An error is a call that may have arrived or not: it is made again with the
// same id. Implementations: connect/network.
type Connector interface {
	// Submit asks for something.
	Submit(ctx context.Context, o Order) (Answer, error)
	// Status asks how a request stands; Unknown for one that never arrived.
	Status(ctx context.Context, request id.ID) (Answer, error)
}

// Outcome is a request that has its last answer.
type Outcome struct {
	Request id.ID
	// For is what asked: the key given to Request.
	For    string
	Line   id.ID
	Action Action
	Answer Answer
	At     time.Time
}

// Options are what a Service needs beside its store.
type Options struct {
	// Connector is the way to the network.
	Connector Connector
	// Ended is told, in the transaction that records it, that a request has its last answer.
	Ended func(ctx context.Context, o Outcome) error
}

// Service is all requests to the network.
type Service struct {
	Options
	store *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, o Options) *Service { return &Service{Options: o, store: s} }

// Request asks something of the network in the transaction in ctx, under a key of the caller's: asking again under
// the same key is the same request.
func (s *Service) Request(_ context.Context, _ string, _ Order) (id.ID, error) {
	return "", fault.Internalf(nil, "not there yet")
}

// Tell takes the network's answer to a request, as a callback brings it. The same or another answer to a request that
// has its last one changes nothing.
func (s *Service) Tell(_ context.Context, _ id.ID, _ Answer) error {
	return fault.Internalf(nil, "not there yet")
}

// Jobs are the handlers of this package's jobs, by kind; they wait for another system.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{} }
