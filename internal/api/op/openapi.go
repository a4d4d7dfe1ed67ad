package op

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// DocumentOptions are what an OpenAPI document says beside the table.
type DocumentOptions struct {
	// Title, Version and Description head the document of all façades.
	Title, Version, Description string
	// IssuerURL is the OpenID Connect issuer; empty when there is none to tell.
	IssuerURL string
}

// OpenAPI is the document (OpenAPI 3.1) of the façade of that name, or of all façades together when it is
// empty; there every schema carries its façade's name in front ("TmfCustomer"). The same table gives the
// same bytes. An unknown façade is a NotFound fault.
func (t *Table) OpenAPI(facade string, o DocumentOptions) ([]byte, error) {
	if facade == "" {
		return t.wholeDocument(o)
	}
	for _, c := range t.facades {
		if c.Name == facade {
			return json.Marshal(t.document(c, o), json.Deterministic(true))
		}
	}
	return nil, fault.NotFoundf("there is no façade named %s", clip(facade, 64))
}

func (t *Table) document(c *contract, o DocumentOptions) *huma.OpenAPI {
	d := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: c.Title, Version: c.Version, Description: c.Description},
		Servers: []*huma.Server{{URL: "/"}},
		Paths:   map[string]*huma.PathItem{},
		Components: &huma.Components{
			Schemas: c.schemas, SecuritySchemes: securitySchemes(o.IssuerURL),
			Parameters: generalParameters(), Responses: t.refusals(c),
		},
	}
	if d.Info.Title == "" {
		d.Info.Title = c.Name
	}
	if d.Info.Version == "" {
		d.Info.Version = "1"
	}
	tags := map[string]bool{}
	for _, declared := range t.operations {
		if declared.Facade != c.Facade {
			continue
		}
		addPath(d.Paths, declared, o)
		if declared.Tag != "" && !tags[declared.Tag] {
			tags[declared.Tag] = true
			d.Tags = append(d.Tags, &huma.Tag{Name: declared.Tag})
		}
	}
	return d
}

func addPath(paths map[string]*huma.PathItem, o *Operation, d DocumentOptions) {
	p := strings.ReplaceAll(o.Path, "...}", "}")
	item := paths[p]
	if item == nil {
		item = &huma.PathItem{}
		paths[p] = item
	}
	doc := describe(o, d)
	switch o.Method {
	case http.MethodPost:
		item.Post = doc
	case http.MethodPut:
		item.Put = doc
	case http.MethodPatch:
		item.Patch = doc
	case http.MethodDelete:
		item.Delete = doc
	default:
		item.Get = doc
	}
}

func describe(o *Operation, d DocumentOptions) *huma.Operation {
	doc := &huma.Operation{
		OperationID: o.ID, Summary: o.Summary, Description: o.Description,
		Responses: map[string]*huma.Response{}, Extensions: map[string]any{},
	}
	if o.Tag != "" {
		doc.Tags = []string{o.Tag}
	}
	if len(o.Aliases) > 0 {
		doc.Description = strings.TrimSpace(doc.Description + "\n\nAlso at: " + strings.Join(o.Aliases, ", "))
	}
	for _, p := range o.Params {
		doc.Parameters = append(doc.Parameters, &huma.Param{
			Name: p.Name, In: p.In, Description: p.Description, Required: p.Required || p.In == "path", Schema: bare(p.Schema), Example: p.Example})
	}
	if o.Writes {
		for _, name := range []string{"dryRun", "X-Reason"} {
			doc.Parameters = append(doc.Parameters, &huma.Param{Ref: "#/components/parameters/" + name})
		}
	}
	if o.Writes && !o.Public {
		doc.Parameters = append(doc.Parameters, &huma.Param{Ref: "#/components/parameters/Idempotency-Key"})
	}
	if !o.Public {
		doc.Parameters = append(doc.Parameters, &huma.Param{Ref: "#/components/parameters/spid"})
		doc.Extensions["x-permission"] = permissions(o)
		doc.Security = []map[string][]string{{"bearer": {}}, {"apiKey": {}}}
		if d.IssuerURL != "" {
			doc.Security = append(doc.Security, map[string][]string{"openId": {}})
		}
	}
	if o.Request != nil {
		doc.RequestBody = &huma.RequestBody{Description: o.Request.Description, Required: !o.Request.Optional, Content: content(o.Request)}
	}
	success(o, doc)
	for _, status := range refusalStatuses(o) {
		doc.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + refusalName(status)}
	}
	return doc
}

// bare is a parameter's schema without the description, which the parameter itself has.
func bare(s *huma.Schema) *huma.Schema {
	if s == nil || s.Description == "" {
		return s
	}
	c := *s
	c.Description = ""
	return &c
}

func permissions(o *Operation) []string {
	out := make([]string, len(o.Permission))
	for i, p := range o.Permission {
		out[i] = p.String()
	}
	return out
}

func success(o *Operation, doc *huma.Operation) {
	status := o.Status
	if status == 0 {
		status = http.StatusOK
	}
	r := &huma.Response{Description: http.StatusText(status)}
	if o.Response != nil {
		if o.Response.Description != "" {
			r.Description = o.Response.Description
		}
		r.Content = content(o.Response)
	}
	for _, h := range o.Headers {
		if r.Headers == nil {
			r.Headers = map[string]*huma.Param{}
		}
		r.Headers[h.Name] = &huma.Param{Description: h.Description, Schema: bare(h.Schema)}
	}
	doc.Responses[strconv.Itoa(status)] = r
	for other, meaning := range o.Also {
		also := *r
		also.Description = meaning
		if other == http.StatusNoContent || other == http.StatusNotModified {
			also.Content = nil
		}
		doc.Responses[strconv.Itoa(other)] = &also
	}
}

