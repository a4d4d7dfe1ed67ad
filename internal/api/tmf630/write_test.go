package tmf630_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/store"
)

func TestCreating(t *testing.T) {
	s := newServer(t)
	a := s.do("POST", "", body("Moon", `"id":"mine"`, `"href":"http://evil/"`, `"status":null`, `"x-tier":"gold"`)).Want(201)
	o := a.Object()
	if o["id"] == "mine" || o["href"] != "http://demarc.test"+base+"/"+o["id"].(string) || a.Header.Get("Location") != o["href"] {
		t.Errorf("%v, Location %s", o, a.Header.Get("Location"))
	}
	if _, there := o["status"]; there || o["@type"] != "Customer" || o["x-tier"] != "gold" || a.Header.Get("ETag") != `"v1"` {
		t.Errorf("%v %v", o, a.Header)
	}
	if got := s.do("GET", "/"+o["id"].(string), "").Want(200); got.Raw != a.Raw {
		t.Errorf("created %s\nread %s", a.Raw, got.Raw)
	}
	sub := s.do("POST", "", body("VIP", `"@type":"VipCustomer"`, `"@baseType":"Customer"`, `"@schemaLocation":"https://x/y.json"`)).Want(201).Object()
	if sub["@type"] != "VipCustomer" || sub["@baseType"] != "Customer" || sub["@schemaLocation"] != "https://x/y.json" {
		t.Errorf("a subtype came back as %v", sub)
	}
}

// A null is no attribute, however deep it stands; what the standard does not name stays as it came.
func TestNullsAreNotKept(t *testing.T) {
	s := newServer(t)
	a := s.do("POST", "", body("Moon", `"validFor":{"startDateTime":null,"x":null}`, `"account":[{"id":"1","name":"a","description":null}]`, `"y":{"z":null}`)).Want(201)
	for _, part := range []string{`"validFor":{"x":null}`, `"account":[{"id":"1","name":"a"}]`, `"y":{"z":null}`} {
		if !strings.Contains(a.Raw, part) {
			t.Errorf("%s lacks %s", a.Raw, part)
		}
	}
	i := a.Object()["id"].(string)
	for _, c := range []struct{ media, patch string }{
		{"application/json-patch+json", `[{"op":"add","path":"/status","value":null},{"op":"add","path":"/account/0/description","value":null}]`},
		{"application/json", `{"account":[{"id":"2","name":"b","description":null}]}`},
	} {
		if a := s.do("PATCH", "/"+i, c.patch, "Content-Type: "+c.media).Want(200); strings.Contains(a.Raw, `"status"`) || strings.Contains(a.Raw, "description") {
			t.Errorf("%s: %s", c.patch, a.Raw)
		}
	}
}

func TestEveryResourceHasAType(t *testing.T) {
	s := newServer(t)
	a := s.do("POST", "", body("Moon", `"@type":""`)).Want(201).Object()
	if a["@type"] != "Customer" {
		t.Errorf("created as %v", a["@type"])
	}
	for _, patch := range []string{`{"@type":null}`, `{"@type":""}`} {
		if a := s.do("PATCH", "/"+a["id"].(string), patch).Want(200).Object(); a["@type"] != "Customer" {
			t.Errorf("%s: %v", patch, a["@type"])
		}
	}
}

func TestAPatchThatChangesNothingIsNoChange(t *testing.T) {
	s := newServer(t)
	i := s.create("Moon", `"x":{"b":1,"a":[2.50]}`)
	for _, patch := range []string{`{}`, `{"name":"Moon"}`, `{"x":{"a":[2.50]},"status":null}`} {
		if a := s.do("PATCH", "/"+i, patch, `If-Match: "v1"`).Want(200); a.Header.Get("ETag") != `"v1"` {
			t.Errorf("%s: ETag %s", patch, a.Header.Get("ETag"))
		}
	}
	s.do("PATCH", "/"+i, `{}`, `If-Match: "v2"`).Want(412)
	if a := s.do("PATCH", "/"+i, `{"name":"Sun"}`).Want(200); a.Header.Get("ETag") != `"v2"` {
		t.Errorf("ETag %s", a.Header.Get("ETag"))
	}
}

