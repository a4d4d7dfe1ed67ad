package tmf

import "github.com/demarc-bss/demarc/internal/api/tmf630"

// productOrdering is TMF622. An order that is well formed is taken, and one that cannot be carried out is rejected with
// its reasons as productOrderErrorMessage; so it is with requests to cancel one.
func productOrdering(d Deps) api {
	const entity = "productOrder"
	return api{
		code: "TMF622", base: "/tmf-api/productOrderingManagement/v4", name: "productOrderingManagement", domain: "productOrderingManagement",
		resources: []entry{
			{shape: "ProductOrder", segment: "productOrder", set: d.Orders, entity: entity, example: map[string]any{
				"externalId":       "W-1047",
				"relatedParty":     []any{map[string]any{"id": "500", "name": "Jane Doe", "role": "customer", "@referredType": "Individual"}},
				"productOrderItem": []any{map[string]any{"id": "1", "action": "add", "productOffering": map[string]any{"id": "14"}}},
			}},
			{shape: "CancelProductOrder", segment: "cancelProductOrder", set: d.Cancellations, entity: entity,
				verbs: tmf630.List | tmf630.Create | tmf630.Get, example: map[string]any{
					"cancellationReason": "ordered by mistake", "productOrder": map[string]any{"id": "ord_06c3v4m8r1e2k7t9w5x0y3z4a6"},
				}},
		},
	}
}
