package order

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
)

// JobStep is the kind of job that takes an order on, forth or back, as far as it goes without anything from
// outside.
const JobStep = "order.step"

// Process is how a kind of item is carried out: steps in their order.
type Process []Step

// Step is one part of a process. Do and Undo run in the transaction that records them as done, so they touch
// the database only; neither may keep anything outside Work. Each is undone alone when it is refused: what it
// changes in Work it changes last.
type Step struct {
	// Name is stored with orders under way: it stays as it is while there are any.
	Name string
	// Text says what it does, for people.
	Text string
	// When leaves the step out of items that it says no to. Nil: every item has it.
	When func(v *Order, it *Item) bool
	// Choose looks for what Do will take, outside the transaction, so that orders side by side do not wait
	// for one another. Nil: nothing to choose.
	Choose func(ctx context.Context, w *Work) error
	// Do does the step, or asks another system for it and calls Wait.
	Do func(ctx context.Context, w *Work) error
	// Undo takes back what Do did, or asks for it and calls Wait. Nil: there is nothing to take back.
	Undo func(ctx context.Context, w *Work) error
	// Final is the point of no return: once it is done, the order cannot be cancelled.
	Final bool
}

// Work is what a step works on. A step changes the item; the engine stores it.
type Work struct {
	ID    id.ID
	Order *Order
	Item  *Item
	// Key names the step of this order and its direction, for those who are asked and answer later.
	Key string
	// Chosen holds what Choose found.
	Chosen map[string]id.ID
	Now    time.Time
	waits  bool
}

// Wait leaves the step open until its answer comes.
func (w *Work) Wait() { w.waits = true }

