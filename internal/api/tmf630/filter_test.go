package tmf630_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/store"
)

func filtersOf(t *testing.T, raw string) ([]store.Filter, error) {
	t.Helper()
	query, err := url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
	if err != nil {
		t.Fatal(err)
	}
	return tmf630.ParseFilters(query, tmf630.ShapeOf("TMF629", "Customer"))
}

func one(op store.Op, kind store.Type, path string, values ...string) []store.Filter {
	return []store.Filter{{Path: strings.Split(path, "."), Op: op, Type: kind, Values: values}}
}

func TestFiltersOfAQuery(t *testing.T) {
	for _, c := range []struct {
		query string
		want  []store.Filter
	}{
		// Equality, and the operators as suffix and as sign, encoded or not.
		{"name=Moon", one(store.Eq, store.Text, "name", "Moon")},
		{"name.eq=Moon", one(store.Eq, store.Text, "name", "Moon")},
		{"name==Moon", one(store.Eq, store.Text, "name", "Moon")},
		{"name%3D%3DMoon", one(store.Eq, store.Text, "name", "Moon")},
		{"name.ne=Moon", one(store.Ne, store.Text, "name", "Moon")},
		{"name!=Moon", one(store.Ne, store.Text, "name", "Moon")},
		{"name%21%3DMoon", one(store.Ne, store.Text, "name", "Moon")},
		{"name%3C%3EMoon", one(store.Ne, store.Text, "name", "Moon")},
		{"name<>Moon", one(store.Ne, store.Text, "name", "Moon")},
		{"name.gt=M", one(store.Gt, store.Text, "name", "M")},
		{"name>M", one(store.Gt, store.Text, "name", "M")},
		{"name%3EM", one(store.Gt, store.Text, "name", "M")},
		{"name>=M", one(store.Gte, store.Text, "name", "M")},
		{"name%3E%3DM", one(store.Gte, store.Text, "name", "M")},
		{"name.gte=M", one(store.Gte, store.Text, "name", "M")},
		{"name<M", one(store.Lt, store.Text, "name", "M")},
		{"name.lt=M", one(store.Lt, store.Text, "name", "M")},
		{"name<=M", one(store.Lte, store.Text, "name", "M")},
		{"name%3C%3DM", one(store.Lte, store.Text, "name", "M")},
		{"name.lte=M", one(store.Lte, store.Text, "name", "M")},
		{"name.regex=%5EM.{1,3}n$", one(store.Regex, store.Text, "name", "^M.{1,3}n$")},
		{"name*=Mo", one(store.Regex, store.Text, "name", "Mo")},
		{"name%3D~Mo", one(store.Regex, store.Text, "name", "Mo")},
		// OR: comma, semicolon, repetition. The whole text is an alternative too.
		{"status=a,b", one(store.Eq, store.Text, "status", "a", "b", "a,b")},
		{"status=a;b", one(store.Eq, store.Text, "status", "a", "b", "a;b")},
		{"status=a;status=b", one(store.Eq, store.Text, "status", "a", "b", "a;status=b")},
		{"status=a&status=b", one(store.Eq, store.Text, "status", "a", "b")},
		{"status.gt=a,b", one(store.Gt, store.Text, "status", "a", "b")},
		{`name=Smith%5C, John`, one(store.Eq, store.Text, "name", "Smith, John")},
		{"name.regex=a,b", one(store.Regex, store.Text, "name", "a,b")},
		// AND.
		{"name=a&status=b", append(one(store.Eq, store.Text, "name", "a"), one(store.Eq, store.Text, "status", "b")...)},
		// Types come from the shape; dates become moments; a + lost to the URL is put back.
		{"contactMedium.preferred=true", one(store.Eq, store.Boolean, "contactMedium.preferred", "true")},
		{"creditProfile.creditScore.gte=700", one(store.Gte, store.Number, "creditProfile.creditScore", "700")},
		{"validFor.endDateTime>2026-01-31", one(store.Gt, store.Any, "validFor.endDateTime", "2026-01-31T00:00:00Z")},
		{"validFor.endDateTime=2026-01-31", one(store.Eq, store.Any, "validFor.endDateTime", "2026-01-31", "2026-01-31T00:00:00Z")},
		{"validFor.endDateTime.lt=2026-01-31T10:00:00+02:00", one(store.Lt, store.Any, "validFor.endDateTime", "2026-01-31T10:00:00+02:00")},
		{"x-loyalty.tier=gold", one(store.Eq, store.Any, "x-loyalty.tier", "gold")},
		{"characteristic.value=5", one(store.Eq, store.Any, "characteristic.value", "5")},
		// A segment that looks like an operator but is no suffix.
		{"gt=5", one(store.Eq, store.Any, "gt", "5")},
		{"x.gt.eq=5", one(store.Eq, store.Any, "x.gt", "5")},
		// What is not a filter.
		{"fields=name&offset=1&limit=2&sort=name&dryRun=true", nil},
	} {
		got, err := filtersOf(t, c.query)
		if err != nil {
			t.Errorf("%s: %v", c.query, err)
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s:\n%s", c.query, d)
		}
	}
}

func TestFiltersThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		query string
		kind  fault.Kind
		says  string
	}{
		{"name.like=M", fault.Invalid, "like is not an operator"},
		{"contactMedium.mediumType.contains=M", fault.Invalid, "contains is not an operator"},
		{"name.eq.ne=M", fault.Invalid, "below a value that has no attributes"},
		{"validFor.endDateTime.day.gt=1", fault.Invalid, "below a value that has no attributes"},
		{"name.gt<=M", fault.Invalid, "two operators"},
		{"name>=", fault.Invalid, "a value is missing"},
		{"name=", fault.Invalid, "a value is missing"},
		{"validFor..endDateTime=x", fault.Invalid, "not the name of an attribute"},
		{"a%22b=x", fault.Invalid, "not the name of an attribute"},
		{"validFor.endDateTime.gt=tomorrow", fault.Invalid, "neither a moment"},
		{"name=a;status=b", fault.Invalid, "cannot join name to status"},
		{"filter=", fault.Invalid, "not a JSONPath"},
		{"filter=$[?(@.name=='x'", fault.Invalid, "not a JSONPath"},
		{"filter=$[?(@.name=='x')]", fault.Unsupported, "not supported"},
		{"filter=name[?(@.a=='b')]", fault.Unsupported, "not supported"},
		{"expand=account", fault.Unsupported, "expand is not supported"},
		{"depth=2", fault.Unsupported, "depth is not supported"},
	} {
		_, err := filtersOf(t, c.query)
		if f := fault.From(err); f == nil || f.Kind != c.kind || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %v; want %s saying %q", c.query, err, c.kind, c.says)
		}
	}
	many := url.Values{}
	for i := range 40 {
		many.Set("x"+strings.Repeat("y", i), "1")
	}
	if _, err := tmf630.ParseFilters(many, nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("40 conditions: %v", err)
	}
}

func TestAnAttributeCalledLikeAnOperator(t *testing.T) {
	api, err := tmf630.ParseShapes("api X 1 /x X\nThing\n  size Size\nSize\n  eq number\n  gt number\n")
	if err != nil {
		t.Fatal(err)
	}
	got, err := tmf630.ParseFilters(url.Values{"size.gt": {"5"}, "size.gt.gt": {"3"}}, api.Shapes["Thing"])
	if err != nil {
		t.Fatal(err)
	}
	want := append(one(store.Eq, store.Number, "size.gt", "5"), one(store.Gt, store.Number, "size.gt", "3")...)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func FuzzFilterQuery(f *testing.F) {
	for _, seed := range []string{"name=a", "name%3E%3D5;name=6", "a.b.regex=(", "filter=$[", "x*=", "status=a;status=b", `n=\`, "validFor.endDateTime=,;"} {
		f.Add(seed)
	}
	shape := tmf630.ShapeOf("TMF629", "Customer")
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		filters, err := tmf630.ParseFilters(query, shape)
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		for _, one := range filters {
			if len(one.Path) == 0 || len(one.Values) == 0 || one.Path[0] == "" {
				t.Fatalf("%q gives %+v", raw, one)
			}
		}
	})
}
