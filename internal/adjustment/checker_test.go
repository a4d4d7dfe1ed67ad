package adjustment_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/demarc-bss/demarc/internal/adjustment"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

const limits = `{"adjustment":{"limit":[{"unit":"CHF","maximum":100},{"role":"lead","unit":"CHF","maximum":500}]}}`

// Maker and checker: what each row does with a request of 40 CHF by ann, and what comes of it.
func TestMakerAndChecker(t *testing.T) {
	approver := as(bob, "approve")
	edit := func(d *desk, who context.Context, i id.ID, seen int64, amount string) error {
		_, _, err := d.Adjustments.Edit(who, i, seen, func(a *adjustment.Asked) { a.Amount = quantity(amount) })
		return err
	}
	approve := func(d *desk, who context.Context, i id.ID, seen int64) error {
		_, _, err := d.Adjustments.Approve(who, i, seen, "")
		return err
	}
	type row struct {
		name string
		do   func(d *desk, i id.ID, seen int64) error
		code fault.Code // "" is none
		ends adjustment.State
		held string
	}
	var rows []row
	is := func(name string, code fault.Code, ends adjustment.State, held string, do func(d *desk, i id.ID, seen int64) error) {
		rows = append(rows, row{name, do, code, ends, held})
	}
	const before, after = "5.10 5000000000", "45.10 5000000000"
	for name, who := range map[string]scope.Actor{
		"the same person":                                 ann,
		"the same person through another client":          {Subject: ann.Subject, Name: ann.Name, Client: "gateway"},
		"the same person with another token":              {Subject: ann.Subject},
		"the same person at another identity provider":    {Subject: "other-ann", Name: "ANN", Client: "elsewhere"},
		"an API key of the same client":                   {Subject: scope.KeySubject + "k1", Name: "key", Client: ann.Client},
		"the service account of the same client":          {Subject: "u-machine", Name: "service-account-portal", Client: ann.Client},
		"the same person, whose name was changed, again":  {Subject: ann.Subject, Name: "anna", Client: ann.Client},
		"the same person through a client without a name": {Subject: ann.Subject, Client: ""},
	} {
		for _, roles := range [][]string{{"approve"}, {"approve", "edit", "lead", "admin"}} {
			is(fmt.Sprintf("%s as %v", name, roles), adjustment.CodeSamePerson, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
				return approve(d, as(who, roles...), i, seen)
			})
		}
	}
	is("somebody else", "", adjustment.Completed, after, func(d *desk, i id.ID, seen int64) error { return approve(d, approver, i, seen) })
	is("somebody else, of one version that nobody edited", "", adjustment.Completed, after, func(d *desk, i id.ID, _ int64) error { return approve(d, approver, i, 0) })
	is("somebody else with an API key of another client", "", adjustment.Completed, after, func(d *desk, i id.ID, seen int64) error {
		return approve(d, as(scope.Actor{Subject: scope.KeySubject + "k2", Client: "gateway"}, "approve"), i, seen)
	})
	is("who may not approve", adjustment.CodeNotAllowed, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		return approve(d, as(bob, "edit", "lead"), i, seen)
	})
	is("a second approval by the same", "", adjustment.Completed, after, func(d *desk, i id.ID, seen int64) error {
		if err := approve(d, approver, i, seen); err != nil {
			return err
		}
		return approve(d, approver, i, seen)
	})
	is("a second approval by another", adjustment.CodeDecided, adjustment.Completed, after, func(d *desk, i id.ID, seen int64) error {
		if err := approve(d, approver, i, seen); err != nil {
			return err
		}
		return approve(d, as(cleo, "approve"), i, seen)
	})
	is("an approval after a rejection", adjustment.CodeDecided, adjustment.Rejected, before, func(d *desk, i id.ID, seen int64) error {
		if _, _, err := d.Adjustments.Reject(as(cleo, "approve"), i, seen, "no"); err != nil {
			return err
		}
		return approve(d, approver, i, 0)
	})
	is("a rejection after an approval", adjustment.CodeDecided, adjustment.Completed, after, func(d *desk, i id.ID, seen int64) error {
		if err := approve(d, approver, i, seen); err != nil {
			return err
		}
		_, _, err := d.Adjustments.Reject(approver, i, 0, "")
		return err
	})
	is("a second rejection by the same", "", adjustment.Rejected, before, func(d *desk, i id.ID, seen int64) error {
		if _, _, err := d.Adjustments.Reject(approver, i, seen, "no"); err != nil {
			return err
		}
		_, _, err := d.Adjustments.Reject(approver, i, 0, "no")
		return err
	})
	is("who asked takes it back", "", adjustment.Rejected, before, func(d *desk, i id.ID, seen int64) error {
		_, _, err := d.Adjustments.Reject(as(ann), i, seen, "a mistake")
		return err
	})
	is("a rejection by who may not", adjustment.CodeNotAllowed, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		_, _, err := d.Adjustments.Reject(as(bob, "edit"), i, seen, "")
		return err
	})
	is("after the limit of who asked was lowered", adjustment.CodeAboveLimit, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		d.policy(`{"adjustment":{"limit":[{"unit":"CHF","maximum":39.99},{"role":"lead","unit":"CHF","maximum":500}]}}`)
		return approve(d, as(bob, "approve", "lead"), i, seen)
	})
	is("after the limit of the approver was lowered", adjustment.CodeAboveLimit, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		d.policy(`{"adjustment":{"limit":[{"unit":"CHF","maximum":100,"mayApprove":39.99}]}}`)
		return approve(d, approver, i, seen)
	})
	is("after the unit's limits were taken away", adjustment.CodeAboveLimit, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		d.policy(`{"adjustment":{"limit":[{"unit":"GB","maximum":100}]}}`)
		return approve(d, approver, i, seen)
	})
	is("by another with a higher limit", "", adjustment.Completed, after, func(d *desk, i id.ID, seen int64) error {
		d.policy(`{"adjustment":{"limit":[{"unit":"CHF","maximum":100,"mayApprove":1},{"role":"lead","unit":"CHF","mayApprove":50}]}}`)
		return approve(d, as(bob, "approve", "lead"), i, seen)
	})
	is("lowered, edited down, approved", "", adjustment.Completed, "15.10 5000000000", func(d *desk, i id.ID, seen int64) error {
		d.policy(`{"adjustment":{"limit":[{"unit":"CHF","maximum":10}]}}`)
		if err := edit(d, as(ann, "edit"), i, seen, "10 CHF"); err != nil {
			return err
		}
		return approve(d, approver, i, seen+1)
	})
	is("while who asked edits: the version that was seen is gone", fault.CodeStale, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		if err := edit(d, as(ann, "edit"), i, seen, "90 CHF"); err != nil {
			return err
		}
		return approve(d, approver, i, seen)
	})
	is("while who asked edits: no version is said", adjustment.CodeVersion, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		if err := edit(d, as(ann, "edit"), i, seen, "90 CHF"); err != nil {
			return err
		}
		return approve(d, approver, i, 0)
	})
	is("the edited version, seen", "", adjustment.Completed, "95.10 5000000000", func(d *desk, i id.ID, seen int64) error {
		if err := edit(d, as(ann, "edit"), i, seen, "90 CHF"); err != nil {
			return err
		}
		return approve(d, approver, i, seen+1)
	})
	is("an edit after the approval", adjustment.CodeDecided, adjustment.Completed, after, func(d *desk, i id.ID, seen int64) error {
		if err := approve(d, approver, i, seen); err != nil {
			return err
		}
		return edit(d, as(ann, "edit"), i, 0, "90 CHF")
	})
	is("an edit of a version that is gone", fault.CodeStale, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		if err := edit(d, as(ann, "edit"), i, seen, "41 CHF"); err != nil {
			return err
		}
		return edit(d, as(ann, "edit"), i, seen, "42 CHF")
	})
	is("an edit by who may not", adjustment.CodeNotAllowed, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		return edit(d, as(cleo, "approve"), i, seen, "41 CHF")
	})
	is("an edit above the editor's limit", adjustment.CodeAboveLimit, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		return edit(d, as(ann, "edit"), i, seen, "101 CHF")
	})
	is("who edited it approves", adjustment.CodeSamePerson, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		if err := edit(d, as(bob, "edit", "approve"), i, seen, "30 CHF"); err != nil {
			return err
		}
		return approve(d, approver, i, seen+1)
	})
	is("who edited it before somebody else did approves", adjustment.CodeSamePerson, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		if err := edit(d, as(bob, "edit"), i, seen, "30 CHF"); err != nil {
			return err
		}
		if err := edit(d, as(ann, "edit"), i, seen+1, "31 CHF"); err != nil {
			return err
		}
		return approve(d, approver, i, seen+2)
	})
	is("who asked approves what another edited", adjustment.CodeSamePerson, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		if err := edit(d, as(cleo, "edit"), i, seen, "30 CHF"); err != nil {
			return err
		}
		return approve(d, as(ann, "approve"), i, seen+1)
	})
	is("an edit that changes nothing makes nobody an editor", "", adjustment.Completed, after, func(d *desk, i id.ID, seen int64) error {
		if err := edit(d, as(bob, "edit"), i, seen, "40.0 CHF"); err != nil {
			return err
		}
		return approve(d, approver, i, seen)
	})
	is("an adjustment of another service provider", fault.CodeNotFound, adjustment.Pending, before, func(d *desk, i id.ID, seen int64) error {
		return approve(d, scope.With(context.Background(), scope.Grant(2, bob, scope.Claims{ApproveAdjustments: true})), i, seen)
	})
	each(t, func(d *desk) {
		for _, c := range rows {
			d.policy(limits)
			i, v := d.asks(as(ann), "40 CHF")
			_, seen := d.see(i)
			if v.Status != adjustment.Pending {
				d.Fatalf("%s: %+v", c.name, v)
			}
			if err := c.do(d, i, seen); c.code == "" && err != nil || c.code != "" && (err == nil || fault.From(err).Code != c.code) {
				d.Errorf("%s: %v, want %q", c.name, err, c.code)
			}
			if v, _ := d.see(i); v.Status != c.ends || d.holds() != c.held {
				d.Errorf("%s: %s, and the line holds %s", c.name, v.Status, d.holds())
			}
			d.reset(i)
		}
	})
}

