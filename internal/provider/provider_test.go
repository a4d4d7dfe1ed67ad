package provider

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

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

func TestWhatAPolicyMaySay(t *testing.T) {
	n := func(i int) *int { return &i }
	for name, c := range map[string]struct {
		p    *Policy
		want string
	}{
		"none":                     {nil, ""},
		"empty":                    {&Policy{}, ""},
		"the least":                {&Policy{QuarantineDays: n(0), ReservationMinutes: n(1), CartHours: n(1), GraceDays: n(0), SuspendedDays: n(0), DormantDays: n(0), ExpiredDays: n(1), VoucherTries: n(1), VoucherBlockMinutes: n(1), UsageFutureMinutes: n(0), UsageMaxAgeDays: n(1)}, ""},
		"no thresholds":            {&Policy{BalanceThresholds: []int{}}, ""},
		"thresholds":               {&Policy{BalanceThresholds: []int{50, 20, 0, 100}}, ""},
		"quarantine":               {&Policy{QuarantineDays: n(-1)}, "policy.quarantineDays"},
		"reservation":              {&Policy{ReservationMinutes: n(0)}, "policy.reservationMinutes"},
		"cart":                     {&Policy{CartHours: n(8761)}, "policy.cartHours"},
		"grace":                    {&Policy{GraceDays: n(-1)}, "policy.graceDays"},
		"suspended":                {&Policy{SuspendedDays: n(3651)}, "policy.suspendedDays"},
		"dormant":                  {&Policy{DormantDays: n(-2)}, "policy.dormantDays"},
		"expired":                  {&Policy{ExpiredDays: n(0)}, "policy.expiredDays"},
		"tries":                    {&Policy{VoucherTries: n(0)}, "policy.voucherTries"},
		"block":                    {&Policy{VoucherBlockMinutes: n(0)}, "policy.voucherBlockMinutes"},
		"future":                   {&Policy{UsageFutureMinutes: n(-1)}, "policy.usageFutureMinutes"},
		"age":                      {&Policy{UsageMaxAgeDays: n(0)}, "policy.usageMaxAgeDays"},
		"a threshold over all":     {&Policy{BalanceThresholds: []int{20, 101}}, "policy.balanceThresholds[1]"},
		"a threshold twice":        {&Policy{BalanceThresholds: []int{20, 20}}, "policy.balanceThresholds[1]"},
		"a crowd of thresholds":    {&Policy{BalanceThresholds: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}, "policy.balanceThresholds"},
		"a rule that there is not": {&Policy{Rest: map[string]jsontext.Value{"gracedays": jsontext.Value("3")}}, "policy.gracedays"},
	} {
		v := ServiceProvider{Name: "Happy", Currency: "CHF", Policy: c.p}
		err := v.begin(1)
		if (err == nil) != (c.want == "") || err != nil && fault.From(err).Attribute != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestASandboxIsOneFromTheBeginning(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p, ctx := New(s), storetest.Context(7)
		i, _, err := p.Add(ctx, &ServiceProvider{Name: "Happy", Currency: "CHF"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Change(ctx, i, func(v *ServiceProvider) error { v.Sandbox = true; return nil })
		if fault.From(err).Attribute != "sandbox" {
			t.Errorf("it became one: %v", err)
		}
	})
}
