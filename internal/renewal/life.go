package renewal

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// CauseKind is the kind of cause of what renewals book; its id is the line, or the add-on, and the moment that the
// renewal was due.
const CauseKind = "renewal"

// life is a line with all that its time is decided by, loaded in a transaction.
type life struct {
	s    *Service
	id   id.ID
	line subscription.Line
	// stored is the line as it was read or last stored.
	stored store.Doc
	w      *balance.Wallet
	rule   rules
	now    time.Time
	// changed says that line is to be stored, entered that its state changed since it was.
	changed, entered bool
}

// rules are what a service provider decided about the life of its lines.
type rules struct {
	zone                               *time.Location
	grace, suspended, dormant, expired int
}

func rulesOf(v provider.ServiceProvider) rules {
	p := v.Policy
	return rules{
		zone: v.Location(), grace: provider.Or(p.GraceDays, 3), suspended: provider.Or(p.SuspendedDays, 30),
		dormant: provider.Or(p.DormantDays, 90), expired: provider.Or(p.ExpiredDays, 90),
	}
}

func (s *Service) life(ctx context.Context, i id.ID) (*life, error) {
	line, stored, err := s.Subscriptions.Lines.Get(ctx, i)
	if err != nil {
		return nil, err
	}
	w, err := s.Balances.Wallet(ctx, i)
	if err != nil {
		return nil, err
	}
	w.Account = line.AccountID
	return &life{s: s, id: i, line: line, stored: stored, w: w, rule: rulesOf(w.Rules), now: s.store.Now(ctx)}, nil
}

// act is what is due at a moment.
type act uint8

// The acts, in the order in which they happen when they are due at the same moment: what a period granted ends
// before the next begins, and a plan comes before what goes with it.
const (
	nothing act = iota
	expire
	beginPlan
	renewPlan
	renewAddOn
	suspendLine
	suspendAddOn
	endAddOn
	becomeDormant
	becomeExpired
	disconnect
)

// due is one thing that a moment makes due.
type due struct {
	at   time.Time
	what act
	// product is the add-on that it is about.
	product id.ID
}

// next is what happens first to the line if nobody does anything; its act is nothing for a line to which nothing
// will.
func (l *life) next() (first due) {
	add := func(what act, at time.Time, product id.ID) {
		if first.what == nothing || at.Before(first.at) || at.Equal(first.at) && what < first.what {
			first = due{at, what, product}
		}
	}
	if l.line.State.Ended() {
		return first
	}
	if at, ok := l.w.NextExpiry(); ok {
		add(expire, at, "")
	}
	if l.line.State.Renews() {
		l.renewals(add)
	}
	l.lifecycle(add)
	return first
}

// renewals adds what is due of plan and add-ons.
func (l *life) renewals(add func(act, time.Time, id.ID)) {
	if r := l.line.Renewal; r == nil && l.line.ToBegin() {
		add(beginPlan, l.since(), "")
	} else if r != nil && r.UnpaidSince == nil {
		add(renewPlan, r.Next, "")
	} else if r != nil {
		add(suspendLine, l.graceEnd(r), "")
	}
	for _, h := range l.line.Products {
		switch r := h.Renewal; {
		case r == nil || h.Ended():
		case h.Status == subscription.HeldSuspended && r.UnpaidSince != nil:
			add(endAddOn, Days(l.graceEnd(r), l.rule.suspended, l.rule.zone), h.ID)
		case r.UnpaidSince != nil:
			add(suspendAddOn, l.graceEnd(r), h.ID)
		default:
			add(renewAddOn, r.Next, h.ID)
		}
	}
}

func (l *life) graceEnd(r *subscription.Renewal) time.Time {
	return Days(*r.UnpaidSince, l.rule.grace, l.rule.zone)
}

// lifecycle adds what is due of the line as a whole.
func (l *life) lifecycle(add func(act, time.Time, id.ID)) {
	since := l.since()
	switch l.line.State {
	case subscription.NonPaymentSuspended:
		add(becomeExpired, Days(since, l.rule.suspended, l.rule.zone), "")
	case subscription.Active:
		if l.rule.dormant > 0 {
			add(becomeDormant, Days(l.lastActivity(), l.rule.dormant, l.rule.zone), "")
		}
	case subscription.Dormant:
		add(becomeExpired, Days(since, l.rule.expired, l.rule.zone), "")
	case subscription.Expired:
		add(disconnect, Days(since, l.rule.expired, l.rule.zone), "")
	}
}

