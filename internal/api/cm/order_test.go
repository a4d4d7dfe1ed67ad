package cm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// newAccount opens an account and gives its id.
func (s *server) newAccount() string {
	s.t.Helper()
	return s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("id")
}

// carried places an order and has it carried out.
func (s *server) carried(method, body string) optest.Reply {
	s.t.Helper()
	status := map[string]int{"POST": 201, "PUT": 200}[method]
	placed := s.do(method, "/api/productOrder", body).Want(status)
	s.house.Work(s.ctx, s.t)
	return s.do("GET", "/api/productOrder/"+placed.At("id"), "").Want(200).Is(map[string]string{"state": "completed"})
}

// A person buys add-ons with a line, changes plan, drops everything and is blocked, comes back, and leaves; by the mobile
// number all along.
func TestTheLifeOfALineInOrders(t *testing.T) {
	each(t, func(s *server) {
		account := s.newAccount()
		done := s.carried("POST", `{"accountId":"`+account+`","cartItem":[{"action":"ADD","productOffering":{"id":"plus","includedItems":[{"id":"extra","quantity":1,"action":"ADD"}]}}],
			"userData":[{"name":"CHANNEL","value":"web"},{"name":"SCHEDULE","value":"IMMEDIATE"}]}`)
		line := done.At("productOrderItem.0.product.id")
		number := s.do("GET", "/api/subscription/"+line, "").Want(200).At("mobileNumber")
		if !strings.Contains(s.do("GET", "/api/subscription/bundleBalance?subscriptionId="+line, "").Want(200).Raw, "Extra data") {
			t.Error("the add-on brought nothing")
		}
		again := s.do("POST", "/api/productOrder", `{"subscriptionId":"`+number+`","productOrderItem":[{"productOffering":{"id":"extra"}},{"productOffering":{"id":"weekly"}}]}`).Want(409)
		if !strings.Contains(again.Raw, "needed now") {
			t.Errorf("it is not said that the money is short: %s", again.Raw)
		}
		s.do("POST", "/api/subscription/topup", `{"subscriptionId":"`+line+`","amount":{"unit":"CHF","value":50},"reference":"r1"}`)
		s.carried("POST", `{"subscriptionId":"`+number+`","productOrderItem":[{"productOffering":{"id":"weekly"}}]}`)
		s.carried("POST", `{"userData":[{"name":"SUBSCRIPTION_ID","value":"+`+number+`"}],"productOrderItem":[{"action":"modify","productOffering":{"id":"start"}}]}`)
		s.do("GET", "/api/subscription/"+line+"/pricePlan", "").Want(200).Is(map[string]string{"name": "Start"})

		s.carried("PUT", `{"subscriptionId":"`+number+`","productOrderItem":[{"productOffering":{"id":"extra"}},{"productOffering":{"id":"weekly"}},{"productOffering":{"id":"start"}}]}`)
		s.do("GET", "/api/subscription/"+number, "").Want(200).Is(map[string]string{"state": "LOCKED"})
		if l := s.house.Net.Line(id.ID(line)); !l.Barred || !l.Connected {
			t.Errorf("the network has it %+v", l)
		}
		s.do("PUT", "/api/productOrder", `{"subscriptionId":"`+number+`","productOrderItem":[{"productOffering":{"id":"start"}}]}`).Want(409)
		s.do("POST", "/api/productOrder", `{"subscriptionId":"`+number+`","productOrderItem":[{"productOffering":{"id":"extra"}}]}`).Want(409)
		s.carried("POST", `{"subscriptionId":"`+number+`","productOrderItem":[{"productOffering":{"id":"plus"}}]}`)
		s.do("GET", "/api/subscription/"+number, "").Want(200).Is(map[string]string{"state": "ACTIVE"})
		if l := s.house.Net.Line(id.ID(line)); l.Barred {
			t.Error("the network has it barred still")
		}

		s.carried("POST", `{"accountId":"`+account+`","productOrderItem":[{"action":"delete","product":{"id":"`+number+`"}}]}`)
		s.do("GET", "/api/subscription/"+line, "").Want(200).Is(map[string]string{"state": "INACTIVE"})
		s.do("POST", "/api/productOrder", `{"accountId":"`+account+`","productOrderItem":[{"action":"delete","product":{"id":"`+line+`"}}]}`).Want(409)
		s.house.Balanced(s.ctx, t)
	})
}

