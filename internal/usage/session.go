package usage

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/rating"
	"github.com/demarc-bss/demarc/internal/store"
)

// SessionKind is the id kind of charging sessions.
var SessionKind = id.Kind{Name: "chargingSession", Prefix: "chs"}

const (
	// CodeUserUnknown is a session of a subscriber that is none.
	CodeUserUnknown fault.Code = "userUnknown"
	// CodeDenied is a session of a line that may not use anything now.
	CodeDenied fault.Code = "endUserRequestDenied"
	// CodeSequence is an invocation that came after a later one.
	CodeSequence fault.Code = "invocationOutOfSequence"

	sessionClaim = "charging.session"
	jobSession   = "usage.session"
)

// The statuses of a session.
const (
	sessionOpen     = "open"
	sessionReleased = "released"
)

// Validity is how long a grant holds: a session that is not heard of for so long, and as long again, is released.
const Validity = 10 * time.Minute

// Session is usage that is charged while it lasts: what may be used is reserved, what was used is consumed, and the
// rest is released (TS 32.290 session based charging with unit reservation).
type Session struct {
	Type           string `json:"@type,omitzero"`
	SubscriptionID id.ID  `json:"subscriptionId"`
	Status         string `json:"status"`
	// Record is what the session is about; its quantity is not looked at.
	Record Record `json:"record"`
	// Sequence is the last invocation that was carried out, Answer what it was answered.
	Sequence int64   `json:"invocationSequenceNumber"`
	Answer   []Grant `json:"answer,omitzero"`
	Groups   []Group `json:"ratingGroup,omitzero"`
	// ValidUntil is when the last grant ends.
	ValidUntil time.Time  `json:"validUntil"`
	EndDate    *time.Time `json:"endDate,omitzero"`
	// Claim is the charging id by which its opening is known when it comes again.
	Claim string `json:"chargingId,omitzero"`
}

// Group is a rating group of a session: one kind of usage, with a usage record of its own.
type Group struct {
	RatingGroup int64           `json:"ratingGroup"`
	UsageType   string          `json:"usageType"`
	Usage       id.ID           `json:"usageId"`
	Progress    rating.Progress `json:"progress"`
	// From is until when it told what was used; Start when it began.
	From  time.Time `json:"from"`
	Start time.Time `json:"start"`
	// Charged and the rest are sums, in micros.
	Charged     int64        `json:"charged"`
	Uncollected int64        `json:"uncollected,omitzero"`
	Short       rating.Short `json:"short,omitzero"`
	Currency    string       `json:"currency,omitzero"`
	Taken       []Taken      `json:"taken,omitzero"`
	Paid        []Taken      `json:"paid,omitzero"`
	Rated       []RatedUsage `json:"rated,omitzero"`
}

// Unit is what an invocation says of a rating group.
type Unit struct {
	RatingGroup int64
	UsageType   string
	// Used was used since the last invocation; Requested is asked for, nil for nothing more.
	Used      int64
	Requested *int64
}

// Grant is what an invocation is answered for a rating group.
type Grant struct {
	RatingGroup int64  `json:"ratingGroup"`
	UsageType   string `json:"usageType"`
	// Asked says that something was asked for, and Granted how much of it may be used.
	Asked   bool  `json:"asked,omitzero"`
	Granted int64 `json:"granted"`
	// Refused is why nothing is granted: a reason of suspense, or of rating.Short.
	Refused string `json:"refused,omitzero"`
	// Final says that there will be no more.
	Final bool `json:"final,omitzero"`
}

// Opening opens a session.
type Opening struct {
	// Record says whose usage of what with whom and where; ID, when there is one, is the charging id by which the
	// opening is known when it comes again.
	Record Record
	// IMSI names the line when Record does not.
	IMSI     string
	Sequence int64
	Units    []Unit
}

// quotas are what is granted to who asks for no certain number.
var quotas = map[string]int64{rating.Voice: 300, rating.Data: 10_000_000, rating.SMS: 1}

