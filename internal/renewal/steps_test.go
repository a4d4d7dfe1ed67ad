package renewal_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// year is what happens to a line in a year from outside: money, at moments.
type year map[time.Duration]string

const day = 24 * time.Hour

// live lets a year happen, its clock moved in steps that next says, and tells what came of it.
func (o *operator) live(events year, next func() time.Duration) string {
	o.t.Helper()
	o.sell("monthly")
	o.add("weekly")
	moments := []time.Duration{400 * day}
	for at := range events {
		moments = append(moments, at)
	}
	slices.Sort(moments)
	for _, at := range moments {
		end := begin.Add(at)
		for o.clock.Now().Before(end) {
			step := o.clock.Now().Add(next())
			if step.After(end) {
				step = end
			}
			o.clock.Set(step)
			o.Work(o.ctx, o.t)
		}
		if amount := events[at]; amount != "" && !o.see().State.Ended() {
			o.topUp(amount)
		}
	}
	return o.story()
}

// story is all that is known of the line, without what differs from one house to another.
func (o *operator) story() string {
	v := o.see()
	lines := []string{fmt.Sprintf("%s %s %s %s", v.State, v.StateReason, v.StateSince, show(v.Renewal))}
	for _, h := range v.Products {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", h.Name, h.Status, h.TerminationDate, show(h.Renewal)))
	}
	all, err := o.Balances.Statements(o.ctx, o.line, 0)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, st := range all {
		b := st.Bucket
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s", b.Name, b.Status, b.Remaining.Amount, b.ValidFor.Start, b.ValidFor.End))
		for _, e := range st.Entries {
			lines = append(lines, fmt.Sprintf("%s %d %s", b.Name, e.Amount, e.Cause.Text))
		}
	}
	slices.Sort(lines)
	return strings.ReplaceAll(strings.Join(lines, "\n"), string(o.line), "line")
}

func show(r any) string { return strings.TrimPrefix(fmt.Sprintf("%+v", r), "&") }

// A clock that is moved a year at once makes the same of a line as one that moves by hours, days or months: each
// period is charged once, in its order, at its moment.
func TestAYearInStepsIsAYearAtOnce(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 637))
		events := year{}
		for range r.IntN(8) {
			events[time.Duration(r.Int64N(int64(400*day))).Truncate(time.Second)] = fmt.Sprint(1 + r.IntN(40))
		}
		at := newOperator(t, "sqlite")
		once := at.live(events, func() time.Duration { return 1000 * day })
		in := newOperator(t, "sqlite")
		steps := in.live(events, func() time.Duration { return time.Duration(r.Int64N(int64(20*day))) + time.Minute })
		if once != steps {
			t.Fatalf("seed %d: at once\n%s\n\nin steps\n%s", seed, once, steps)
		}
		at.Balanced(at.ctx, t)
		in.Balanced(in.ctx, t)
	}
}