func content(b *Body) map[string]*huma.MediaType {
	out := map[string]*huma.MediaType{}
	for _, t := range b.ContentTypes {
		m := &huma.MediaType{Schema: b.schema()}
		if strings.HasSuffix(t, "json") {
			m.Example = b.Example
		}
		out[t] = m
	}
	return out
}

// refusalKinds are the kinds of refusal that an operation may answer with.
func refusalKinds(o *Operation) []fault.Kind {
	kinds := append([]fault.Kind{fault.Internal, fault.Unavailable}, o.Errors...)
	if !o.Public {
		kinds = append(kinds, fault.Unauthenticated, fault.Forbidden, fault.Limit)
	}
	if len(o.Params) > 0 || o.Request != nil || o.Writes {
		kinds = append(kinds, fault.Invalid)
	}
	if o.Request != nil {
		kinds = append(kinds, fault.TooLarge, fault.Unsupported)
	}
	if o.Writes && !o.Public {
		kinds = append(kinds, fault.Conflict) // an idempotency key used for two requests
	}
	return kinds
}

// refusalsOf are samples of the faults that an operation may answer with.
func refusalsOf(o *Operation) []*fault.Error {
	var all []*fault.Error
	for _, k := range refusalKinds(o) {
		all = append(all, sampleFault(k))
	}
	if o.Response != nil {
		all = append(all, fault.New(fault.Unsupported, CodeNotAcceptable, inWords))
	}
	return append(all, o.Faults...)
}

// refusalStatuses are the statuses that the operation's façade shows its refusals with.
func refusalStatuses(o *Operation) []int {
	if o.Raw != nil && len(o.Errors) == 0 || o.system != nil {
		return nil // foreign protocols have refusals of their own
	}
	var out []int
	for _, f := range refusalsOf(o) {
		if s := o.Facade.show(f, "").Status; !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// show is the façade's Problem, or the shape of façades that have none of their own.
func (f *Facade) show(e *fault.Error, requestID string) Problem {
	if f.Problem == nil {
		return ProblemJSON(e, requestID)
	}
	return f.Problem(e, requestID)
}

// sampleFault is a fault of a kind, as the documents show it.
func sampleFault(k fault.Kind) *fault.Error {
	code, ok := map[fault.Kind]fault.Code{
		fault.Internal: fault.CodeInternal, fault.Invalid: fault.CodeInvalid, fault.NotFound: fault.CodeNotFound, fault.Conflict: fault.CodeStillReferred,
		fault.Stale: fault.CodeStale, fault.Forbidden: fault.CodeForbidden, fault.Unauthenticated: fault.CodeUnauthenticated,
		fault.TooLarge: CodeTooLarge, fault.Unsupported: CodeMediaType, fault.Unavailable: fault.CodeUnavailable,
	}[k]
	if !ok {
		code = fault.Code(k.String())
	}
	return fault.New(k, code, inWords)
}

const inWords = "what is wrong, in words"

func refusalName(status int) string {
	return strings.NewReplacer(" ", "", "-", "").Replace(http.StatusText(status))
}

// refusals describe what the façade answers with for every kind of fault and what its operations have beside,
// each with what it looks like.
func (t *Table) refusals(c *contract) map[string]*huma.Response {
	var all []*fault.Error
	for k := fault.Internal; k <= fault.Unavailable; k++ {
		all = append(all, sampleFault(k))
	}
	for _, o := range t.operations {
		if o.Facade == c.Facade {
			all = append(all, refusalsOf(o)...)
		}
	}
	out := map[string]*huma.Response{}
	for _, f := range all {
		p := c.show(f, "5f0c1b2a9d3e4c7f8a6b5d4c3e2f1a0b")
		if out[refusalName(p.Status)] != nil {
			continue
		}
		media, _, _ := strings.Cut(p.ContentType, ";")
		m := &huma.MediaType{Schema: c.schemas.refusal}
		if example, err := ReadJSON(p.Body); err == nil {
			m.Example = example
		}
		out[refusalName(p.Status)] = &huma.Response{Description: http.StatusText(p.Status), Content: map[string]*huma.MediaType{media: m}}
	}
	return out
}

func securitySchemes(issuer string) map[string]*huma.SecurityScheme {
	out := map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "An access token of the identity provider."},
		"apiKey": {Type: "apiKey", In: "header", Name: "X-API-Key", Description: "An API key."},
	}
	if issuer != "" {
		out["openId"] = &huma.SecurityScheme{Type: "openIdConnect", OpenIDConnectURL: strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"}
	}
	return out
}

// generalParameters are those that operations take without declaring them.
func generalParameters() map[string]*huma.Param {
	least, most := 1, 255
	return map[string]*huma.Param{
		"spid": {Name: "spid", In: "header", Description: "The service provider to work for; by default the first that the caller may choose. Echoed in the answer.",
			Schema: &huma.Schema{Type: huma.TypeString, Pattern: "^[1-9][0-9]{0,8}$"}},
		"dryRun": {Name: "dryRun", In: "query", Description: "With true everything is checked and answered as usual, and nothing is kept.",
			Schema: &huma.Schema{Type: huma.TypeBoolean, Default: false}},
		"Idempotency-Key": {Name: "Idempotency-Key", In: "header", Description: "Names this request: sent again within 24 hours it is not done again, and the first answer is given again with Idempotency-Replayed: true.",
			Schema: &huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most}},
		"X-Reason": {Name: "X-Reason", In: "header", Description: "Why the change is made, for the audit trail; UTF-8, percent-encoded where need be.",
			Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &most}},
	}
}
