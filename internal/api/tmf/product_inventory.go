package tmf

// productInventory is TMF637. Lines are products; a product that is posted here is recorded and nothing more.
func productInventory(d Deps) api {
	return api{
		code: "TMF637", base: "/tmf-api/productInventory/v4", name: "productInventory", domain: "productInventoryManagement",
		resources: []entry{{
			shape: "Product", segment: "product", set: d.Products, entity: "subscription",
			example: map[string]any{
				"name": "Router at home", "status": "active", "productSerialNumber": "RT-0815-47",
				"relatedParty":          []any{map[string]any{"id": "500", "name": "Jane Doe", "@referredType": "Individual"}},
				"productCharacteristic": []any{map[string]any{"name": "colour", "value": "white"}},
			},
		}},
	}
}
