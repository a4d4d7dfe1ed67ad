package scenario

import (
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	got := map[string]any{"id": "cus_1", "n": 3.0, "ok": true, "list": []any{map[string]any{"a": 1.0}, map[string]any{"a": 2.0}}, "none": nil, "at": "2024-02-29T12:00:00Z"}
	for _, c := range []struct {
		name string
		want map[string]any
		fits bool
	}{
		{"part of an object", map[string]any{"id": "cus_1"}, true},
		{"another value", map[string]any{"id": "cus_2"}, false},
		{"missing member", map[string]any{"nope": "$any"}, false},
		{"absent", map[string]any{"nope": "$absent"}, true},
		{"not absent", map[string]any{"id": "$absent"}, false},
		{"null is not any", map[string]any{"none": "$any"}, false},
		{"null", map[string]any{"none": nil}, true},
		{"whole number", map[string]any{"n": 3}, true},
		{"number is not a text", map[string]any{"n": "3"}, false},
		{"kinds", map[string]any{"n": "$number", "ok": "$boolean", "id": "$string", "list": "$list", "at": "$moment"}, true},
		{"wrong kind", map[string]any{"id": "$moment"}, false},
		{"expression", map[string]any{"id": "~ ^cus_[0-9]$"}, true},
		{"expression that fails", map[string]any{"id": "~ ^acc_"}, false},
		{"whole list", map[string]any{"list": []any{map[string]any{"a": 1}, map[string]any{"a": 2}}}, true},
		{"list in another order", map[string]any{"list": []any{map[string]any{"a": 2}, map[string]any{"a": 1}}}, false},
		{"shorter list", map[string]any{"list": []any{map[string]any{"a": 1}}}, false},
		{"some elements", map[string]any{"list": []any{"...", map[string]any{"a": 2}}}, true},
		{"no such element", map[string]any{"list": []any{"...", map[string]any{"a": 9}}}, false},
		{"count", map[string]any{"list": "$count 2"}, true},
		{"count at least", map[string]any{"list": "$count >=3"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if bad := Match(c.want, got); (len(bad) == 0) != c.fits {
				t.Errorf("match says %q", bad)
			}
		})
	}
}

func TestLookup(t *testing.T) {
	v := []any{map[string]any{"a": map[string]any{"b": []any{"x", "y"}}}}
	if got, ok := Lookup(v, "[0].a.b[1]"); !ok || got != "y" {
		t.Errorf("found %v, %v", got, ok)
	}
	for _, path := range []string{"[1]", "[0].z", "[0].a.b[2]", "a", "[0].a.b.c"} {
		if got, ok := Lookup(v, path); ok {
			t.Errorf("%s: found %v", path, got)
		}
	}
}

func TestKeepTakesTextOfABody(t *testing.T) {
	r := &run{vars: map[string]any{}}
	a := answer{body: []byte("serialNumber,voucherCode\nA1,123\nA2,456\n")}
	if bad := r.keep(Step{Keep: map[string]string{"pin": `text A2,(\d+)`}}, a); len(bad) > 0 || r.vars["pin"] != "456" {
		t.Errorf("kept %v, %v", r.vars, bad)
	}
	for _, expression := range []string{`text A3,(\d+)`, `text A1,\d+`, `text (`} {
		if bad := r.keep(Step{Keep: map[string]string{"pin": expression}}, a); len(bad) != 1 {
			t.Errorf("%s: kept %v, %v", expression, r.vars, bad)
		}
	}
}

func TestTextKnowsTheMoment(t *testing.T) {
	r := &run{vars: map[string]any{"unique": "x"}}
	read := func(s string) time.Time {
		t.Helper()
		at, err := time.Parse(time.RFC3339, r.text(s))
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	if hours := read("${now}").Sub(read("${now-2h}")).Round(time.Minute); hours != 2*time.Hour {
		t.Errorf("two hours ago was %s ago", hours)
	}
	if got := r.text("${now+1d} ${unique}"); got != "${now+1d} x" {
		t.Errorf("a day became %s", got)
	}
}

func TestParseRefusesWhatNoScenarioHas(t *testing.T) {
	for name, text := range map[string]string{
		"unknown member": "name: x\nsteps: [{get: /, expect: {status: 200}, gets: 1}]",
		"no status":      "name: x\nsteps: [{get: /}]",
		"two things":     "name: x\nsteps: [{get: /, listen: /, expect: {status: 200}}]",
		"no steps":       "name: x",
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
