package order

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
)

// JobStep is the kind of job that takes an order one step on, or one step back.
const JobStep = "order.step"

// Process is how a kind of item is carried out: steps in their order.
type Process []Step

// Step is one part of a process. Do and Undo run in the transaction that records them as done, so they touch
// the database only; neither may keep anything outside Work.
type Step struct {
	// Name is stored with orders under way: it stays as it is while there are any.
	Name string
	// Text says what it does, for people.
	Text string
	// Choose looks for what Do will take, outside the transaction, so that orders side by side do not wait
	// for one another. Nil: nothing to choose.
	Choose func(ctx context.Context, w *Work) error
	Do     func(ctx context.Context, w *Work) error
	// Undo takes back what Do did. Nil: there is nothing to take back.
	Undo func(ctx context.Context, w *Work) error
}

// Work is what a step works on. A step changes the item; the engine stores it.
type Work struct {
	ID    id.ID
	Order *Order
	Item  *Item
	// Chosen holds what Choose found.
	Chosen map[string]id.ID
	Now    time.Time
}

func (p Process) milestones() []Milestone {
	out := make([]Milestone, len(p))
	for n, s := range p {
		out[n] = Milestone{Name: s.Name, Description: s.Text, Status: StepPending}
	}
	return out
}

func (p Process) step(name string) (Step, bool) {
	for _, s := range p {
		if s.Name == name {
			return s, true
		}
	}
	return Step{}, false
}

// move is what an order waits for: one step of one item, forth or back. It is the payload of a job.
type move struct {
	Order id.ID  `json:"order"`
	Item  string `json:"item"`
	Step  string `json:"step"`
	Back  bool   `json:"back,omitzero"`
}

func (m move) key() string {
	direction := "/do"
	if m.Back {
		direction = "/undo"
	}
	return string(m.Order) + "/" + m.Item + "/" + m.Step + direction
}

// next is what the order waits for; nil when it waits for nothing that demarc does.
func (v *Order) next() *move {
	if !v.State.runs() {
		return nil
	}
	for n := range v.Items {
		it := &v.Items[n]
		if it.State.Final() || len(it.Milestones) == 0 {
			continue
		}
		return it.next()
	}
	return nil
}

// next is the item's first pending step or, once a step has failed, the last completed one, to be undone.
func (it *Item) next() *move {
	failed := false
	var last *Milestone
	for n := range it.Milestones {
		m := &it.Milestones[n]
		switch m.Status {
		case StepCompleted:
			last = m
		case StepFailed:
			failed = true
		case StepPending:
			if !failed {
				return &move{Item: it.ID, Step: m.Name}
			}
		}
	}
	if failed && last != nil {
		return &move{Item: it.ID, Step: last.Name, Back: true}
	}
	return nil
}

func (v *Order) item(i string) *Item {
	for n := range v.Items {
		if v.Items[n].ID == i {
			return &v.Items[n]
		}
	}
	return nil
}

func (it *Item) milestone(name string) *Milestone {
	for n := range it.Milestones {
		if it.Milestones[n].Name == name {
			return &it.Milestones[n]
		}
	}
	return nil
}

// enqueue promises the next move in the open transaction.
func (s *Service) enqueue(ctx context.Context, i id.ID, m *move) error {
	if m == nil {
		return nil
	}
	m.Order = i
	payload, err := json.Marshal(m)
	if err != nil {
		return fault.Internalf(err, "a step cannot be written down")
	}
	home, _ := i.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{Kind: JobStep, Key: m.key(), Payload: payload})
	return err
}

// Jobs are the handlers of this package's jobs, by kind. They open their own transactions: a step that is
// refused is rolled back, and the refusal recorded in another.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{JobStep: s.run} }

// redraws is how often a step chooses anew when others took what it chose.
const redraws = 20

// run takes an order one step on. A refusal by a rule fails the item and has it compensated; a failure of
// demarc itself is handed to the worker, which tries again.
func (s *Service) run(ctx context.Context, j job.Job) error {
	var m move
	if err := json.Unmarshal(j.Payload, &m); err != nil {
		return job.Permanent{Err: err}
	}
	var err error
	for range redraws {
		if err = s.advance(ctx, m); err == nil || !takenMeanwhile(err) {
			break
		}
	}
	if err == nil || m.Back || !refusal(err) {
		return err
	}
	return s.fail(ctx, m, fault.From(err))
}

