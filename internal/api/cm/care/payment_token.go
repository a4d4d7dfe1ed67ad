package care

import (
	"context"
	"net/http"
	"time"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/store"
)

const (
	gatewayPath = desk.Base + "/paymentGatewayIntegration"
	methodPath  = desk.Base + "/paymentMethod"
	methodByID  = methodPath + "/{id}"
)

// paymentTokens are the operations on tokens and on the one method that an account has stored.
func (a *api) paymentTokens() []op.Operation {
	const tag, method = "Payment token", "Payment method"
	may := func(v auth.Verb) []auth.Permission { return desk.May("billingAccount", v) }
	missing, refused := []fault.Kind{fault.NotFound}, []fault.Kind{fault.NotFound, fault.Conflict}
	card := map[string]any{"accountID": "bac_06c3v4m8r1e2k7t9w5x0y3z4a6", "tokenValue": "tok_success_4711", "maskedCardNumber": "4242", "expiryDate": "2031/04"}
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.paymentToken.create", Method: http.MethodPost, Path: gatewayPath + "/createToken", Tag: tag, Summary: "Keep a payment gateway's token for an account",
			Description: "The tokenValue is the gateway's; it is kept locked up and never shown. The same value again is the same token. Of a card the last four digits " +
				"and the month of its end are kept alone; for a gateway that knows no card, 1111 and 2200/01 will do.",
			Permission: may(auth.Patch), Writes: true, Status: http.StatusCreated, Errors: refused, Request: &op.Body{Example: card},
		}, a.createToken),
		op.Handle(op.Operation{
			ID: "cm.paymentToken.get", Method: http.MethodGet, Path: gatewayPath + "/readToken", Tag: tag, Summary: "Read a payment token",
			Description: "What is known of it, without its value.", Permission: may(auth.Get), Status: http.StatusOK, Errors: missing,
		}, a.readToken),
		op.Handle(op.Operation{
			ID: "cm.paymentToken.patch", Method: http.MethodPatch, Path: gatewayPath + "/updateToken", Tag: tag, Summary: "Change a payment token",
			Description: "Its value, or what is known of the card. Refused with another value while a payment with it is not settled.",
			Permission:  may(auth.Patch), Writes: true, Status: http.StatusOK, Errors: refused,
			Request: &op.Body{Example: map[string]any{"tokenID": "ptk_06c3v4m8r1e2k7t9w5x0y3z4a6", "maskedCardNumber": "4242", "expiryDate": "2033/04"}},
		}, a.updateToken),
		op.Handle(op.Operation{
			ID: "cm.paymentToken.delete", Method: http.MethodDelete, Path: gatewayPath + "/deleteToken", Tag: tag, Summary: "Delete a payment token",
			Description: "Refused while it is that of the account's stored payment method, or a payment with it is not settled.",
			Permission:  may(auth.Patch), Writes: true, Status: http.StatusNoContent, Errors: refused,
		}, a.deleteToken),
		op.Handle(op.Operation{
			ID: "cm.paymentMethod.list", Method: http.MethodGet, Path: methodPath, Tag: method, Summary: "List stored payment methods",
			Description: "That of an account, or all.", Permission: may(auth.Get), Status: http.StatusOK, Also: desk.Pages(),
		}, a.listMethods),
		op.Handle(op.Operation{
			ID: "cm.paymentMethod.create", Method: http.MethodPost, Path: methodPath, Tag: method, Summary: "Store a payment method for an account",
			Description: "By the gateway's tokenValue, or by a tokenID that createToken gave. An account has one stored method: a second is refused with 409, change the first.",
			Permission:  may(auth.Patch), Writes: true, Status: http.StatusCreated, Errors: refused, Request: &op.Body{Example: card},
		}, a.createMethod),
		op.Handle(op.Operation{
			ID: "cm.paymentMethod.get", Method: http.MethodGet, Path: methodByID, Tag: method, Summary: "Read a stored payment method",
			Description: "By its id.", Permission: may(auth.Get), Status: http.StatusOK, Errors: missing,
		}, a.getMethod),
		op.Handle(op.Operation{
			ID: "cm.paymentMethod.patch", Method: http.MethodPatch, Path: methodByID, Tag: method, Summary: "Put another means of payment in the place of a stored one",
			Description: "What is left out stays. Automatic top-ups go on with the new one.",
			Permission:  may(auth.Patch), Writes: true, Status: http.StatusOK, Errors: refused,
			Request: &op.Body{Example: map[string]any{"tokenValue": "tok_success_4712", "maskedCardNumber": "1881", "expiryDate": "2032/11"}},
		}, a.patchMethod),
		op.Handle(op.Operation{
			ID: "cm.paymentMethod.delete", Method: http.MethodDelete, Path: methodByID, Tag: method, Summary: "Delete a stored payment method",
			Description: "Its token is deleted with it, and the automatic top-ups that it pays end. Refused while a payment with it is not settled.",
			Permission:  may(auth.Patch), Writes: true, Status: http.StatusNoContent, Errors: refused,
		}, a.deleteMethod),
	}
}

