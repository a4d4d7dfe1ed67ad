package store_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// model answers queries the naive way: it decodes everything and compares value by value.
type model struct {
	ids  []string
	docs []any
}

// at finds the scalars at a path; arrays are looked into one level deep at every step and at the end.
func at(v any, path []string) (found []any) {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			if _, nested := e.([]any); !nested {
				found = append(found, at(e, path)...)
			}
		}
		return found
	}
	if len(path) == 0 {
		if _, ok := v.(map[string]any); ok || v == nil {
			return nil
		}
		return []any{v}
	}
	if m, ok := v.(map[string]any); ok {
		if inner, ok := m[path[0]]; ok {
			return at(inner, path[1:])
		}
	}
	return nil
}

func rat(s string) (*big.Rat, bool) {
	if !json.Valid([]byte(s)) || strings.Trim(s, "-+.eE0123456789") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func instant(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil && t.Year() > 0
}

// compare gives the order of a stored value against a wanted one, and whether they compare at all.
func compare(stored any, want string, typ store.Type) (int, bool) {
	switch v := stored.(type) {
	case json.Number:
		a, _ := rat(string(v))
		b, ok := rat(want)
		if !ok || typ != store.Any && typ != store.Number {
			return 0, false
		}
		return a.Cmp(b), true
	case bool:
		if want != "true" && want != "false" || typ != store.Any && typ != store.Boolean {
			return 0, false
		}
		return cmp.Compare(fmt.Sprint(v), want), true // "false" < "true"
	case string:
		a, okA := instant(v)
		b, okB := instant(want)
		switch {
		case typ == store.Moment && !okA, typ == store.Number, typ == store.Boolean:
			return 0, false
		case typ != store.Text && okA && okB:
			return a.Truncate(time.Microsecond).Compare(b.Truncate(time.Microsecond)), true
		}
		return cmp.Compare(v, want), true
	}
	return 0, false
}

func satisfies(doc any, f store.Filter) bool {
	for _, v := range at(doc, f.Path) {
		for _, want := range f.Values {
			if f.Op == store.Regex {
				if s, ok := v.(string); ok && regexp.MustCompile(want).MatchString(s) {
					return true
				}
				continue
			}
			c, ok := compare(v, want, f.Type)
			if !ok {
				continue
			}
			switch f.Op {
			case store.Ne:
				if c == 0 {
					return false
				}
			case store.Eq:
				ok = c == 0
			case store.Gt:
				ok = c > 0
			case store.Gte:
				ok = c >= 0
			case store.Lt:
				ok = c < 0
			case store.Lte:
				ok = c <= 0
			}
			if ok && f.Op != store.Ne {
				return true
			}
		}
	}
	return f.Op == store.Ne
}

// key is what a document sorts by: a rank and a value; ok is false without one.
func key(doc any, s store.Sort) (rank int, num *big.Rat, text string, ok bool) {
	for _, v := range at(doc, s.Path) {
		switch v := v.(type) {
		case bool:
			if s.Type == store.Any || s.Type == store.Boolean {
				return 1, nil, fmt.Sprint(v), true
			}
		case json.Number:
			if s.Type == store.Any || s.Type == store.Number {
				f, _ := v.Float64() // sorting sees a float64's digits
				return 2, new(big.Rat).SetFloat64(f), "", true
			}
		case string:
			if m, ok := instant(v); ok && (s.Type == store.Any || s.Type == store.Moment) {
				return 3, new(big.Rat).SetInt64(m.UnixMicro()), "", true
			}
			if s.Type == store.Any || s.Type == store.Text {
				return 4, nil, v, true
			}
		}
	}
	return 0, nil, "", false
}

func (m *model) answer(q store.Query) (ids []string) {
	var hits []int
	for i, d := range m.docs {
		if !slices.ContainsFunc(q.Filters, func(f store.Filter) bool { return !satisfies(d, f) }) {
			hits = append(hits, i)
		}
	}
	slices.SortFunc(hits, func(a, b int) int {
		for _, s := range q.Sort {
			ra, na, ta, oka := key(m.docs[a], s)
			rb, nb, tb, okb := key(m.docs[b], s)
			if oka != okb {
				if oka {
					return -1
				}
				return 1
			}
			c := cmp.Or(cmp.Compare(ra, rb), cmp.Compare(ta, tb))
			if c == 0 && na != nil {
				c = na.Cmp(nb)
			}
			if s.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return cmp.Compare(m.ids[a], m.ids[b])
	})
	for _, i := range hits {
		ids = append(ids, m.ids[i])
	}
	return ids
}

var (
	scalars = []string{`1`, `1.0`, `2`, `-3.5`, `10`, `1e1`, `0.1`, `12345678901234567890`, `12345678901234567891`, `true`, `false`, `null`, `"1"`, `"true"`,
		`""`, `"Ann"`, `"ann"`, `"Änn"`, `"a'b"`, `"a\"b"`, `"50%"`, `"x\ny"`, `"2026-01-01T00:00:00Z"`, `"2026-01-01T01:00:00+01:00"`,
		`"2026-01-01T00:00:00.5Z"`, `"2026-01-01T00:00:00.1234567Z"`, `"2026-01-01T00:00:00.1234569Z"`, `"2026-02-30T00:00:00Z"`, `"2024-02-29T23:59:59-13:30"`, `"0000-01-01T00:00:00Z"`, `"2026-01-01"`}
	names = []string{"a", "b", "@type", `a"b`, "a.b", "$x", "ä"}
)

func randomValue(r *rand.Rand, depth int) string {
	switch k := r.IntN(10); {
	case k < 6 || depth == 0:
		return scalars[r.IntN(len(scalars))]
	case k < 8:
		var list []string
		for range r.IntN(4) {
			list = append(list, randomValue(r, depth-1))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	return randomObject(r, depth-1)
}

func randomObject(r *rand.Rand, depth int) string {
	var members []string
	for _, n := range names {
		if r.IntN(2) == 0 {
			q, _ := jsontext.AppendQuote(nil, n)
			members = append(members, string(q)+":"+randomValue(r, depth))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func randomFilter(r *rand.Rand) store.Filter {
	f := store.Filter{Path: []string{names[r.IntN(len(names))]}}
	for r.IntN(3) == 0 {
		f.Path = append(f.Path, names[r.IntN(len(names))])
	}
	f.Op = []store.Op{store.Eq, store.Ne, store.Gt, store.Gte, store.Lt, store.Lte, store.Regex}[r.IntN(7)]
	f.Type = []store.Type{store.Any, store.Any, store.Any, store.Text, store.Number, store.Boolean, store.Moment}[r.IntN(7)]
	if f.Op == store.Regex {
		f.Values = []string{patterns[r.IntN(len(patterns))]}
		return f
	}
	for range 1 + r.IntN(3) {
		for {
			v := scalars[r.IntN(len(scalars))]
			if v[0] == '"' {
				var s string
				_ = json.Unmarshal([]byte(v), &s)
				v = s
			}
			_, number := rat(v)
			_, moment := instant(v)
			if f.Type == store.Number && !number || f.Type == store.Moment && !moment || f.Type == store.Boolean && v != "true" && v != "false" {
				continue
			}
			f.Values = append(f.Values, v)
			break
		}
	}
	return f
}

var patterns = []string{"^a", "(?i)^ANN$", "n+$", "^$", ".", "a.b", `a'b|1`, `\d{4}-\d\d`, `^[^a-z]*$`, `(?s)x.y`, `x.y`, `(?m)^y$`, `\bann\b`, `\Bn`, `\p{L}nn`, `[[:upper:]]`, `50%`, `\\`, `a{0,2}n`, `x??\n`, `[\x00-\x20]`, `\x{10ffff}|Ä`, `(?i)ä`, `(a|b)*c?1`, `\z`}

// Both engines must give the model's answer to any query.
func TestQueriesMeanTheSameOnBothEngines(t *testing.T) {
	lite, pg := open(t, "sqlite"), open(t, "postgres")
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	m := &model{}
	for range 80 {
		i, text := id.New(customerKind, id.RandomHome(), lite.s.Now(lite.ctx)), randomObject(r, 3)
		var v any
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		m.ids, m.docs = append(m.ids, string(i)), append(m.docs, v)
		for _, h := range []*house{lite, pg} {
			h.must(h.write(func(ctx context.Context) error {
				_, err := h.customers.Insert(ctx, i, object("%s", text))
				return err
			}))
		}
	}
	for range rounds(150) {
		var q store.Query
		for range r.IntN(3) {
			q.Filters = append(q.Filters, randomFilter(r))
		}
		for range r.IntN(3) {
			q.Sort = append(q.Sort, store.Sort{Path: randomFilter(r).Path, Desc: r.IntN(2) == 0,
				Type: []store.Type{store.Any, store.Text, store.Number, store.Boolean, store.Moment}[r.IntN(5)]})
		}
		want := m.answer(q)
		for _, h := range []*house{lite, pg} {
			p, err := h.customers.Docs(h.ctx, q)
			if err != nil {
				t.Fatalf("seed %d, %s: %v: %+v", seed, h.s.Engine(), err, q)
			}
			if diff := gocmp.Diff(want, ids(p)); diff != "" || p.Total != int64(len(want)) {
				t.Fatalf("seed %d, %s, %+v: total %d\n%s\n%s", seed, h.s.Engine(), q, p.Total, diff, m.show(q))
			}
			page := q
			page.Offset, page.Limit = r.IntN(len(want)+2), 1+r.IntN(5)
			p, err = h.customers.Docs(h.ctx, page)
			end := min(page.Offset+page.Limit, len(want))
			if diff := gocmp.Diff(append([]string(nil), want[min(page.Offset, end):end]...), ids(p)); err != nil || diff != "" || p.Total != int64(len(want)) {
				t.Fatalf("seed %d, %s, page %+v: %v\n%s", seed, h.s.Engine(), page, err, diff)
			}
		}
	}
}

func (m *model) show(q store.Query) string {
	var b strings.Builder
	for i, d := range m.docs {
		fmt.Fprintf(&b, "%s", m.ids[i])
		for _, f := range q.Filters {
			fmt.Fprintf(&b, " %v", at(d, f.Path))
		}
		for _, s := range q.Sort {
			fmt.Fprintf(&b, " by %v", at(d, s.Path))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func ids(p store.Page) (list []string) {
	for _, d := range p.Items {
		list = append(list, string(d.ID))
	}
	return list
}

func filter(path string, op store.Op, values ...string) store.Filter {
	return store.Filter{Path: strings.Split(path, "."), Op: op, Values: values}
}

func TestIndexedAttributesAnswerAsOthersDo(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := &model{}
		for i, name := range []string{"Ann", "ann", "", "Zoë", "10", "9", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "-"} {
			text := fmt.Sprintf(`{"name":%q,"state":%q,"other":%q}`, name, name, name)
			if name == "-" {
				text = `{}`
			}
			d := h.customer("%s", text)
			var v any
			_ = json.Unmarshal([]byte(text), &v)
			m.ids, m.docs = append(m.ids, string(d.ID)), append(m.docs, v)
			_ = i
		}
		for _, op := range []store.Op{store.Eq, store.Ne, store.Gt, store.Gte, store.Lt, store.Lte, store.Regex} {
			for _, typ := range []store.Type{store.Any, store.Text} {
				for _, values := range [][]string{{"Ann"}, {"9", "ann", "9"}, {""}, {"2026-01-01T00:00:00Z"}} {
					for _, sort := range [][]store.Sort{nil, {{Path: []string{"name"}, Type: store.Text}}, {{Path: []string{"name"}, Type: store.Text, Desc: true}}} {
						q := store.Query{Filters: []store.Filter{{Path: []string{"name"}, Op: op, Values: values, Type: typ}}, Sort: sort}
						p, err := h.customers.Docs(h.ctx, q)
						want := m.answer(q)
						if diff := gocmp.Diff(want, ids(p)); err != nil || diff != "" {
							t.Fatalf("%+v: %v %s", q, err, diff)
						}
						for q.Limit, q.Offset = 1, 0; q.Offset < 3; q.Offset++ {
							p, err := h.customers.Docs(h.ctx, q)
							end := min(q.Offset+1, len(want))
							if diff := gocmp.Diff(append([]string(nil), want[min(q.Offset, end):end]...), ids(p)); err != nil || diff != "" || p.Total != int64(len(want)) {
								t.Fatalf("%+v: %v %s", q, err, diff)
							}
						}
					}
				}
			}
		}
		for _, f := range []store.Filter{filter("id", store.Eq, m.ids[3]), filter("id", store.Eq, m.ids[3], "x"), filter("id", store.Regex, m.ids[3][10:])} {
			p, err := h.customers.Docs(h.ctx, store.Query{Filters: []store.Filter{f}, Sort: []store.Sort{{Path: []string{"id"}, Desc: true}}})
			if err != nil || p.Total != 1 || p.Items[0].ID != id.ID(m.ids[3]) {
				t.Fatal(p, err)
			}
		}
		p, err := h.customers.Docs(h.ctx, store.Query{Filters: []store.Filter{filter("id", store.Ne, m.ids[3])}, NoTotal: true, Limit: 100})
		if err != nil || p.Total != -1 || len(p.Items) != 8 {
			t.Fatal(p, err)
		}
	})
}

func TestHostileQueriesAreValuesOnly(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.customer(`{"name":"x"}`)
		evil := []string{`'; DROP TABLE customer; --`, `" OR 1=1 --`, `\`, `$1`, `name") ? (1==1`, `[*]`, `*`, `**`, "\u202e", `a\u0000`, `%`, `?`, `:x`, `@x`}
		for _, e := range evil {
			for _, f := range []store.Filter{{Path: []string{e}, Op: store.Eq, Values: []string{"x"}}, {Path: []string{"name"}, Op: store.Eq, Values: []string{e}},
				{Path: []string{"other", e}, Op: store.Gt, Values: []string{e}}} {
				p, err := h.customers.Docs(h.ctx, store.Query{Filters: []store.Filter{f}, Sort: []store.Sort{{Path: f.Path}}})
				if err != nil || p.Total != 0 {
					t.Fatalf("%q: %v %v", f, p, err)
				}
			}
		}
		for _, f := range []store.Filter{
			{Path: nil, Op: store.Eq, Values: []string{"x"}}, {Path: []string{""}, Op: store.Eq, Values: []string{"x"}},
			filter("a", "like", "x"), filter("a", store.Eq), filter("a", store.Eq, "a\x00"), filter("a", store.Eq, "\xff"), filter("a", store.Regex, "("),
			filter("a", store.Regex, `\1`), filter("a", store.Regex, strings.Repeat("a", 300)),
			{Path: []string{"a"}, Op: store.Eq, Values: []string{"x"}, Type: store.Number}, {Path: []string{"a"}, Op: store.Eq, Values: []string{"1e999"}, Type: store.Number},
			{Path: []string{"a"}, Op: store.Eq, Values: []string{"yes"}, Type: store.Boolean}, {Path: []string{"a"}, Op: store.Eq, Values: []string{"2026-13-01T00:00:00Z"}, Type: store.Moment},
		} {
			_, err := h.customers.Docs(h.ctx, store.Query{Filters: []store.Filter{f}})
			refused(t, err, fault.Invalid, fault.CodeInvalid, strings.Join(f.Path, "."))
		}
		if h.count() != 1 {
			t.Fatal("something changed")
		}
	})
}
