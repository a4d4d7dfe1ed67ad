package order

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// The characteristics of a line that an item may wish for. CharDonor names the network that the number is
// brought along from: with it, the number is ported in.
const (
	CharMSISDN = "MSISDN"
	CharICCID  = "ICCID"
	CharDonor  = "DONOR_NETWORK_ID"
	charIMSI   = "IMSI"
)

// wishes checks the number and SIM that an item asks for, and writes them as they are stored.
func (p *planner) wishes(ctx context.Context, at string, it *Item) error {
	if it.Product == nil {
		return nil
	}
	it.Product.Resources = nil
	seen := map[string]bool{}
	ported := it.Product.asks(CharDonor) != ""
	for k := range it.Product.Characteristics {
		c := &it.Product.Characteristics[k]
		name := strings.ToUpper(c.Name)
		var err error
		switch {
		case name != CharMSISDN && name != CharICCID && name != CharDonor:
			continue
		case seen[name]:
			err = fault.Invalidf("", "%s is asked for twice: one item is one subscription", name)
		case name == CharDonor:
			c.Name = CharDonor
		case name == CharMSISDN && ported:
			err = p.broughtNumber(ctx, c)
		case name == CharMSISDN:
			err = p.wishedNumber(ctx, c)
		default:
			err = p.wishedSIM(ctx, c)
		}
		seen[name] = true
		if err = p.wrong.add(fmt.Sprintf("%s.product.productCharacteristic[%d].value", at, k), pathless(err)); err != nil {
			return err
		}
	}
	if ported && !seen[CharMSISDN] {
		return p.wrong.add(at+".product.productCharacteristic", fault.Invalidf("", "a number that is ported in is named: MSISDN"))
	}
	return nil
}

// pathless drops the attribute that another domain named: it is not one of the order's.
func pathless(err error) error {
	if err == nil || !refusal(err) {
		return err
	}
	return fault.From(err).At("")
}

func (p *planner) readNumber(ctx context.Context, c *sid.Characteristic) (msisdn.Number, error) {
	number, err := p.s.Subscriptions.Number(ctx, textOf(c.Value))
	if err != nil {
		return "", err
	}
	c.Name, c.Value = CharMSISDN, quoted(string(number))
	if p.asked[CharMSISDN+string(number)] {
		return "", fault.Invalidf("", "two items ask for the number %s", number.E123())
	}
	p.asked[CharMSISDN+string(number)] = true
	return number, nil
}

func (p *planner) wishedNumber(ctx context.Context, c *sid.Characteristic) error {
	number, err := p.readNumber(ctx, c)
	if err != nil {
		return err
	}
	i, err := p.s.Inventory.PickNumber(ctx, number)
	if err != nil {
		return err
	}
	r, _, err := p.s.Inventory.Numbers.Get(ctx, i)
	if err != nil || r.Status == inventory.Available {
		return err
	}
	if r.Status == inventory.Reserved && r.Holder.Is(inventory.ReservationKind) {
		held, _, err := p.s.Inventory.Reservations.Get(ctx, r.Holder)
		if err != nil {
			return err
		}
		by, err := p.s.reservers(ctx, p.v)
		if err != nil || held.For(r.Holder, by) {
			return err
		}
	}
	return fault.Conflictf(inventory.CodeTaken, "the number %s is %s", number.E123(), r.Status)
}

// broughtNumber is one that is ported in: it must be none of this operator's.
func (p *planner) broughtNumber(ctx context.Context, c *sid.Characteristic) error {
	number, err := p.readNumber(ctx, c)
	if err != nil {
		return err
	}
	if p.s.Ports == nil {
		return fault.Conflictf(CodeNoPorting, "numbers cannot be ported in: there is no way to a number portability gateway")
	}
	if _, err := p.s.Inventory.PickNumber(ctx, number); fault.KindOf(err) != fault.NotFound {
		if err == nil {
			err = fault.Conflictf(inventory.CodeTaken, "the number %s is of this operator's own pool: it is not ported in", number.E123())
		}
		return err
	}
	return nil
}

func (p *planner) wishedSIM(ctx context.Context, c *sid.Characteristic) error {
	iccid := strings.ReplaceAll(textOf(c.Value), " ", "")
	if err := inventory.CheckICCID(iccid); err != nil {
		return err
	}
	c.Name, c.Value = CharICCID, quoted(iccid)
	if p.asked[CharICCID+iccid] {
		return fault.Invalidf("", "two items ask for the SIM %s", iccid)
	}
	p.asked[CharICCID+iccid] = true
	i, err := p.s.Inventory.PickSIM(ctx, iccid)
	if err != nil {
		return err
	}
	r, _, err := p.s.Inventory.SIMs.Get(ctx, i)
	if err == nil && r.Status != inventory.Available {
		err = fault.Conflictf(inventory.CodeTaken, "the SIM %s is %s", iccid, r.Status)
	}
	return err
}

// asks is the value of a characteristic under any spelling of its name; empty when there is none.
func (p *Product) asks(name string) string {
	if p == nil {
		return ""
	}
	for _, c := range p.Characteristics {
		if strings.EqualFold(c.Name, name) {
			return textOf(c.Value)
		}
	}
	return ""
}

// set gives a characteristic its value.
func (p *Product) set(name, value string) {
	for n := range p.Characteristics {
		if p.Characteristics[n].Name == name {
			p.Characteristics[n].Value = quoted(value)
			return
		}
	}
	p.Characteristics = append(p.Characteristics, sid.Characteristic{Name: name, Value: quoted(value)})
}

func textOf(v jsontext.Value) string {
	var s string
	if v.Kind() == '"' && json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

func quoted(s string) jsontext.Value {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		return jsontext.Value(`""`)
	}
	return b
}
