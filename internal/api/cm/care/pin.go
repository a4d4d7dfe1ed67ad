package care

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/credential"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
)

const pinPath = desk.Base + "/pin"

func (a *api) pins() []op.Operation {
	const tag = "PIN"
	missing := []fault.Kind{fault.NotFound, fault.Conflict}
	refused := []fault.Kind{fault.NotFound, fault.Conflict, fault.Stale, fault.Limit}
	example := func(more ...string) *op.Body {
		v := map[string]any{"msisdn": "+41 79 000 00 00"}
		for n := 0; n < len(more); n += 2 {
			v[more[n]] = more[n+1]
		}
		return &op.Body{Example: v}
	}
	const counted = "Wrong PINs are counted, whatever becomes of the request: after several in a row (5 by default) the PIN is locked for a while (429, pinLocked)."
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.pin.generate", Method: http.MethodPost, Path: pinPath + "/generate", Tag: tag, Summary: "Generate a PIN and send it to the subscriber",
			Description: "Name the subscriber by msisdn. The PIN takes the place of the one before and is nowhere in the answer. It is sent a few times an hour at most.",
			Permission:  desk.May("pin", auth.Post), Writes: true, Status: http.StatusCreated, Errors: refused, Request: example(), Before: a.drawPIN,
		}, a.generatePIN),
		op.Handle(op.Operation{
			ID: "cm.pin.set", Method: http.MethodPost, Path: pinPath + "/set", Tag: tag, Summary: "Set a subscriber's PIN",
			Description: "To one that was chosen: digits, no row of them, no repetition, no part of the number. It unlocks the PIN, and the subscriber is told that it was changed.",
			Permission:  desk.May("pin", auth.Post), Writes: true, Status: http.StatusOK, Errors: refused, Request: example("pin", "8371"), Before: a.choosePIN,
		}, a.setPIN),
		op.Handle(op.Operation{
			ID: "cm.pin.reset", Method: http.MethodPost, Path: pinPath + "/reset", Tag: tag, Summary: "Reset a subscriber's PIN",
			Description: "A new PIN is generated and sent to the subscriber, and what was locked is unlocked. 404 (noPin) for a subscriber without a PIN.",
			Permission:  desk.May("pin", auth.Post), Writes: true, Status: http.StatusOK, Errors: refused, Request: example(), Before: a.drawPIN,
		}, a.resetPIN),
		op.Handle(op.Operation{
			ID: "cm.pin.change", Method: http.MethodPost, Path: pinPath + "/change", Tag: tag, Summary: "Change a subscriber's PIN",
			Description: "By who knows the old one. " + counted,
			Permission:  desk.May("pin", auth.Post), Writes: true, Status: http.StatusOK, Errors: refused, Request: example("oldPin", "8371", "newPin", "2946"), Before: a.provePIN,
		}, a.changePIN),
		op.Handle(op.Operation{
			ID: "cm.pin.verify", Method: http.MethodPost, Path: pinPath + "/verify", Tag: tag, Summary: "Verify a subscriber's PIN",
			Description: "A wrong PIN is 400 (wrongPin), and so is any where there is none. " + counted,
			Permission:  desk.May("pin", auth.Post), Status: http.StatusOK, Errors: refused, Request: example("pin", "8371"),
		}, a.verifyPIN),
		op.Handle(op.Operation{
			ID: "cm.pin.unlock", Method: http.MethodPost, Path: pinPath + "/unlock", Tag: tag, Summary: "Unlock a subscriber's PIN",
			Description: "After too many wrong tries; the PIN stays.",
			Permission:  desk.May("pin", auth.Patch), Writes: true, Status: http.StatusOK, Errors: missing, Request: example(),
		}, a.unlockPIN),
		op.Handle(op.Operation{
			ID: "cm.pin.get", Method: http.MethodGet, Path: pinPath, Tag: tag, Summary: "How it stands with a subscriber's PIN",
			Description: "Since when there is one, and whether it is locked. 404 (noPin) for a subscriber without a PIN.",
			Permission:  desk.May("pin", auth.Get), Status: http.StatusOK, Errors: missing,
		}, a.getPIN),
		op.Handle(op.Operation{
			ID: "cm.pin.delete", Method: http.MethodDelete, Path: pinPath, Tag: tag, Summary: "Delete a subscriber's PIN",
			Description: "404 (noPin) for a subscriber without a PIN.",
			Permission:  desk.May("pin", auth.Delete), Writes: true, Status: http.StatusNoContent, Errors: missing,
		}, a.deletePIN),
	}
}

