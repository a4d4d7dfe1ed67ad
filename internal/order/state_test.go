package order

import (
	"testing"
	"time"
)

func TestStatesOfAnOrder(t *testing.T) {
	for _, c := range []struct {
		from, to State
		want     bool
	}{
		{Acknowledged, InProgress, true}, {Acknowledged, Rejected, true}, {Acknowledged, Cancelled, true}, {Acknowledged, Partial, true},
		{InProgress, Completed, true}, {InProgress, Partial, true}, {InProgress, Failed, true}, {InProgress, Acknowledged, false}, {InProgress, Cancelled, false},
		{InProgress, AssessingCancel, true}, {AssessingCancel, PendingCancellation, true}, {PendingCancellation, Cancelled, true},
		{Completed, InProgress, false}, {Failed, InProgress, false}, {Completed, Completed, true},
	} {
		v := Order{State: c.to, Items: []Item{{}}}
		if err := v.mayFollow(&Order{State: c.from}); (err == nil) != c.want {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
	for s, facts := range next {
		for _, to := range facts {
			if !to.Known() {
				t.Errorf("%s leads to %q", s, to)
			}
		}
	}
	for _, s := range []State{Rejected, Cancelled, Completed, Failed, Partial} {
		if !s.Final() {
			t.Errorf("%s is not final", s)
		}
	}
	if err := (Order{State: "done", Items: []Item{{}}}).mayFollow(&Order{State: InProgress}); err == nil {
		t.Error("an order may be done")
	}
	if err := (Order{State: InProgress}).mayFollow(&Order{State: InProgress}); err == nil {
		t.Error("an order lost its items")
	}
}

func TestHowAnOrderEnds(t *testing.T) {
	for want, items := range map[State][]State{
		Completed: {Completed, Completed},
		Failed:    {Failed, Cancelled},
		Partial:   {Completed, Failed},
	} {
		v := Order{}
		for _, s := range items {
			v.Items = append(v.Items, Item{State: s})
		}
		if got := v.outcome(); got != want {
			t.Errorf("%v end %s, want %s", items, got, want)
		}
	}
}

func TestWhatAnItemWaitsFor(t *testing.T) {
	const p, w, c, f, q, x, u = StepPending, StepWaiting, StepCompleted, StepFailed, StepUnanswered, StepUndoing, StepCompensated
	for name, row := range map[string]struct {
		steps  []MilestoneStatus
		ending State
		want   string
		ends   State
	}{
		"a new one":                    {[]MilestoneStatus{p, p, p}, "", "do a", InProgress},
		"one under way":                {[]MilestoneStatus{c, p, p}, "", "do b", InProgress},
		"one that waits for an answer": {[]MilestoneStatus{c, w, p}, "", "", InProgress},
		"the last step":                {[]MilestoneStatus{c, c, p}, "", "do c", InProgress},
		"a finished one":               {[]MilestoneStatus{c, c, c}, "", "", Completed},
		"failed at once":               {[]MilestoneStatus{f, p, p}, Failed, "", Failed},
		"failed in the middle":         {[]MilestoneStatus{c, c, f}, Failed, "undo b", InProgress},
		"never answered":               {[]MilestoneStatus{c, q, p}, Failed, "undo b", InProgress},
		"half taken back":              {[]MilestoneStatus{c, u, f}, Failed, "undo a", InProgress},
		"waiting to be taken back":     {[]MilestoneStatus{c, x, f}, Failed, "", InProgress},
		"all taken back":               {[]MilestoneStatus{u, u, f}, Failed, "", Failed},
		"cancelled before it began":    {[]MilestoneStatus{p, p, p}, Cancelled, "", Cancelled},
		"cancelled in the middle":      {[]MilestoneStatus{c, p, p}, Cancelled, "undo a", PendingCancellation},
		"cancelled while it waited":    {[]MilestoneStatus{c, w, p}, Cancelled, "", PendingCancellation},
		"cancelled and all taken back": {[]MilestoneStatus{u, u, p}, Cancelled, "", Cancelled},
	} {
		it := Item{ID: "1", State: InProgress, Ends: row.ending}
		for n, s := range row.steps {
			it.Milestones = append(it.Milestones, Milestone{Name: string(rune('a' + n)), Status: s})
		}
		got := ""
		if m := it.next(); m != nil {
			got = map[bool]string{false: "do ", true: "undo "}[m.Back] + m.Step
		}
		v := Order{Items: []Item{it}}
		v.settle(&v.Items[0], time.Unix(0, 0))
		if got != row.want || v.Items[0].State != row.ends {
			t.Errorf("%s waits for %q and is %s, want %q and %s", name, got, v.Items[0].State, row.want, row.ends)
		}
	}
}

func TestItemsAreCarriedOutOneAfterTheOther(t *testing.T) {
	item := func(id string, s State, m MilestoneStatus) Item {
		return Item{ID: id, State: s, Milestones: []Milestone{{Name: "a", Status: m}}}
	}
	v := Order{State: InProgress, Items: []Item{{ID: "person", State: Acknowledged}, item("1", Failed, StepFailed), item("2", Acknowledged, StepPending), item("3", Acknowledged, StepPending)}}
	if m := v.next(); m == nil || m.Item != "2" {
		t.Errorf("the order waits for %+v", m)
	}
	v.Items[2], v.Items[3] = item("2", Completed, StepCompleted), item("3", Completed, StepCompleted)
	if m := v.next(); m != nil {
		t.Errorf("an order whose rest a person does waits for %+v", m)
	}
	for _, s := range []State{Held, PendingOrder, Cancelled, AssessingCancel} {
		if v := (Order{State: s, Items: []Item{item("1", Acknowledged, StepPending)}}); v.next() != nil {
			t.Errorf("an order that is %s is carried out", s)
		}
	}
}
