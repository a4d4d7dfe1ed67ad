// Package demo makes demonstration data: believable customers with accounts and subscriptions, the same at
// every start, made through the use cases that every other client goes through. None of them is a real
// person, and the mobile numbers are of the blocks that the regulators of France and the United Kingdom keep
// for films.
package demo

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
)

var (
	//go:embed plans-happy.yaml
	happyPlans []byte
	//go:embed plans-sad.yaml
	sadPlans []byte
)

// House is what demonstration data is made with.
type House struct {
	*house.House
	// Work runs every job that is due, in the transaction of its context: orders become subscriptions.
	Work func(ctx context.Context) error
}

// Provider is a demonstration service provider and the pools that it draws from.
type Provider struct {
	SPID     int
	Name     string
	Currency money.Currency
	TimeZone string
	Country  string
	plans    []byte
	// numbers is the first of its numbers, and pool how many of them it may have.
	numbers, pool int
	sims          inventory.Batch
	// gift is the key of the add-on that a recommended customer gets.
	gift string
}

// Providers gives each service provider its country, currency and plans: those with an even number have
// SadPhone's, the others HappyPhone's. Each has numbers and SIMs of its own: those of a country share its block of
// numbers for films, in the order of their ids.
func Providers(names map[int]string) (out []Provider) {
	count := [2]int{}
	for spid := range names {
		count[country(spid)]++
	}
	nth := [2]int{}
	for _, spid := range slices.Sorted(maps.Keys(names)) {
		c := country(spid)
		p := countries()[c]
		p.SPID, p.Name = spid, names[spid]
		p.pool = min(pool, p.pool/count[c]/poolBatch*poolBatch)
		p.numbers += nth[c] * p.pool
		p.sims.First = 1 + nth[c]*simBlock
		nth[c]++
		out = append(out, p)
	}
	return out
}

// country is which of the countries a service provider is in.
func country(spid int) int { return 1 - spid&1 }

// countries are the service providers of a country, each as if it were alone there.
func countries() [2]Provider {
	return [2]Provider{
		{
			Currency: "EUR", TimeZone: "Europe/Paris", Country: "FR", plans: happyPlans, gift: "data-1", numbers: 33639980000, pool: 10_000,
			sims: inventory.Batch{Issuer: "33098", Network: "20898"},
		},
		{
			Currency: "GBP", TimeZone: "Europe/London", Country: "GB", plans: sadPlans, gift: "drip", numbers: 447700900000, pool: 1000,
			sims: inventory.Batch{Issuer: "44098", Network: "23498"},
		},
	}
}

const (
	// batch is how many customers one transaction makes. SQLite's statement journals make a transaction cost
	// the square of its length: ten are several times faster than a hundred.
	batch = 10
	// pool is how many numbers and SIMs each service provider has where the block of its country is large enough.
	pool, poolBatch = 400, 50
	// simBlock is how far the SIMs of service providers lie apart.
	simBlock = 1_000_000
	mark     = "demonstration"
)

// Load makes what is not there yet, in the scope of ctx, and says how many customers were made. Loading again
// makes nothing; loading after an interruption makes the rest. A service provider that has customers of its
// own gets none.
func (h *House) Load(ctx context.Context, p Provider, customers int) (made int, err error) {
	done, err := h.Store.Claimant(ctx, mark, "complete")
	if err != nil || done != "" {
		return 0, err
	}
	present, err := h.Customers.Customers.Docs(ctx, store.Query{Limit: 1})
	if err != nil {
		return 0, err
	}
	begun, err := h.Store.Claimant(ctx, mark, "begun")
	if err != nil || present.Total > 0 && begun == "" {
		return 0, err
	}
	if err := h.Furnish(ctx, p, p.pool); err != nil {
		return 0, err
	}
	offerings, err := h.offerings(ctx, p)
	if err != nil {
		return 0, err
	}
	for from := 0; from < customers; from += batch {
		n, err := h.batch(ctx, p, offerings, from, min(from+batch, customers))
		if err != nil {
			return made, err
		}
		made += n
	}
	if err := h.history(ctx, p); err != nil {
		return made, err
	}
	return made, h.Store.Write(ctx, func(ctx context.Context) error { return h.Store.Claim(ctx, mark, "complete", owner) })
}

// owner stands for the demonstration data as the holder of its marks.
const owner id.ID = "demo"

