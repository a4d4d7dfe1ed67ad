package tmf

// partyManagement is TMF632.
func partyManagement(d Deps) api {
	return api{
		code: "TMF632", base: "/tmf-api/party/v4", name: "party", domain: "partyManagement",
		resources: []entry{{
			shape: "Individual", segment: "individual", set: d.Individuals,
			example: map[string]any{"givenName": "Jane", "familyName": "Lamborgizzia", "birthDate": "1990-12-31T00:00:00Z"},
		}, {
			shape: "Organization", segment: "organization", set: d.Organizations,
			example: map[string]any{"tradingName": "Coffee Do Brazil Fair Trade"},
		}},
	}
}

// partyRoleManagement is TMF669.
func partyRoleManagement(d Deps) api {
	return api{
		code: "TMF669", base: "/tmf-api/partyRoleManagement/v4", name: "partyRoleManagement", domain: "partyRoleManagement",
		resources: []entry{{
			shape: "PartyRole", segment: "partyRole", set: d.PartyRoles,
			example: map[string]any{"name": "Guarantor", "engagedParty": map[string]any{"id": "500", "@referredType": "Individual"}},
		}},
	}
}
