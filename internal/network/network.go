// Package network has the network do what a line needs: activate, suspend, resume, change, disconnect. A request
// is kept, sent by a job until it is answered, answered at once or later by a callback, and told once.
package network

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// Kind is the id kind of provisioning requests.
var Kind = id.Kind{Name: "provisioningRequest", Prefix: "nrq"}

// Action is what is asked of the network.
type Action string

// The actions. Activate may be repeated for a line that is active; Deactivate undoes it for good, and is done for
// a line that the network does not know, too.
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
	MSISDN msisdn.Number `json:"msisdn,omitzero"`
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
	// Silent says of a Refused one that the network never answered: what it was asked may be done or not.
	Silent bool `json:"silent,omitzero"`
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

// Options are what a Service needs beside its store. The zero value of a duration means its default.
type Options struct {
	// Connector is the way to the network; without one, requests wait.
	Connector Connector
	// Ended is told, in the transaction that records it, that a request has its last answer, whoever asked for
	// it; an error undoes the record, and the answer is asked for again.
	Ended func(ctx context.Context, o Outcome) error
	// Patience is for how long a request is sent and asked about before it counts as refused (default 24 h).
	Patience time.Duration
	// Silence is how long the answer to an accepted request may take before the network is asked for it (default
	// 1 min); each further question waits twice as long, at most 15 min.
	Silence time.Duration
}

// Service is all requests to the network.
type Service struct {
	Options
	// Requests are the requests, those that ended too.
	Requests *resource.Set[ProvisioningRequest]
	store    *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, o Options) *Service {
	if o.Patience <= 0 {
		o.Patience = 24 * time.Hour
	}
	if o.Silence <= 0 {
		o.Silence = time.Minute
	}
	v := &Service{Options: o, store: s}
	v.Requests = resource.New(s, store.Definition{
		Kind: Kind, Table: "provisioning_request", Quiet: true, // its states and moments are its own trail
		Indexed: map[string]string{"state": "state", "subscriptionId": "subscription_id"},
	}, v.rules())
	return v
}

const (
	// keyClaim leads from what asked to its request, lineClaim from a line to the last request for it.
	keyClaim  = "network.request"
	lineClaim = "network.line"
)

// Request asks something of the network in the transaction in ctx, under a key of the caller's: asking again under
// the same key is the same request. Requests for one line are sent in the order in which they were made, each when
// the one before it has its last answer.
func (s *Service) Request(ctx context.Context, key string, o Order) (i id.ID, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if i, err = s.store.Claimant(ctx, keyClaim, key); err != nil || i != "" {
			return err
		}
		i, err = s.add(ctx, key, o)
		return err
	})
	return i, err
}

func (s *Service) add(ctx context.Context, key string, o Order) (id.ID, error) {
	last, err := s.store.Claimant(ctx, lineClaim, string(o.Line))
	if err != nil {
		return "", err
	}
	i, _, err := s.Requests.Add(ctx, &ProvisioningRequest{Order: o, For: key, Follows: last})
	if err != nil {
		return "", err
	}
	if err := s.store.Claim(ctx, keyClaim, key, i); err != nil {
		return "", err
	}
	waits, err := s.queue(ctx, last, i)
	if err != nil {
		return "", err
	}
	if err := s.store.Unclaim(ctx, lineClaim, string(o.Line)); err != nil {
		return "", err
	}
	if err := s.store.Claim(ctx, lineClaim, string(o.Line), i); err != nil || waits {
		return i, err
	}
	return i, s.promise(ctx, i, 0, s.store.Now(ctx))
}

// queue puts a request behind the one before it, if that still waits for its answer.
func (s *Service) queue(ctx context.Context, before, i id.ID) (waits bool, err error) {
	if before == "" {
		return false, nil
	}
	was, _, err := s.Requests.Get(ctx, before)
	if err != nil || was.State.Final() {
		return false, err
	}
	_, err = s.Requests.Change(ctx, before, func(v *ProvisioningRequest) error {
		v.Next = i
		return nil
	})
	return err == nil, err
}

// errAsItWas ends a change that has nothing to change.
var errAsItWas = fault.New(fault.Conflict, "nothingToChange", "it is as it should be")

func asItWas(err error) error {
	if errors.Is(err, errAsItWas) {
		return nil
	}
	return err
}

// Tell takes the network's answer to a request, as a callback brings it. The same or another answer to a request that
// has its last one changes nothing. A request that there is not is a NotFound fault.
func (s *Service) Tell(ctx context.Context, i id.ID, a Answer) error {
	if !a.Result.told() {
		return fault.Invalidf("result", "%q is no answer: it is done, refused or accepted", a.Result)
	}
	return s.record(ctx, i, a)
}

func (r Result) told() bool { return r == Done || r == Refused || r == Accepted }

// Standing is what the network was last asked to make of a line, as far as it did not refuse it.
type Standing string

// A line is absent when its activation was refused, and after it is deactivated; it is unclear when the network was
// never asked, or never answered.
const (
	Absent    Standing = "absent"
	Connected Standing = "connected"
	Barred    Standing = "barred"
	Unclear   Standing = "unclear"
)

var leads = map[Action]Standing{Activate: Connected, Resume: Connected, Suspend: Barred, Deactivate: Absent}

// Standing says what the network makes of a line once all requests for it are carried out.
func (s *Service) Standing(ctx context.Context, line id.ID) (Standing, error) {
	i, err := s.store.Claimant(ctx, lineClaim, string(line))
	at := Unclear
	for err == nil && i != "" {
		var v ProvisioningRequest
		if v, _, err = s.Requests.Get(ctx, i); err != nil {
			return "", err
		}
		if to, ok := leads[v.Action]; ok && v.Silent {
			return Unclear, nil
		} else if ok && v.State != StateRefused {
			return to, nil
		} else if ok {
			at = Absent
		}
		i = v.Follows
	}
	return at, err
}