func TestWhatCannotBeCreated(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct{ body, faults string }{
		{`{}`, "name engagedParty"},
		{`{"name":null,"engagedParty":{"id":"1"}}`, "name engagedParty.@referredType"},
		{`[]`, ""},
		{body("x", `"account":{}`), "account"},
		{body("x", `"account":[{"id":"1"},7,null]`), "account[0].name account[1] account[2]"},
		{body("x", `"validFor":{"endDateTime":"soon","startDateTime":7}`), "validFor.endDateTime validFor.startDateTime"},
		{body("x", `"contactMedium":[{"characteristic":{"city":1}}]`), "contactMedium[0].mediumType contactMedium[0].characteristic.city"},
		{body("x", `"creditProfile":[{"creditProfileDate":"2026-01-01T00:00:00Z","validFor":{},"creditScore":1.5}]`), "creditProfile[0].creditScore"},
		{body("x", `"contactMedium":[{"mediumType":"a","characteristic":{},"preferred":"yes"}]`), "contactMedium[0].preferred"},
	} {
		p := s.do("POST", "", c.body).Want(400).Object()
		var got []string
		details, _ := p["details"].([]any)
		for _, d := range details {
			got = append(got, d.(map[string]any)["attribute"].(string))
		}
		if strings.Join(got, " ") != c.faults {
			t.Errorf("%s: %v, want %s", c.body, got, c.faults)
		}
		if p["code"] == "" || p["reason"] == "" || p["status"] != "400" || p["@type"] != "Error" {
			t.Errorf("%s: %v", c.body, p)
		}
	}
	s.do("POST", "", `{"name":`).Want(400)
	s.do("POST", "", `<x/>`, "Content-Type: application/xml").Want(415)
	s.do("POST", "", body(strings.Repeat("x", 2<<20))).Want(413)
	if total := s.do("GET", "", "").Header.Get("X-Total-Count"); total != "0" {
		t.Errorf("%s were created", total)
	}
}

func TestMergePatch(t *testing.T) {
	for _, media := range []string{"application/json", "application/merge-patch+json", "application/json; charset=utf-8"} {
		s := newServer(t)
		i := s.create("Moon", `"status":"Approved"`, `"validFor":{"startDateTime":"2026-01-01T00:00:00Z"}`, `"x":{"a":1,"b":2.50}`)
		a := s.do("PATCH", "/"+i, `{"name":"Sun","status":null,"validFor":{"endDateTime":"2027-01-01T00:00:00Z"},"x":{"a":null,"c":[null]}}`, "Content-Type: "+media).Want(200)
		if a.Header.Get("ETag") != `"v2"` {
			t.Errorf("ETag %s", a.Header.Get("ETag"))
		}
		for _, part := range []string{`"name":"Sun"`, `"b":2.50`, `"c":[null]`, `"endDateTime":"2027`, `"startDateTime":"2026`} {
			if !strings.Contains(a.Raw, part) {
				t.Errorf("%s: %s lacks %s", media, a.Raw, part)
			}
		}
		if strings.Contains(a.Raw, `"status"`) || strings.Contains(a.Raw, `"a":1`) {
			t.Errorf("%s: null removed nothing: %s", media, a.Raw)
		}
		if got := s.do("GET", "/"+i, ""); got.Raw != a.Raw {
			t.Errorf("patched %s\nread %s", a.Raw, got.Raw)
		}
	}
}

