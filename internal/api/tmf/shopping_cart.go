package tmf

// shoppingCart is TMF663. A cart is priced as it changes; what is in it is ordered by an order that names it.
func shoppingCart(d Deps) api {
	return api{
		code: "TMF663", base: "/tmf-api/shoppingCart/v4", name: "shoppingCart", domain: "shoppingCart",
		resources: []entry{{shape: "ShoppingCart", segment: "shoppingCart", set: d.Carts, example: map[string]any{
			"relatedParty": []any{map[string]any{"id": "500", "name": "Jane Doe", "role": "customer", "@referredType": "Customer"}},
			"cartItem":     []any{map[string]any{"id": "1", "action": "add", "quantity": 1, "productOffering": map[string]any{"id": "14", "name": "Weekend data"}}},
		}}},
	}
}
