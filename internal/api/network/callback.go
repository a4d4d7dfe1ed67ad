// Package network is the façade that networks answer to: one operation, signed instead of authorised, in the protocol
// of docs/network.md.
package network

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/webhook"
	"github.com/demarc-bss/demarc/internal/network"
)

// CallbackPath is where networks answer.
const CallbackPath = "/network/callback"

// Deps are what the façade needs.
type Deps struct {
	Network *network.Service
	// Key is what callbacks are signed with; empty: none are taken.
	Key   []byte
	Clock clock.Clock
	// As is a context in which the network acts at a service provider.
	As func(ctx context.Context, spid int) context.Context
}

type callback struct {
	Request id.ID          `json:"request" doc:"Id of the request that is answered." minLength:"1" maxLength:"64" example:"nrq_06c3v4m8r1e2k7t9w5x0y3z4a6"`
	SPID    int            `json:"spid" doc:"The service provider, as the request named it." minimum:"1" maximum:"999999999" example:"1"`
	Result  network.Result `json:"result" enum:"done,refused,accepted"`
	Reason  string         `json:"reason,omitzero" doc:"Why it is refused." maxLength:"2000"`
}

type in struct {
	Request *op.Request
	Body    callback
}

type out struct{}

// Operations are all operations of the façade.
func Operations(d Deps) []op.Operation {
	facade := &op.Facade{
		Name: "network", Title: "Network callback", Version: "1", Prefixes: []string{"/network/"},
		Description: "What networks say of provisioning requests that they accepted before.",
	}
	signed := func(name, text string) op.Param {
		return op.Param{Name: name, In: "header", Description: text, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return []op.Operation{op.Handle(op.Operation{
		ID: "network.callback", Facade: facade, Method: http.MethodPost, Path: CallbackPath, Public: true, Writes: true,
		Tag: "Network", Summary: "Answer a provisioning request",
		Description: "The last answer to a request, or the word that it was accepted. The message is signed with the key of the network " +
			"(HMAC-SHA256 over `id.timestamp.body`, Standard Webhooks) and may be five minutes old. An answer to a request that has its last one changes nothing.",
		Status: http.StatusNoContent, BodyLimit: 16 << 10,
		Errors:  []fault.Kind{fault.NotFound, fault.Unauthenticated},
		Request: &op.Body{Example: map[string]any{"request": "nrq_06c3v4m8r1e2k7t9w5x0y3z4a6", "spid": 1, "result": "done"}},
		Params: []op.Param{
			signed(webhook.HeaderID, "Id of the message."), signed(webhook.HeaderTimestamp, "Seconds since 1970 in UTC."),
			signed(webhook.HeaderSignature, "`v1,` and the signature in base 64."),
		},
	}, func(ctx context.Context, in *in) (*out, error) {
		if len(d.Key) == 0 {
			return nil, fault.New(fault.Unauthenticated, fault.CodeUnauthenticated, "no network may answer here: no key is set")
		}
		if err := webhook.Verify(in.Request.Header, d.Key, d.Clock.Now(), in.Request.Body); err != nil {
			return nil, err
		}
		return &out{}, d.Network.Tell(d.As(ctx, in.Body.SPID), in.Body.Request, network.Answer{Result: in.Body.Result, Reason: in.Body.Reason})
	})}
}