func TestPatchingWhatIsFixed(t *testing.T) {
	s := newServer(t)
	i := s.create("Moon")
	same := `{"id":"` + i + `","href":"http://demarc.test` + base + "/" + i + `","name":"Sun"}`
	s.do("PATCH", "/"+i, same).Want(200)
	for _, bad := range []string{`{"id":"other"}`, `{"id":null}`} {
		if p := s.do("PATCH", "/"+i, bad).Want(400).Object(); !strings.Contains(p["message"].(string), "id: cannot be changed") {
			t.Errorf("%s: %v", bad, p)
		}
	}
	p := s.do("PATCH", "/"+i, `{"id":"a","href":"b","name":7}`).Want(400).Object()
	if got := p["message"]; got != "id: cannot be changed; href: cannot be changed; name: must be a string" {
		t.Errorf("not all faults are told: %v", got)
	}
	s.do("PATCH", "/"+i, `{"engagedParty":null}`).Want(400)
	s.do("PATCH", "/"+i, `{}`).Want(200)
	s.do("PATCH", "/"+i, `[{"op":"remove","path":"/name"}]`).Want(400)
	s.do("PATCH", "/"+i, `"x"`).Want(400)
	s.do("PATCH", "/cus_nothing", `{}`).Want(404)
	s.do("PATCH", "/"+i, `{}`, "Content-Type: text/plain").Want(415)
}

func TestJSONPatch(t *testing.T) {
	const doc = `"x":{"a":[1,2,3],"b":{"c":"d"},"n":1.0,"a/b":1,"m~n":2,"":3}`
	for _, c := range []struct {
		patch  string
		status int
		want   string
	}{
		{`[{"op":"replace","path":"/name","value":"Sun"}]`, 200, `"name":"Sun"`},
		{`[{"op":"add","path":"/x/a/1","value":9}]`, 200, `"a":[1,9,2,3]`},
		{`[{"op":"add","path":"/x/a/-","value":9}]`, 200, `"a":[1,2,3,9]`},
		{`[{"op":"add","path":"/x/a/3","value":9}]`, 200, `"a":[1,2,3,9]`},
		{`[{"op":"remove","path":"/x/a/0"}]`, 200, `"a":[2,3]`},
		{`[{"op":"replace","path":"/x/a/2","value":null}]`, 200, `"a":[1,2,null]`},
		{`[{"op":"move","from":"/x/a/0","path":"/x/a/2"}]`, 200, `"a":[2,3,1]`},
		{`[{"op":"move","from":"/x/b/c","path":"/x/e"}]`, 200, `"e":"d"`},
		{`[{"op":"copy","from":"/x/b","path":"/x/f"},{"op":"add","path":"/x/f/c","value":1}]`, 200, `"b":{"c":"d"}`},
		{`[{"op":"add","path":"/status","value":"Active"}]`, 200, `"status":"Active"`},
		{`[{"op":"test","path":"/x/n","value":1},{"op":"remove","path":"/x/n"}]`, 200, `"a":[1,2,3]`},
		{`[{"op":"test","path":"/x/a~1b","value":1},{"op":"test","path":"/x/m~0n","value":2},{"op":"test","path":"/x/","value":3}]`, 200, ``},
		{`[]`, 200, `"name":"Moon"`},
		{`[{"op":"test","path":"/x/b","value":{"c":"other"}}]`, 409, `patchTestFailed`},
		{`[{"op":"test","path":"/nothing","value":1}]`, 400, `operation 1 (test /nothing)`},
		{`[{"op":"replace","path":"/nothing","value":1}]`, 400, `there is no nothing`},
		{`[{"op":"remove","path":"/x/a/3"}]`, 400, `the array has no index 3`},
		{`[{"op":"add","path":"/x/a/4","value":1}]`, 400, `the array has no index 4`},
		{`[{"op":"add","path":"/x/a/01","value":1}]`, 400, `is no array index`},
		{`[{"op":"add","path":"/x/n/y","value":1}]`, 400, `neither an object nor an array`},
		{`[{"op":"add","path":"/x/q/y","value":1}]`, 400, `there is no q`},
		{`[{"op":"move","from":"/x","path":"/x/y"}]`, 400, `into itself`},
		{`[{"op":"remove","path":""}]`, 400, `cannot be removed`},
		{`[{"op":"replace","path":"","value":[]}]`, 400, `not a JSON object`},
		{`[{"op":"add","path":"name","value":1}]`, 400, `begins with a slash`},
		{`[{"op":"add","path":"/~2","value":1}]`, 400, `no JSON pointer`},
		{`[{"op":"add","path":"/x/z"}]`, 400, `value is missing`},
		{`[{"op":"copy","path":"/x/z"}]`, 400, `from is missing`},
		{`[{"op":"merge","path":"/x"}]`, 400, `op is one of`},
		{`[7]`, 400, `not an object`},
		{`{"name":"Sun"}`, 400, `array of operations`},
		{`[{"op":"replace","path":"/id","value":"x"}]`, 400, `id: cannot be changed`},
		{`[{"op":"remove","path":"/name"}]`, 400, `name: is mandatory`},
		{`[{"op":"replace","path":"/name","value":7}]`, 400, `name: must be a string`},
		{`[{"op":"replace","path":"/name","value":"Sun"},{"op":"remove","path":"/nothing"}]`, 400, `operation 2`},
	} {
		s := newServer(t)
		i := s.create("Moon", doc)
		a := s.do("PATCH", "/"+i, c.patch, "Content-Type: application/json-patch+json").Want(c.status)
		if !strings.Contains(a.Raw, c.want) {
			t.Errorf("%s: %s lacks %s", c.patch, a.Raw, c.want)
		}
		if now := s.do("GET", "/"+i, ""); c.status != 200 && !strings.Contains(now.Raw, `"name":"Moon"`) {
			t.Errorf("%s was refused and changed %s", c.patch, now.Raw)
		}
	}
}