// SubscriberNamed is how a request about a PIN names a subscriber. It is exported since attributes of embedded types that are not
// are no attributes of a request.
type SubscriberNamed struct {
	MSISDN         string `json:"msisdn,omitzero" maxLength:"32" doc:"Mobile number of the subscriber, in any spelling."`
	MobileNumber   string `json:"mobileNumber,omitzero" maxLength:"32" doc:"The same under the name that other operations have."`
	SubscriptionID string `json:"subscriptionId,omitzero" maxLength:"64" doc:"Id of the subscription, instead of its number."`
}

// subscriber finds the line that PINs are for.
func (a *api) subscriber(ctx context.Context, r SubscriberNamed) (id.ID, error) {
	number := desk.First(r.MSISDN, r.MobileNumber)
	if number == "" && r.SubscriptionID == "" {
		return "", fault.Invalidf("msisdn", "say whose PIN: msisdn is the subscriber's mobile number")
	}
	i, _, err := a.Resolve(ctx, r.SubscriptionID, number)
	return i, err
}

type pinView struct {
	SubscriptionID id.ID         `json:"subscriptionId"`
	MSISDN         msisdn.Number `json:"msisdn,omitzero"`
	Status         string        `json:"status" enum:"active,locked,expired"`
	MessageID      id.ID         `json:"messageId,omitzero" doc:"The message that it is sent by (TMF681)."`
	Origin         string        `json:"origin,omitzero" enum:"generated,chosen"`
	Set            *time.Time    `json:"setDate,omitzero"`
	Expires        *time.Time    `json:"expiryDate,omitzero" doc:"From then on it has to be changed."`
	Tries          int           `json:"wrongTries" doc:"Wrong tries in a row."`
	LockedUntil    *time.Time    `json:"lockedUntil,omitzero" doc:"End of the lock, where it ends by itself."`
	Type           string        `json:"@type"`
}

type pinOut struct{ Body pinView }

// pinOf shows how it stands with a line's PIN.
func (a *api) pinOf(ctx context.Context, line, sent id.ID) (*pinOut, error) {
	at, err := a.Credentials.Standing(ctx, line)
	if err != nil {
		return nil, err
	}
	v, _, err := a.Subscriptions.Lines.Get(ctx, line)
	if err != nil {
		return nil, err
	}
	out := pinView{
		SubscriptionID: line, MSISDN: v.MSISDN, Status: "active", MessageID: sent, Origin: at.Origin, Set: &at.Set, Expires: at.Expires,
		Tries: at.Tries, LockedUntil: at.Until, Type: "Pin",
	}
	switch {
	case at.Locked:
		out.Status = "locked"
	case at.Expires != nil && !a.Store.Now(ctx).Before(*at.Expires):
		out.Status = "expired"
	}
	return &pinOut{out}, nil
}

// preparedKey is where what Before has made ready goes.
type preparedKey struct{}

// prepared is what is worked out before the transaction: hashes take long, and wrong tries are counted whatever becomes of it.
type prepared struct {
	pin     credential.Prepared
	proof   credential.Proof
	refusal error
}

func readBody(r *op.Request, to any) error {
	if err := json.Unmarshal(r.Body, to); err != nil {
		return fault.New(fault.Invalid, fault.CodeMalformed, "the body cannot be read").Because(err)
	}
	return nil
}

func (a *api) drawPIN(ctx context.Context, _ *op.Request) (context.Context, error) {
	p, err := a.Credentials.Draw(ctx)
	return context.WithValue(ctx, preparedKey{}, prepared{pin: p}), err
}

type pinRequest struct {
	SubscriberNamed
	PIN string `json:"pin" maxLength:"64" doc:"The PIN: digits."`
}

func (a *api) choosePIN(ctx context.Context, r *op.Request) (context.Context, error) {
	var in pinRequest
	if err := readBody(r, &in); err != nil {
		return ctx, err
	}
	line, err := a.subscriber(ctx, in.SubscriberNamed)
	if err != nil {
		return ctx, err
	}
	p, err := a.Credentials.Choose(ctx, line, "pin", in.PIN)
	return context.WithValue(ctx, preparedKey{}, prepared{pin: p}), err
}

type changeRequest struct {
	SubscriberNamed
	Old string `json:"oldPin" maxLength:"64" doc:"The PIN that it has."`
	New string `json:"newPin" maxLength:"64" doc:"The PIN that it is to have."`
}

