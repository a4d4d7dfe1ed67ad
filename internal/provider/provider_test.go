package provider

import (
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestWhatAServiceProviderNeeds(t *testing.T) {
	good := ServiceProvider{Name: "Happy", Currency: "CHF"}
	for name, c := range map[string]struct {
		change func(v *ServiceProvider)
		want   string
	}{
		"name and currency": {func(*ServiceProvider) {}, ""},
		"no name":           {func(v *ServiceProvider) { v.Name = " " }, "name"},
		"no currency":       {func(v *ServiceProvider) { v.Currency = "" }, "currency"},
		"a time zone":       {func(v *ServiceProvider) { v.TimeZone = "Europe/Zurich" }, ""},
		"no time zone":      {func(v *ServiceProvider) { v.TimeZone = "Mars/Olympus" }, "timeZone"},
		"the server's zone": {func(v *ServiceProvider) { v.TimeZone = "Local" }, "timeZone"},
		"a country":         {func(v *ServiceProvider) { v.Country = "CH" }, ""},
		"no country":        {func(v *ServiceProvider) { v.Country = "Switzerland" }, "country"},
		"a language":        {func(v *ServiceProvider) { v.Language = "de-CH" }, ""},
		"no language":       {func(v *ServiceProvider) { v.Language = "German!" }, "language"},
	} {
		v := good
		c.change(&v)
		err := v.begin(1)
		if (err == nil) != (c.want == "") || err != nil && fault.From(err).Attribute != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestThereIsOneServiceProviderUnderANumber(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p, ctx := New(s), storetest.Context(7)
		if _, err := p.Current(ctx); fault.From(err).Code != CodeMissing {
			t.Errorf("before: %v", err)
		}
		i, _, err := p.Add(ctx, &ServiceProvider{Name: "Happy", Currency: "CHF"})
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Current(ctx)
		if err != nil || v.SPID != 7 || v.TimeZone != "UTC" || v.Language != "en" {
			t.Errorf("%+v %v", v, err)
		}
		if _, _, err := p.Add(ctx, &ServiceProvider{Name: "Again", Currency: "CHF"}); fault.From(err).Code != CodeExists {
			t.Errorf("a second one: %v", err)
		}
		if _, _, err := p.Add(ctx, &ServiceProvider{SPID: 8, Name: "Other", Currency: "CHF"}); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("one under another's number: %v", err)
		}
		if err := p.Delete(ctx, i, 0); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("deleted: %v", err)
		}
		if _, _, err := p.Get(storetest.Context(8), i); fault.KindOf(err) != fault.NotFound {
			t.Errorf("another sees it: %v", err)
		}
	})
}