func TestPatchesThatGrowWithoutEnd(t *testing.T) {
	s := newServer(t)
	i := s.create("Moon", `"x":{"s":"`+strings.Repeat("y", 1000)+`"}`)
	var double []string
	for n := range 30 {
		double = append(double, fmt.Sprintf(`{"op":"copy","from":"/x","path":"/x/y%d"}`, n))
	}
	s.do("PATCH", "/"+i, "["+strings.Join(double, ",")+"]", "Content-Type: application/json-patch+json").Want(413)
	nest := strings.Repeat(`{"op":"copy","from":"/engagedParty","path":"/engagedParty/y"},`, 70)
	s.do("PATCH", "/"+i, "["+strings.TrimSuffix(nest, ",")+"]", "Content-Type: application/json-patch+json").Want(400)
	long := strings.Repeat(`{"op":"test","path":"/name","value":"Moon"},`, 1001)
	s.do("PATCH", "/"+i, "["+strings.TrimSuffix(long, ",")+"]", "Content-Type: application/json-patch+json").Want(400)
}

func TestIfMatch(t *testing.T) {
	s := newServer(t)
	i := s.create("Moon")
	s.do("PATCH", "/"+i, `{"name":"Sun"}`, `If-Match: "v2"`).Want(412)
	s.do("PATCH", "/"+i, `{"name":"Sun"}`, `If-Match: W/"v1"`).Want(412)
	s.do("PATCH", "/"+i, `{"name":"Sun"}`, `If-Match: nonsense`).Want(412)
	s.do("PATCH", "/"+i, `{"name":"Sun"}`, `If-Match: "v7", "v1"`).Want(200)
	s.do("PATCH", "/"+i, `{"name":"Star"}`, `If-Match: *`).Want(200)
	s.do("DELETE", "/"+i, "", `If-Match: "v1"`).Want(412)
	s.do("DELETE", "/"+i, "", `If-Match: "v3"`).Want(204)
	s.do("PATCH", "/"+i, `{}`, `If-Match: "v3"`).Want(404)
}

func TestDeleting(t *testing.T) {
	s := newServer(t)
	i := s.create("Moon")
	if a := s.do("DELETE", "/"+i, "").Want(204); a.Raw != "" {
		t.Errorf("%q", a.Raw)
	}
	s.do("GET", "/"+i, "").Want(404)
	s.do("DELETE", "/"+i, "").Want(404)
}

