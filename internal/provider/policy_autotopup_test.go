package provider

import (
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

func TestWhatAPolicyOfAutomaticTopupsMaySay(t *testing.T) {
	n := func(i int) *int { return &i }
	for name, c := range map[string]struct {
		p    *AutoTopupPolicy
		want string
	}{
		"none":              {nil, ""},
		"empty":             {&AutoTopupPolicy{}, ""},
		"the most":          {&AutoTopupPolicy{Default: "monthly", LowBalancePercent: n(100), DailyLimit: n(100), MonthlyLimit: n(1000), RetryDays: []int{1, 2, 90}}, ""},
		"no retries":        {&AutoTopupPolicy{RetryDays: []int{}}, ""},
		"an unknown start":  {&AutoTopupPolicy{Default: "yearly"}, "policy.autoTopup.default"},
		"no percent":        {&AutoTopupPolicy{LowBalancePercent: n(0)}, "policy.autoTopup.lowBalancePercent"},
		"none a day":        {&AutoTopupPolicy{DailyLimit: n(0)}, "policy.autoTopup.dailyLimit"},
		"none a month":      {&AutoTopupPolicy{MonthlyLimit: n(0)}, "policy.autoTopup.monthlyLimit"},
		"a retry at once":   {&AutoTopupPolicy{RetryDays: []int{0}}, "policy.autoTopup.retryDays[0]"},
		"retries backwards": {&AutoTopupPolicy{RetryDays: []int{3, 3}}, "policy.autoTopup.retryDays[1]"},
		"many retries":      {&AutoTopupPolicy{RetryDays: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}, "policy.autoTopup.retryDays"},
		"no such rule":      {&AutoTopupPolicy{Rest: map[string]jsontext.Value{"retries": jsontext.Value("3")}}, "policy.autoTopup.retries"},
	} {
		v := ServiceProvider{Name: "Happy", Currency: "CHF", Policy: &Policy{AutoTopup: c.p}}
		err := v.begin(1)
		if (err == nil) != (c.want == "") || err != nil && fault.From(err).Attribute != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if got := (*AutoTopupPolicy)(nil).Retries(); !slices.Equal(got, []int{1, 3, 7}) {
		t.Errorf("%v", got)
	}
	if got := (&AutoTopupPolicy{RetryDays: []int{}}).Retries(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
