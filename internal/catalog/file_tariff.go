package catalog

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/money"
)

// tariff reads a tariff:
//
//	key: home
//	name: Standard rates
//	zones:
//	  - {key: home, name: Switzerland, prefixes: 41}
//	  - {key: eu, name: European Union, prefixes: [33, 49], networks: [208, 262]}
//	rates:
//	  - {name: Call, type: voice, zone: home, setup: 0.05, price: 0.20, per: 1 min, firstStep: 1 min, step: 1 s}
//	  - {name: Data in Europe, type: data, roaming: eu, price: 0.10, per: 1 MB, step: 100 kB}
//	  - {name: Text at night, type: sms, price: 0.05, from: "22:00", to: "06:00"}
//
// The checks of the tariff itself are those of every tariff; their findings are told at the lines they are about.
func (r *reader) tariff(n *yaml.Node) {
	f := r.fields(n, "a tariff", "key", "name", "description", "lifecycle", "zones", "rates")
	t := Tariff{
		Key: r.key(n, f, "tariff"), Name: r.text(n, f, "name"), Description: r.optional(f, "description"),
		Currency: r.currency, LifecycleStatus: r.lifecycle(f),
	}
	before := len(r.found)
	zones, rates := r.list(f["zones"], "zones"), r.list(f["rates"], "rates")
	for _, z := range zones {
		t.Zones = append(t.Zones, r.zone(z))
	}
	for _, v := range rates {
		t.Rates = append(t.Rates, r.rate(v))
	}
	if len(rates) == 0 {
		r.bad(n, "a tariff has rates")
	}
	t.complete()
	if len(r.found) == before && r.currency.Valid() {
		r.told(t.check(), n, map[string][]*yaml.Node{"zone": zones, "rate": rates})
	}
	r.out.Tariffs = append(r.out.Tariffs, t)
}

// told puts findings at the lines of the elements that they name ("zone[3].prefix[1]").
func (r *reader) told(err error, n *yaml.Node, lists map[string][]*yaml.Node) {
	if err == nil {
		return
	}
	f := fault.From(err)
	details := f.Details
	if len(details) == 0 {
		details = []fault.Detail{{Attribute: f.Attribute, Message: f.Message}}
	}
	for _, d := range details {
		at := n
		list, rest, _ := strings.Cut(d.Attribute, "[")
		index, _, _ := strings.Cut(rest, "]")
		if i, err := strconv.Atoi(index); err == nil && i < len(lists[list]) {
			at = lists[list][i]
		}
		r.bad(at, "%s", d.Message)
	}
}

func (r *reader) zone(n *yaml.Node) Zone {
	f := r.fields(n, "a zone", "key", "name", "prefixes", "networks")
	return Zone{
		Key: r.text(n, f, "key"), Name: r.optional(f, "name"),
		Prefixes: values(r.scalars(f["prefixes"], "prefixes")), Networks: values(r.scalars(f["networks"], "networks")),
	}
}

func (r *reader) rate(n *yaml.Node) Rate {
	f := r.fields(n, "a rate", "name", "type", "direction", "zone", "roaming", "from", "to", "setup", "price", "per", "firstStep", "step", "free")
	v := Rate{
		Name: r.text(n, f, "name"), UsageType: r.text(n, f, "type"), Direction: r.optional(f, "direction"),
		Zone: r.optional(f, "zone"), Roaming: r.optional(f, "roaming"), From: r.optional(f, "from"), To: r.optional(f, "to"),
		Setup: r.money(f["setup"], "setup", false), Tax: r.taxes(),
	}
	if v.UsageType == "" {
		return v
	}
	if unitOf[v.UsageType] == "" {
		r.bad(f["type"], "type is voice, data or sms")
		return v
	}
	v.Price = money.OfMicros(0, r.currency)
	if p := r.money(f["price"], "price", false); p != nil {
		v.Price = *p
	} else if f["price"] == nil {
		r.bad(n, "price is missing; write 0 for what is free")
	}
	if f["per"] == nil && v.UsageType != SMS {
		r.bad(n, "per is missing: the price is for so much, such as %s", map[string]string{Voice: "1 min", Data: "1 MB"}[v.UsageType])
	}
	v.Per, v.FirstStep = r.units(f, "per", v.UsageType), r.units(f, "firstStep", v.UsageType)
	v.Step, v.Free = r.units(f, "step", v.UsageType), r.units(f, "free", v.UsageType)
	return v
}
