package tmf630_test

import (
	"fmt"
	"net/url"
	"sort"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/api/tmf630"
)

func TestReadingOne(t *testing.T) {
	s := newServer(t)
	i := s.create("Moon", `"x-note":{"deep":[1.50,12345678901234567890]}`)
	a := s.do("GET", "/"+i, "").Want(200)
	if got := a.Header.Get("Content-Type"); got != "application/json;charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if got := a.Header.Get("ETag"); got != `"v1"` {
		t.Errorf("ETag %q", got)
	}
	prefix := `{"id":"` + i + `","href":"http://demarc.test` + base + "/" + i + `",`
	if !strings.HasPrefix(a.Raw, prefix) {
		t.Errorf("%s\ndoes not begin with\n%s", a.Raw, prefix)
	}
	if !strings.Contains(a.Raw, `1.50,12345678901234567890`) {
		t.Errorf("an extension lost digits: %s", a.Raw)
	}
	o := a.Object()
	if o["@type"] != "Customer" || o["name"] != "Moon" {
		t.Errorf("%v", o)
	}
	for _, unknown := range []string{"/cus_nothing", "/c2df1950-c17c-4576-9c22-e59073a4a86a", "/%22"} {
		if p := s.do("GET", unknown, "").Want(404).Object(); p["@type"] != "Error" || p["code"] != "notFound" || p["status"] != "404" {
			t.Errorf("%v", p)
		}
	}
	if s.do("GET", "/"+i, "", "spid: 2").Status != 404 {
		t.Error("another service provider sees it")
	}
}

func TestConditionalRead(t *testing.T) {
	s := newServer(t)
	i := s.create("Moon")
	for _, tag := range []string{`"v1"`, `W/"v1"`, `"v7", "v1"`, `*`} {
		a := s.do("GET", "/"+i, "", "If-None-Match: "+tag).Want(304)
		if a.Raw != "" || a.Header.Get("ETag") != `"v1"` {
			t.Errorf("%s: %q %v", tag, a.Raw, a.Header)
		}
	}
	s.do("GET", "/"+i, "", `If-None-Match: "v2"`).Want(200)
}

func TestFields(t *testing.T) {
	s := newServer(t)
	i := s.create("Moon", `"status":"Approved"`, `"x":{"a":1,"b":{"c":2,"d":3}}`,
		`"contactMedium":[{"mediumType":"email","preferred":true,"characteristic":{"emailAddress":"a@b.c","city":"X"}},{"mediumType":"phone","characteristic":{"phoneNumber":"1"}}]`)
	for _, c := range []struct{ query, want string }{
		{"fields=name", `"name":"Moon"`},
		{"fields=none", ``},
		{"fields=id", ``},
		{"fields=href", ``},
		{"fields=name,status", `"name":"Moon","status":"Approved"`},
		{"fields=name&fields=status", `"name":"Moon","status":"Approved"`},
		{"fields=nothing", ``},
		{"fields=x.b.c", `"x":{"b":{"c":2}}`},
		{"fields=x.b.c,x.a", `"x":{"a":1,"b":{"c":2}}`},
		{"fields=x.b.c,x", `"x":{"a":1,"b":{"c":2,"d":3}}`},
		{"fields=x.nothing", ``},
		{"fields=contactMedium.mediumType", `"contactMedium":[{"mediumType":"email"},{"mediumType":"phone"}]`},
		{"fields=contactMedium.characteristic.city", `"contactMedium":[{"characteristic":{"city":"X"}}]`},
		{"fields=name.first", ``},
		{"fields=engagedParty", `"engagedParty":{"id":"500","@referredType":"Organization"}`},
	} {
		one := s.do("GET", "/"+i+"?"+c.query, "").Want(200)
		if got := selected(one.Raw); got != canonical(c.want) {
			t.Errorf("%s: %s, want %s", c.query, got, canonical(c.want))
		}
		if !strings.Contains(one.Raw, `"id":"`+i+`"`) || !strings.Contains(one.Raw, `"href":"http://demarc.test`) || !strings.Contains(one.Raw, `"@type":"Customer"`) {
			t.Errorf("%s leaves out id, href or @type: %s", c.query, one.Raw)
		}
		if all := s.do("GET", "?"+c.query, "").Want(200); all.Raw != "["+one.Raw+"]" {
			t.Errorf("%s: the list has %s", c.query, all.Raw)
		}
	}
	if whole := s.do("GET", "/"+i+"?fields=", "").Want(200); !strings.Contains(whole.Raw, `"status"`) {
		t.Errorf("empty fields: %s", whole.Raw)
	}
	s.do("GET", "/"+i+"?fields=a..b", "").Want(400)
}

// selected is the answer without id, href and @type, its members in order.
func selected(body string) string {
	for _, cut := range []string{`"@type":"Customer"`} {
		body = strings.Replace(strings.Replace(body, ","+cut, "", 1), cut+",", "", 1)
	}
	_, rest, _ := strings.Cut(body, `"href":"`)
	_, rest, _ = strings.Cut(rest, `"`)
	return canonical(strings.TrimPrefix(strings.TrimSuffix(rest, "}"), ","))
}