type tokenRequest struct {
	AccountID string `json:"accountID" minLength:"1" maxLength:"64" doc:"The account, by its id or its number."`
	Value     string `json:"tokenValue" minLength:"1" maxLength:"255" doc:"What the payment gateway knows the means of payment by."`
	Masked    string `json:"maskedCardNumber,omitzero" maxLength:"32" doc:"The last four digits of the card." example:"4242"`
	Expiry    string `json:"expiryDate,omitzero" maxLength:"7" doc:"The month of its end, YYYY/MM." example:"2031/04"`
}

type tokenView struct {
	ID         id.ID     `json:"tokenID"`
	AccountID  id.ID     `json:"accountID"`
	Masked     string    `json:"maskedCardNumber,omitzero"`
	Expiry     string    `json:"expiryDate,omitzero"`
	ReplacedBy id.ID     `json:"replacedBy,omitzero" doc:"The token that a change of the stored payment method put in its place."`
	Created    time.Time `json:"creationDate"`
	Type       string    `json:"@type"`
}

func showToken(t payment.Token) tokenView {
	return tokenView{ID: t.ID, AccountID: t.Account, Masked: t.Masked, Expiry: t.Expiry, ReplacedBy: t.ReplacedBy, Created: t.Created, Type: t.Type}
}

type tokenOut struct{ Body tokenView }

type createTokenIn struct {
	Request *op.Request
	Body    tokenRequest
}

type createTokenOut struct {
	Location string `header:"Location"`
	Body     tokenView
}

func (a *api) createToken(ctx context.Context, in *createTokenIn) (*createTokenOut, error) {
	owner, err := a.owner(ctx, in.Body.AccountID)
	if err != nil {
		return nil, err
	}
	t, err := a.Payments.CreateToken(ctx, owner, payment.Secret(in.Body.Value), payment.Card{Masked: in.Body.Masked, Expiry: in.Body.Expiry})
	if err != nil {
		return nil, err
	}
	return &createTokenOut{Location: in.Request.BaseURL + gatewayPath + "/readToken?tokenID=" + string(t.ID), Body: showToken(t)}, nil
}

// owner finds an account by its id or its number.
func (a *api) owner(ctx context.Context, name string) (id.ID, error) {
	i, err := a.AccountID(ctx, name)
	if err != nil {
		return "", fault.From(err).At("accountID")
	}
	return i, nil
}

type tokenKey struct {
	ID id.ID `query:"tokenID" required:"true" doc:"Id of the token, as createToken gave it."`
}

