package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
)

const keyPath = base + "/apiKey"

func (a *api) keys() []op.Operation {
	const tag = "API keys"
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "admin.apiKey.list", Method: http.MethodGet, Path: keyPath, Tag: tag, Before: a.authenticated,
			Summary:     "List API keys",
			Description: "The keys that work for the service provider, the oldest first: those for which the caller is an administrator of every service provider of the key. Secrets are not kept and cannot be shown.",
		}, a.listKeys),
		op.Handle(op.Operation{
			ID: "admin.apiKey.issue", Method: http.MethodPost, Path: keyPath, Tag: tag, Before: a.authenticated,
			Summary: "Issue an API key",
			Description: "Makes a key for a client and answers with its text (`key`), which is sent as the header X-API-Key. " +
				"Nobody issues a key that can do more than himself: the caller is an administrator of every service provider of the key and holds what its roles and scopes open there. " +
				"A key without roles only narrows the token that it comes with to the key's service providers.",
			Writes: true, Reveals: true, Status: http.StatusCreated,
			Request: &op.Body{Example: map[string]any{
				"client": "obp-apigw", "name": "nightly export", "roles": []any{"1:customer:get"}, "scopes": []any{auth.ScopeRead}, "expires": "2036-12-31T00:00:00Z",
			}},
		}, a.issueKey),
		op.Handle(op.Operation{
			ID: "admin.apiKey.get", Method: http.MethodGet, Path: keyPath + "/{id}", Tag: tag, Before: a.authenticated,
			Summary: "Read an API key", Description: "What is known of a key; its secret is not.",
			Errors: []fault.Kind{fault.NotFound},
		}, a.getKey),
		op.Handle(op.Operation{
			ID: "admin.apiKey.rotate", Method: http.MethodPost, Path: keyPath + "/{id}/rotate", Tag: tag, Before: a.authenticated,
			Summary: "Replace an API key by a successor",
			Description: "The successor has the same client, service providers, roles, scopes and length of life. The old key stays good for the overlap, or to its own end " +
				"when that comes first, so that a client changes over without a gap. Refused with 409 when the key is not active, or two of its line are.",
			Writes: true, Reveals: true, Status: http.StatusCreated, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Request: &op.Body{Optional: true, Example: map[string]any{"overlapSeconds": 3600}},
		}, a.rotateKey),
		op.Handle(op.Operation{
			ID: "admin.apiKey.revoke", Method: http.MethodPost, Path: keyPath + "/{id}/revoke", Tag: tag, Before: a.authenticated,
			Summary:     "Revoke an API key",
			Description: "Ends a key at once and for good: the next request with it is answered with 401. Revoking it again changes nothing.",
			Writes:      true, Errors: []fault.Kind{fault.NotFound},
		}, a.revokeKey),
	}
}

// The states of an API key.
const (
	active  = "active"
	ended   = "ended"
	revoked = "revoked"
)

type keyView struct {
	ID       string    `json:"id" doc:"Names the key; not secret." example:"c4t9gq0vk2m7xw1z"`
	Href     string    `json:"href"`
	Line     string    `json:"line" doc:"What a key and its successors share: the id of the first."`
	Client   string    `json:"client" doc:"Who it was issued to, as the identity provider names clients."`
	Name     string    `json:"name,omitzero" doc:"What it is for."`
	SPIDs    []int     `json:"spids" doc:"The service providers that it works for, the default first."`
	Roles    []string  `json:"roles,omitempty" doc:"What it opens when it comes without a token."`
	Scopes   []string  `json:"scopes,omitempty" doc:"OAuth scopes that it has when it comes without a token."`
	State    string    `json:"state" enum:"active,ended,revoked"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero" doc:"When it ends; left out when it does not."`
	LastUsed time.Time `json:"lastUsed,omitzero" doc:"When it was last used, to the hour."`
	Revoked  time.Time `json:"revoked,omitzero"`
	Type     string    `json:"@type"`
}

// newKeyView is a key with its secret, for the one answer that shows it.
type newKeyView struct {
	keyView
	Key string `json:"key,omitzero" doc:"The key itself, for the header X-API-Key. It is shown now and never again; a dry run has none."`
}

func (a *api) show(r *op.Request, k auth.APIKey) keyView {
	v := keyView{
		ID: k.ID, Href: keyHref(r, k.ID), Line: k.Line, Client: k.Client, Name: k.Name, SPIDs: k.SPIDs, Roles: k.Roles, Scopes: k.Scopes,
		State: active, Created: k.Created, Expires: k.Expires, LastUsed: k.LastUsed, Revoked: k.Revoked, Type: "ApiKey",
	}
	switch {
	case !k.Revoked.IsZero():
		v.State = revoked
	case !k.Active(a.Store.MachineNow()):
		v.State = ended
	}
	return v
}

func keyHref(r *op.Request, keyID string) string { return r.BaseURL + keyPath + "/" + keyID }

type listKeysIn struct {
	pageIn
	Client string `query:"client" doc:"Only keys of this client."`
	State  string `query:"state" enum:"active,ended,revoked" doc:"Only keys in this state."`
}

type listKeysOut struct {
	pageOut
	Body []keyView
}

