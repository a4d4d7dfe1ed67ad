package tmf

// communicationManagement is TMF681. A message that is well formed is kept; that it cannot be sent is its state.
func communicationManagement(d Deps) api {
	return api{
		code: "TMF681", base: "/tmf-api/communicationManagement/v4", name: "communicationManagement", domain: "communicationManagement",
		resources: []entry{
			{shape: "CommunicationMessage", segment: "communicationMessage", set: d.Messages, example: map[string]any{
				"content": "Our shop in Bern is closed tomorrow.", "messageType": "SMS", "sender": map[string]any{"name": "HappyPhone"},
				"receiver": []any{map[string]any{"phoneNumber": "+41 79 000 00 00"}},
			}},
		},
	}
}
