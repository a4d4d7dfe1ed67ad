package simulate

import (
	"context"
	"fmt"
	"math"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/party"
)

// toSell is how many lines are sold by the end of a day: a quarter at the launch, the rest over the year, with
// the ups and downs of the seasons.
func (o Options) toSell(day int) int {
	t := float64(day+1) / float64(o.Days)
	launch := 0.25 * math.Min(1, t*6)
	year := 0.75 * (t + 0.03*math.Sin(4*math.Pi*t))
	return min(int(math.Round(float64(o.Subscribers)*(launch+year))), o.Subscribers)
}

var (
	given  = []string{"Camille", "Louis", "Amelia", "Oliver", "Anna", "Jonas", "Lucía", "Mateo", "Ananya", "Arjun", "Amara", "Kofi", "Zofia", "Jakub", "Yuki", "Minh"}
	family = []string{"Martin", "Moreau", "Walker", "Hughes", "Fischer", "Weber", "García", "Ruiz", "Sharma", "Patel", "Okafor", "Mensah", "Nowak", "Popescu", "Tanaka", "Nguyen"}
)

// sell sells the lines of a day.
func (p *play) sell(ctx context.Context) error {
	n := p.o.toSell(p.day) - len(p.lines)
	if p.day == p.o.Days-1 {
		n = p.o.Subscribers - len(p.lines)
	}
	if n <= 0 {
		return nil
	}
	fresh := make([]*subscriber, n)
	for k := range fresh {
		s := &subscriber{n: len(p.lines) + k, until: p.now, next: p.now}
		s.chance = own(p.o.Seed, s.n)
		s.habit = habitOf(s.chance)
		s.plan = p.shop.choose(s.habit, s.chance)
		fresh[k] = s
	}
	orders := make(map[*subscriber]id.ID, n)
	err := together(ctx, p, fresh, 32, func(ctx context.Context, s *subscriber) (err error) {
		orders[s], err = p.buy(ctx, s)
		return err
	})
	if err != nil {
		return err
	}
	if err := p.work(ctx); err != nil {
		return err
	}
	for _, s := range fresh {
		if err := p.delivered(ctx, s, orders[s]); err != nil {
			return err
		}
	}
	p.lines = append(p.lines, fresh...)
	return nil
}

// buy opens an account for a person and orders a line.
func (p *play) buy(ctx context.Context, s *subscriber) (id.ID, error) {
	i, err := p.Accounts.OpenPrepaid(ctx, account.NewPrepaid{Individual: &party.Individual{
		GivenName: given[s.n%len(given)], FamilyName: family[s.n/len(given)%len(family)], Status: party.IndividualValidated,
		Contacts: []party.ContactMedium{{MediumType: "email", Preferred: true, Characteristic: &party.MediumCharacteristic{
			EmailAddress: fmt.Sprintf("subscriber%d@example.com", s.n),
		}}},
	}})
	if err != nil {
		return "", err
	}
	s.account = i
	o, _, err := p.Orders.Place(ctx, &order.Order{
		BillingAccount: &sid.Ref{ID: string(i)},
		Items:          []order.Item{{Action: "add", Offering: &sid.Ref{ID: string(p.shop.plans[s.plan].id)}}},
	})
	return o, err
}

// delivered notes what became of the order of a new line.
func (p *play) delivered(ctx context.Context, s *subscriber, i id.ID) error {
	o, _, err := p.Orders.Orders.Get(ctx, i)
	if err != nil {
		return err
	}
	p.report.Orders.tell("new line", o.State)
	if o.State != order.Completed {
		s.mood = gone
		return nil
	}
	s.line = id.ID(o.Items[0].Product.ID)
	p.report.Sold++
	return nil
}
