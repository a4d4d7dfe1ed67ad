package catalog

import (
	"os"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestTheExampleOfTheDocumentIsLoaded(t *testing.T) {
	text, err := os.ReadFile("../../docs/catalogue.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, ok := strings.Cut(string(text), "```yaml\n")
	example, _, end := strings.Cut(example, "```")
	if !ok || !end {
		t.Fatal("the document has no example")
	}
	f, err := Parse([]byte(example))
	if err != nil {
		t.Fatal(fault.From(err).Details)
	}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, ctx := New(s), storetest.Context(1)
		if n, err := c.Load(ctx, f); err != nil || n != f.Len() {
			t.Fatalf("%d of %d, %v", n, f.Len(), err)
		}
		if n, err := c.Load(ctx, f); err != nil || n != 0 {
			t.Errorf("the second time %d, %v", n, err)
		}
	})
}

// The demonstration's catalogues promise at least so much.
func TestTheDemonstrationHasABelievableCatalogue(t *testing.T) {
	for _, name := range []string{"plans-happy.yaml", "plans-sad.yaml"} {
		text, err := os.ReadFile("../demo/" + name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Parse(text)
		if err != nil {
			t.Fatal(name, fault.From(err).Details)
		}
		addOns, shared, rolls, bound, cheaper := 0, false, false, false, false
		for _, o := range f.Offerings {
			if o.AddOn() {
				addOns++
			}
			bound = bound || len(o.Terms) > 0
			for _, p := range o.Prices {
				cheaper = cheaper || len(p.Alterations) > 0
			}
			for _, a := range o.Allowances {
				shared, rolls = shared || a.Group, rolls || a.Rollover != nil
			}
		}
		if len(f.Plans()) < 6 || addOns < 20 || len(f.Tariffs[0].Zones) < 30 || !shared || !rolls || !bound || !cheaper {
			t.Errorf("%s: %d plans, %d add-ons, %d zones, shared %t, rollover %t, term %t, discount %t", name, len(f.Plans()), addOns, len(f.Tariffs[0].Zones), shared, rolls, bound, cheaper)
		}
	}
}
