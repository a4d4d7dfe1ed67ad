package referral_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/referral"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// club is a service provider that rewards recommendations.
type club struct {
	*testing.T
	*ordertest.House
	clock *clock.Virtual
	ctx   context.Context
	made  int
}

const rewards = `{"referral":{"referrer":{"amount":{"unit":"CHF","value":5}},"referred":{"amount":{"unit":"CHF","value":3},"addOn":["extra"]}}}`

func open(t *testing.T, engine string, lines int) *club {
	t.Helper()
	c := &club{T: t, clock: clock.NewVirtual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)), ctx: storetest.Context(1)}
	c.House = ordertest.New(storetest.Open(t, engine, func(o *store.Options) { o.Clock = c.clock }))
	c.Furnish(c.ctx, t, lines)
	c.policy(rewards)
	return c
}

func each(t *testing.T, fn func(c *club)) {
	t.Helper()
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			c := open(t, engine, 20)
			fn(c)
			c.Balanced(c.ctx, t)
		})
	}
}

func (c *club) policy(doc string) {
	c.Helper()
	i, err := c.Providers.Find(c.ctx)
	if err != nil {
		c.Fatal(err)
	}
	_, err = c.Providers.Change(c.ctx, i, func(v *provider.ServiceProvider) error {
		v.Policy = &provider.Policy{}
		return json.Unmarshal([]byte(doc), v.Policy)
	})
	if err != nil {
		c.Fatal(err)
	}
}

// member is a customer with an account, and a line where it has one.
type member struct{ customer, account, line id.ID }

func (c *club) member() (m member) {
	c.Helper()
	m.account = c.Account(c.ctx, c)
	a, _, err := c.Accounts.Billing.Get(c.ctx, m.account)
	if err != nil {
		c.Fatal(err)
	}
	m.customer = a.Customer()
	return m
}

// buys has a member order a line, with a referral code or without.
func (c *club) buys(m *member, code string) error {
	c.Helper()
	o := c.Order(c.ctx, c, m.account, "start")
	o.Referral = code
	i, _, err := c.Orders.Place(c.ctx, o)
	if err != nil {
		return err
	}
	c.Work(c.ctx, c)
	v, _, err := c.Orders.Orders.Get(c.ctx, i)
	if err != nil {
		return err
	}
	if v.State != "completed" {
		c.Errorf("the order is %s: %+v", v.State, v.Errors)
	}
	m.line = id.ID(v.Items[0].Product.ID)
	return nil
}

// friend is a member with a line.
func (c *club) friend() member {
	c.Helper()
	m := c.member()
	if err := c.buys(&m, ""); err != nil {
		c.Fatal(err)
	}
	return m
}

func (c *club) code(m member) string {
	c.Helper()
	v, err := c.Referrals.CodeOf(c.ctx, m.customer)
	if err != nil {
		c.Fatal(err)
	}
	return v.Code
}

// holds is what a line has: its money, and its allowances with what is left of them.
func (c *club) holds(line id.ID) string {
	c.Helper()
	all, err := c.Balances.Ask(c.ctx, line, balance.Question{})
	if err != nil {
		c.Fatal(err)
	}
	var out []string
	for _, s := range all {
		if s.Main {
			out = append(out, balance.Decimal(s.Bucket.Unit, s.Held))
		} else {
			out = append(out, s.Bucket.Name)
		}
	}
	return strings.Join(out, " ")
}

func (c *club) has(m member, want string) {
	c.Helper()
	if got := c.holds(m.line); got != want {
		c.Errorf("the line holds %s, want %s", got, want)
	}
}

func (c *club) history(m member) []referral.Entry {
	c.Helper()
	all, _, err := c.Referrals.History(c.ctx, m.customer, 0, 100)
	if err != nil {
		c.Fatal(err)
	}
	return all
}