// since is when the line entered its state.
func (l *life) since() time.Time {
	if l.line.StateSince == nil {
		return l.now
	}
	return *l.line.StateSince
}

// lastActivity is when the line was last used or paid into, or became what it is.
func (l *life) lastActivity() time.Time {
	last := l.since()
	if at, ok := l.w.LastActivity(); ok && at.After(last) {
		last = at
	}
	return last
}

// active reports whether the line was used or paid into since it entered its state.
func (l *life) active() bool { return l.lastActivity().After(l.since()) }

// wants reports whether money, or use, would change where the line stands.
func wants(v subscription.Line) bool {
	switch v.State {
	case subscription.NonPaymentSuspended, subscription.NonPaymentWarned, subscription.Dormant, subscription.Expired:
		return true
	}
	if !v.State.Renews() {
		return false
	}
	if v.Renewal != nil && v.Renewal.UnpaidSince != nil {
		return true
	}
	for _, h := range v.Products {
		if h.Renewal != nil && h.Renewal.UnpaidSince != nil {
			return true
		}
	}
	return false
}

// retry is when what is unpaid is tried again next, if nobody pays before: each day of its grace.
func (l *life) retry() (first time.Time, ok bool) {
	if !l.line.State.Renews() {
		return first, false
	}
	add := func(r *subscription.Renewal) {
		if r == nil || r.UnpaidSince == nil {
			return
		}
		n := max(int(l.now.Sub(*r.UnpaidSince)/(24*time.Hour)), 0)
		at := Days(*r.UnpaidSince, n, l.rule.zone)
		for !at.After(l.now) {
			n++
			at = Days(*r.UnpaidSince, n, l.rule.zone)
		}
		if at.Before(l.graceEnd(r)) && (!ok || at.Before(first)) {
			first, ok = at, true
		}
	}
	add(l.line.Renewal)
	for _, h := range l.line.Products {
		if !h.Ended() {
			add(h.Renewal)
		}
	}
	return first, ok
}

// do does one thing that is due.
func (l *life) do(ctx context.Context, d due) error {
	switch d.what {
	case expire:
		return l.w.Expire(d.at)
	case beginPlan:
		l.line.Renewal = &subscription.Renewal{Anchor: d.at, Next: d.at}
		return l.renewPlan(ctx, d.at)
	case renewPlan:
		return l.renewPlan(ctx, d.at)
	case renewAddOn:
		return l.renewAddOn(ctx, l.line.Product(d.product), d.at)
	case suspendLine:
		return l.enter(ctx, subscription.NonPaymentSuspended, subscription.BecauseUnpaid, d.at)
	case suspendAddOn:
		l.line.Product(d.product).Status, l.changed = subscription.HeldSuspended, true
		return nil
	case endAddOn:
		return l.endAddOn(l.line.Product(d.product), balance.Cause{Kind: CauseKind, ID: causeID(d.product, d.at), Text: "Not paid"}, d.at)
	case becomeDormant:
		return l.enter(ctx, subscription.Dormant, subscription.BecauseUnused, d.at)
	case becomeExpired:
		reason := subscription.BecauseUnused
		if l.line.State == subscription.NonPaymentSuspended {
			reason = subscription.BecauseUnpaid
		}
		return l.enter(ctx, subscription.Expired, reason, d.at)
	case disconnect:
		return l.disconnect(ctx, d.at)
	}
	return nil
}

func causeID(of id.ID, at time.Time) string { return string(of) + "@" + at.UTC().Format(time.RFC3339) }