func (p Process) milestones(v *Order, it *Item) []Milestone {
	out := make([]Milestone, 0, len(p))
	for _, s := range p {
		if s.When == nil || s.When(v, it) {
			out = append(out, Milestone{Name: s.Name, Description: s.Text, Status: StepPending})
		}
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

// next is what the order waits for; nil when it waits for nothing that demarc does itself.
func (v *Order) next() *move {
	if !v.State.runs() {
		return nil
	}
	for _, it := range v.all() {
		if !it.State.Final() && len(it.Milestones) > 0 {
			return it.next()
		}
	}
	return nil
}

// next is the item's first pending step or, once it is to be taken back, the last one that was done. Nil while
// it waits for an answer, and at its end.
func (it *Item) next() *move {
	var last *Milestone
	for n := range it.Milestones {
		m := &it.Milestones[n]
		switch m.Status {
		case StepWaiting, StepUndoing:
			return nil
		case StepCompleted, StepUnanswered:
			last = m
		case StepPending:
			if it.Ends == "" {
				return &move{Item: it.ID, Step: m.Name}
			}
		}
	}
	if it.Ends != "" && last != nil {
		return &move{Item: it.ID, Step: last.Name, Back: true}
	}
	return nil
}

// waits reports whether the item waits for an answer from outside.
func (it *Item) waits() bool {
	for _, m := range it.Milestones {
		if m.Status == StepWaiting || m.Status == StepUndoing {
			return true
		}
	}
	return false
}

// all are the items of the order with those within them, each before what is within it.
func (v *Order) all() []*Item {
	var out []*Item
	var add func(items []Item)
	add = func(items []Item) {
		for n := range items {
			out = append(out, &items[n])
			add(items[n].Items)
		}
	}
	add(v.Items)
	return out
}

func (v *Order) item(i string) *Item {
	for _, it := range v.all() {
		if it.ID == i {
			return it
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

// ahead is how much sooner an order of a priority (TMF622: 0 is the highest, 4 the lowest) is due than one
// without, when many wait.
func (v *Order) ahead() time.Duration {
	if len(v.Priority) != 1 || v.Priority[0] < '0' || v.Priority[0] > '4' {
		return 0
	}
	return time.Duration('4'-v.Priority[0]) * 15 * time.Second
}

// enqueue promises the order's next move in the open transaction.
func (s *Service) enqueue(ctx context.Context, i id.ID, v *Order) error {
	m := v.next()
	if m == nil {
		return nil
	}
	m.Order = i
	return s.promise(ctx, job.Job{Kind: JobStep, Key: m.key(), RunAt: s.store.Now(ctx).Add(-v.ahead())}, i, m)
}

func (s *Service) promise(ctx context.Context, j job.Job, i id.ID, payload any) (err error) {
	if j.Payload, err = json.Marshal(payload); err != nil {
		return fault.Internalf(err, "a job cannot be written down")
	}
	home, _ := i.Home()
	_, err = s.store.Enqueue(ctx, home, j)
	return err
}

// redraws is how often a step chooses anew when others took what it chose.
const redraws = 20

// run takes an order on. A refusal by a rule fails the item and has it compensated; a failure of demarc
// itself is handed to the worker, which tries again.
func (s *Service) run(ctx context.Context, j job.Job) error {
	var m move
	if err := json.Unmarshal(j.Payload, &m); err != nil {
		return job.Permanent{Err: err}
	}
	var err error
	for range redraws {
		if err = s.advance(ctx, m, nil); err == nil || !takenMeanwhile(err) {
			break
		}
	}
	if f := fault.From(err); err != nil && f.Code == codeRedraw {
		err = s.advance(ctx, m, f)
	}
	return err
}

// codeRedraw is a number or SIM, chosen at random, that another order took first.
const codeRedraw fault.Code = "chosenMeanwhileTaken"

// takenMeanwhile reports whether another was faster: choosing again helps. Who asked for one number and no
// other gets a refusal of another kind.
func takenMeanwhile(err error) bool {
	f := fault.From(err)
	return f.Code == codeRedraw || f.Kind == fault.Stale
}

// refusal reports whether a rule said no: trying again would not help.
func refusal(err error) bool {
	switch fault.From(err).Code {
	case codeRedraw:
		return false
	case store.CodeBalanceRange: // the ledger counts no further: it never will
		return true
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound, fault.Conflict, fault.Forbidden, fault.Unsupported:
		return true
	}
	return false
}

// advance makes a move and those after it, all in one transaction with their record, until one needs something
// from outside. A move that the order does not wait for (any more) is not made. With why, the move is not made
// but fails for that reason.
func (s *Service) advance(ctx context.Context, m move, why *fault.Error) error {
	var chosen map[string]id.ID
	if !m.Back && why == nil {
		var err error
		if chosen, err = s.choose(ctx, m); err != nil && !refusal(err) {
			return err
		}
		why = fault.From(err)
	}
	return s.carry(ctx, m.Order, func(ctx context.Context, v *Order, now time.Time) error {
		w, step, ms := s.work(m, v)
		if w == nil {
			return errNotDue
		}
		if why != nil {
			v.failed(w.Item, ms, StepFailed, why, now)
			return nil //nolint:nilerr // the refusal is recorded in the order
		}
		w.Chosen, w.Now = chosen, now
		return s.step(ctx, w, step, ms, m.Back)
	})
}

// choose runs the step's choice outside of any transaction, if the step is still to be done: an order that was
// deleted before it began waits for nothing.
func (s *Service) choose(ctx context.Context, m move) (map[string]id.ID, error) {
	v, _, err := s.Orders.Get(ctx, m.Order)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	w, step, _ := s.work(m, &v)
	chosen := map[string]id.ID{}
	if w == nil || step.Choose == nil {
		return chosen, nil
	}
	w.Chosen = chosen
	return chosen, step.Choose(ctx, w)
}

// work finds what a move is about; nil when the order does not wait for it (any more).
func (s *Service) work(m move, v *Order) (*Work, Step, *Milestone) {
	due := v.next()
	if due == nil || due.Item != m.Item || due.Step != m.Step || due.Back != m.Back {
		return nil, Step{}, nil
	}
	return s.found(m, v)
}

func (s *Service) found(m move, v *Order) (*Work, Step, *Milestone) {
	it := v.item(m.Item)
	step, ok := s.processes[it.Process].step(m.Step)
	if !ok {
		return nil, Step{}, nil
	}
	return &Work{ID: m.Order, Order: v, Item: it, Key: m.key()}, step, it.milestone(m.Step)
}

// errNotDue stops a change of an order that does not wait for it: it was made already.
var errNotDue = fault.New(fault.Conflict, "stepNotDue", "the step is not due")

// carry changes an order in one transaction: first does what there is a reason for, then come the steps that
// follow without anything from outside; what then is due is promised. errNotDue from first changes nothing.
func (s *Service) carry(ctx context.Context, i id.ID, first func(ctx context.Context, v *Order, now time.Time) error) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		now, due := s.store.Now(ctx), true
		v, err := s.Orders.Change(ctx, i, func(v *Order) error {
			if err := first(ctx, v, now); err != nil {
				due = err != error(errNotDue) //nolint:errorlint // the very one, as it was given
				return err
			}
			return s.follow(ctx, i, v, now)
		})
		if !due || fault.KindOf(err) == fault.NotFound && fault.From(err).Attribute == "" && s.gone(ctx, i) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.enqueue(ctx, i, &v)
	})
}

// gone reports whether an order was deleted.
func (s *Service) gone(ctx context.Context, i id.ID) bool {
	_, err := s.Orders.Doc(ctx, i)
	return fault.KindOf(err) == fault.NotFound
}

// follow makes moves as long as they need nothing from outside.
func (s *Service) follow(ctx context.Context, i id.ID, v *Order, now time.Time) error {
	for {
		m := v.next()
		if m == nil {
			return nil
		}
		m.Order = i
		w, step, ms := s.found(*m, v)
		if w == nil || step.Choose != nil && !m.Back {
			return nil
		}
		w.Now = now
		if err := s.step(ctx, w, step, ms, m.Back); err != nil {
			return err
		}
	}
}

// step does or undoes one step and writes down how it went. A refusal fails the item; any other error is given
// back, and so is a refusal to undo.
func (s *Service) step(ctx context.Context, w *Work, step Step, ms *Milestone, back bool) error {
	act := step.Do
	if back {
		act = step.Undo
	}
	if act != nil {
		err := s.store.Write(ctx, func(ctx context.Context) error { return act(ctx, w) })
		if err != nil && (back || !refusal(err)) {
			return err
		}
		if err != nil {
			w.Order.failed(w.Item, ms, StepFailed, fault.From(err), w.Now)
			return nil
		}
	}
	switch {
	case back && w.waits:
		ms.Status = StepUndoing
	case back:
		ms.Status = StepCompensated
	case w.waits:
		ms.Status = StepWaiting
	default:
		ms.Status = StepCompleted
	}
	ms.Date = &w.Now
	w.Order.settle(w.Item, w.Now)
	return nil
}

// failed records why a step was refused; what was done before it is undone next.
func (v *Order) failed(it *Item, ms *Milestone, as MilestoneStatus, why *fault.Error, now time.Time) {
	ms.Status, ms.Date, ms.Message = as, &now, why.Message
	if it.Ends == "" {
		it.Ends = Failed
	}
	v.Errors = append(v.Errors, ErrorMessage{Code: why.Code, Reason: why.Message, Timestamp: now, Item: it.ID})
	v.settle(it, now)
}

// settle brings the states of an item and its order in step with the milestones.
func (v *Order) settle(it *Item, now time.Time) {
	state := InProgress
	switch {
	case it.next() == nil && !it.waits():
		if state = it.Ends; state == "" {
			state = Completed
		}
	case it.Ends == Cancelled:
		state = PendingCancellation
	}
	it.enter(state)
	if v.State != PendingCancellation {
		v.State = InProgress
	}
	v.close(now)
}

// enter gives an item a state, and with it what it includes.
func (it *Item) enter(state State) {
	it.State = state
	for n := range it.Items {
		if one := &it.Items[n]; len(one.Milestones) == 0 {
			one.enter(state)
		}
	}
}

// close ends an order whose items have all ended.
func (v *Order) close(now time.Time) {
	if v.State.Final() {
		return
	}
	for _, it := range v.all() {
		if !it.State.Final() && it.Action != actionNone {
			return
		}
	}
	for _, it := range v.all() {
		if !it.State.Final() {
			it.State = Completed
		}
	}
	if v.State == PendingCancellation {
		v.State, v.CancellationDate = Cancelled, &now
		return
	}
	v.State, v.CompletionDate = v.outcome(), &now
}