func TestOrdersAreCancelled(t *testing.T) {
	each(t, func(s *server) {
		account := s.newAccount()
		plan := `"productOrderItem":[{"productOffering":{"id":"start"}}]`
		later := s.house.Store.Now(s.ctx).Add(48 * time.Hour).UTC().Format(time.RFC3339)
		first := s.do("POST", "/api/productOrder", `{"accountId":"`+account+`","requestedStartDate":"`+later+`",`+plan+`}`).Want(201).Is(map[string]string{"state": "pending"})
		asked := s.do("POST", "/api/productOrder/cancel", `{"productOrder":{"id":"`+first.At("id")+`"},"cancellationReason":"moved"}`).Want(201).Is(map[string]string{"state": "done"})
		s.do("GET", "/api/productOrder/cancel/"+asked.At("id"), "").Want(200).Is(map[string]string{"productOrder.id": first.At("id")})
		if n := s.do("GET", "/api/productOrder/cancel", "").Want(200).Len(); n != 1 {
			t.Errorf("%d requests", n)
		}
		s.do("GET", "/api/productOrder/"+first.At("id"), "").Want(200).Is(map[string]string{"state": "cancelled", "cancellationReason": "moved"})
		second := s.do("POST", "/api/productOrder", `{"accountId":"`+account+`",`+plan+`}`).Want(201)
		s.do("DELETE", "/api/productOrder/"+second.At("id"), "").Want(204)
		s.do("DELETE", "/api/productOrder/"+second.At("id"), "").Want(409)
		s.do("DELETE", "/api/productOrder/ord_x", "").Want(404)
		s.do("POST", "/api/productOrder/cancel", `{}`).Want(400)
		s.house.Work(s.ctx, s.t)
		if n := s.do("GET", "/api/subscription?accountId="+account, "").Want(200).Len(); n != 0 {
			t.Errorf("%d lines", n)
		}
	})
}

func TestTheStatusOfAPortIsAskedFor(t *testing.T) {
	each(t, func(s *server) {
		account := s.newAccount()
		placed := s.do("POST", "/api/productOrder", `{"accountId":"`+account+`","productOrderItem":[{"productOffering":{"id":"start"}}],
			"userData":[{"name":"MSISDN","value":"0761234567"},{"name":"DONOR_NETWORK_ID","value":"SALT"}]}`).Want(201)
		status := "/api/productOrder/npg/" + placed.At("id") + "/status"
		s.do("PATCH", status, "").Want(200).Is(map[string]string{"status": "DRAFT", "numberToPort": "41761234567"})
		s.house.Work(s.ctx, s.t)
		s.do("PATCH", status, "").Want(200).Is(map[string]string{"status": "APPROVAL_PENDING", "donorNetworkId": "SALT", "crossedPONR": "false"})
		other := s.do("POST", "/api/productOrder", `{"accountId":"`+account+`","productOrderItem":[{"productOffering":{"id":"start"}}]}`).Want(201)
		s.do("PATCH", "/api/productOrder/npg/"+other.At("id")+"/status", "").Want(404)
	})
}

func TestACartIsPricedAndOrderedOnce(t *testing.T) {
	each(t, func(s *server) {
		opened := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201)
		customer := opened.At("customer.id")
		made := s.do("POST", "/api/shoppingCart/", `{"customerId":"`+customer+`","cartItem":[{"action":"ADD","id":1,
			"productOffering":{"id":"plus","includedItems":[{"id":"extra","quantity":2,"action":"ADD"}]}}]}`).Want(201)
		made.Is(map[string]string{
			"status": "active", "customerId": customer, "cartItem.0.id": "1", "cartItem.0.cartItem.0.productOffering.name": "Extra",
			"cartTotalPrice.0.priceType": "recurring", "cartTotalPrice.0.price.taxIncludedAmount.value": "19.9",
			"cartTotalPrice.1.priceType": "oneTime", "cartTotalPrice.1.price.taxIncludedAmount.value": "4",
			"cartTotalPrice.2.priceType": "tax", "cartTotalPrice.2.price.taxIncludedAmount.value": "1.79",
		})
		if found := s.do("GET", "/api/shoppingCart?customerId="+customer, "").Want(200); found.Len() != 1 || found.At("0.id") != made.At("id") {
			t.Errorf("%s", found.Raw)
		}
		path := "/api/shoppingCart/" + made.At("id")
		s.do("PATCH", path, `{"cartItem":[{"productOffering":{"id":"start"}}]}`).Want(200).Is(map[string]string{"cartItem.0.productOffering.name": "Start"})
		s.do("PATCH", path, `{"cartItem":[{"productOffering":{"id":"nope"}}]}`).Want(400)
		order := `{"accountId":"` + opened.At("id") + `","cartId":"` + made.At("id") + `"}`
		done := s.carried("POST", order)
		s.do("GET", path, "").Want(200).Is(map[string]string{"status": "ordered", "productOrder.id": done.At("id")})
		s.do("POST", "/api/productOrder", order).Want(409)
		s.do("PATCH", path, `{"cartItem":[]}`).Want(409)
		empty := s.do("POST", "/api/shoppingCart", `{}`).Want(201)
		s.do("POST", "/api/productOrder", `{"accountId":"`+opened.At("id")+`","cartId":"`+empty.At("id")+`"}`).Want(409)
		s.do("DELETE", "/api/shoppingCart/"+empty.At("id"), "").Want(204)
	})
}