// Open opens a session and grants what it asks for. The same opening again, known by its charging id, gives the session
// that it opened. Faults: NotFound (CodeUserUnknown), Forbidden (CodeDenied) for a line that is not served.
func (s *Service) Open(ctx context.Context, o Opening) (i id.ID, v Session, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		claim := o.Record.MSISDN + o.IMSI + "/" + o.Record.ID
		if o.Record.ID != "" {
			if i, err = s.store.Claimant(ctx, sessionClaim, claim); err != nil {
				return err
			}
			if i != "" {
				v, _, err = s.sessions.Get(ctx, i)
				return err
			}
		}
		c, err := s.charging(ctx)
		if err != nil {
			return err
		}
		if err := c.identify(ctx, &o); err != nil {
			return err
		}
		home, _ := c.line.id.Home()
		i = id.New(SessionKind, home, c.now)
		v = Session{Type: "ChargingSession", SubscriptionID: c.line.id, Status: sessionOpen, Record: o.Record, Sequence: o.Sequence}
		if o.Record.ID != "" {
			v.Claim = claim
			if err := s.store.Claim(ctx, sessionClaim, claim, i); err != nil {
				return err
			}
		}
		if err := c.invoke(ctx, &v, o.Units); err != nil {
			return err
		}
		if _, err := s.sessions.Insert(ctx, i, &v); err != nil {
			return err
		}
		return s.watch(ctx, i, v)
	})
	return i, v, err
}

// Update takes what was used and grants more. The last invocation again is answered as it was and changes nothing; an
// earlier one is a Conflict fault (CodeSequence). A session that is released, or never was, is a NotFound fault.
func (s *Service) Update(ctx context.Context, i id.ID, sequence int64, all []Unit) (v Session, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		var d store.Doc
		if v, d, err = s.sessions.Get(ctx, i); err != nil {
			return err
		}
		again, err := v.again(sequence)
		if err != nil || again {
			return err
		}
		if v.Status != sessionOpen {
			return fault.NotFoundf("the charging session %s was released", i)
		}
		c, err := s.charging(ctx)
		if err != nil {
			return err
		}
		if err := c.resume(ctx, v.SubscriptionID); err != nil {
			return err
		}
		v.Sequence = sequence
		if err := c.invoke(ctx, &v, all); err != nil {
			return err
		}
		_, err = s.sessions.Update(ctx, i, d.Version, &v)
		return err
	})
	return v, err
}

// Release takes the last of what was used, gives the rest of what was reserved back and keeps what was used as usage
// records. Releasing again changes nothing.
func (s *Service) Release(ctx context.Context, i id.ID, sequence int64, all []Unit) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		v, d, err := s.sessions.Get(ctx, i)
		if err != nil || v.Status != sessionOpen {
			return err
		}
		if again, err := v.again(sequence); err != nil || again {
			return err
		}
		v.Sequence = sequence
		return s.release(ctx, i, v, d, all)
	})
}

func (s *Service) release(ctx context.Context, i id.ID, v Session, d store.Doc, all []Unit) error {
	c, err := s.charging(ctx)
	if err != nil {
		return err
	}
	if err := c.resume(ctx, v.SubscriptionID); err != nil {
		return err
	}
	for n := range all {
		all[n].Requested = nil
	}
	v.Status, v.EndDate = sessionReleased, &c.now
	if err := c.invoke(ctx, &v, all); err != nil {
		return err
	}
	if v.Claim != "" {
		if err := s.store.Unclaim(ctx, sessionClaim, v.Claim); err != nil {
			return err
		}
	}
	if err := c.record(ctx, i, v); err != nil {
		return err
	}
	_, err = s.sessions.Update(ctx, i, d.Version, &v)
	return err
}

// again reports whether an invocation is the one that was answered last.
func (v *Session) again(sequence int64) (bool, error) {
	if sequence < v.Sequence {
		return false, fault.Conflictf(CodeSequence, "the invocation %d comes after %d", sequence, v.Sequence).At("invocationSequenceNumber")
	}
	return sequence == v.Sequence, nil
}