func (a *api) readToken(ctx context.Context, in *tokenKey) (*tokenOut, error) {
	t, err := a.Payments.ReadToken(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &tokenOut{showToken(t)}, nil
}

type updateTokenIn struct {
	Body struct {
		ID     id.ID  `json:"tokenID" minLength:"1" maxLength:"64"`
		Value  string `json:"tokenValue,omitzero" maxLength:"255"`
		Masked string `json:"maskedCardNumber,omitzero" maxLength:"32"`
		Expiry string `json:"expiryDate,omitzero" maxLength:"7"`
	}
}

func (a *api) updateToken(ctx context.Context, in *updateTokenIn) (*tokenOut, error) {
	t, err := a.Payments.UpdateToken(ctx, in.Body.ID, payment.Secret(in.Body.Value), payment.Card{Masked: in.Body.Masked, Expiry: in.Body.Expiry})
	if err != nil {
		return nil, err
	}
	return &tokenOut{showToken(t)}, nil
}

func (a *api) deleteToken(ctx context.Context, in *tokenKey) (*struct{}, error) {
	return nil, a.Payments.DeleteToken(ctx, in.ID)
}

type methodRequest struct {
	AccountID string `json:"accountID" minLength:"1" maxLength:"64" doc:"The account, by its id or its number."`
	Value     string `json:"tokenValue,omitzero" maxLength:"255" doc:"What the payment gateway knows the means of payment by."`
	TokenID   id.ID  `json:"tokenID,omitzero" maxLength:"64" doc:"A token of the account, instead of the tokenValue."`
	Masked    string `json:"maskedCardNumber" minLength:"4" maxLength:"32" doc:"The last four digits of the card."`
	Expiry    string `json:"expiryDate" minLength:"7" maxLength:"7" doc:"The month of its end, YYYY/MM."`
	Name      string `json:"name,omitzero" maxLength:"255"`
}

type methodView struct {
	ID         id.ID     `json:"id"`
	Href       string    `json:"href"`
	AccountID  id.ID     `json:"accountID,omitzero"`
	TokenID    id.ID     `json:"tokenID,omitzero"`
	Masked     string    `json:"maskedCardNumber,omitzero"`
	Expiry     string    `json:"expiryDate,omitzero"`
	Name       string    `json:"name"`
	MethodType string    `json:"paymentMethodType" doc:"What it is, as TMF670 calls it."`
	Status     string    `json:"status"`
	StatusDate time.Time `json:"statusDate"`
	Type       string    `json:"@type"`
}

func showMethod(r *op.Request, i id.ID, m payment.Method) methodView {
	c := m.Card()
	return methodView{
		ID: i, Href: r.BaseURL + methodPath + "/" + string(i), AccountID: m.Owner(), TokenID: m.TokenID, Masked: c.Masked, Expiry: c.Expiry,
		Name: m.Name, MethodType: m.Type, Status: m.Status, StatusDate: m.StatusDate, Type: "PaymentMethod",
	}
}

type listMethodsIn struct {
	desk.PageIn
	AccountID string `query:"accountID" doc:"Only that of this account, by its id or its number."`
}

type listMethodsOut struct {
	tmf630.Page
	Body []methodView
}

func (a *api) listMethods(ctx context.Context, in *listMethodsIn) (*listMethodsOut, error) {
	if err := desk.Said(in.Request, "accountID"); err != nil {
		return nil, err
	}
	page := store.Page{}
	if in.AccountID != "" {
		owner, err := a.owner(ctx, in.AccountID)
		if err != nil {
			return nil, err
		}
		d, ok, err := a.Payments.MethodOf(ctx, owner)
		if err != nil {
			return nil, err
		}
		if page.Total = 0; ok {
			page.Total = 1
			if in.Offset == 0 {
				page.Items = []store.Doc{d}
			}
		}
	} else {
		var err error
		if page, err = a.Payments.Methods.Docs(ctx, store.Query{Offset: in.Offset, Limit: in.Limit}); err != nil {
			return nil, err
		}
	}
	out := &listMethodsOut{Page: in.Of(methodPath, len(page.Items), page.Total)}
	var err error
	out.Body, err = desk.Viewed(page, func(i id.ID, m payment.Method) methodView { return showMethod(in.Request, i, m) })
	return out, err
}

type createMethodIn struct {
	Request *op.Request
	Body    methodRequest
}

type createMethodOut struct {
	Location string `header:"Location"`
	Body     methodView
}

func (a *api) createMethod(ctx context.Context, in *createMethodIn) (*createMethodOut, error) {
	if (in.Body.Value == "") == (in.Body.TokenID == "") {
		return nil, fault.Invalidf("tokenValue", "say what pays: the payment gateway's tokenValue, or a tokenID")
	}
	owner, err := a.owner(ctx, in.Body.AccountID)
	if err != nil {
		return nil, err
	}
	i, m, err := a.Payments.AddMethod(ctx, payment.NewMethod{
		Account: owner, Value: payment.Secret(in.Body.Value), Token: in.Body.TokenID, Name: in.Body.Name,
		Card: payment.Card{Masked: in.Body.Masked, Expiry: in.Body.Expiry},
	})
	if err != nil {
		return nil, err
	}
	v := showMethod(in.Request, i, m)
	return &createMethodOut{Location: v.Href, Body: v}, nil
}

type methodKey struct {
	Request *op.Request
	ID      id.ID `path:"id" doc:"Id of the payment method."`
}

type methodOut struct{ Body methodView }

func (a *api) getMethod(ctx context.Context, in *methodKey) (*methodOut, error) {
	m, _, err := a.Payments.Methods.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &methodOut{showMethod(in.Request, in.ID, m)}, nil
}

type patchMethodIn struct {
	methodKey
	Body struct {
		Value   string `json:"tokenValue,omitzero" maxLength:"255"`
		TokenID id.ID  `json:"tokenID,omitzero" maxLength:"64"`
		Masked  string `json:"maskedCardNumber,omitzero" maxLength:"32"`
		Expiry  string `json:"expiryDate,omitzero" maxLength:"7"`
		Name    string `json:"name,omitzero" maxLength:"255"`
	}
}

func (a *api) patchMethod(ctx context.Context, in *patchMethodIn) (*methodOut, error) {
	if in.Body.Value != "" && in.Body.TokenID != "" {
		return nil, fault.Invalidf("tokenValue", "say what pays: the payment gateway's tokenValue, or a tokenID")
	}
	if in.Body.Value != "" && (in.Body.Masked == "" || in.Body.Expiry == "") {
		return nil, fault.Invalidf("maskedCardNumber", "with another tokenValue come the maskedCardNumber and the expiryDate of what it stands for")
	}
	m, err := a.Payments.ChangeMethod(ctx, in.ID, payment.NewMethod{
		Value: payment.Secret(in.Body.Value), Token: in.Body.TokenID, Name: in.Body.Name, Card: payment.Card{Masked: in.Body.Masked, Expiry: in.Body.Expiry},
	})
	if err != nil {
		return nil, err
	}
	return &methodOut{showMethod(in.Request, in.ID, m)}, nil
}

func (a *api) deleteMethod(ctx context.Context, in *methodKey) (*struct{}, error) {
	return nil, a.Payments.Methods.Delete(ctx, in.ID, 0)
}
