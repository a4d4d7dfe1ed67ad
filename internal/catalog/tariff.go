package catalog

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// TariffKind is the id kind of tariffs.
var TariffKind = id.Kind{Name: "tariff", Prefix: "trf"}

// Tariff is what usage costs: zones of destinations and visited networks, and a rate for each kind of usage.
// Several plans may share one. TMF620 has no such resource; a price plan refers to it as its "tariff".
type Tariff struct {
	Type string `json:"@type,omitzero"`
	// Key names the tariff at its service provider, the same wherever the file is loaded.
	Key             string          `json:"key,omitzero"`
	Name            string          `json:"name,omitzero"`
	Description     string          `json:"description,omitzero"`
	Currency        money.Currency  `json:"currency,omitzero"`
	LifecycleStatus LifecycleStatus `json:"lifecycleStatus,omitzero"`
	LastUpdate      time.Time       `json:"lastUpdate,omitzero"`
	Zones           []Zone          `json:"zone,omitzero"`
	Rates           []Rate          `json:"rate,omitzero"`
	Rest            sid.Rest        `json:",embed"`
}

// ZoneHome is the key of the zone of a tariff that holds the destinations of the own country.
const ZoneHome = "home"

// Everywhere stands in Allowance.Roaming and Rate.Roaming for every visited network.
const Everywhere = "*"

// Zone is a group of destinations, by prefix of the number called, or of visited networks, or both.
type Zone struct {
	Key  string `json:"key"`
	Name string `json:"name,omitzero"`
	// Prefixes are digits of E.164 without "+"; the longest that fits a number wins over all zones.
	Prefixes []string `json:"prefix,omitzero"`
	// Networks are mobile country codes (3 digits) or country and network codes (5 or 6), E.212; the longest wins.
	Networks []string `json:"network,omitzero"`
}

// Directions of a rate.
const (
	Outgoing = "outgoing"
	Incoming = "incoming"
)

// Rate is what one kind of usage costs. Of those that fit a record, the first in the tariff's order holds.
type Rate struct {
	Name string `json:"name"`
	// UsageType is Voice, Data or SMS.
	UsageType string `json:"usageType"`
	// Direction is Outgoing (what an empty one means) or Incoming.
	Direction string `json:"direction,omitzero"`
	// Zone is the key of the destination's zone; empty fits any.
	Zone string `json:"zone,omitzero"`
	// Roaming is the key of the visited network's zone, Everywhere any foreign network; empty: at home.
	Roaming string `json:"roaming,omitzero"`
	// From and To bound the time of day in the service provider's time zone ("22:00" to "06:00" crosses
	// midnight); To is not included. Both empty: all day. A record that crosses a bound is rated in parts.
	From string `json:"from,omitzero"`
	To   string `json:"to,omitzero"`
	// Setup is charged once for each record.
	Setup *money.Amount `json:"setup,omitzero"`
	// Price, tax included, is for Per units: seconds, bytes or messages.
	Price money.Amount `json:"price"`
	Per   int64        `json:"per"`
	// FirstStep is the least that is charged, Step what it grows by, in units: 60 and 1 charge a minute, then
	// seconds. Both are above 0 in a stored tariff: what is missing is 1 unit, and Step for FirstStep.
	FirstStep int64 `json:"firstStep,omitzero"`
	Step      int64 `json:"step,omitzero"`
	// Free is how many units at the beginning of a record cost nothing.
	Free int64 `json:"free,omitzero"`
	Tax  []Tax `json:"tax,omitzero"`
}

// Rollover lets what is left of an allowance live on when its period ends.
type Rollover struct {
	// Periods is how many further periods it lives.
	Periods int `json:"periods"`
	// Max is the most that is carried over, in the allowance's units; 0 is no bound.
	Max int64 `json:"max,omitzero"`
}

// HasZone reports whether the tariff has a zone of destinations with this key.
func (t Tariff) HasZone(key string) bool {
	return slices.ContainsFunc(t.Zones, func(z Zone) bool { return z.Key == key && len(z.Prefixes) > 0 })
}

// HasRoaming reports whether key is Everywhere or a zone of visited networks.
func (t Tariff) HasRoaming(key string) bool {
	return key == Everywhere || slices.ContainsFunc(t.Zones, func(z Zone) bool { return z.Key == key && len(z.Networks) > 0 })
}

// complete fills in what a tariff leaves out.
func (t *Tariff) complete() {
	if t.LifecycleStatus == "" {
		t.LifecycleStatus = Active
	}
	begin(&t.Type, "Tariff", &t.LifecycleStatus)
	for n := range t.Rates {
		r := &t.Rates[n]
		if r.Direction == "" {
			r.Direction = Outgoing
		}
		if r.Per == 0 && r.UsageType == SMS {
			r.Per = 1
		}
		if r.Step == 0 {
			r.Step = 1
		}
		if r.FirstStep == 0 {
			r.FirstStep = r.Step
		}
	}
}

var (
	prefixForm  = regexp.MustCompile(`^[1-9][0-9]{0,14}$`)
	networkForm = regexp.MustCompile(`^[0-9]{3}([0-9]{2,3})?$`)
	bandForm    = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
)