// watch has the session looked after when its grant has ended for as long as it held.
func (s *Service) watch(ctx context.Context, i id.ID, v Session) error {
	payload, err := json.Marshal(i)
	if err != nil {
		return fault.Internalf(err, "a job cannot be written")
	}
	home, _ := i.Home()
	due := v.ValidUntil.Add(Validity)
	_, err = s.store.Enqueue(ctx, home, job.Job{Kind: jobSession, Key: string(i) + "/" + due.Format(time.RFC3339), Payload: payload, RunAt: due})
	return err
}

// silent releases a session that nobody speaks of any more.
func (s *Service) silent(ctx context.Context, j job.Job) error {
	var i id.ID
	if err := json.Unmarshal(j.Payload, &i); err != nil {
		return job.Permanent{Err: err}
	}
	return s.store.Write(ctx, func(ctx context.Context) error {
		v, d, err := s.sessions.Get(ctx, i)
		if err != nil || v.Status != sessionOpen {
			return err
		}
		if s.store.Now(ctx).Before(v.ValidUntil.Add(Validity)) {
			return s.watch(ctx, i, v)
		}
		return s.release(ctx, i, v, d, nil)
	})
}

// charging is one invocation on its way.
type charging struct {
	batch
	line *line
}

func (s *Service) charging(ctx context.Context) (*charging, error) {
	rules, err := s.Providers.Rules(ctx)
	return &charging{batch: batch{
		Service: s, rules: rules, now: s.store.Now(ctx), lines: map[id.ID]*line{}, plans: map[id.ID]plan{},
	}}, err
}

// identify finds the line that opens a session, and holds that it may.
func (c *charging) identify(ctx context.Context, o *Opening) error {
	if o.Record.MSISDN == "" && o.IMSI != "" {
		page, err := c.Subscriptions.Lines.Docs(ctx, store.Query{NoTotal: true, Filters: []store.Filter{{
			Path: []string{"imsi"}, Op: store.Eq, Values: []string{o.IMSI}, Type: store.Text,
		}}})
		if err != nil {
			return err
		}
		for _, d := range page.Items {
			if v, _, err := c.Subscriptions.Lines.Get(ctx, d.ID); err == nil && !v.State.Ended() {
				o.Record.Subscription, o.Record.MSISDN = d.ID, string(v.MSISDN)
			}
		}
		if o.Record.Subscription == "" {
			return fault.New(fault.NotFound, CodeUserUnknown, "there is no subscription with this IMSI").At("subscriberIdentifier")
		}
	}
	if len(o.Units) > 0 {
		o.Record.UsageType = o.Units[0].UsageType
	}
	if o.Record.UsageType == "" {
		o.Record.UsageType = rating.Data
	}
	o.Record.Start, o.Record.Quantity = c.now, 0
	if err := o.Record.check(c.now, c.rules); err != nil {
		return err
	}
	e := &entry{r: o.Record}
	c.entries = []*entry{e}
	if err := c.find(ctx); err != nil {
		return err
	}
	if e.line == nil || e.line.v.State.Ended() {
		return fault.New(fault.NotFound, CodeUserUnknown, "there is no subscription with this number").At("subscriberIdentifier")
	}
	if why := c.admitted(e); why != nil {
		return fault.New(fault.Forbidden, CodeDenied, "%s", why.text).At("subscriberIdentifier")
	}
	c.line = e.line
	var err error
	if c.line.v, err = c.Subscriptions.Wake(ctx, c.line.id, c.line.v); err != nil {
		return err
	}
	return c.load(ctx, c.entries)
}

// resume loads the line of a session.
func (c *charging) resume(ctx context.Context, i id.ID) error {
	v, _, err := c.Subscriptions.Lines.Get(ctx, i)
	if err != nil {
		return err
	}
	c.line = &line{id: i, v: v}
	c.lines[i] = c.line
	return c.load(ctx, []*entry{{line: c.line}})
}

// invoke consumes and grants for every rating group, and saves the wallet.
func (c *charging) invoke(ctx context.Context, v *Session, all []Unit) error {
	v.Answer = nil
	for _, u := range all {
		g := v.group(u, c.now)
		if g.UsageType != u.UsageType {
			return fault.Invalidf("multipleUnitUsage", "the rating group %d counts %s, not %s", u.RatingGroup, g.UsageType, u.UsageType)
		}
		grant, err := c.unit(ctx, v, g, u)
		if err != nil {
			return err
		}
		v.Answer = append(v.Answer, grant)
	}
	if v.Status == sessionReleased {
		for n := range v.Groups {
			if err := c.settle(&v.Groups[n], nil); err != nil {
				return err
			}
		}
	}
	v.ValidUntil = c.now.Add(Validity)
	return c.save(ctx)
}