// provePIN tries the old PIN. That it is wrong is told by the call: a request that is repeated under its key is answered as
// it was, though its old PIN is no longer right.
func (a *api) provePIN(ctx context.Context, r *op.Request) (context.Context, error) {
	var in changeRequest
	if err := readBody(r, &in); err != nil {
		return ctx, err
	}
	line, err := a.subscriber(ctx, in.SubscriberNamed)
	if err != nil {
		return ctx, err
	}
	if in.Old == in.New {
		return ctx, fault.Invalidf("newPin", "the new PIN is another than the old one")
	}
	var p prepared
	if p.pin, err = a.Credentials.Choose(ctx, line, "newPin", in.New); err != nil {
		return ctx, err
	}
	if p.proof, p.refusal, err = a.Credentials.Prove(ctx, line, "oldPin", in.Old); err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, preparedKey{}, p), nil
}

func preparedIn(ctx context.Context) prepared {
	p, _ := ctx.Value(preparedKey{}).(prepared)
	return p
}

type subscriberIn struct{ Body SubscriberNamed }

func (a *api) generatePIN(ctx context.Context, in *subscriberIn) (*pinOut, error) {
	line, err := a.subscriber(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	sent, err := a.Credentials.Generate(ctx, line, preparedIn(ctx).pin)
	if err != nil {
		return nil, err
	}
	return a.pinOf(ctx, line, sent)
}

func (a *api) resetPIN(ctx context.Context, in *subscriberIn) (*pinOut, error) {
	line, err := a.subscriber(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	sent, err := a.Credentials.Reset(ctx, line, preparedIn(ctx).pin)
	if err != nil {
		return nil, err
	}
	return a.pinOf(ctx, line, sent)
}

type pinIn struct{ Body pinRequest }

func (a *api) setPIN(ctx context.Context, in *pinIn) (*pinOut, error) {
	line, err := a.subscriber(ctx, in.Body.SubscriberNamed)
	if err != nil {
		return nil, err
	}
	if err := a.Credentials.Set(ctx, line, preparedIn(ctx).pin); err != nil {
		return nil, err
	}
	return a.pinOf(ctx, line, "")
}

type changePINIn struct{ Body changeRequest }

func (a *api) changePIN(ctx context.Context, in *changePINIn) (*pinOut, error) {
	p := preparedIn(ctx)
	if p.refusal != nil {
		return nil, p.refusal
	}
	line, err := a.subscriber(ctx, in.Body.SubscriberNamed)
	if err != nil {
		return nil, err
	}
	if err := a.Credentials.Change(ctx, line, p.proof, p.pin); err != nil {
		return nil, err
	}
	return a.pinOf(ctx, line, "")
}

type verifiedView struct {
	SubscriptionID id.ID  `json:"subscriptionId"`
	Valid          bool   `json:"valid" example:"true"`
	Type           string `json:"@type"`
}

type verifiedOut struct{ Body verifiedView }

func (a *api) verifyPIN(ctx context.Context, in *pinIn) (*verifiedOut, error) {
	line, err := a.subscriber(ctx, in.Body.SubscriberNamed)
	if err != nil {
		return nil, err
	}
	refusal, err := a.Credentials.Verify(ctx, line, in.Body.PIN)
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		return nil, refusal
	}
	return &verifiedOut{verifiedView{SubscriptionID: line, Valid: true, Type: "PinVerification"}}, nil
}

func (a *api) unlockPIN(ctx context.Context, in *subscriberIn) (*pinOut, error) {
	line, err := a.subscriber(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	if err := a.Credentials.Unlock(ctx, line); err != nil {
		return nil, err
	}
	return a.pinOf(ctx, line, "")
}

type pinQuery struct {
	MSISDN         string `query:"msisdn" maxLength:"32" doc:"Mobile number of the subscriber, in any spelling."`
	MobileNumber   string `query:"mobileNumber" maxLength:"32" doc:"The same under the name that other operations have."`
	SubscriptionID string `query:"subscriptionId" maxLength:"64" doc:"Id of the subscription, instead of its number."`
}

func (a *api) getPIN(ctx context.Context, in *pinQuery) (*pinOut, error) {
	line, err := a.subscriber(ctx, SubscriberNamed(*in))
	if err != nil {
		return nil, err
	}
	return a.pinOf(ctx, line, "")
}

func (a *api) deletePIN(ctx context.Context, in *pinQuery) (*struct{}, error) {
	line, err := a.subscriber(ctx, SubscriberNamed(*in))
	if err != nil {
		return nil, err
	}
	return nil, a.Credentials.Remove(ctx, line)
}