// canonical sorts the characters: members may come in any order.
func canonical(s string) string {
	parts := strings.Split(s, "")
	sort.Strings(parts)
	return strings.Join(parts, "")
}

func TestFiltering(t *testing.T) {
	s := newServer(t)
	moon := s.create("Moon", `"status":"Approved"`, `"x-score":7`, `"validFor":{"endDateTime":"2026-05-01T00:00:00Z"}`,
		`"contactMedium":[{"mediumType":"email","preferred":true,"characteristic":{"city":"Graz"}},{"mediumType":"phone","preferred":false,"characteristic":{}}]`)
	s.create("Sun", `"status":"Active"`, `"x-score":12`, `"validFor":{"endDateTime":"2026-06-01T02:00:00+02:00"}`)
	s.create("Smith, John", `"status":"Closed"`)
	for _, c := range []struct{ query, names string }{
		{"", "Moon,Sun,Smith, John"},
		{"name=Moon", "Moon"},
		{"name=moon", ""},
		{"name=Smith, John", "Smith, John"},
		{"name.ne=Moon", "Sun,Smith, John"},
		{"name.regex=^S", "Sun,Smith, John"},
		{"status=Active,Closed", "Sun,Smith, John"},
		{"status=Active;Closed", "Sun,Smith, John"},
		{"status=Active;status=Closed", "Sun,Smith, John"},
		{"status=Active&status=Closed", "Sun,Smith, John"},
		{"status=Active&name=Moon", ""},
		{"x-score>7", "Sun"},
		{"x-score.gte=7", "Moon,Sun"},
		{"x-score<10", "Moon"},
		{"x-score.eq=7.0", "Moon"},
		{"validFor.endDateTime=2026-06-01", "Sun"},
		{"validFor.endDateTime.lt=2026-06-01", "Moon"},
		{"validFor.endDateTime>=2026-05-31T23:00:00-01:00", "Sun"},
		{"contactMedium.mediumType=phone", "Moon"},
		{"contactMedium.preferred=true", "Moon"},
		{"contactMedium.characteristic.city.regex=Gr", "Moon"},
		{"contactMedium.mediumType.ne=phone", "Sun,Smith, John"},
		{"id=" + moon, "Moon"},
		{"id=nobody", ""},
		{"id.ne=" + moon, "Sun,Smith, John"},
		{"href=http://demarc.test" + base + "/" + moon, "Moon"},
		{"href=https://other.host" + base + "/" + moon, "Moon"},
		{"href=" + base + "/" + moon, "Moon"},
		{"href=http://demarc.test/tmf-api/elsewhere/customer/" + moon, ""},
		{"href.ne=" + base + "/" + moon, "Sun,Smith, John"},
		{"@type=Customer", "Moon,Sun,Smith, John"},
		{"engagedParty.id=500&name=Sun", "Sun"},
	} {
		query := strings.NewReplacer(" ", "%20", "^", "%5E", ">", "%3E", "<", "%3C", "@", "%40").Replace(c.query)
		a := s.do("GET", "?"+query, "").Want(200)
		if got := a.Each("name"); got != c.names {
			t.Errorf("%s: %q, want %q", c.query, got, c.names)
		}
		if got, want := a.Header.Get("X-Total-Count"), fmt.Sprint(a.Len()); got != want {
			t.Errorf("%s: X-Total-Count %s of %s", c.query, got, want)
		}
	}
	for query, status := range map[string]int{
		"name.like=x": 400, "filter=$[?(@.name=='x')]": 501, "filter=$[": 400, "validFor.endDateTime.gt=soon": 400,
		"name.regex=(": 400, "href.regex=x": 400, "expand=account": 501, "contactMedium.preferred=perhaps": 400,
	} {
		if p := s.do("GET", "?"+query, "").Want(status).Object(); p["@type"] != "Error" || p["reason"] == "" {
			t.Errorf("%s: %v", query, p)
		}
	}
}

func TestSorting(t *testing.T) {
	s := newServer(t)
	s.create("B", `"status":"x"`, `"x-n":10`)
	s.create("A", `"status":"y"`, `"x-n":9`)
	s.create("C", `"status":"x"`)
	for query, names := range map[string]string{
		"sort=name": "A,B,C", "sort=-name": "C,B,A", "sort=%2Bname": "A,B,C", "sort=+name": "A,B,C",
		"sort=status,-name": "C,B,A", "sort=-status,name": "A,B,C", "sort=x-n": "A,B,C", "sort=-x-n": "B,A,C",
		"sort=engagedParty.id": "B,A,C", "sort=id": "B,A,C", "sort=-href": "C,A,B", "sort=": "B,A,C",
	} {
		if got := s.do("GET", "?"+query, "").Want(200).Each("name"); got != names {
			t.Errorf("%s: %s, want %s", query, got, names)
		}
	}
	for _, bad := range []string{"sort=a..b", "sort=name.first", "sort=-"} {
		s.do("GET", "?"+bad, "").Want(400)
	}
}