// reset takes back what was given, and what waits.
func (d *desk) reset(i id.ID) {
	d.Helper()
	v, _ := d.see(i)
	if v.Status == adjustment.Pending {
		if _, _, err := d.Adjustments.Reject(as(ann), i, 0, ""); err != nil {
			d.Fatal(err)
		}
	}
	if v.Status != adjustment.Completed {
		return
	}
	err := d.Balances.Move(d.admin, balance.Cause{Kind: "test", ID: string(i)}, balance.Movement{Bucket: v.BucketID, Amount: -v.Count, Against: balance.Adjusted})
	if err != nil {
		d.Fatal(err)
	}
}

// Whatever many people do to a request at once, it is decided once, by somebody who had no part in what was decided, and
// moves what its last edit says, or nothing.
func TestManyDecideAtOnce(t *testing.T) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			d := open(t, engine)
			d.policy(limits)
			rapid.Check(t, func(rt *rapid.T) {
				people := []scope.Actor{ann, bob, cleo, {Subject: ann.Subject, Client: "gateway"}}
				type act struct{ who, what, amount, seen int }
				acts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) act {
					return act{rapid.IntRange(0, 3).Draw(t, "who"), rapid.IntRange(0, 3).Draw(t, "what"), rapid.IntRange(1, 60).Draw(t, "amount"), rapid.IntRange(0, 2).Draw(t, "seen")}
				}), 2, 6).Draw(rt, "acts")
				i, _ := d.asks(as(ann), "40 CHF")
				was := d.money()
				approvals := make([]scope.Actor, len(acts))
				var wg sync.WaitGroup
				for n, a := range acts {
					wg.Go(func() {
						who, err := people[a.who], error(nil)
						switch a.what {
						case 0, 1:
							var v adjustment.Adjustment
							if _, v, err = d.Adjustments.Approve(as(who, "approve"), i, int64(a.seen), ""); err == nil && v.Status == adjustment.Completed {
								approvals[n] = who
							}
						case 2:
							_, _, err = d.Adjustments.Edit(as(who, "edit"), i, 0, func(v *adjustment.Asked) { v.Amount = quantity(fmt.Sprintf("%d CHF", a.amount)) })
						case 3:
							_, _, err = d.Adjustments.Reject(as(who, "approve"), i, 0, "")
						}
						if k := fault.KindOf(err); err != nil && !slices.Contains([]fault.Kind{fault.Conflict, fault.Forbidden, fault.Stale}, k) {
							t.Errorf("%+v: %v", a, err)
						}
					})
				}
				wg.Wait()
				v, _ := d.see(i)
				moved := d.money() - was
				switch v.Status {
				case adjustment.Completed:
					if moved != v.Count || v.DecidedBy.Subject == ann.Subject || slices.ContainsFunc(v.EditedBy, v.DecidedBy.MayBe) {
						t.Errorf("%d were moved of %d, by %s: %+v", moved, v.Count, v.DecidedBy.Subject, acts)
					}
				default:
					if moved != 0 {
						t.Errorf("%d were moved by what is %s: %+v", moved, v.Status, acts)
					}
				}
				for _, by := range approvals {
					if by.Subject != "" && (v.DecidedBy == nil || by.Subject != v.DecidedBy.Subject) {
						t.Errorf("%s was told that it is approved, and %+v decided", by.Subject, v.DecidedBy)
					}
				}
				if t.Failed() {
					rt.FailNow()
				}
				d.reset(i)
			})
			d.Balanced(d.admin, t)
		})
	}
}

func (d *desk) money() int64 {
	d.Helper()
	all, err := d.Balances.Ask(d.admin, d.line, balance.Question{})
	if err != nil {
		d.Fatal(err)
	}
	for _, s := range all {
		if s.Main {
			return s.Held
		}
	}
	return 0
}
