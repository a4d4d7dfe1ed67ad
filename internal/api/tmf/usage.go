package tmf

// usageManagement is TMF635. Usage that is created is rated at once.
func usageManagement(d Deps) api {
	return api{
		code: "TMF635", base: "/tmf-api/usageManagement/v4", name: "usageManagement", domain: "usageManagement",
		resources: []entry{
			{shape: "Usage", segment: "usage", set: d.Usages, entity: "usage", example: map[string]any{
				"usageDate": "2026-01-31T09:30:00Z", "usageType": "voice", "description": "A call of a minute",
				"usageCharacteristic": []any{
					map[string]any{"name": "originatingNumber", "value": "41790000001"}, map[string]any{"name": "destinationNumber", "value": "41441234567"},
					map[string]any{"name": "duration", "value": 60},
				},
			}},
			{shape: "UsageSpecification", segment: "usageSpecification", set: d.UsageSpecifications, entity: "usage", example: map[string]any{
				"name": "Video on demand", "description": "A film that is watched",
				"specCharacteristic": []any{map[string]any{"name": "minutes", "valueType": "number"}},
			}},
		},
	}
}
