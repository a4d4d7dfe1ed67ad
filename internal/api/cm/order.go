package cm

import (
	"context"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/store"
)

// orderRequest is an order in the words of this API or of TMF622; they may be mixed.
type orderRequest struct {
	Type           string            `json:"@type,omitzero"`
	State          order.State       `json:"state,omitzero" doc:"A new order is acknowledged; best left out."`
	AccountID      string            `json:"accountId,omitzero" doc:"Id or number of the account that pays; accountID and billingAccount.id are the same."`
	AccountIDUpper string            `json:"accountID,omitzero"`
	BillingAccount *sid.Ref          `json:"billingAccount,omitzero"`
	RelatedParty   []sid.Ref         `json:"relatedParty,omitzero"`
	Items          []orderItem       `json:"productOrderItem,omitzero" doc:"What is ordered; cartItem is the same." maxItems:"20"`
	CartItems      []orderItem       `json:"cartItem,omitzero" maxItems:"20"`
	UserData       []order.NameValue `json:"userData,omitzero" doc:"MSISDN and ICCID ask for a number and a SIM (with one item); SCHEDULE may be IMMEDIATE; others are kept."`
	ExternalID     string            `json:"externalId,omitzero" doc:"The client's own name for the order." maxLength:"69"`
	TokenID        string            `json:"atuTokenID,omitzero" doc:"Not supported yet: an order with it is refused."`
	TokenAmount    jsontext.Value    `json:"atuAmount,omitzero" doc:"Not supported yet: an order with it is refused."`
	Rest           sid.Rest          `json:",embed"`
}

type orderItem struct {
	ID       itemID         `json:"id,omitzero" doc:"Name of the item within the order: text or a number; counted when left out."`
	Action   string         `json:"action,omitzero" doc:"add" example:"add"`
	Quantity int            `json:"quantity,omitzero" minimum:"0"`
	Offering *sid.Ref       `json:"productOffering,omitzero" doc:"The price plan, by its id or its key."`
	Product  *order.Product `json:"product,omitzero" doc:"Characteristics MSISDN and ICCID ask for a number and a SIM."`
	Rest     sid.Rest       `json:",embed"`
}

const orderPath = base + "/productOrder"

func (a *api) orders() []op.Operation {
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.productOrder.create", Method: http.MethodPost, Path: orderPath, Tag: "ProductOrder",
			Summary: "Order a subscription",
			Description: "Orders a subscription on a price plan for an account. The order is checked and acknowledged at once and carried out " +
				"in steps right after: `GET /api/productOrder/{id}` shows the state (acknowledged, inProgress, completed, failed, partial) and, " +
				"once there is one, the subscription as `productOrderItem[0].product.id`. A number and a SIM are taken from the pool unless the order asks for some.",
			Permission: may("productOrder", auth.Post), Writes: true, Status: http.StatusCreated,
			Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Request: &op.Body{Example: map[string]any{
				"accountId":        "bac_06c3v4m8r1e2k7t9w5x0y3z4a6",
				"productOrderItem": []any{map[string]any{"action": "add", "productOffering": map[string]any{"id": "off_06c3v4m8r1e2k7t9w5x0y3z4a6"}}},
			}},
			Response: &op.Body{SchemaName: "ProductOrder", Description: "The order as acknowledged; Location is its href."},
		}, a.placeOrder),
		op.Handle(op.Operation{
			ID: "cm.productOrder.list", Method: http.MethodGet, Path: orderPath, Tag: "ProductOrder",
			Summary: "List orders", Description: "Those of an account, or all of the service provider's; the newest first.",
			Permission: may("productOrder", auth.Get), Status: http.StatusOK, Also: pages(), Errors: []fault.Kind{fault.NotFound},
			Params: []op.Param{{Name: "accountId", In: "query", Example: "48120937"}},
		}, a.listOrders),
	}
}

type placeIn struct {
	Request *op.Request
	Body    orderRequest
}

type documentOut struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     jsontext.Value
}

func (a *api) placeOrder(ctx context.Context, in *placeIn) (*documentOut, error) {
	o, err := a.translate(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	_, d, err := a.Orders.Orders.Add(ctx, o)
	if err != nil {
		return nil, err
	}
	href := in.Request.BaseURL + orderPath + "/" + string(d.ID)
	body, err := shown(d, href)
	return &documentOut{Location: href, ETag: op.ETag(d.Version), Body: body}, err
}

// shown is a stored document with its id and href.
func shown(d store.Doc, href string) (jsontext.Value, error) {
	head, err := jsontext.AppendQuote([]byte(`{"id":"`+string(d.ID)+`","href":`), href)
	if err != nil {
		return nil, fault.Internalf(err, "the answer cannot be written")
	}
	return append(append(head, ','), d.Body[1:]...), nil
}

type ordersIn struct {
	Request   *op.Request
	AccountID string `query:"accountId" doc:"Id or number of the account; accountID is the same."`
	Upper     string `query:"accountID"`
	Offset    int    `query:"offset" minimum:"0" doc:"How many to skip."`
	Limit     int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most to answer with."`
}

type listOut struct {
	tmf630.Page
	Body []jsontext.Value
}

// pages is what the lists of this façade answer with beside 200.
func pages() map[int]string { return map[int]string{http.StatusPartialContent: "A page of them."} }

// said refuses filters without a value, as TMF630's lists do: what a client left empty would list everything.
func said(r *op.Request, filters ...string) error {
	var wrong fault.Several
	for _, name := range filters {
		if r.Query.Has(name) && r.Query.Get(name) == "" {
			wrong.Invalidf(name, "a value is missing")
		}
	}
	return wrong.Err()
}

func (a *api) listOrders(ctx context.Context, in *ordersIn) (*listOut, error) {
	var account id.ID
	if err := said(in.Request, "accountId", "accountID"); err != nil {
		return nil, err
	}
	if in.AccountID != "" || in.Upper != "" {
		var err error
		if account, err = a.accountOf(ctx, []named{{"accountId", in.AccountID}, {"accountID", in.Upper}}); err != nil {
			return nil, err
		}
	}
	page, err := a.Orders.Orders.Docs(ctx, order.OfAccount(account, in.Offset, in.Limit))
	if err != nil {
		return nil, err
	}
	out := &listOut{Page: tmf630.PageOf(in.Request, orderPath, in.Offset, in.Limit, len(page.Items), page.Total), Body: []jsontext.Value{}}
	for _, d := range page.Items {
		body, err := shown(d, in.Request.BaseURL+orderPath+"/"+string(d.ID))
		if err != nil {
			return nil, err
		}
		out.Body = append(out.Body, body)
	}
	return out, nil
}
