package provider

import (
	"context"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestACallerSeesTheServiceProvidersOpenToIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := New(s)
		made := map[int]store.Doc{}
		for spid, name := range map[int]string{1: "Happy", 2: "Sad", 3: "Other"} {
			_, d, err := p.Add(storetest.Context(spid), &ServiceProvider{Name: name, Currency: "CHF"})
			if err != nil {
				t.Fatal(err)
			}
			made[spid] = d
		}
		ctx := scope.With(context.Background(), scope.Grant(2, scope.Actor{Subject: "ann"}, scope.Claims{SPIDs: []int{2, 1}}))
		names := func(q store.Query) (out []string) {
			page, err := p.Docs(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range page.Items {
				v, _, err := p.Get(storetest.Context(d.SPID), d.ID)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, v.Name)
			}
			return out
		}
		byName := []store.Sort{{Path: []string{"name"}}}
		for what, c := range map[string]struct {
			q    store.Query
			want string
		}{
			"all, in the token's order": {store.Query{}, "[Sad Happy]"},
			"sorted":                    {store.Query{Sort: byName}, "[Happy Sad]"},
			"the second page":           {store.Query{Sort: byName, Offset: 1, Limit: 1}, "[Sad]"},
			"beyond the end":            {store.Query{Offset: 5}, "[]"},
			"filtered":                  {store.Query{Filters: []store.Filter{{Path: []string{"name"}, Op: store.Eq, Values: []string{"Happy"}}}}, "[Happy]"},
		} {
			if got := text(names(c.q)); got != c.want {
				t.Errorf("%s: %s, want %s", what, got, c.want)
			}
		}
		if _, err := p.Doc(ctx, made[1].ID); err != nil {
			t.Errorf("one that is open: %v", err)
		}
		if _, err := p.Doc(ctx, made[3].ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("another's: %v", err)
		}
		rename := func(jsontext.Value) (jsontext.Value, error) {
			return jsontext.Value(`{"spid":1,"name":"Happier","currency":"CHF","timeZone":"UTC","language":"en"}`), nil
		}
		if d, err := p.Patch(ctx, made[1].ID, 0, rename); err != nil || d.SPID != 1 {
			t.Errorf("patched %+v (%v)", d, err)
		}
		if _, err := p.Patch(ctx, made[3].ID, 0, rename); fault.KindOf(err) != fault.NotFound {
			t.Errorf("another's was patched: %v", err)
		}
	})
}

func text(names []string) string {
	out := "["
	for n, name := range names {
		if n > 0 {
			out += " "
		}
		out += name
	}
	return out + "]"
}
