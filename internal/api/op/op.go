// Package op is the operation table: every HTTP operation of every façade is declared here once.
//
// Routing, permission checks, request limits, validation, the OpenAPI documents, the reference page,
// metrics, audit names and the tests that walk all operations come from the declarations. What is not
// declared is not reachable.
//
// A request to a declared operation runs in three steps. Prepare reads and validates it, outside any
// transaction. The permission check makes the scope. The Call does the work: for an operation that
// writes, inside one store transaction that also keeps the answer under the caller's Idempotency-Key, and
// that is rolled back when the caller asked for a dry run.
package op

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Facade is a contract that operations belong to: it has its own OpenAPI document and its own shape of
// errors.
type Facade struct {
	// Name is short and stands in URLs and metrics ("tmf", "cm", "system").
	Name string
	// Title, Version and Description head its OpenAPI document.
	Title, Version, Description string
	// Prefixes are the paths whose unknown routes and methods answer in this façade's shape ("/api/").
	Prefixes []string
	// Problem shows a fault in the façade's own shape. It never shows the fault's cause. StatusOf gives the
	// HTTP status that the fault has by default. Nil means ProblemJSON.
	Problem func(f *fault.Error, requestID string) Problem
	// ProblemSchema describes the body that Problem makes, for the OpenAPI document.
	ProblemSchema *huma.Schema
	// Components are further schemas by name, which declared schemas may refer to as
	// "#/components/schemas/NAME".
	Components map[string]*huma.Schema
}

// Problem is an error as a façade shows it.
type Problem struct {
	Status      int
	ContentType string
	Body        []byte
}

// Operation is one declared operation.
type Operation struct {
	// ID is unique and stable, dotted and in camelCase ("customer.create"): the name in metrics, traces and
	// the audit trail, and the operationId in OpenAPI.
	ID     string
	Facade *Facade
	Method string
	// Path is a net/http pattern without method ("/api/customer/{id}"). Aliases are other paths to the same
	// operation with the same wildcards; a trailing slash and a doubled slash are forgiven everywhere.
	Path    string
	Aliases []string
	// Tag groups operations on the reference page; Summary is a line, Description Markdown.
	Tag, Summary, Description string

	// Permission lists what the caller needs, all of it. An operation without one must be Public.
	Permission []auth.Permission
	// Public operations need no credential.
	Public bool

	// Writes says that the operation changes something: it runs in a transaction and takes
	// ?dryRun=true, X-Reason and, unless it is Public, Idempotency-Key.
	Writes bool
	// Reveals says that the answer of an operation that Writes shows a secret, now and never again. So it is
	// not kept: a request that is repeated under its Idempotency-Key is not carried out again, but refused
	// (CodeNotKept) with the Location of what the first one made.
	Reveals bool

	// Codes are the paths of attributes of the body that hold codes which may look like a payment card's number and are not
	// kept in clear. In all else a full card number is refused (CodeCardNumber).
	Codes []string

	Params []Param
	// StrictQuery refuses query parameters that are not declared; otherwise they are ignored.
	StrictQuery bool
	// Request is nil when no body is taken.
	Request *Body
	// Status is the status of success; Response is nil when there is no body.
	Status   int
	Response *Body
	// Also are the other statuses that the operation may answer with when all went well, and what each means
	// (206 for a page of a list). They carry the Response too, save 204 and 304. 402 may be one of them: what was asked for was
	// done, and its outcome is that somebody's bank declined.
	Also map[int]string
	// Headers are those of the answer that are worth telling (ETag, Location); In is not looked at.
	Headers []Param
	// Errors are the kinds of refusal the operation may answer with beyond those every operation has
	// (Unauthenticated, Forbidden, Limit, Internal, Unavailable, and Invalid when it takes input).
	Errors []fault.Kind
	// Faults are further ones, whose codes the façade shows with another status than their kind has.
	Faults []*fault.Error

	// BodyLimit is the largest body in bytes (default 1 MiB); Timeout the longest run (default 30 s).
	BodyLimit int64
	Timeout   time.Duration

	// Before runs once a request between Prepare and the Call, outside any transaction, for what the Call needs
	// of others; the Call gets the context that it gives. Nil is nothing to do. A Raw operation has none.
	Before func(ctx context.Context, r *Request) (context.Context, error)
	// Prepare reads the request and gives the work to do. Exactly one of Prepare and Raw is set; Handle sets
	// Prepare for typed operations.
	Prepare func(r *Request) (Call, error)
	// Raw serves the operation itself, for foreign protocols (OpenID Connect, metrics) and hot reads that
	// write their own answer. Permission and limits are checked before it all the same; it must not write to
	// the store.
	Raw http.Handler

	typed  *typedPlan                   // set by Handle
	system func(s *server) http.Handler // set by System
}

// Call is the work of one request.
type Call func(ctx context.Context) (*Response, error)

// Param is a path, query or header parameter.
type Param struct {
	Name        string
	In          string // "path", "query" or "header"
	Description string
	Required    bool
	Schema      *huma.Schema
	Example     any
}

// Body is what a request or response carries.
type Body struct {
	// ContentTypes are the media types taken or given; application/json by default.
	ContentTypes []string
	// Schema describes it; SchemaName puts it among the document's components.
	Schema      *huma.Schema
	SchemaName  string
	Description string
	// Example is shown on the reference page and must be valid against Schema.
	Example any
	// Optional lets a request come without a body.
	Optional bool
}

// Request is a request whose form has been checked: its path is routed, its query parsed, its body read
// within the limit and, when it is JSON, well-formed (no duplicate names, valid UTF-8, at most 64 levels).
type Request struct {
	Operation *Operation
	ID        string // request id
	Path      map[string]string
	Query     url.Values
	Header    http.Header
	// Body is the body as it came; Tree the same decoded into maps, slices, strings, json numbers as
	// float64, booleans and nil, for validation. Both are nil without a body.
	Body []byte
	Tree any
	// BaseURL is how this server is reached from outside ("http://127.0.0.1:8080"), for absolute links.
	BaseURL string
}

// Response is an answer ready to be written.
type Response struct {
	Status int // 0 means the operation's Status
	Header http.Header
	Body   []byte
	// ContentType is application/json;charset=utf-8 by default.
	ContentType string
}
