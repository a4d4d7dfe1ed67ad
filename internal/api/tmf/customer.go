package tmf

// customerManagement is TMF629.
func customerManagement(d Deps) api {
	return api{
		code: "TMF629", base: "/tmf-api/customerManagement/v4", name: "customerManagement", domain: "customerManagement",
		resources: []entry{{
			shape: "Customer", segment: "customer", set: d.Customers,
			example: map[string]any{
				"name":         "Moon Football Club",
				"engagedParty": map[string]any{"id": "500", "name": "Moon Football Club", "@referredType": "Organization"},
			},
		}},
	}
}