// takenMeanwhile reports whether another was faster: choosing again helps. Who asked for one number and no
// other gets a refusal of another kind.
func takenMeanwhile(err error) bool {
	f := fault.From(err)
	return f.Code == codeRedraw || f.Kind == fault.Stale
}

// refusal reports whether a rule said no: trying again would not help.
func refusal(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound, fault.Conflict, fault.Forbidden, fault.Unsupported:
		return true
	}
	return false
}

// advance does or undoes one step, records it and promises the next, all in one transaction. A step that is
// recorded already is not repeated.
func (s *Service) advance(ctx context.Context, m move) error {
	chosen, err := s.choose(ctx, m)
	if err != nil {
		return err
	}
	return s.transition(ctx, m, func(ctx context.Context, w *Work, step Step, ms *Milestone) error {
		w.Chosen = chosen
		act, done := step.Do, StepCompleted
		if m.Back {
			act, done = step.Undo, StepCompensated
		}
		if act != nil {
			if err := act(ctx, w); err != nil {
				return err
			}
		}
		ms.Status, ms.Date = done, &w.Now
		return nil
	})
}

// choose runs the step's choice outside of any transaction, if the step is still to be done.
func (s *Service) choose(ctx context.Context, m move) (map[string]id.ID, error) {
	if m.Back {
		return nil, nil
	}
	v, _, err := s.Orders.Get(ctx, m.Order)
	if err != nil {
		return nil, err
	}
	w, step, _ := s.work(m, &v)
	if w == nil || step.Choose == nil {
		return nil, nil
	}
	w.Chosen = map[string]id.ID{}
	return w.Chosen, step.Choose(ctx, w)
}

// work finds what a move is about; nil when the order does not wait for it (any more).
func (s *Service) work(m move, v *Order) (*Work, Step, *Milestone) {
	due := v.next()
	if due == nil || due.Item != m.Item || due.Step != m.Step || due.Back != m.Back {
		return nil, Step{}, nil
	}
	it := v.item(m.Item)
	step, ok := s.processes[it.Process].step(m.Step)
	if !ok {
		return nil, Step{}, nil
	}
	return &Work{ID: m.Order, Order: v, Item: it}, step, it.milestone(m.Step)
}

// transition changes an order in one transaction, settles its states and promises the next move.
func (s *Service) transition(ctx context.Context, m move, act func(context.Context, *Work, Step, *Milestone) error) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		waits := true
		now := s.store.Now(ctx)
		v, err := s.Orders.Change(ctx, m.Order, func(v *Order) error {
			w, step, ms := s.work(m, v)
			if w == nil {
				waits = false
				return errNotDue
			}
			w.Now = now
			if err := act(ctx, w, step, ms); err != nil {
				return err
			}
			v.settle(w.Item, now)
			return nil
		})
		if !waits {
			return nil
		}
		if err != nil {
			return err
		}
		return s.enqueue(ctx, m.Order, v.next())
	})
}

// errNotDue stops a change of an order that does not wait for the move: it was made already.
var errNotDue = fault.New(fault.Conflict, "stepNotDue", "the step is not due")

// settle brings the states of an item and its order in step with the milestones.
func (v *Order) settle(it *Item, now time.Time) {
	v.State = InProgress
	switch it.next() {
	case nil:
		it.State = Completed
		for _, m := range it.Milestones {
			if m.Status != StepCompleted {
				it.State = Failed
			}
		}
	default:
		it.State = InProgress
	}
	for _, other := range v.Items {
		if !other.State.Final() {
			return
		}
	}
	v.State, v.CompletionDate = v.outcome(), &now
}

// fail records why a step was refused; what was done before it is undone next.
func (s *Service) fail(ctx context.Context, m move, why *fault.Error) error {
	return s.transition(ctx, m, func(_ context.Context, w *Work, _ Step, ms *Milestone) error {
		ms.Status, ms.Date, ms.Message = StepFailed, &w.Now, why.Message
		w.Order.Errors = append(w.Order.Errors, ErrorMessage{Code: why.Code, Reason: why.Message, Timestamp: w.Now, Item: w.Item.ID})
		return nil
	})
}
