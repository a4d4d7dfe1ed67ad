package tmf630

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// problem is TMF630's Error (part 1, "Error representation"). Details and RequestID are extensions.
type problem struct {
	Code           fault.Code     `json:"code"`
	Reason         string         `json:"reason"`
	Message        string         `json:"message,omitzero"`
	Status         string         `json:"status"`
	ReferenceError string         `json:"referenceError,omitzero"`
	Type           string         `json:"@type"`
	Details        []fault.Detail `json:"details,omitempty"`
	RequestID      string         `json:"requestId,omitzero"`
}

// Problem shows a fault as TMF630 wants it; it fits op.Facade. reason says what is wrong, message where and
// what else, details the same for programs.
func Problem(f *fault.Error, requestID string) op.Problem {
	status := Status(f)
	p := problem{
		Code: f.Code, Reason: f.Message, Status: strconv.Itoa(status), Type: "Error",
		ReferenceError: reference(status), Details: f.Details, RequestID: requestID,
	}
	if len(p.Details) == 0 && f.Attribute != "" {
		p.Details = []fault.Detail{{Attribute: f.Attribute, Message: f.Message}}
	}
	lines := make([]string, len(p.Details))
	for i, d := range p.Details {
		lines[i] = d.Message
		if !strings.HasPrefix(d.Message, d.Attribute) {
			lines[i] = d.Attribute + ": " + d.Message
		}
	}
	p.Message = strings.Join(lines, "; ")
	if len(lines) > 0 {
		p.Reason = lines[0]
	}
	if len(lines) > 1 {
		p.Reason += " (and " + strconv.Itoa(len(lines)-1) + " more)"
	}
	body, err := json.Marshal(p)
	if err != nil { // only text that is not UTF-8 can do that
		body = []byte(`{"code":"internalError","reason":"something went wrong here","status":"` + p.Status + `","@type":"Error"}`)
	}
	return op.Problem{Status: status, ContentType: "application/json;charset=utf-8", Body: body}
}

// Status is the HTTP status of a fault: the operation table's, save that a feature of TMF630 that is not
// spoken is 501 (part 6).
func Status(f *fault.Error) int {
	if f.Code == CodeJSONPath || f.Code == CodeDirective {
		return http.StatusNotImplemented
	}
	return op.StatusOf(f)
}

// reference is where the status is explained (RFC 9110 section 15, RFC 6585).
func reference(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "https://www.rfc-editor.org/rfc/rfc6585#section-4"
	case status >= 400 && status <= 417:
		return "https://www.rfc-editor.org/rfc/rfc9110#section-15.5." + strconv.Itoa(status-399)
	case status >= 500 && status <= 505:
		return "https://www.rfc-editor.org/rfc/rfc9110#section-15.6." + strconv.Itoa(status-499)
	}
	return ""
}

// ProblemSchema describes what Problem makes.
func ProblemSchema() *huma.Schema {
	text := func(doc string) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Description: doc} }
	return &huma.Schema{
		Type: huma.TypeObject, Description: "A refusal (TMF630 part 1, Error).",
		Properties: map[string]*huma.Schema{
			"code":           text("What is wrong, for programs; it never changes."),
			"reason":         text("What is wrong, for people."),
			"message":        text("Every fault found, with the attribute it is at."),
			"status":         text("The HTTP status."),
			"referenceError": {Type: huma.TypeString, Format: "uri", Description: "Where the status is explained."},
			"@type":          text("Always Error."),
			"requestId":      text("Finds the request in the log."),
			"details": {Type: huma.TypeArray, Description: "Every fault found, for programs.", Items: &huma.Schema{
				Type: huma.TypeObject, Required: []string{"attribute", "message"},
				Properties: map[string]*huma.Schema{"attribute": text("Path of the value at fault."), "message": text("What is wrong with it.")},
			}},
		},
		Required: []string{"code", "reason", "status", "@type"},
	}
}