// Furnish makes the service provider, its catalogue, and pools for so many lines: what customers need, without any.
func (h *House) Furnish(ctx context.Context, p Provider, lines int) error {
	if err := h.base(ctx, p); err != nil {
		return err
	}
	return h.pools(ctx, p, lines)
}

// base makes the service provider, its catalogue and its pools.
func (h *House) base(ctx context.Context, p Provider) error {
	return h.Store.Write(ctx, func(ctx context.Context) error {
		if err := h.Store.Claim(ctx, mark, "begun", owner); err != nil {
			return err
		}
		found, err := h.Providers.Find(ctx)
		if err != nil {
			return err
		}
		if found == "" {
			v := provider.ServiceProvider{Name: p.Name, Currency: p.Currency, TimeZone: p.TimeZone, Country: p.Country, Policy: policy(p)}
			if _, _, err := h.Providers.Add(ctx, &v); err != nil {
				return err
			}
		}
		offerings, err := catalog.Parse(p.plans)
		if err != nil {
			return err
		}
		_, err = h.Catalog.Load(ctx, offerings)
		return err
	})
}

// policy is what a demonstration service provider decides for itself: who recommends it to a friend gets 5 of its
// currency, the friend 3 and some data, for at most ten friends a month.
func policy(p Provider) *provider.Policy {
	bonus := func(units int64, addOns ...string) *provider.ReferralBonus {
		a := money.OfMicros(units*1_000_000, p.Currency)
		return &provider.ReferralBonus{Amount: &a, AddOns: addOns}
	}
	most := 10
	return &provider.Policy{Referral: &provider.ReferralPolicy{Referrer: bonus(5), Referred: bonus(3, p.gift), MostPerMonth: &most}}
}

// pools adds the numbers and SIMs that are not there yet.
func (h *House) pools(ctx context.Context, p Provider, lines int) error {
	for from := 0; from < lines; from += poolBatch {
		if _, err := h.Inventory.AddNumbers(ctx, msisdn.Number(strconv.Itoa(p.numbers+from)), poolBatch); err != nil {
			return err
		}
		sims := p.sims
		sims.First, sims.Count = sims.First+from, poolBatch
		if _, err := h.Inventory.AddSIMs(ctx, sims); err != nil {
			return err
		}
	}
	return nil
}

// offerings are the ids of the plans.
func (h *House) offerings(ctx context.Context, p Provider) (out []id.ID, err error) {
	parsed, err := catalog.Parse(p.plans)
	if err != nil {
		return nil, err
	}
	for _, o := range parsed.Plans() {
		i, err := h.Catalog.ByKey(ctx, o.Key)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, nil
}

// batch makes some customers and carries their orders out, in one transaction.
func (h *House) batch(ctx context.Context, p Provider, offerings []id.ID, from, to int) (made int, err error) {
	name := fmt.Sprintf("customers from %d", from)
	if done, err := h.Store.Claimant(ctx, mark, name); err != nil || done != "" {
		return 0, err
	}
	err = h.Store.Write(ctx, func(ctx context.Context) error {
		made = 0
		r := rand.New(rand.NewPCG(uint64(p.SPID), uint64(from)))
		for n := from; n < to; n++ {
			if err := h.customer(ctx, r, n, p, offerings); err != nil {
				return err
			}
			made++
		}
		if err := h.Store.Claim(ctx, mark, name, owner); err != nil {
			return err
		}
		return h.Work(ctx)
	})
	return made, err
}

// customer makes a party, its customer and its prepaid account, and for most of them a subscription.
func (h *House) customer(ctx context.Context, r *rand.Rand, n int, p Provider, offerings []id.ID) error {
	i, err := h.Accounts.OpenPrepaid(ctx, person(r, n))
	if err != nil {
		return err
	}
	lines := subscriptions(r)
	if n >= p.pool*2 { // the blocks of numbers for films are small
		lines = 0
	}
	for range lines {
		if err := h.order(ctx, i, offerings[r.IntN(len(offerings))]); err != nil {
			return err
		}
	}
	return nil
}

// subscriptions is how many lines a customer has. Most have none: a line is an order of four steps, and the
// first start must not take long.
func subscriptions(r *rand.Rand) int {
	switch d := r.IntN(100); {
	case d < 76:
		return 0
	case d < 96:
		return 1
	case d < 99:
		return 2
	default:
		return 3
	}
}

func words(text string) []string { return strings.Fields(text) }
