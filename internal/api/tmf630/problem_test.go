package tmf630_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

func TestStatusOfEveryKindOfRefusal(t *testing.T) {
	for _, c := range []struct {
		f      *fault.Error
		status int
	}{
		{fault.Invalidf("name", "is mandatory"), 400},
		{fault.New(fault.Unauthenticated, fault.CodeUnauthenticated, "no token"), 401},
		{fault.New(fault.Forbidden, fault.CodeForbidden, "not allowed"), 403},
		{fault.NotFoundf("there is none"), 404},
		{fault.New(fault.Unsupported, op.CodeMethod, "PUT is not possible"), 405},
		{fault.New(fault.Unsupported, op.CodeNotAcceptable, "JSON only"), 406},
		{fault.Conflictf("stateNotAllowed", "not now"), 409},
		{fault.New(fault.Stale, fault.CodeStale, "changed since"), 412},
		{fault.New(fault.TooLarge, op.CodeTooLarge, "too large"), 413},
		{fault.New(fault.Unsupported, op.CodeMediaType, "not XML"), 415},
		{fault.New(fault.Limit, "tooManyRequests", "slow down").After(time.Second), 429},
		{fault.Internalf(errors.New("secret"), "something went wrong here"), 500},
		{fault.New(fault.Unsupported, tmf630.CodeJSONPath, "no JSONPath"), 501},
		{fault.New(fault.Unavailable, fault.CodeUnavailable, "later"), 503},
	} {
		p := tmf630.Problem(c.f, "req-1")
		if p.Status != c.status || p.ContentType != "application/json;charset=utf-8" {
			t.Errorf("%s: %d %s", c.f.Code, p.Status, p.ContentType)
		}
		var body map[string]any
		if err := json.Unmarshal(p.Body, &body); err != nil {
			t.Fatal(err)
		}
		if body["code"] != string(c.f.Code) || body["@type"] != "Error" || body["requestId"] != "req-1" ||
			!strings.HasPrefix(body["referenceError"].(string), "https://www.rfc-editor.org/rfc/") || strings.Contains(string(p.Body), "secret") {
			t.Errorf("%s", p.Body)
		}
	}
}

func TestAllFaultsAreTold(t *testing.T) {
	f := fault.From(fault.InvalidAll([]fault.Detail{{Attribute: "name", Message: "is mandatory"}, {Attribute: "status", Message: "status is one of a, b"}}))
	var got map[string]any
	if err := json.Unmarshal(tmf630.Problem(f, "").Body, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"code": "invalidValue", "reason": "name: is mandatory (and 1 more)", "message": "name: is mandatory; status is one of a, b",
		"status": "400", "@type": "Error", "referenceError": "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.1",
		"details": []any{map[string]any{"attribute": "name", "message": "is mandatory"}, map[string]any{"attribute": "status", "message": "status is one of a, b"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
