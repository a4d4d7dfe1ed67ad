package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// nest is a Write: names to add and Writes to join, in their order, and whether it fails in the end.
type nest struct {
	parts []part
	fails bool
}

type part struct {
	name  string
	inner *nest
}

func drawNest(t *rapid.T, depth int, names *int) *nest {
	n := &nest{fails: rapid.Bool().Draw(t, "fails")}
	for range rapid.IntRange(0, 3).Draw(t, "parts") {
		if depth < 4 && rapid.Bool().Draw(t, "joins") {
			n.parts = append(n.parts, part{inner: drawNest(t, depth+1, names)})
			continue
		}
		*names++
		n.parts = append(n.parts, part{name: fmt.Sprintf("n%03d", *names)})
	}
	return n
}

// kept is what the Write must leave: nothing when it fails, else its own and what its parts leave.
func (n *nest) kept() (out []string) {
	if n.fails {
		return nil
	}
	for _, p := range n.parts {
		if p.inner != nil {
			out = append(out, p.inner.kept()...)
		} else {
			out = append(out, p.name)
		}
	}
	return out
}

// run carries the Write out; it handles the failures of those it joins.
func (n *nest) run(ctx context.Context, h *house) error {
	return h.s.Write(ctx, func(ctx context.Context) error {
		for _, p := range n.parts {
			if p.inner != nil {
				_ = p.inner.run(ctx, h) // handled: its changes alone are undone
				continue
			}
			if err := h.add(ctx, p.name); err != nil {
				return err
			}
		}
		if n.fails {
			return errWanted
		}
		return nil
	})
}

func TestWritesInWritesKeepWhatDidNotFail(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var want []string
		names := 0
		rapid.Check(t, func(rt *rapid.T) {
			n := drawNest(rt, 0, &names)
			err := n.run(h.ctx, h)
			if (err != nil) != n.fails {
				rt.Fatalf("ended with %v", err)
			}
			want = append(want, n.kept()...)
			slices.Sort(want)
			page, err := h.customers.Docs(h.ctx, store.Query{})
			if err != nil {
				rt.Fatal(err)
			}
			var got []string
			for _, d := range page.Items {
				var v struct {
					Name string `json:"name"`
				}
				if err := json.Unmarshal(d.Body, &v); err != nil {
					rt.Fatal(err)
				}
				got = append(got, v.Name)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				rt.Fatalf("%d are kept, want %d", len(got), len(want))
			}
		})
	})
}

// climb is a Write of updates (nil) and Writes within it, and whether it fails in the end. It is drawn before it runs: a
// Write makes an error of a panic, by which rapid ends a draw.
type climb struct {
	steps []*climb
	fails bool
}

func drawClimb(t *rapid.T, depth int) *climb {
	c := &climb{fails: rapid.Bool().Draw(t, "fails")}
	for range rapid.IntRange(0, 3).Draw(t, "steps") {
		if depth < 3 && rapid.Bool().Draw(t, "joins") {
			c.steps = append(c.steps, drawClimb(t, depth+1))
		} else {
			c.steps = append(c.steps, nil)
		}
	}
	return c
}

// run counts a document up, and holds after each step that the transaction reads what it made of it; it gives how far it
// came.
func (c *climb) run(ctx context.Context, h *house, i id.ID, now int64) (int64, error) {
	before := now
	err := h.s.Write(ctx, func(ctx context.Context) error {
		for _, step := range c.steps {
			var err error
			if step != nil {
				now, err = step.run(ctx, h, i, now)
			} else {
				var was store.Doc
				if was, err = h.parties.Doc(ctx, i); err == nil {
					_, err = h.parties.UpdateEncoded(ctx, i, was.Version, fmt.Appendf(nil, `{"n":%d}`, now+1))
				}
				now++
			}
			if err != nil {
				return err
			}
			got, err := h.parties.Doc(ctx, i)
			if err != nil {
				return err
			}
			if string(got.Body) != fmt.Sprintf(`{"n":%d}`, now) {
				return fmt.Errorf("the transaction reads %s instead of %d", got.Body, now)
			}
		}
		if c.fails {
			return errWanted
		}
		return nil
	})
	if errors.Is(err, errWanted) {
		return before, nil // handled: its changes alone are undone
	}
	return now, err
}

func TestATransactionReadsADocumentAsItMadeIt(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		rapid.Check(t, func(rt *rapid.T) {
			var i id.ID
			err := h.s.Write(h.ctx, func(ctx context.Context) error {
				i = id.New(partyKind, 7, h.s.Now(ctx))
				_, err := h.parties.InsertEncoded(ctx, i, []byte(`{"n":0}`))
				return err
			})
			if err != nil {
				rt.Fatal(err)
			}
			now, err := drawClimb(rt, 0).run(h.ctx, h, i, 0)
			if err != nil {
				rt.Fatal(err)
			}
			if got, err := h.parties.Doc(h.ctx, i); err != nil || string(got.Body) != fmt.Sprintf(`{"n":%d}`, now) {
				rt.Fatalf("afterwards there is %s, %v instead of %d", got.Body, err, now)
			}
			err = h.s.Write(h.ctx, func(ctx context.Context) error {
				was, err := h.parties.Doc(ctx, i)
				if err != nil {
					return err
				}
				if err := h.parties.Delete(ctx, i, was.Version); err != nil {
					return err
				}
				if _, err := h.parties.Doc(ctx, i); err == nil || fault.KindOf(err) != fault.NotFound {
					return errors.Join(errors.New("the transaction finds what it deleted"), err)
				}
				return nil
			})
			if err != nil {
				rt.Fatal(err)
			}
		})
	})
}

func TestWritesAsOneShareTheirFate(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		write := func(first, within string, fails error) error {
			return h.s.Write(store.AsOne(h.ctx), func(ctx context.Context) error {
				if err := h.add(ctx, first); err != nil {
					return err
				}
				_ = h.s.Write(ctx, func(ctx context.Context) error { // handled: all of it fails all the same
					if err := h.add(ctx, within); err != nil {
						return err
					}
					return fails
				})
				return nil
			})
		}
		if err := write("one", "two", nil); err != nil {
			t.Fatal(err)
		}
		if err := write("three", "four", errWanted); !errors.Is(err, errWanted) {
			t.Errorf("what failed within was lost: %v", err)
		}
		if got := h.count(); got != 2 {
			t.Errorf("%d of both writes were kept, not the two of the first", got)
		}
	})
}
