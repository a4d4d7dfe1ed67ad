package cm_test

import (
	"testing"

	"github.com/demarc-bss/demarc/internal/catalog"
)

func TestACartNamesWhatIsThereAndSold(t *testing.T) {
	each(t, func(s *server) {
		customer := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("customer.id")
		other := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"John","familyName":"Doe"}`).Want(201).At("customer.id")
		if _, err := s.house.Catalog.Offerings.Change(s.ctx, s.house.Offering(s.ctx, t, "extra"), func(v *catalog.Offering) error {
			v.LifecycleStatus = catalog.Retired
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		s.do("POST", "/api/shoppingCart", `{"customerId":"`+customer+`","cartItem":[{"productOffering":{"id":"start"}},{"productOffering":{"id":"extra"}}]}`).Want(409).
			Is(map[string]string{"code": "offeringNotSellable", "details.0.attribute": "cartItem[1].productOffering"})
		for attribute, body := range map[string]string{
			"customerId":         `{"customerId":"nobody"}`,
			"relatedParty[0].id": `{"relatedParty":[{"id":"cus_01m80brra7ecrbh9y66rcz3b05","role":"customer"}]}`,
		} {
			s.do("POST", "/api/shoppingCart", body).Want(400).Is(map[string]string{"details.0.attribute": attribute})
		}
		cart := "/api/shoppingCart/" + s.do("POST", "/api/shoppingCart", `{"customerId":"`+customer+`","cartItem":[{"productOffering":{"id":"start"}}]}`).Want(201).At("id")
		s.do("PATCH", cart, `{"cartItem":[{"productOffering":{"id":"extra"}}]}`).Want(409)
		s.do("PATCH", cart, `{"customerId":"cus_01m80brra7ecrbh9y66rcz3b05"}`).Want(400).Is(map[string]string{"details.0.attribute": "customerId"})
		s.do("PATCH", cart, `{"customerId":"`+other+`"}`).Want(200).Is(map[string]string{"customerId": other, "relatedParty.0.id": other, "relatedParty.1.id": ""})
		account := s.newAccount()
		s.do("POST", "/api/productOrder", `{"accountId":"`+account+`","relatedParty":[{"id":"ind_01m80brra7ecrbh9y66rcz3b05"}],"productOrderItem":[{"productOffering":{"id":"start"}}]}`).Want(400).
			Is(map[string]string{"details.0.attribute": "relatedParty[0].id"})
	})
}

func TestTheNumberOfACartIsNamedWithItsOrder(t *testing.T) {
	each(t, func(s *server) {
		opened := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201)
		cart := func(items string) string {
			return s.do("POST", "/api/shoppingCart", `{"customerId":"`+opened.At("customer.id")+`","cartItem":[`+items+`]}`).Want(201).At("id")
		}
		order := func(cart string) string {
			return `{"accountId":"` + opened.At("id") + `","cartId":"` + cart + `","userData":[{"name":"MSISDN","value":"0761234567"},{"name":"DONOR_NETWORK_ID","value":"SALT"}]}`
		}
		const start = `{"productOffering":{"id":"start","includedItems":[{"id":"extra"}]}}`
		placed := s.do("POST", "/api/productOrder", order(cart(start))).Want(201).Is(map[string]string{"productOrderItem.0.process": "portIn"})
		s.do("PATCH", "/api/productOrder/npg/"+placed.At("id")+"/status", "").Want(200).Is(map[string]string{"numberToPort": "41761234567", "donorNetworkId": "SALT"})
		s.do("POST", "/api/productOrder", order(cart(start+","+start))).Want(400).Is(map[string]string{"details.0.attribute": "userData"})
	})
}