func TestPaging(t *testing.T) {
	s := newServer(t, func(r *tmf630.Resource) { r.Paging = tmf630.Paging{First: 4, Most: 6} })
	for i := range 7 {
		s.create(fmt.Sprint("n", i))
	}
	for _, c := range []struct {
		query         string
		status, count int
		names, links  string
	}{
		{"", 200, 4, "n0,n1,n2,n3", "self=0/4 first=0/4 next=4/4 last=4/4"},
		{"limit=3", 206, 3, "n0,n1,n2", "self=0/3 first=0/3 next=3/3 last=6/3"},
		{"limit=3&offset=3", 206, 3, "n3,n4,n5", "self=3/3 first=0/3 prev=0/3 next=6/3 last=6/3"},
		{"limit=3&offset=6", 206, 1, "n6", "self=6/3 first=0/3 prev=3/3 last=6/3"},
		{"offset=5", 206, 2, "n5,n6", "self=5/4 first=0/4 prev=1/4 last=4/4"},
		{"limit=100", 206, 6, "n0,n1,n2,n3,n4,n5", "self=0/6 first=0/6 next=6/6 last=6/6"},
		{"offset=100", 206, 0, "", "self=100/4 first=0/4 prev=4/4 last=4/4"},
		{"limit=0", 206, 0, "", "self=0/0"},
		{"limit=5&name=n1", 200, 1, "n1", "self=0/5 first=0/5 last=0/5"},
		{"limit=5&name=none", 200, 0, "", "self=0/5 first=0/5 last=0/5"},
	} {
		a := s.do("GET", "?"+c.query, "").Want(c.status)
		if got := a.Each("name"); got != c.names {
			t.Errorf("%s: %s", c.query, got)
		}
		if got := a.Header.Get("X-Result-Count"); got != fmt.Sprint(c.count) {
			t.Errorf("%s: X-Result-Count %s", c.query, got)
		}
		if got := links(t, a.Header.Get("Link"), c.query); got != c.links {
			t.Errorf("%s: %s, want %s", c.query, got, c.links)
		}
	}
	for _, bad := range []string{"offset=-1", "offset=x", "limit=-1", "limit=1.5", "limit=", "limit=99999999999999999999"} {
		p := s.do("GET", "?"+bad, "").Want(400).Object()
		if name, _, _ := strings.Cut(bad, "="); !strings.Contains(p["message"].(string), name) {
			t.Errorf("%s: %v", bad, p)
		}
	}
	// All pages together are the list, and the parameters of the query are kept.
	var seen []string
	next := "?sort=-name&limit=3&name.ne=n2"
	for next != "" {
		a := s.do("GET", next, "")
		seen = append(seen, a.Each("name"))
		next = ""
		for _, l := range strings.Split(a.Header.Get("Link"), ", ") {
			if address, found := strings.CutSuffix(l, `>; rel="next"`); found {
				next = strings.TrimPrefix(address, "<http://demarc.test")
			}
		}
	}
	if got := strings.Join(seen, "|"); got != "n6,n5,n4|n3,n1,n0" {
		t.Errorf("following next: %s", got)
	}
}

// links writes a Link header as rel=offset/limit, and checks that addresses are absolute.
func links(t *testing.T, header, query string) string {
	t.Helper()
	asked, _ := url.ParseQuery(query)
	var out []string
	for _, l := range strings.Split(header, ", ") {
		address, rel, _ := strings.Cut(strings.TrimPrefix(l, "<"), `>; rel="`)
		u, err := url.Parse(address)
		if err != nil || u.Host != "demarc.test" || u.Path != base {
			t.Errorf("link %s: %v", l, err)
			continue
		}
		q := u.Query()
		if q.Get("name") != asked.Get("name") {
			t.Errorf("link %s lost a parameter", l)
		}
		out = append(out, strings.TrimSuffix(rel, `"`)+"="+q.Get("offset")+"/"+q.Get("limit"))
	}
	return strings.Join(out, " ")
}

func TestEveryItemOfAListIsWhole(t *testing.T) {
	s := newServer(t)
	for i := range 3 {
		s.create(fmt.Sprint("n", i))
	}
	shape := tmf630.ShapeOf("TMF629", "Customer")
	for _, one := range s.do("GET", "", "").Want(200).Items() {
		item := one.(map[string]any)
		if missing := shape.Missing(item); len(missing) > 0 {
			t.Errorf("%v lacks %v", item["id"], missing)
		}
		for _, name := range []string{"id", "href", "@type", "name"} {
			if item[name] == nil {
				t.Errorf("%v lacks %s", item["id"], name)
			}
		}
	}
}