// group is the rating group that a unit speaks of, begun now when it is new.
func (v *Session) group(u Unit, now time.Time) *Group {
	for n := range v.Groups {
		if v.Groups[n].RatingGroup == u.RatingGroup {
			return &v.Groups[n]
		}
	}
	home, _ := v.SubscriptionID.Home()
	at := now.Truncate(time.Second)
	v.Groups = append(v.Groups, Group{RatingGroup: u.RatingGroup, UsageType: u.UsageType, Usage: id.New(Kind, home, now), From: at, Start: at})
	return &v.Groups[len(v.Groups)-1]
}

// unit consumes what a group used, and grants what it asks for.
func (c *charging) unit(ctx context.Context, v *Session, g *Group, u Unit) (Grant, error) {
	out := Grant{RatingGroup: g.RatingGroup, UsageType: g.UsageType, Asked: u.Requested != nil}
	if u.Used < 0 || u.Used > most || u.Requested != nil && (*u.Requested < 0 || *u.Requested > most) {
		return out, fault.New(fault.Invalid, CodeNegative, "units are 0 or more, and at most a petabyte").At("multipleUnitUsage")
	}
	if why, err := c.consume(ctx, v, g, u.Used); err != nil {
		return out, err
	} else if why != nil {
		out.Refused, out.Final = string(why.reason), true
		return out, c.settle(g, nil)
	}
	if u.Requested == nil {
		return out, c.settle(g, nil)
	}
	return c.grant(ctx, v, g, *u.Requested, out)
}

// rateable gives the plan that holds at a moment and the record of a group.
func (c *charging) rateable(ctx context.Context, v *Session, g *Group, from time.Time, n int64) (plan, rating.Record, error) {
	p, err := c.planAt(ctx, c.line.v, from)
	one := v.Record
	one.UsageType, one.Quantity, one.Start = g.UsageType, n, from
	if g.UsageType == rating.Data {
		one.Other, one.Direction = "", "outgoing"
	}
	r := one.rated(c.line.v.IMSI)
	r.Before, r.Lasted = g.Progress, max(c.now.Truncate(time.Second).Sub(from), 0)
	return p, r, err
}

// consume rates and charges what a group used since it was last heard of: by the plan that the line was on then, out of
// what is reserved for it first.
func (c *charging) consume(ctx context.Context, v *Session, g *Group, n int64) (*suspended, error) {
	if n == 0 {
		return nil, nil
	}
	p, r, err := c.rateable(ctx, v, g, g.From, n)
	if err != nil || p.why != nil {
		return p.why, err
	}
	f := c.held(g, p.tariff, g.From)
	got, err := p.tariff.Rate(r, f.funds, f.purse, c.rules.Location())
	if err != nil {
		return whyNot(err, p, &entry{r: v.Record}), nil
	}
	cause := balance.Cause{Kind: Kind.Name, ID: string(g.Usage), Text: v.about(g, n), At: g.From}
	var u Usage
	if err := f.consume(c.line.wallet, cause, g, &u, got); err != nil {
		return nil, err
	}
	u.tell(got, p, c.now, c.line)
	g.add(u, got, p)
	g.Progress, g.From = got.After, c.now.Truncate(time.Second)
	return nil, nil
}

// about says in words what of a group was used.
func (v *Session) about(g *Group, n int64) string {
	one := v.Record
	one.UsageType, one.Quantity = g.UsageType, n
	if g.UsageType == rating.Data {
		one.Other = ""
	}
	return one.describe()
}