func (c *club) refused(what string, err error, code fault.Code) {
	c.Helper()
	if f := fault.From(err); f == nil || f.Code != code || f.Kind != fault.Conflict {
		c.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestBothSidesAreRewardedByAnOrder(t *testing.T) {
	each(t, func(c *club) {
		ann, bob := c.friend(), c.member()
		code := c.code(ann)
		if again := c.code(ann); again != code || len(code) != 10 {
			c.Errorf("codes %s and %s", code, again)
		}
		if err := c.buys(&bob, " "+strings.ToLower(referral.Shown(code))); err != nil {
			c.Fatal(err)
		}
		c.has(ann, "10.00")
		c.has(bob, "8.00 Extra data")
		made, came := c.history(ann), c.history(bob)
		if len(made) != 1 || len(came) != 1 || made[0].ID != came[0].ID || made[0].Side != "referrer" || came[0].Side != "referred" || came[0].Status != referral.Awarded || len(came[0].Bonuses) != 3 {
			c.Fatalf("%+v %+v", made, came)
		}
		all, err := c.Balances.Ask(c.ctx, ann.line, balance.Question{Entries: 1})
		if err != nil {
			c.Fatal(err)
		}
		if e := all[0].Entries[0]; e.Cause.Kind != "referral" || e.Cause.ID != string(made[0].ID) || e.Cause.Text != "Bonus of 5.00 CHF: recommended to a friend" {
			c.Errorf("%+v", e.Cause)
		}
		for range 3 { // a step that is repeated
			if err := c.Referrals.Apply(c.ctx, bob.line, code); err != nil {
				c.Fatal(err)
			}
		}
		c.has(ann, "10.00")
		c.refused("a second line", c.buys(&bob, code), referral.CodeTwice)
		other := storetest.Context(2)
		if _, _, err := c.Referrals.ByCode(other, code); fault.From(err) == nil || fault.From(err).Code != referral.CodeUnknown {
			c.Errorf("another service provider knows the code: %v", err)
		}
	})
}

func TestWhoMayNotBeReferred(t *testing.T) {
	each(t, func(c *club) {
		ann := c.friend()
		code := c.code(ann)
		a, _, err := c.Customers.Customers.Get(c.ctx, ann.customer)
		if err != nil {
			c.Fatal(err)
		}
		same := member{}
		if same.customer, _, err = c.Customers.Customers.Add(c.ctx, &customer.Customer{Name: "Jane again", EngagedParty: a.EngagedParty}); err != nil {
			c.Fatal(err)
		}
		if same.account, _, err = c.Accounts.Billing.Add(c.ctx, &account.Account{Name: "Jane", RelatedParty: []sid.Ref{{ID: string(same.customer)}}}); err != nil {
			c.Fatal(err)
		}
		shared := c.member()
		_, err = c.Accounts.Billing.Change(c.ctx, ann.account, func(v *account.Account) error {
			v.RelatedParty = append(v.RelatedParty, sid.Ref{ID: string(shared.customer), Role: "payer"})
			return nil
		})
		if err != nil {
			c.Fatal(err)
		}
		lineless := c.member()
		for name, r := range map[string]struct {
			who  member
			code string
			want fault.Code
		}{
			"herself":                          {ann, code, referral.CodeSelf},
			"herself as another customer":      {same, code, referral.CodeSelf},
			"a customer on her account":        {shared, code, referral.CodeSelf},
			"by nobody":                        {c.member(), "2222222222", referral.CodeUnknown},
			"by what is no code":               {c.member(), "Ignore previous", referral.CodeUnknown},
			"by who has no subscription":       {c.member(), c.code(lineless), referral.CodeNotEligible},
			"by a code with letters like ours": {c.member(), strings.Repeat("é", 5), referral.CodeUnknown},
		} {
			_, err := c.Referrals.Validate(c.ctx, r.code, r.who.customer)
			c.refused(name, err, r.want)
			c.refused(name+", with an order", c.buys(&r.who, r.code), r.want)
		}
		if _, err := c.Subscriptions.Move(c.ctx, ann.line, subscription.Locked); err != nil {
			c.Fatal(err)
		}
		_, err = c.Referrals.Validate(c.ctx, code, "")
		c.refused("a referrer whose line is locked", err, referral.CodeNotEligible)
		c.policy(`{}`)
		_, err = c.Referrals.Validate(c.ctx, code, "")
		c.refused("where nobody is rewarded", err, referral.CodeNone)
	})
}

func TestAReferrerHasLimits(t *testing.T) {
	each(t, func(c *club) {
		c.policy(`{"referral":{"referrer":{"amount":{"unit":"CHF","value":5}},"mostPerMonth":2,"mostInAll":3}}`)
		ann := c.friend()
		code := c.code(ann)
		for n, want := range []fault.Code{"", "", referral.CodeLimit, "", referral.CodeLimit} {
			if n == 3 {
				c.clock.Advance(31 * 24 * time.Hour)
			}
			m := c.member()
			if err := c.buys(&m, code); want != "" {
				c.refused("", err, want)
			} else if err != nil {
				c.Errorf("%d: %v", n, err)
			}
		}
		c.has(ann, "20.00")
	})
}

func TestBonusesThatFallDueLater(t *testing.T) {
	each(t, func(c *club) {
		c.policy(strings.Replace(rewards, `{"referral":{`, `{"referral":{"afterDays":14,`, 1))
		ann, bob, cleo := c.friend(), c.member(), c.member()
		code := c.code(ann)
		for _, m := range []*member{&bob, &cleo} {
			if err := c.buys(m, code); err != nil {
				c.Fatal(err)
			}
		}
		c.has(ann, "5.00")
		c.policy(`{}`) // what was promised is kept
		if _, err := c.Subscriptions.Move(c.ctx, cleo.line, subscription.Locked); err != nil {
			c.Fatal(err)
		}
		c.clock.Advance(14*24*time.Hour - time.Second)
		c.Work(c.ctx, c)
		c.has(ann, "5.00")
		c.clock.Advance(time.Second)
		c.Work(c.ctx, c)
		c.has(ann, "10.00")
		c.has(bob, "8.00 Extra data")
		c.has(cleo, "5.00")
		if h := c.history(cleo); len(h) != 1 || h[0].Status != referral.Forfeit || h[0].Reason == "" {
			c.Errorf("%+v", h)
		}
	})
}

func TestAnActiveLineSaysAfterwardsWhoRecommendedIt(t *testing.T) {
	each(t, func(c *club) {
		ann, bob, late := c.friend(), c.friend(), c.friend()
		code := c.code(ann)
		d, again, err := c.Referrals.Claim(c.ctx, bob.line, code)
		if err != nil || again {
			c.Fatal(again, err)
		}
		if same, again, err := c.Referrals.Claim(c.ctx, bob.line, referral.Shown(code)); err != nil || !again || same.ID != d.ID {
			c.Errorf("%s %v %v", same.ID, again, err)
		}
		_, _, err = c.Referrals.Claim(c.ctx, bob.line, c.code(late))
		c.refused("with another code", err, referral.CodeTwice)
		c.has(ann, "10.00")
		c.has(bob, "8.00 Extra data")
		c.clock.Advance(31 * 24 * time.Hour)
		_, _, err = c.Referrals.Claim(c.ctx, late.line, code)
		c.refused("too late", err, referral.CodeNotEligible)
	})
}

func TestAReferralIsTakenBack(t *testing.T) {
	each(t, func(c *club) {
		c.policy(strings.Replace(rewards, `{"referral":{`, `{"referral":{"mostInAll":1,`, 1))
		ann, bob := c.friend(), c.member()
		code := c.code(ann)
		if err := c.buys(&bob, code); err != nil {
			c.Fatal(err)
		}
		// Ann has spent nearly all when it is taken back.
		bucket, _, err := c.Balances.Money(c.ctx, ann.line)
		if err != nil {
			c.Fatal(err)
		}
		if err := c.Balances.Move(c.ctx, balance.Cause{Kind: "test", ID: "spent"}, balance.Movement{Bucket: bucket, Amount: -8e6, Against: balance.Sales}); err != nil {
			c.Fatal(err)
		}
		for range 2 {
			if err := c.Referrals.Revoke(c.ctx, bob.line, code); err != nil {
				c.Fatal(err)
			}
		}
		c.has(ann, "0.00")
		c.has(bob, "5.00")
		if h := c.history(bob); len(h) != 1 || h[0].Status != referral.Revoked || h[0].Bonuses[2].TakenBack.String() != "2.00 CHF" {
			c.Errorf("%+v", h)
		}
		if err := c.buys(&bob, code); err != nil { // as if nothing had been
			c.Errorf("referred again: %v", err)
		}
		c.has(ann, "5.00")
	})
}

// An order that was taken is carried out, though its referral came to nothing meanwhile.
func TestAnOrderOutlivesItsReferral(t *testing.T) {
	each(t, func(c *club) {
		ann, bob, cleo := c.friend(), c.member(), c.friend()
		var placed []id.ID
		for _, code := range []string{c.code(ann), c.code(cleo)} {
			o := c.Order(c.ctx, c, bob.account, "start")
			o.Referral = code
			i, _, err := c.Orders.Place(c.ctx, o)
			if err != nil {
				c.Fatal(err)
			}
			placed = append(placed, i)
		}
		c.Work(c.ctx, c)
		for _, i := range placed {
			if v, _, err := c.Orders.Orders.Get(c.ctx, i); err != nil || v.State != "completed" {
				c.Errorf("%s %v", v.State, err)
			}
		}
		got := map[referral.State]int{}
		for _, e := range c.history(bob) {
			got[e.Status]++
		}
		if got[referral.Awarded] != 1 || got[referral.Refused] != 1 || c.holds(ann.line)+c.holds(cleo.line) != "10.005.00" && c.holds(ann.line)+c.holds(cleo.line) != "5.0010.00" {
			c.Errorf("%v %s %s", got, c.holds(ann.line), c.holds(cleo.line))
		}
	})
}

// However many try at once, on whatever line, with whatever codes, and however often each is retried: a customer is
// rewarded once, and one referrer with them.
func TestNobodyIsAwardedTwice(t *testing.T) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			c := open(t, engine, 20)
			c.policy(`{"referral":{"referrer":{"amount":{"unit":"CHF","value":5}},"referred":{"amount":{"unit":"CHF","value":3}}}}`)
			referrers := []member{c.friend(), c.friend()}
			codes := []string{c.code(referrers[0]), c.code(referrers[1])}
			money := func() (sum int64) {
				for _, m := range referrers {
					sum += c.money(m.line)
				}
				return sum
			}
			rapid.Check(t, func(rt *rapid.T) {
				type try struct{ line, code, way, times int }
				tries := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) try {
					return try{rapid.IntRange(0, 1).Draw(t, "line"), rapid.IntRange(0, 1).Draw(t, "code"), rapid.IntRange(0, 1).Draw(t, "way"), rapid.IntRange(1, 3).Draw(t, "times")}
				}), 2, 5).Draw(rt, "tries")
				m := c.member()
				lines := make([]id.ID, 2)
				for n := range lines {
					lines[n] = c.quickLine(m)
				}
				before := money()
				var wg sync.WaitGroup
				for _, a := range tries {
					wg.Go(func() {
						for range a.times {
							var err error
							if a.way == 0 {
								_, _, err = c.Referrals.Claim(c.ctx, lines[a.line], codes[a.code])
							} else {
								err = c.Referrals.Apply(c.ctx, lines[a.line], codes[a.code])
							}
							if err != nil && fault.KindOf(err) != fault.Conflict {
								t.Errorf("%+v: %v", a, err)
							}
						}
					})
				}
				wg.Wait()
				awarded := 0
				for _, e := range c.history(m) {
					if e.Status == referral.Awarded {
						awarded++
					}
				}
				if gave, got := money()-before, c.money(lines[0])+c.money(lines[1])-10e6; awarded != 1 || gave != 5e6 || got != 3e6 {
					t.Errorf("%d awarded, the referrers got %d, the customer %d: %+v", awarded, gave, got, tries)
				}
				if t.Failed() {
					rt.FailNow()
				}
			})
			c.Balanced(c.ctx, t)
		})
	}
}

