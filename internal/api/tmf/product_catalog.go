package tmf

import "github.com/demarc-bss/demarc/internal/api/tmf630"

// productCatalog is TMF620. All of it goes by permissions of one entity: the roles that operators give know a product
// offering and no other part of the catalogue. A job is never changed by a client.
func productCatalog(d Deps) api {
	const entity = "productOffering"
	const task = tmf630.List | tmf630.Create | tmf630.Get | tmf630.Delete
	ref := func(id, name string) map[string]any { return map[string]any{"id": id, "name": name} }
	return api{
		code: "TMF620", base: "/tmf-api/productCatalogManagement/v4", name: "productCatalogManagement", domain: "productCatalogManagement",
		resources: []entry{
			{shape: "Catalog", segment: "catalog", set: d.Catalogs, entity: entity,
				example: map[string]any{"name": "Consumers", "lifecycleStatus": "Active", "category": []any{ref("12", "Prepaid plans")}}},
			{shape: "Category", segment: "category", set: d.Categories, entity: entity,
				example: map[string]any{"name": "Prepaid plans", "description": "Without a bill", "lifecycleStatus": "Active"}},
			{shape: "ProductSpecification", segment: "productSpecification", set: d.ProductSpecifications, entity: entity,
				example: map[string]any{"name": "Mobile line", "brand": "HappyPhone", "lifecycleStatus": "Active",
					"productSpecCharacteristic": []any{map[string]any{"name": "MSISDN", "valueType": "string"}}}},
			{shape: "ProductOfferingPrice", segment: "productOfferingPrice", set: d.OfferingPrices, entity: entity,
				example: map[string]any{"name": "Monthly fee", "priceType": "recurring", "recurringChargePeriodType": "month",
					"recurringChargePeriodLength": 1, "price": map[string]any{"unit": "EUR", "value": 9.9}, "lifecycleStatus": "Active"}},
			{shape: "ProductOffering", segment: "productOffering", set: d.Offerings, entity: entity,
				example: map[string]any{"name": "Weekend data", "lifecycleStatus": "Active", "isSellable": true, "offeringType": "boltOn",
					"productOfferingPrice": []any{map[string]any{"name": "Once", "priceType": "oneTime",
						"price": map[string]any{"taxIncludedAmount": map[string]any{"unit": "EUR", "value": 3}, "taxRate": 20}}},
					"allowance": []any{map[string]any{"name": "Data", "usageType": "data", "amount": 1_000_000_000, "units": "bytes", "validityDays": 2}}}},
			{shape: "ImportJob", segment: "importJob", set: d.ImportJobs, entity: entity, verbs: task,
				example: map[string]any{"url": "https://files.example.com/catalogue.yaml", "contentType": "application/yaml"}},
			{shape: "ExportJob", segment: "exportJob", set: d.ExportJobs, entity: entity, verbs: task,
				example: map[string]any{"url": "data:,", "path": "/tmf-api/productCatalogManagement/v4/productOffering", "query": "lifecycleStatus=Active"}},
		},
	}
}