// enter brings the line to a state. Who follows the line sees every state: the one before is stored first, unless it
// was.
func (l *life) enter(ctx context.Context, to subscription.State, reason string, at time.Time) error {
	if l.entered {
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	l.line.Enter(to, reason, at)
	l.changed, l.entered = true, true
	return nil
}

// flush stores the line if it changed.
func (l *life) flush(ctx context.Context) (err error) {
	if !l.changed {
		return nil
	}
	l.stored, err = l.s.Subscriptions.Lines.Replace(ctx, l.stored, &l.line)
	l.changed, l.entered = false, false
	return err
}

// renewPlan begins the plan's next period, or notes that it cannot be paid. Of the plan that a line was made with ahead of
// its sale the first is charged and granted in full.
func (l *life) renewPlan(ctx context.Context, at time.Time) error {
	t, err := l.s.term(ctx, l.line.Offering)
	if err != nil {
		return err
	}
	t.of, t.prices = l.id, l.line.Prices
	r, paid, err := l.renew(t, l.line.Renewal, at, !l.line.ToBegin())
	if err != nil {
		return err
	}
	l.line.Renewal, l.changed = r, true
	if paid {
		l.line.PlanBegan()
	}
	switch {
	case paid && l.line.State == subscription.NonPaymentWarned:
		return l.enter(ctx, subscription.Active, subscription.BecausePaid, at)
	case !paid && l.line.State == subscription.Active && l.rule.grace > 0:
		return l.enter(ctx, subscription.NonPaymentWarned, subscription.BecauseUnpaid, at)
	}
	return nil
}

// renewAddOn begins an add-on's next period, or notes that it cannot be paid.
func (l *life) renewAddOn(ctx context.Context, h *subscription.Held, at time.Time) error {
	t, err := l.s.term(ctx, h.Offering)
	if err != nil {
		return err
	}
	t.of, t.product, t.prices = h.ID, h.ID, h.Prices
	r, paid, err := l.renew(t, h.Renewal, at, true)
	if err != nil {
		return err
	}
	h.Renewal, l.changed = r, true
	if paid {
		h.Status = subscription.HeldActive
	}
	return nil
}

// renew charges and grants a period that is due at a moment, and says how the renewal stands then. What is paid late
// is the period that runs by then: those that went by unpaid were not served. again leaves out what is charged and
// granted only once.
func (l *life) renew(t term, was *subscription.Renewal, at time.Time, again bool) (next *subscription.Renewal, paid bool, err error) {
	p, renews, err := PeriodOf(t.offering)
	if err != nil || !renews && again {
		return nil, err == nil, err // the offering costs and grants nothing any more
	}
	from, period, turn := was.Anchor, "", was.Count
	if renews {
		r := *was
		turn = l.turn(p, r, at)
		r.Count, from = turn, p.After(r.Anchor, turn, l.rule.zone)
		r.Count++
		r.Next, r.UnpaidSince = p.After(r.Anchor, r.Count, l.rule.zone), nil
		next, period = &r, " for "+l.day(from)+" to "+l.day(r.Next)
	}
	c := balance.Cause{Kind: CauseKind, ID: causeID(t.of, from), At: at}
	due, err := parts(t.prices, was.Before+turn, again)
	if err != nil {
		return nil, false, err
	}
	refused, err := l.charge(due, c, period)
	if err != nil {
		return nil, false, err
	}
	if refused != nil {
		unpaid := *was
		if unpaid.UnpaidSince == nil {
			unpaid.UnpaidSince = &at
		}
		return &unpaid, false, nil
	}
	return next, true, l.grant(t, next, c, at, again)
}

// turn is which period, counted from 0, runs at a moment when the next is due.
func (l *life) turn(p Period, r subscription.Renewal, at time.Time) int {
	n := r.Count
	for !p.After(r.Anchor, n+1, l.rule.zone).After(at) {
		n++
	}
	return n
}

func (l *life) day(t time.Time) string { return t.In(l.rule.zone).Format("2 January 2006") }

// revive tries what waits for money or use, now that there may be some: it pays what is unpaid, and brings back a line
// that was suspended, dormant or expired.
func (l *life) revive(ctx context.Context) error {
	switch l.line.State {
	case subscription.NonPaymentSuspended:
		if err := l.comeBack(ctx, subscription.BecausePaid); err != nil {
			return err
		}
	case subscription.Expired:
		if l.active() {
			if err := l.comeBack(ctx, subscription.BecauseUsed); err != nil {
				return err
			}
		}
	case subscription.Dormant:
		if l.active() {
			if err := l.enter(ctx, subscription.Active, subscription.BecauseUsed, l.lastActivity()); err != nil {
				return err
			}
		}
	}
	if !l.line.State.Renews() {
		return nil
	}
	if r := l.line.Renewal; r != nil && r.UnpaidSince != nil {
		can, err := l.payable(ctx, l.line.Offering, l.line.Prices, r, !l.line.ToBegin())
		if err == nil && can {
			err = l.renewPlan(ctx, l.now)
		}
		if err != nil {
			return err
		}
	}
	for n := range l.line.Products {
		h := &l.line.Products[n]
		if r := h.Renewal; h.Ended() || r == nil || r.UnpaidSince == nil {
			continue
		}
		can, err := l.payable(ctx, h.Offering, h.Prices, h.Renewal, true)
		if err == nil && can {
			err = l.renewAddOn(ctx, h, l.now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// comeBack has a line be active again, if it can pay what its plan costs a period that begins now.
func (l *life) comeBack(ctx context.Context, reason string) error {
	if r := l.line.Renewal; r != nil && !r.Next.After(l.now) {
		if can, err := l.payable(ctx, l.line.Offering, l.line.Prices, r, !l.line.ToBegin()); err != nil || !can {
			return err
		}
	}
	if err := l.enter(ctx, subscription.Active, reason, l.now); err != nil {
		return err
	}
	return l.flush(ctx) // it is stored with periods that begin anew
}

// payable reports whether the line could pay now what an offering costs for the period that runs; of the recurring prices
// alone, when again is set.
func (l *life) payable(ctx context.Context, of *sid.Ref, prices []subscription.Price, r *subscription.Renewal, again bool) (bool, error) {
	t, err := l.s.term(ctx, of)
	if err != nil {
		return false, err
	}
	turn := r.Count
	if p, renews, err := PeriodOf(t.offering); err != nil {
		return false, err
	} else if renews {
		turn = l.turn(p, *r, l.now)
	}
	due, err := parts(prices, r.Before+turn, again)
	if err != nil {
		return false, err
	}
	sum := int64(0)
	for _, p := range due {
		sum += p.gross
	}
	money := l.w.Money()
	return sum == 0 || money != nil && money.Spendable(l.now) >= sum, nil
}

// endAddOn ends an add-on with what is left of its allowances.
func (l *life) endAddOn(h *subscription.Held, c balance.Cause, at time.Time) error {
	h.End(at)
	l.changed = true
	return l.forfeit(c, func(b balance.Bucket) bool { return b.HeldProduct == h.ID })
}

// forfeit ends the line's buckets that are meant.
func (l *life) forfeit(c balance.Cause, meant func(balance.Bucket) bool) error {
	var all []*balance.Held
	for _, h := range l.w.Held {
		if h.Bucket.SubscriptionID == l.id && h.Bucket.Status != balance.Expired && meant(h.Bucket) {
			all = append(all, h)
		}
	}
	if c.Text == "" {
		c.Text = "Forfeited"
	}
	return l.w.Forfeit(c, all...)
}

// close ends everything that the line has: nothing is renewed any more, and whatever is left is forfeited.
func (l *life) close(c balance.Cause, at time.Time) error {
	for n := range l.line.Products {
		l.line.Products[n].End(at)
	}
	l.line.Renewal, l.changed = nil, true
	l.line.PlanBegan()
	return l.forfeit(c, func(balance.Bucket) bool { return true })
}

// disconnect ends a line that was neither paid nor used until the end: its number rests, then goes to another.
func (l *life) disconnect(ctx context.Context, at time.Time) error {
	c := balance.Cause{Kind: CauseKind, ID: causeID(l.id, at), Text: "Forfeited: the subscription ended unused", At: at}
	if err := l.close(c, at); err != nil {
		return err
	}
	if err := l.s.Inventory.Retire(ctx, l.line.Resource(inventory.NumberKind), l.line.Resource(inventory.SIMKind), l.id); err != nil {
		return err
	}
	if err := l.enter(ctx, subscription.Disconnecting, subscription.BecauseLapsed, at); err != nil {
		return err
	}
	return l.enter(ctx, subscription.Inactive, subscription.BecauseLapsed, at)
}