// held are the funds of a group: what the line may spend, and what is reserved for the group.
func (c *charging) held(g *Group, t *rating.Tariff, at time.Time) funds {
	f := c.funds(c.line, t, g.UsageType, at)
	w := c.line.wallet
	for _, h := range w.Held {
		mine := w.Reserved(g.Usage, h)
		if h.Bucket.Monetary() && f.purse.Spend != nil { // what others have reserved they may spend
			*f.purse.Spend -= h.Reserved() - mine
		}
		if mine == 0 {
			continue
		}
		switch {
		case h.Bucket.Monetary():
			f.purse.Left += mine
			if !slices.Contains(f.money, h) {
				f.money = append([]*balance.Held{h}, f.money...)
			}
		case slices.Contains(f.held, h):
			f.funds[slices.Index(f.held, h)].Left += mine
		default:
			f.funds, f.held = append([]rating.Fund{fund(h, mine)}, f.funds...), append([]*balance.Held{h}, f.held...)
		}
	}
	return f
}

// consume moves what a result takes, out of what is reserved first.
func (f *funds) consume(w *balance.Wallet, c balance.Cause, g *Group, u *Usage, r rating.Result) error {
	for _, take := range r.Takes() {
		h := f.held[take.Fund]
		first := min(take.Units, w.Reserved(g.Usage, h))
		if err := w.Consume(c, g.Usage, h, first, 0); err != nil {
			return err
		}
		if rest := take.Units - first; rest > 0 {
			if err := w.Move(c, balance.Movement{Bucket: h.ID, Amount: -rest, Against: balance.Used}); err != nil {
				return err
			}
		}
		u.Taken = append(u.Taken, Taken{Bucket: h.ID, Name: h.Bucket.Name, Amount: take.Units, Units: h.Bucket.Unit})
	}
	gross, tax := r.Charged, r.ChargedTax
	for _, h := range f.money {
		reserved := w.Reserved(g.Usage, h)
		n := min(gross, reserved+h.Spendable(w.Now))
		if n == 0 {
			continue
		}
		part := rating.Share(tax, n, gross)
		first := min(n, reserved)
		firstTax := rating.Share(part, first, n)
		if err := w.Consume(c, g.Usage, h, first, firstTax); err != nil {
			return err
		}
		if rest := n - first; rest > 0 {
			if err := w.Charge(c, h, rest, part-firstTax, true); err != nil {
				return err
			}
		}
		gross, tax = gross-n, tax-part
		u.Paid = append(u.Paid, Taken{Bucket: h.ID, Name: h.Bucket.Name, Amount: n, Tax: part, Units: h.Bucket.Unit})
	}
	return nil
}

// add sums what was consumed into the group.
func (g *Group) add(u Usage, r rating.Result, p plan) {
	g.Charged += r.Charged
	g.Uncollected += r.Uncollected()
	if r.Short != "" {
		g.Short = r.Short
	}
	g.Currency = string(p.tariff.Currency())
	g.Taken, g.Paid = sum(g.Taken, u.Taken), sum(g.Paid, u.Paid)
	for _, one := range u.Rated {
		if one.Units == 0 {
			continue // what was paid ahead paid for it
		}
		last := len(g.Rated) - 1
		if last < 0 || g.Rated[last].Rate != one.Rate || g.Rated[last].Product.Name != one.Product.Name {
			g.Rated = append(g.Rated, one)
			continue
		}
		l := &g.Rated[last]
		l.Units, l.Included, l.Free = l.Units+one.Units, l.Included+one.Included, l.Free+one.Free
		l.TaxIncluded, l.TaxExcluded = plus(l.TaxIncluded, one.TaxIncluded), plus(l.TaxExcluded, one.TaxExcluded)
		if l.Tag != one.Tag {
			l.Tag = TagNotIncluded
		}
	}
}

func plus(a, b *money.Amount) *money.Amount {
	s := money.OfMicros(a.Micros()+b.Micros(), a.Currency())
	return &s
}

func sum(all, more []Taken) []Taken {
	for _, t := range more {
		n := slices.IndexFunc(all, func(o Taken) bool { return o.Bucket == t.Bucket })
		if n < 0 {
			all = append(all, t)
			continue
		}
		all[n].Amount += t.Amount
		all[n].Tax += t.Tax
	}
	return all
}