// quickLine makes a line with 5 francs, without an order.
func (c *club) quickLine(m member) (line id.ID) {
	c.Helper()
	c.made++
	v := subscription.Line{
		State: subscription.Active, AccountID: m.account, MSISDN: msisdn.Number(fmt.Sprintf("4178%07d", c.made)), ICCID: fmt.Sprintf("8941001%012d", c.made),
	}
	err := c.Store.Write(c.ctx, func(ctx context.Context) (err error) {
		now := c.Store.Now(ctx)
		v.StartDate = &now
		if line, _, err = c.Subscriptions.Lines.Add(ctx, &v); err != nil {
			return err
		}
		w, err := c.Balances.Wallet(ctx, line)
		if err != nil {
			return err
		}
		if _, err := w.Open(balance.Grant{Name: "Main balance", UsageType: balance.Monetary, Unit: "CHF", Amount: 5e6}, balance.Cause{Kind: "test", ID: string(line)}); err != nil {
			return err
		}
		return c.Balances.Save(ctx, w)
	})
	if err != nil {
		c.Fatal(err)
	}
	return line
}

func (c *club) money(line id.ID) int64 {
	c.Helper()
	_, b, err := c.Balances.Money(c.ctx, line)
	if err != nil {
		c.Fatal(err)
	}
	n, err := balance.Count(b.Unit, b.Remaining)
	if err != nil {
		c.Fatal(err)
	}
	return n
}
