package cm

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
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
	UserData       []order.NameValue `json:"userData,omitzero" doc:"MSISDN and ICCID ask for a number and a SIM, DONOR_NETWORK_ID for porting that number in (with one item); SUBSCRIPTION_ID names the subscription, by id or mobile number; SCHEDULE is IMMEDIATE or a moment; others are kept."`
	SubscriptionID string            `json:"subscriptionId,omitzero" doc:"The subscription that all items are for, by its id or its mobile number; SUBSCRIPTION_ID in userData is the same."`
	CartID         string            `json:"cartId,omitzero" doc:"The shopping cart that is ordered; shoppingCart.id is the same. Its items are ordered unless the order names some."`
	Cart           *sid.Ref          `json:"shoppingCart,omitzero"`
	Start          *time.Time        `json:"requestedStartDate,omitzero" doc:"Nothing is carried out before."`
	Priority       string            `json:"priority,omitzero" doc:"0 to 4, 0 the highest."`
	Referral       string            `json:"referralCode,omitzero" doc:"The code of who recommended the service provider."`
	ExternalID     string            `json:"externalId,omitzero" doc:"The client's own name for the order." maxLength:"69"`
	TokenID        string            `json:"atuTokenID,omitzero" doc:"Token of the stored payment method that pays automatic top-ups of the new subscription."`
	TokenAmount    jsontext.Value    `json:"atuAmount,omitzero" doc:"How much an automatic top-up brings."`
	Rest           sid.Rest          `json:",embed"`
}

type orderItem struct {
	ID       itemID         `json:"id,omitzero" doc:"Name of the item within the order: text or a number; counted when left out."`
	Action   string         `json:"action,omitzero" doc:"add, modify, delete or noChange, in any spelling" example:"add"`
	Quantity int            `json:"quantity,omitzero" minimum:"0"`
	Offering *sid.Ref       `json:"productOffering,omitzero" doc:"The price plan, add-on, SIM or device, by its id or its key. includedItems lists what comes with it: id, quantity, action."`
	Product  *order.Product `json:"product,omitzero" doc:"id is the subscription (or its mobile number), or what it holds; characteristics MSISDN and ICCID ask for a number and a SIM."`
	Items    []orderItem    `json:"productOrderItem,omitzero" maxItems:"20"`
	Rest     sid.Rest       `json:",embed"`
}

const orderPath = desk.Base + "/productOrder"

func (a *api) orders() []op.Operation {
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.productOrder.create", Method: http.MethodPost, Path: orderPath, Tag: "ProductOrder",
			Summary: "Place an order",
			Description: "Orders a subscription on a price plan for an account, with its add-ons, or changes one that is there: its plan, its add-ons, its SIM, its number; or ends it. The order is checked and acknowledged at once and carried out " +
				"in steps right after: `GET /api/productOrder/{id}` shows the state (acknowledged, pending, inProgress, completed, failed, partial, cancelled) and, " +
				"once there is one, the subscription as `productOrderItem[0].product.id`. A number and a SIM are taken from the pool unless the order asks for some.",
			Permission: desk.May("productOrder", auth.Post), Writes: true, Status: http.StatusCreated,
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
			Permission: desk.May("productOrder", auth.Get), Status: http.StatusOK, Also: desk.Pages(), Errors: []fault.Kind{fault.NotFound},
			Params: []op.Param{{Name: "accountId", In: "query", Example: "48120937"}},
		}, a.listOrders),
		op.Handle(op.Operation{
			ID: "cm.productOrder.remove", Method: http.MethodPut, Path: orderPath, Tag: "ProductOrder",
			Summary: "Take products off a subscription",
			Description: "Orders that the items are taken off: add-ons end, what is left of their allowances is forfeited. Without its price plan a " +
				"subscription is blocked: nobody can use it, and its number and its money stay. Ordering a price plan for it unblocks it.",
			Permission: desk.May("productOrder", auth.Post), Writes: true, Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Request: &op.Body{Example: map[string]any{
				"subscriptionId":   "41790000000",
				"productOrderItem": []any{map[string]any{"productOffering": map[string]any{"id": "weekend-data"}}},
			}},
			Response: &op.Body{SchemaName: "ProductOrder", Description: "The order as acknowledged; Location is its href."},
		}, a.removeProducts),
		op.Handle(op.Operation{
			ID: "cm.productOrder.cancel", Method: http.MethodPost, Path: orderPath + "/cancel", Tag: "ProductOrder",
			Summary: "Cancel an order",
			Description: "Possible until a subscription is active, or what else is ordered is carried out. What was done is taken back; " +
				"`GET /api/productOrder/cancel/{id}` shows when that is done.",
			Permission: desk.May("productOrder", auth.Post), Writes: true, Status: http.StatusCreated, Errors: []fault.Kind{fault.Conflict},
			Request: &op.Body{Example: map[string]any{
				"productOrder": map[string]any{"id": "ord_06c3v4m8r1e2k7t9w5x0y3z4a6"}, "cancellationReason": "ordered by mistake",
			}},
			Response: &op.Body{SchemaName: "CancelProductOrder", Description: "The request to cancel; Location is its href."},
		}, a.cancelOrder),
		op.Handle(op.Operation{
			ID: "cm.productOrder.delete", Method: http.MethodDelete, Path: orderPath + "/{id}", Tag: "ProductOrder",
			Summary: "Cancel an order", Description: "As `POST /api/productOrder/cancel` does. The order is kept, as cancelled.",
			Permission: desk.May("productOrder", auth.Delete), Writes: true, Status: http.StatusNoContent, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
		}, a.cancelByID),
		op.Handle(op.Operation{
			ID: "cm.productOrder.portStatus", Method: http.MethodPatch, Path: orderPath + "/npg/{id}/status", Tag: "ProductOrder",
			Summary:     "Ask how the porting of an order's number stands",
			Description: "Asks the number portability gateway, stores the answer on the order and gives it.",
			Permission:  desk.May("productOrder", auth.Patch), Writes: true, Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound},
			Before: a.askPort,
		}, a.portStatus),
	}
}

