package order

import (
	"context"
	"slices"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/renewal"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// planner checks a new order against everything that would make it fail, and plans its steps. It follows what
// each line will be on, hold and owe, item by item, so that items are checked against one another too.
type planner struct {
	s     *Service
	order id.ID
	v     *Order
	now   time.Time
	wrong refusals

	accountID id.ID
	account   account.Account
	// asked are the numbers and SIMs that items ask for.
	asked map[string]bool
	lines map[id.ID]*line
	// made are the lines that the order makes, by item.
	made map[*Item]*line
	// expects is how long it will take.
	expects time.Duration
}

// line is a line as the items so far leave it.
type line struct {
	// id is empty for one that the order makes; nth counts those that are there in the order of the items.
	id     id.ID
	nth    int
	was    subscription.Line
	at     string
	plan   id.ID
	held   []heldProduct
	due    int64
	ceased bool
	// bare is a line without a plan: it was blocked.
	bare bool
	// asleep is a line made ahead of its sale that nobody used yet: what is ordered for it sells it.
	asleep  bool
	opening int64
}

type heldProduct struct{ id, offering id.ID }

func (l *line) offerings() []id.ID {
	out := make([]id.ID, len(l.held))
	for n, h := range l.held {
		out[n] = h.offering
	}
	return out
}

// planned plans every item that demarc carries out, or says what is wrong with all of them.
func (s *Service) planned(ctx context.Context, i id.ID, v *Order, now time.Time) error {
	p := &planner{s: s, order: i, v: v, now: now, asked: map[string]bool{}, lines: map[id.ID]*line{}, made: map[*Item]*line{}}
	if err := p.wrong.add("relatedParty", s.known(ctx, nil, v)); err != nil {
		return err
	}
	if err := p.fromCart(ctx); err != nil {
		return err
	}
	if err := p.payer(ctx); err != nil {
		return err
	}
	if err := p.items(ctx); err != nil {
		return err
	}
	if err := p.extras(ctx); err != nil {
		return err
	}
	if err := p.money(ctx); err != nil {
		return err
	}
	if err := p.wrong.err(); err != nil {
		return err
	}
	return p.finish(ctx)
}

// ours reports whether anything in the order is demarc's to carry out.
func (p *planner) ours() bool {
	return slices.ContainsFunc(p.v.all(), func(it *Item) bool { return it.ours() })
}

// ours reports whether the item names anything of demarc's own.
func (it *Item) ours() bool {
	return refTo(it.Offering, catalog.Kind) != "" || it.Product != nil &&
		(id.ID(it.Product.ID).Is(subscription.Kind) || id.ID(it.Product.ID).Is(subscription.HeldKind))
}

func (p *planner) payer(ctx context.Context) (err error) {
	if !p.ours() {
		return nil
	}
	if p.accountID, p.account, err = p.s.payer(ctx, p.v); err == nil && p.accountID != "" {
		err = p.s.mayOrder(ctx, p.account)
	}
	return p.wrong.add("billingAccount", err)
}

// belongs holds that a line is one of the account that the order is for.
func (p *planner) belongs(ctx context.Context, at string, l subscription.Line) error {
	if p.v.BillingAccount == nil || p.v.BillingAccount.ID == "" {
		p.v.BillingAccount = &sid.Ref{ID: string(l.AccountID)}
		return p.payer(ctx)
	}
	if p.v.BillingAccount.ID == string(l.AccountID) {
		return nil
	}
	return p.wrong.add(at, fault.Conflictf(CodeOtherAccount, "the subscription belongs to another account than the order"))
}

// visitable is an item with where it stands.
type visitable struct {
	at         string
	it, parent *Item
}

func (p *planner) items(ctx context.Context) error {
	var all []visitable
	each(p.v.Items, "", func(at string, _ int, it, parent *Item) { all = append(all, visitable{at, it, parent}) })
	for _, o := range all {
		if !o.it.ours() && (o.parent == nil || o.parent.Process == "" || o.it.Offering != nil) {
			continue
		}
		if err := p.item(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// item finds out what is asked for.
func (p *planner) item(ctx context.Context, at visitable) error {
	it := at.it
	if it.Action == actionNone {
		return nil
	}
	o, ok, err := p.offering(ctx, at)
	if err != nil || !ok {
		return err
	}
	if at.parent != nil && p.made[at.parent] != nil {
		return p.included(ctx, at, o)
	}
	lineID, held, err := p.target(ctx, at)
	if err != nil || lineID == "" && held != "" {
		return err
	}
	switch {
	case it.Action == actionDelete:
		return p.removal(ctx, at, lineID, held, o)
	case it.Action == actionModify:
		return p.modification(ctx, at, lineID, o)
	case o == nil:
		return p.wrong.add(at.at+".productOffering", fault.Invalidf("", "productOffering.id is mandatory: what is ordered"))
	case o.OfferingType == catalog.PricePlan && lineID == "":
		return p.provide(ctx, at, o)
	case o.OfferingType == catalog.PricePlan:
		return p.changePlan(ctx, at, lineID, o)
	case sellable(o):
		return p.addition(ctx, at, lineID, o)
	}
	return p.wrong.add(at.at+".productOffering", fault.Conflictf(CodePlanMismatch, "%s is nothing that demarc can provide: its offeringType is %q", o.Name, o.OfferingType))
}

// offer is an offering with its id.
type offer struct {
	catalog.Offering
	id id.ID
}

// sellable reports whether the offering goes onto a line, or over the counter.
func sellable(o *offer) bool { return o.AddOn() || o.goods() }

// goods are sold once and held by nobody.
func (o *offer) goods() bool {
	return o.OfferingType == catalog.SIMCard || o.OfferingType == catalog.Device
}

// offering reads the item's offering (nil: it names none); ok is false when that is refused already.
func (p *planner) offering(ctx context.Context, at visitable) (o *offer, ok bool, err error) {
	i := refTo(at.it.Offering, catalog.Kind)
	if i == "" {
		return nil, true, nil
	}
	where := at.at + ".productOffering.id"
	v, err := p.s.Catalog.Offering(ctx, i)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return nil, false, p.wrong.add(where, fault.Invalidf("", "there is no product offering %s", i))
	}
	if err != nil {
		return nil, false, err
	}
	if at.it.Offering.Name == "" {
		at.it.Offering.Name = v.Name
	}
	if at.it.Action == actionDelete {
		return &offer{v, i}, true, nil
	}
	if err := v.Sellable(p.now); err != nil {
		return nil, false, p.wrong.add(at.at+".productOffering", pathless(err))
	}
	return &offer{v, i}, true, nil
}

// target is the line that an item names, or the line of the item that it belongs to, and the product on it that
// it names.
func (p *planner) target(ctx context.Context, at visitable) (lineID, held id.ID, err error) {
	named := id.ID("")
	if at.it.Product != nil {
		named = id.ID(at.it.Product.ID)
	}
	parent := id.ID("")
	if at.parent != nil && at.parent.Product != nil && id.ID(at.parent.Product.ID).Is(subscription.Kind) {
		parent = id.ID(at.parent.Product.ID)
	}
	switch {
	case named.Is(subscription.HeldKind):
		lineID, err = p.holder(ctx, named, parent)
		if err == nil && lineID == "" {
			err = fault.Invalidf("", "there is no product %s", named)
		}
		return lineID, named, p.wrong.add(at.at+".product.id", err)
	case named.Is(subscription.Kind):
		return named, "", nil
	case named != "":
		return "", named, p.wrong.add(at.at+".product.id", fault.Invalidf("", "there is no product %s", named))
	}
	return parent, "", nil
}

// holder is the line that holds a product: the given one, or one of the order's account.
func (p *planner) holder(ctx context.Context, product, within id.ID) (id.ID, error) {
	if within != "" || p.accountID == "" {
		return within, nil
	}
	page, err := p.s.Subscriptions.Lines.Docs(ctx, store.Query{NoTotal: true, Filters: []store.Filter{{
		Path: []string{"accountId"}, Op: store.Eq, Values: []string{string(p.accountID)}, Type: store.Text,
	}}})
	if err != nil {
		return "", err
	}
	for _, d := range page.Items {
		v, _, err := p.s.Subscriptions.Lines.Get(ctx, d.ID)
		if err != nil {
			return "", err
		}
		if v.Product(product) != nil {
			return d.ID, nil
		}
	}
	return "", nil
}

// line is a line that is there, as the items so far leave it; nil when it is refused already.
func (p *planner) line(ctx context.Context, at string, i id.ID) (*line, error) {
	if l := p.lines[i]; l != nil {
		return l, nil
	}
	v, _, err := p.s.Subscriptions.Lines.Get(ctx, i)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return nil, p.wrong.add(at+".product.id", fault.Invalidf("", "there is no subscription %s", i))
	}
	if err != nil {
		return nil, err
	}
	if err := p.belongs(ctx, at+".product.id", v); err != nil {
		return nil, err
	}
	l := &line{id: i, nth: len(p.lines), was: v, at: at, bare: v.StateReason == subscription.BecauseBlocked, asleep: v.State == subscription.Available}
	if v.Offering != nil {
		l.plan = id.ID(v.Offering.ID)
	}
	for _, h := range v.Products {
		if !h.Ended() && h.Offering != nil {
			l.held = append(l.held, heldProduct{h.ID, id.ID(h.Offering.ID)})
		}
	}
	p.lines[i] = l
	return l, nil
}

// may refuses what the state of a line does not allow.
func (l *line) may(what string, allowed ...subscription.State) error {
	if l.ceased {
		return fault.Conflictf(CodeLineState, "the order ends the subscription before that")
	}
	if slices.Contains(allowed, l.was.State) {
		return nil
	}
	if l.was.State == subscription.Available {
		return fault.Conflictf(CodeLineState, "the subscription is AVAILABLE, made ahead of its sale and not sold yet: %s before its first use, or its first order of a price plan or an add-on", what)
	}
	return fault.Conflictf(CodeLineState, "the subscription is %s: %s", l.was.State.Name(), what)
}

// The states in which a line can be given something, changed, and ended; what is given to one that is available sells it.
var (
	sellableTo = append(slices.Clone(usable), subscription.Available)
	usable     = []subscription.State{
		subscription.Active, subscription.Dormant, subscription.NonPaymentWarned, subscription.PromiseToPay, subscription.InArrears,
	}
	changeable = append(slices.Clone(usable), subscription.Suspended, subscription.Locked, subscription.NonPaymentSuspended,
		subscription.InCollection, subscription.Expired)
)

// does gives an item its process, its product and its price.
func (p *planner) does(at visitable, process string, l *line, o *offer) error {
	it := at.it
	it.Process = process
	if it.Product == nil {
		it.Product = &Product{}
	}
	if l != nil && l.id != "" {
		it.Product.ID = string(l.id) // what it holds, when that was named, is in Held
		it.Was = l.was.State
	}
	if o != nil && it.Action != actionDelete {
		return p.price(at.at, it, l, o)
	}
	return nil
}

// price writes what an item costs, and adds the first charges to what its line owes.
func (p *planner) price(at string, it *Item, l *line, o *offer) (err error) {
	if it.Prices, err = subscription.PricesOf(o.Offering); err != nil {
		return err
	}
	if _, _, err := renewal.PeriodOf(o.Offering); err != nil {
		return p.wrong.add(at+".productOffering", err)
	}
	charges, err := o.FirstCharges()
	if err != nil {
		return err
	}
	for range max(it.Quantity, 1) {
		for _, c := range charges {
			l.due += c.Gross.Micros()
		}
	}
	return nil
}

// quantity refuses to order several of what a line can have once.
func (p *planner) quantity(at visitable, o *offer) error {
	if at.it.Quantity <= 1 || o.OfferingType == catalog.BoltOn || o.OfferingType == catalog.Device {
		return nil
	}
	text := "a subscription has %s once"
	if o.OfferingType == catalog.PricePlan {
		text = "one item is one subscription; order several lines on %s as several items"
	}
	return p.wrong.add(at.at+".quantity", fault.Invalidf("", text, o.Name))
}