// check tells everything that is wrong with a complete tariff.
func (t Tariff) check() error {
	var wrong fault.Several
	named(&wrong, t.Name, t.Key, t.LifecycleStatus)
	if !t.Currency.Valid() {
		wrong.Invalidf("currency", "currency is a code of ISO 4217 such as CHF")
	}
	t.checkZones(&wrong)
	for n, r := range t.Rates {
		t.checkRate(&wrong, fmt.Sprintf("rate[%d]", n), r)
	}
	return wrong.Err()
}

// checkZones refuses two zones for one key, one prefix or one network: which of them held would be chance.
func (t Tariff) checkZones(wrong *fault.Several) {
	keys, prefixes, networks := map[string]bool{}, map[string]string{}, map[string]string{}
	for n, z := range t.Zones {
		at := fmt.Sprintf("zone[%d]", n)
		switch {
		case !keyForm.MatchString(z.Key):
			wrong.Invalidf(at+".key", "the key of a zone is made of letters, digits, - and _")
		case keys[z.Key]:
			wrong.Invalidf(at+".key", "there is a zone with the key %q already", z.Key)
		}
		keys[z.Key] = true
		if len(z.Prefixes)+len(z.Networks) == 0 {
			wrong.Invalidf(at, "a zone has prefixes of numbers, or networks, or both")
		}
		once(wrong, at+".prefix", z.Key, z.Prefixes, prefixForm, prefixes, "a prefix is 1 to 15 digits of E.164 without +, such as 41")
		once(wrong, at+".network", z.Key, z.Networks, networkForm, networks, "a network is a mobile country code of 3 digits, or one with the network's code, 5 or 6")
	}
}

// once checks the form of values and that no zone has had them yet.
func once(wrong *fault.Several, at, zone string, values []string, form *regexp.Regexp, had map[string]string, how string) {
	for m, v := range values {
		first, taken := had[v]
		switch where := fmt.Sprintf("%s[%d]", at, m); {
		case !form.MatchString(v):
			wrong.Invalidf(where, "%q is wrong: %s", v, how)
		case taken:
			wrong.Invalidf(where, "%s is in the zone %q already", v, first)
		default:
			had[v] = zone
		}
	}
}

func (t Tariff) checkRate(wrong *fault.Several, at string, r Rate) {
	if strings.TrimSpace(r.Name) == "" {
		wrong.Invalidf(at+".name", "a rate has a name: call details show it")
	}
	if unitOf[r.UsageType] == "" {
		wrong.Invalidf(at+".usageType", "usageType is voice, data or sms")
	}
	if r.Direction != Outgoing && r.Direction != Incoming {
		wrong.Invalidf(at+".direction", "direction is outgoing or incoming")
	}
	switch {
	case r.Zone != "" && (r.UsageType == Data || r.Direction == Incoming):
		wrong.Invalidf(at+".zone", "only outgoing calls and messages have a destination")
	case r.Zone != "" && !t.HasZone(r.Zone):
		wrong.Invalidf(at+".zone", "the tariff has no zone %q with prefixes", r.Zone)
	}
	if r.UsageType == Data && r.Direction == Incoming {
		wrong.Invalidf(at+".direction", "data is rated as outgoing, both ways together")
	}
	if r.Roaming != "" && !t.HasRoaming(r.Roaming) {
		wrong.Invalidf(at+".roaming", "the tariff has no zone %q with networks", r.Roaming)
	}
	for _, b := range []struct{ name, value string }{{"from", r.From}, {"to", r.To}} {
		if (r.From != "" || r.To != "") && !bandForm.MatchString(b.value) {
			wrong.Invalidf(at+"."+b.name, "from and to are times of day such as 22:00, both or neither")
		}
	}
	if r.From != "" && r.From == r.To {
		wrong.Invalidf(at+".to", "a time band that ends when it begins has nothing in it")
	}
	t.checkCost(wrong, at, r)
}

func (t Tariff) checkCost(wrong *fault.Several, at string, r Rate) {
	for _, c := range []struct {
		name string
		a    *money.Amount
	}{{"price", &r.Price}, {"setup", r.Setup}} {
		if c.a != nil && (c.a.Currency() != t.Currency || c.a.Sign() < 0) {
			wrong.Invalidf(at+"."+c.name, "%s is an amount of %s, not negative", c.name, t.Currency)
		}
	}
	for _, c := range []struct {
		name  string
		n     int64
		least int64
	}{{"per", r.Per, 1}, {"firstStep", r.FirstStep, 1}, {"step", r.Step, 1}, {"free", r.Free, 0}} {
		if c.n < c.least || c.n > maxUnits {
			wrong.Invalidf(at+"."+c.name, "%s is a number of %s, from %d to %d", c.name, unitOf[r.UsageType], c.least, int64(maxUnits))
		}
	}
	if _, err := taxRate(r.Tax); err != nil {
		wrong.Invalidf(at+".tax.taxRate", "a tax rate is a percentage such as 8.1")
	}
}

// maxUnits bounds what a rate counts by, so that sums of it stay far from the end of an int64.
const maxUnits = 1e15

func (t *Tariff) core() core {
	return core{&t.Type, &t.Key, &t.LifecycleStatus, &t.LastUpdate, &t.Rest}
}

// oneCurrency refuses to change a tariff's currency: what was rated by it would not add up.
func oneCurrency(_ context.Context, _ id.ID, prev, next *Tariff) error {
	if prev != nil && next != nil && prev.Currency != next.Currency {
		return fault.Invalidf("currency", "the currency of a tariff cannot be changed")
	}
	return nil
}
