package op

import (
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Codes of the refusals that the operation table itself makes.
const (
	// CodeNoRoute is a path that no operation is declared at (404).
	CodeNoRoute fault.Code = "unknownPath"
	// CodeMethod is a method that the path does not take (405, with Allow).
	CodeMethod fault.Code = "methodNotAllowed"
	// CodeNotAcceptable is an Accept header that the operation cannot answer (406).
	CodeNotAcceptable fault.Code = "notAcceptable"
	// CodeMediaType is a Content-Type that the operation does not read (415).
	CodeMediaType fault.Code = "unsupportedMediaType"
	// CodeTooLarge is a body over the operation's limit (413).
	CodeTooLarge fault.Code = "bodyTooLarge"
	// CodeBusy is a server that has too much to do at once (503, with Retry-After).
	CodeBusy fault.Code = "busy"
	// CodeTimeout is an operation that did not finish in its time (503).
	CodeTimeout fault.Code = "timeout"
	// CodeNotKept is a request that comes again under its Idempotency-Key when the first answer held a secret
	// (409).
	CodeNotKept fault.Code = "answerNotKept"
)

// StatusOf is the HTTP status of a fault (RFC 9110): by its code for the faults that the operation table
// makes, by its kind for all others. Façades start from it.
func StatusOf(f *fault.Error) int {
	switch f.Code {
	case CodeMethod:
		return http.StatusMethodNotAllowed
	case CodeNotAcceptable:
		return http.StatusNotAcceptable
	}
	return StatusOfKind(f.Kind)
}

// StatusOfKind is the HTTP status of a kind of fault.
func StatusOfKind(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Stale:
		return http.StatusPreconditionFailed
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Limit:
		return http.StatusTooManyRequests
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unsupported:
		return http.StatusUnsupportedMediaType
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

type problemDocument struct {
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail"`
	Code      fault.Code     `json:"code"`
	Attribute string         `json:"attribute,omitzero"`
	Errors    []fault.Detail `json:"errors,omitempty"`
	RequestID string         `json:"requestId,omitzero"`
}

// ProblemJSON shows a fault as a problem document (RFC 9457), the shape of façades that have none of their
// own.
func ProblemJSON(f *fault.Error, requestID string) Problem {
	status := StatusOf(f)
	body, err := json.Marshal(problemDocument{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: f.Message,
		Code: f.Code, Attribute: f.Attribute, Errors: f.Details, RequestID: requestID,
	})
	if err != nil { // only invalid UTF-8 in a message can do that
		body = []byte(`{"type":"about:blank","status":` + strconv.Itoa(status) + `}`)
	}
	return Problem{Status: status, ContentType: "application/problem+json", Body: body}
}

func problemSchema() *huma.Schema {
	text := func(doc string) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Description: doc} }
	return &huma.Schema{
		Type: huma.TypeObject, Description: "A refusal (RFC 9457).",
		Properties: map[string]*huma.Schema{
			"type":      text("Always about:blank."),
			"title":     text("The HTTP status in words."),
			"status":    {Type: huma.TypeInteger, Description: "The HTTP status."},
			"detail":    text("What is wrong, for people."),
			"code":      text("What is wrong, for programs; it never changes."),
			"attribute": text("Path of the value at fault."),
			"requestId": text("Finds the request in the log."),
			"errors": {Type: huma.TypeArray, Description: "Every fault found, when there are several.", Items: &huma.Schema{
				Type: huma.TypeObject, Required: []string{"attribute", "message"},
				Properties: map[string]*huma.Schema{"attribute": text("Path of the value at fault."), "message": text("What is wrong with it.")},
			}},
		},
		Required: []string{"type", "title", "status", "detail", "code"},
	}
}
