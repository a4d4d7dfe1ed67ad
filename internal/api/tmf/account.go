package tmf

// accountManagement is TMF666. Its four accounts go by permissions of one entity: the roles that operators
// give know a billing account and no other.
func accountManagement(d Deps) api {
	owned := func(name string) map[string]any {
		return map[string]any{
			"name":         name,
			"relatedParty": []any{map[string]any{"id": "500", "name": "Richard Cole", "@referredType": "Organization"}},
		}
	}
	named := func(name string) map[string]any { return map[string]any{"name": name} }
	const entity = "billingAccount"
	return api{
		code: "TMF666", base: "/tmf-api/accountManagement/v4", name: "accountManagement", domain: "accountManagement",
		resources: []entry{
			{shape: "BillingAccount", segment: "billingAccount", set: d.BillingAccounts, entity: entity, example: owned("Home Account")},
			{shape: "PartyAccount", segment: "partyAccount", set: d.PartyAccounts, entity: entity, example: owned("Travel account")},
			{shape: "FinancialAccount", segment: "financialAccount", set: d.FinancialAccounts, entity: entity, example: named("Administration account")},
			{shape: "SettlementAccount", segment: "settlementAccount", set: d.SettlementAccounts, entity: entity, example: owned("Per Usage Account")},
			{shape: "BillFormat", segment: "billFormat", set: d.BillFormats, entity: entity, example: named("Detailed invoice")},
			{shape: "BillingCycleSpecification", segment: "billingCycleSpecification", set: d.BillingCycles, entity: entity, example: named("Monthly billing")},
			{shape: "BillPresentationMedia", segment: "billPresentationMedia", set: d.PresentationMedia, entity: entity, example: named("Electronic invoice")},
		},
	}
}