// grant reserves as much of what is asked for as can be paid for.
func (c *charging) grant(ctx context.Context, v *Session, g *Group, asked int64, out Grant) (Grant, error) {
	if asked == 0 {
		asked = quotas[g.UsageType]
	}
	refuse := func(why string) (Grant, error) {
		out.Refused, out.Final = why, true
		return out, c.settle(g, nil)
	}
	if !served(c.line.v, c.now) {
		return refuse(string(LineNotActive))
	}
	from := c.now.Truncate(time.Second)
	p, r, err := c.rateable(ctx, v, g, from, asked)
	if err != nil {
		return out, err
	}
	if p.why != nil {
		return refuse(string(p.why.reason))
	}
	r.Lasted = 0
	f := c.held(g, p.tariff, from)
	n, got, err := p.tariff.Grant(r, f.funds, f.purse, c.rules.Location())
	if err != nil {
		return refuse(string(whyNot(err, p, &entry{r: v.Record}).reason))
	}
	if n == 0 {
		why := rating.ShortOfMoney
		if f.purse.Spend != nil && *f.purse.Spend < f.purse.Left {
			why = rating.ShortOfLimit
		}
		return refuse(string(why))
	}
	want := map[*balance.Held]int64{}
	for _, take := range got.Takes() {
		want[f.held[take.Fund]] += take.Units
	}
	due := got.Charged
	for _, h := range f.money {
		one := min(due, c.line.wallet.Reserved(g.Usage, h)+h.Spendable(c.now))
		want[h] += one
		due -= one
	}
	out.Granted, out.Final = n, n < asked
	return out, c.settle(g, want)
}

// settle brings what is reserved for a group to what is wanted: nothing, when that is nil.
func (c *charging) settle(g *Group, want map[*balance.Held]int64) error {
	w := c.line.wallet
	cause := balance.Cause{Kind: Kind.Name, ID: string(g.Usage), Text: "Reserved for " + g.UsageType}
	for _, h := range w.Held {
		var err error
		switch has := w.Reserved(g.Usage, h); {
		case want[h] > has:
			err = w.Reserve(cause, g.Usage, h, want[h]-has)
		case want[h] < has:
			cause.Text = "Released by " + g.UsageType
			err = w.Release(cause, g.Usage, h, has-want[h])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// record keeps what a released session used as usage records.
func (c *charging) record(ctx context.Context, i id.ID, v Session) error {
	var drafts []store.Draft
	for n := range v.Groups {
		g := &v.Groups[n]
		if g.Progress.Used == 0 {
			continue
		}
		u := v.usage(g)
		u.Session = string(i)
		if h := c.line.wallet.Money(); h != nil {
			left := money.OfMicros(h.Left, money.Currency(h.Bucket.Unit))
			u.Balance = &left
		}
		body, err := json.Marshal(&u, json.Deterministic(true))
		if err != nil {
			return fault.Internalf(err, "a usage cannot be written")
		}
		drafts = append(drafts, store.Draft{ID: g.Usage, Body: body})
	}
	if len(drafts) == 0 {
		return nil
	}
	docs, err := c.Usages.InsertMany(ctx, drafts)
	for _, d := range docs {
		if err == nil {
			err = c.emit(ctx, event.Create, d)
		}
	}
	return err
}

// usage is what a group used, as a usage record.
func (v *Session) usage(g *Group) Usage {
	one := v.Record
	one.UsageType, one.Quantity, one.Start = g.UsageType, g.Progress.Used, g.Start
	if g.UsageType == rating.Data {
		one.Other, one.Duration = "", int64(g.From.Sub(g.Start)/time.Second)
	}
	charged := money.OfMicros(g.Charged, money.Currency(g.Currency))
	u := Usage{
		Type: "Usage", Description: one.describe(), UsageDate: g.Start, UsageType: g.UsageType, Status: Rated,
		Characteristics: one.characteristics(), Rated: g.Rated, SubscriptionID: v.SubscriptionID, Charged: &charged,
		Taken: g.Taken, Paid: g.Paid, Ratings: 1,
	}
	if g.Uncollected > 0 {
		over := money.OfMicros(g.Uncollected, money.Currency(g.Currency))
		u.Uncollected, u.UncollectedReason = &over, g.Short
	}
	return u
}
