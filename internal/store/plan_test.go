package store

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store/engine"
)

// What SQLite looks a list up by is decided without statistics, and must not be the order of the ids.
func TestListsAreLookedUp(t *testing.T) {
	s, ctx := openInternal(t)
	lines := NewCollection[jsontext.Value](s, Definition{Kind: id.Kind{Name: "subscription", Prefix: "sub"}, Table: "subscription", Indexed: map[string]string{
		"msisdn": "msisdn", "status": "status", "accountId": "account_id",
	}}).d
	usages := NewCollection[jsontext.Value](s, Definition{Kind: id.Kind{Name: "usage", Prefix: "usg"}, Table: "usage_record",
		Indexed: map[string]string{"subscriptionId": "subscription_id"}, Grouped: []string{"subscriptionId"}}).d
	is := func(path string, values ...string) Filter {
		return Filter{Path: []string{path}, Op: Eq, Values: values, Type: Text}
	}
	many := strings.Split(strings.Repeat("x,", 40), ",")
	for n := range many {
		many[n] += string(rune('A' + n))
	}
	for name, c := range map[string]struct {
		d    *definition
		q    Query
		want string
		// sorts says that what was found is put in order.
		sorts bool
	}{
		"one value":              {lines, Query{Filters: []Filter{is("msisdn", "1")}, Limit: 10}, "subscription_msisdn", false},
		"several values":         {lines, Query{Filters: []Filter{is("msisdn", "1", "2")}}, "subscription_msisdn", true},
		"a page of several":      {lines, Query{Filters: []Filter{is("msisdn", "1", "2")}, Limit: 10, Offset: 5}, "subscription_msisdn", true},
		"a page of many":         {lines, Query{Filters: []Filter{is("msisdn", many...)}, Limit: 10}, "subscription_msisdn", true},
		"the newest of several":  {lines, Query{Filters: []Filter{is("msisdn", "1", "2")}, Sort: []Sort{{Path: []string{"id"}, Desc: true}}, Limit: 10}, "subscription_msisdn", true},
		"states alone":           {lines, Query{Filters: []Filter{is("status", "a", "b")}, Limit: 10}, "subscription_status", true},
		"a state beside a value": {lines, Query{Filters: []Filter{is("status", "a"), is("accountId", "1")}, Limit: 10}, "subscription_account_id", false},
		"states beside a value":  {lines, Query{Filters: []Filter{is("status", "a", "b"), is("msisdn", "1")}, Limit: 10}, "subscription_msisdn", false},
		"another order":          {usages, Query{Filters: []Filter{is("subscriptionId", "1")}, Limit: 10}, "usage_record_line", true},
	} {
		l, err := s.plan(c.d, 1, c.q)
		if err != nil {
			t.Fatal(name, err)
		}
		b := &builder{args: slices.Clone(l.where.args)}
		order, err := l.order(b)
		if err != nil {
			t.Fatal(name, err)
		}
		text := explain(ctx, t, s, l.page(order, c.q, b), b.args)
		if strings.Contains(text, "autoindex") || strings.Contains(text, "SCAN "+c.d.Table) || !strings.Contains(text, c.want+" ") {
			t.Errorf("%s: %s", name, text)
		}
		if strings.Contains(text, "TEMP B-TREE") != c.sorts {
			t.Errorf("%s: %s", name, text)
		}
		if _, err := s.list(ctx, c.d, c.q); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text := explain(ctx, t, s, sqlOpenJobs, []any{int64(1)}); !strings.Contains(text, "job_open ") {
		t.Errorf("jobs that a clock waits for: %s", text)
	}
}

func explain(ctx context.Context, t *testing.T, s *Store, sql string, args []any) string {
	t.Helper()
	var steps []string
	err := s.readEach(ctx, "EXPLAIN QUERY PLAN "+sql, args, func(r engine.Rows) error {
		var node, parent, other int64
		var step string
		err := r.Scan(&node, &parent, &other, &step)
		steps = append(steps, step)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "; ")
}