func TestDryRunChangesNothing(t *testing.T) {
	s := newServer(t)
	i := s.create("Moon")
	s.do("POST", "?dryRun=true", body("Sun")).Want(201)
	s.do("PATCH", "/"+i+"?dryRun=true", `{"name":"Sun"}`).Want(200)
	s.do("DELETE", "/"+i+"?dryRun=true", "").Want(204)
	if got := s.do("GET", "", "").Each("name"); got != "Moon" {
		t.Errorf("now there is %s", got)
	}
}

func TestResourcesThatShareAnAttribute(t *testing.T) {
	s := newServer(t, func(r *tmf630.Resource) {
		r.Within = map[string]string{"domain": "here"}
		r.Reveal = func(store.Doc) map[string]string { return map[string]string{"secret": "s3"} }
	})
	made := s.do("POST", "", body("Moon", `"domain":"there"`)).Want(201).Object()
	i := made["id"].(string)
	if made["domain"] != "here" || made["secret"] != "s3" {
		t.Errorf("%v", made)
	}
	if again := s.do("GET", "/"+i, "").Want(200).Object(); again["secret"] != nil {
		t.Error("the secret is shown again")
	}
	s.do("PATCH", "/"+i, `{"domain":"there"}`).Want(400)
	ctx, b := inScope(), body("Sun", `"domain":"there"`)
	d, err := s.set.Create(ctx, []byte(b))
	if err != nil {
		t.Fatal(err)
	}
	other := "/" + string(d.ID)
	s.do("GET", other, "").Want(404)
	s.do("PATCH", other, `{}`).Want(404)
	s.do("DELETE", other, "").Want(404)
	if got := s.do("GET", "", "").Each("name"); got != "Moon" {
		t.Errorf("the list has %s", got)
	}
}

func TestVerbsThatAResourceLacks(t *testing.T) {
	s := newServer(t, func(r *tmf630.Resource) { r.Verbs = tmf630.List | tmf630.Get })
	for _, method := range []string{"POST", "PATCH", "DELETE"} {
		path := ""
		if method != "POST" {
			path = "/x"
		}
		p := s.do(method, path, `{}`).Want(405)
		if p.Object()["code"] != "methodNotAllowed" || p.Header.Get("Allow") == "" {
			t.Errorf("%s: %s", method, p.Raw)
		}
	}
}

func FuzzMergePatch(f *testing.F) {
	for _, seed := range []string{`{"name":null}`, `{"x":{"a":[1,{"b":null}]}}`, `{"id":1}`, `{"@type":"X"}`} {
		f.Add(seed)
	}
	s := newServer(f)
	i := s.create("Moon")
	f.Fuzz(func(t *testing.T, patch string) { neverFails(t, s, i, patch, "application/merge-patch+json") })
}

func FuzzJSONPatch(f *testing.F) {
	for _, seed := range []string{`[{"op":"add","path":"/x","value":[]}]`, `[{"op":"move","from":"/x","path":"/y"}]`, `[{"op":"copy","from":"","path":"/x"}]`, `[{"op":"remove","path":"/name"}]`} {
		f.Add(seed)
	}
	s := newServer(f)
	i := s.create("Moon")
	f.Fuzz(func(t *testing.T, patch string) { neverFails(t, s, i, patch, "application/json-patch+json") })
}

// neverFails holds that whatever a patch says, the server answers and its resource stays whole.
func neverFails(t *testing.T, s *server, i, patch, media string) {
	if patch == "" {
		return
	}
	s = &server{t, s.handler, s.set, s.store}
	if a := s.do("PATCH", "/"+i+"?dryRun=true", patch, "Content-Type: "+media); a.Status >= 500 {
		t.Fatalf("%q: %d %s", patch, a.Status, a.Raw)
	}
	var o map[string]any
	if err := json.Unmarshal([]byte(s.do("GET", "/"+i, "").Raw), &o); err != nil || o["id"] != i || o["name"] != "Moon" {
		t.Fatalf("%q left %v", patch, o)
	}
}