func (a *api) listKeys(ctx context.Context, in *listKeysIn) (*listKeysOut, error) {
	all, err := a.managed(ctx, in.Client)
	if err != nil {
		return nil, err
	}
	views := []keyView{}
	for _, k := range all {
		if v := a.show(in.Request, k); in.State == "" || v.State == in.State {
			views = append(views, v)
		}
	}
	shown := part(in.pageIn, views)
	return &listKeysOut{Body: shown, pageOut: in.out(keyPath, len(shown), int64(len(views)))}, nil
}

// managed are the keys that the caller may manage and that work for the service provider chosen.
func (a *api) managed(ctx context.Context, client string) ([]auth.APIKey, error) {
	s, err := scope.From(ctx)
	if err != nil {
		return nil, err
	}
	all, err := a.Keys.List(ctx, caller(ctx), client)
	return slices.DeleteFunc(all, func(k auth.APIKey) bool { return !slices.Contains(k.SPIDs, s.SPID()) }), err
}

func (a *api) key(ctx context.Context, keyID string) (auth.APIKey, error) {
	all, err := a.managed(ctx, "")
	if err != nil {
		return auth.APIKey{}, err
	}
	at := slices.IndexFunc(all, func(k auth.APIKey) bool { return k.ID == keyID })
	if at < 0 {
		return auth.APIKey{}, notFound("API key", keyID)
	}
	return all[at], nil
}

type keyIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id of the API key."`
}

type keyOut struct{ Body keyView }

func (a *api) getKey(ctx context.Context, in *keyIn) (*keyOut, error) {
	k, err := a.key(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &keyOut{Body: a.show(in.Request, k)}, nil
}

type keyRequest struct {
	Client  string    `json:"client" minLength:"1" maxLength:"255" doc:"Who gets it, as the identity provider names clients. A token that it comes with must be this client's."`
	Name    string    `json:"name,omitzero" maxLength:"255" doc:"What it is for."`
	SPIDs   []int     `json:"spids,omitzero" minItems:"1" maxItems:"100" doc:"The service providers that it works for, the chosen one among them; without any, the chosen one alone."`
	Roles   []string  `json:"roles,omitzero" maxItems:"200" doc:"What it opens when it comes without a token."`
	Scopes  []string  `json:"scopes,omitzero" maxItems:"3" doc:"OAuth scopes that it has when it comes without a token."`
	Expires time.Time `json:"expires,omitzero" doc:"When it ends; without it, when it is revoked."`
}

type issueKeyIn struct {
	Request *op.Request
	Body    keyRequest
}

type newKeyOut struct {
	Location string `header:"Location"`
	Body     newKeyView
}

func (a *api) issueKey(ctx context.Context, in *issueKeyIn) (*newKeyOut, error) {
	s, err := scope.From(ctx)
	if err != nil {
		return nil, err
	}
	b := in.Body
	spec := auth.KeySpec{Client: b.Client, Name: b.Name, SPIDs: b.SPIDs, Roles: b.Roles, Scopes: b.Scopes, Expires: b.Expires}
	if len(spec.SPIDs) == 0 {
		spec.SPIDs = []int{s.SPID()}
	}
	if !slices.Contains(spec.SPIDs, s.SPID()) {
		return nil, fault.Invalidf("spids", "must list the service provider chosen, %d", s.SPID())
	}
	text, k, err := a.Keys.Issue(ctx, caller(ctx), spec)
	if err != nil {
		return nil, err
	}
	return a.reveal(ctx, in.Request, text, k), nil
}

func (a *api) reveal(ctx context.Context, r *op.Request, text string, k auth.APIKey) *newKeyOut {
	out := &newKeyOut{Location: keyHref(r, k.ID), Body: newKeyView{keyView: a.show(r, k)}}
	if !store.CallFrom(ctx).DryRun {
		out.Body.Key = text
	}
	return out
}

type rotateKeyIn struct {
	keyIn
	Body struct {
		Overlap *int `json:"overlapSeconds,omitzero" minimum:"0" maximum:"31536000" doc:"How long the old key stays good; a day when left out."`
	}
}

// defaultOverlap is how long a key and its successor are both good.
const defaultOverlap = 24 * time.Hour

func (a *api) rotateKey(ctx context.Context, in *rotateKeyIn) (*newKeyOut, error) {
	if _, err := a.key(ctx, in.ID); err != nil {
		return nil, err
	}
	overlap := defaultOverlap
	if in.Body.Overlap != nil {
		overlap = time.Duration(*in.Body.Overlap) * time.Second
	}
	text, k, err := a.Keys.Rotate(ctx, caller(ctx), in.ID, overlap)
	if err != nil {
		return nil, err
	}
	return a.reveal(ctx, in.Request, text, k), nil
}

func (a *api) revokeKey(ctx context.Context, in *keyIn) (*keyOut, error) {
	if _, err := a.key(ctx, in.ID); err != nil {
		return nil, err
	}
	if err := a.Keys.Revoke(ctx, caller(ctx), in.ID); err != nil {
		return nil, err
	}
	return a.getKey(ctx, in)
}

// keyForm reports whether a text could be the id of an API key: no other id lacks an underscore.
func keyForm(i string) bool { return !strings.Contains(i, "_") }
