package network

import (
	"context"
	"slices"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// State is where a request stands.
type State string

// A request is requested until the network is known to have been called, sent while a call may have arrived that
// was not answered, accepted while the answer is to come, and done or refused for good.
const (
	StateRequested State = "requested"
	StateSent      State = "sent"
	StateAccepted  State = "accepted"
	StateDone      State = "done"
	StateRefused   State = "refused"
)

// Final reports whether the request has its last answer.
func (s State) Final() bool { return s == StateDone || s == StateRefused }

// ProvisioningRequest is an Order with how it stands.
type ProvisioningRequest struct {
	Type string `json:"@type,omitzero"`
	Order
	State State `json:"state,omitzero"`
	// For is the key under which it was asked for.
	For string `json:"requestedFor"`
	// Follows is the request for the same line before it, Next the one that waits for it.
	Follows id.ID `json:"follows,omitzero"`
	Next    id.ID `json:"next,omitzero"`
	// Attempts counts the calls that were not answered, and LastError says what came of the last one.
	Attempts  int    `json:"attempts,omitzero"`
	LastError string `json:"lastError,omitzero"`
	// Asked counts the questions for the answer since it was accepted.
	Asked          int        `json:"asked,omitzero"`
	RequestDate    time.Time  `json:"requestDate,omitzero"`
	Deadline       time.Time  `json:"deadline,omitzero"`
	CompletionDate *time.Time `json:"completionDate,omitzero"`
	// Reason says why it was refused; Silent that the network never answered.
	Reason string   `json:"reason,omitzero"`
	Silent bool     `json:"silent,omitzero"`
	Rest   sid.Rest `json:",embed"`
}

// CodeEnded is a change of a request that has its last answer.
const CodeEnded fault.Code = "requestEnded"

func (s *Service) rules() resource.Rules[ProvisioningRequest] {
	return resource.Rules[ProvisioningRequest]{
		Domain: "serviceActivation",
		Home:   func(v *ProvisioningRequest) (id.Home, bool) { return v.Line.Home() },
		Create: func(_ context.Context, _ id.ID, v *ProvisioningRequest, now time.Time) error {
			return v.begin(now, s.Patience)
		},
		Change: func(_ context.Context, prev, _ *ProvisioningRequest, _ time.Time) error {
			if prev.State.Final() {
				return fault.Conflictf(CodeEnded, "the request is %s", prev.State)
			}
			return nil
		},
		State: func(v *ProvisioningRequest) string { return string(v.State) },
	}
}

var actions = []Action{Activate, Suspend, Resume, Modify, Deactivate}

func (v *ProvisioningRequest) begin(now time.Time, patience time.Duration) error {
	if !slices.Contains(actions, v.Action) {
		return fault.Invalidf("action", "%q is nothing that a network is asked for", v.Action)
	}
	if _, ok := v.Line.Home(); !ok {
		return fault.Invalidf("subscriptionId", "%q is not the id of a subscription", v.Line)
	}
	v.Type, v.State = "ProvisioningRequest", StateRequested
	v.RequestDate, v.Deadline = now, now.Add(patience)
	return nil
}

// take applies an answer; ok is false when it changes nothing.
func (v *ProvisioningRequest) take(a Answer, now time.Time) (ok bool) {
	switch {
	case v.State.Final():
		return false
	case a.Result == Accepted:
		if v.State == StateAccepted {
			return false
		}
		v.State, v.LastError = StateAccepted, ""
	case a.Result == Done:
		v.State, v.CompletionDate, v.LastError = StateDone, &now, ""
	case a.Result == Refused:
		v.State, v.CompletionDate, v.Reason, v.Silent = StateRefused, &now, clip(a.Reason), a.Silent
	default:
		return false
	}
	return true
}

// mostText bounds what is kept of what the network says.
const mostText = 500

func clip(text string) string {
	if len(text) <= mostText {
		return text
	}
	cut := mostText
	for cut > 0 && text[cut]&0xc0 == 0x80 { // not in the middle of a character
		cut--
	}
	return text[:cut] + "…"
}
