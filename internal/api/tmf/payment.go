package tmf

import "github.com/demarc-bss/demarc/internal/api/tmf630"

// payment is TMF676. Its document says /payment/v4, its conformance kit /paymentManagement/v4: both are served, with and
// without the path that the other APIs stand below. A payment or refund that is well formed is kept; that it is refused is
// its state.
func payment(d Deps) api {
	const entity, verbs = "payment", tmf630.List | tmf630.Create | tmf630.Get
	ref := func(i string) map[string]any { return map[string]any{"id": i} }
	francs := func(n float64) map[string]any { return map[string]any{"unit": "CHF", "value": n} }
	return api{
		code: "TMF676", base: "/tmf-api/payment/v4", name: "payment", domain: "paymentManagement",
		aliases: []string{"/payment/v4", "/tmf-api/paymentManagement/v4", "/paymentManagement/v4"},
		resources: []entry{
			{shape: "Payment", segment: "payment", set: d.Payments, entity: entity, verbs: verbs, example: map[string]any{
				"account": ref("bac-7"), "paymentMethod": ref("pmt-1"), "amount": francs(20), "taxAmount": francs(1.6), "totalAmount": francs(21.6),
				"description": "Router at home", "correlatorId": "shop-7-000123",
			}},
			{shape: "Refund", segment: "refund", set: d.Refunds, entity: entity, verbs: verbs, example: map[string]any{
				"account": ref("bac-7"), "paymentMethod": ref("pmt-1"), "payment": ref("pay-9"), "totalAmount": francs(5.4), "description": "Sent back",
			}},
		},
	}
}

// paymentMethod is TMF670. A card's full number or security code is refused, and a token taken and never shown.
func paymentMethod(d Deps) api {
	ref := func(i string) map[string]any { return map[string]any{"id": i} }
	return api{
		code: "TMF670", base: "/tmf-api/paymentMethod/v4", name: "paymentMethodManagement", domain: "paymentMethodManagement",
		resources: []entry{
			{shape: "PaymentMethod", segment: "paymentMethod", set: d.PaymentMethods, example: map[string]any{
				"@type": "tokenizedCard", "name": "Card ending in 4242", "account": []any{ref("bac-7")}, "lastFourDigits": "4242",
				"expirationDate": "2031-04-30T23:59:59Z",
			}},
		},
	}
}