func (a *api) removeProducts(ctx context.Context, in *placeIn) (*documentOut, error) {
	return a.place(ctx, in, true)
}

// cancelRequest names an order and why it is cancelled.
type cancelRequest struct {
	Order   *sid.Ref `json:"productOrder,omitzero"`
	OrderID string   `json:"productOrderId,omitzero" doc:"productOrder.id is the same."`
	Reason  string   `json:"cancellationReason,omitzero" maxLength:"500"`
}

type cancelIn struct {
	Request *op.Request
	Body    cancelRequest
}

func (a *api) cancelOrder(ctx context.Context, in *cancelIn) (*documentOut, error) {
	name := desk.First(in.Body.OrderID, refID(in.Body.Order))
	if name == "" {
		return nil, fault.Invalidf("productOrder", "productOrder.id is mandatory: the order to cancel")
	}
	_, d, err := a.Orders.Cancel(ctx, id.ID(name), in.Body.Reason)
	if err != nil {
		return nil, err
	}
	href := in.Request.BaseURL + orderPath + "/cancel/" + string(d.ID)
	body, err := shown(d, href)
	return &documentOut{Location: href, ETag: op.ETag(d.Version), Body: body}, err
}

type orderIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id of the order."`
}

func (a *api) cancelByID(ctx context.Context, in *orderIn) (*struct{}, error) {
	if _, err := a.Orders.Orders.Doc(ctx, id.ID(in.ID)); err != nil {
		return nil, err
	}
	_, _, err := a.Orders.Cancel(ctx, id.ID(in.ID), "")
	return nil, err
}

// portView is how the porting of a number stands, in the words of port orders.
type portView struct {
	OrderID   id.ID           `json:"productOrderId"`
	PortOrder string          `json:"portOrderId,omitzero"`
	Status    order.PortState `json:"status" example:"IN_PROGRESS"`
	Number    string          `json:"numberToPort" doc:"Digits of E.164."`
	Donor     string          `json:"donorNetworkId,omitzero"`
	Crossed   bool            `json:"crossedPONR" doc:"The point of no return is passed: it cannot be cancelled."`
	Reason    string          `json:"reason,omitzero"`
	Checked   *time.Time      `json:"statusDate,omitzero"`
	Kind      string          `json:"@type"`
}

type portOut struct{ Body portView }

type portAnswer struct{}

// askPort asks the gateway before the transaction that keeps the answer.
func (a *api) askPort(ctx context.Context, r *op.Request) (context.Context, error) {
	answer, err := a.Orders.AskPort(ctx, id.ID(r.Path["id"]))
	return context.WithValue(ctx, portAnswer{}, answer), err
}

func (a *api) portStatus(ctx context.Context, in *orderIn) (*portOut, error) {
	answer, _ := ctx.Value(portAnswer{}).(order.PortAnswer)
	p, err := a.Orders.KeepPort(ctx, id.ID(in.ID), answer)
	if err != nil {
		return nil, err
	}
	return &portOut{portView{
		OrderID: id.ID(in.ID), PortOrder: p.Request, Status: p.State, Number: string(p.Number), Donor: p.Donor,
		Crossed: p.Crossed, Reason: p.Reason, Checked: p.Checked, Kind: "PortOrderStatus",
	}}, nil
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
	return a.place(ctx, in, false)
}

func (a *api) place(ctx context.Context, in *placeIn, removes bool) (*documentOut, error) {
	o, err := a.translate(ctx, in.Body, removes)
	if err != nil {
		return nil, err
	}
	_, d, err := a.Orders.Place(ctx, o)
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
	desk.PageIn
	AccountID string `query:"accountId" doc:"Id or number of the account; accountID is the same."`
	Upper     string `query:"accountID"`
}

func (a *api) listOrders(ctx context.Context, in *ordersIn) (*listOut, error) {
	var account id.ID
	if err := desk.Said(in.Request, "accountId", "accountID"); err != nil {
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
	return listed(in.PageIn, orderPath, orderPath, page)
}
