package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/govalues/decimal"
	"gopkg.in/yaml.v3"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/money"
)

// CodeFile is a price plan file with a mistake in it.
const CodeFile fault.Code = "pricePlanFile"

// Parse reads a file of price plans:
//
//	currency: CHF          # of all amounts
//	taxRate: 8.1           # percent, contained in all prices
//	plans:
//	  - key: start         # stays the same for ever; letters, digits, - and _
//	    name: Start
//	    description: Pay as you go
//	    paidType: prepaid  # or postpaid
//	    price: 9.90        # a month, tax included; the first month is charged when the line begins
//	    oneTimePrice: 0    # once, tax included
//	    openingBalance: 15
//	    bundles:
//	      - {name: Welcome data, type: data, amount: 5 GB, validityDays: 30}
//	      - {name: Talk, type: voice, amount: 100 min, validityDays: 30}
//	      - {name: Texts, type: sms, amount: 50, validityDays: 30}
//
// Data is counted in kB, MB, GB (powers of 1,000) or KiB, MiB, GiB (powers of 1,024), voice in s, min or h.
// A mistake is an Invalid fault (CodeFile) whose details name every line at fault, as "line 12", and the
// reason.
func Parse(file []byte) ([]Offering, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(file, &root); err != nil {
		return nil, fault.New(fault.Invalid, CodeFile, "the file is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	r := &reader{keys: map[string]int{}}
	if len(root.Content) == 0 {
		return nil, fault.New(fault.Invalid, CodeFile, "the file is empty")
	}
	out := r.file(root.Content[0])
	if len(r.found) > 0 {
		slices.SortStableFunc(r.found, func(a, b mistake) int { return a.line - b.line })
		details := make([]fault.Detail, len(r.found))
		for n, m := range r.found {
			details[n] = fault.Detail{Attribute: "line " + strconv.Itoa(m.line), Message: m.why}
		}
		e := fault.New(fault.Invalid, CodeFile, "line %d: %s", r.found[0].line, r.found[0].why).At(details[0].Attribute)
		e.Details = details
		return nil, e
	}
	return out, nil
}

type mistake struct {
	line int
	why  string
}

// reader walks the file and gathers its mistakes.
type reader struct {
	currency money.Currency
	tax      *yaml.Node
	keys     map[string]int
	found    []mistake
}

func (r *reader) bad(n *yaml.Node, format string, args ...any) {
	r.found = append(r.found, mistake{n.Line, fmt.Sprintf(format, args...)})
}

// fields gives the members of a mapping and refuses those not in allowed.
func (r *reader) fields(n *yaml.Node, what string, allowed ...string) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	if n.Kind != yaml.MappingNode {
		r.bad(n, "%s is a mapping of %s", what, strings.Join(allowed, ", "))
		return out
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !slices.Contains(allowed, key.Value) {
			r.bad(key, "%s has no %q: it has %s", what, key.Value, strings.Join(allowed, ", "))
			continue
		}
		out[key.Value] = value
	}
	return out
}

func (r *reader) file(n *yaml.Node) []Offering {
	f := r.fields(n, "the file", "currency", "taxRate", "plans")
	if c := f["currency"]; c == nil || !money.Currency(c.Value).Valid() {
		r.bad(or(f["currency"], n), "currency is a code of ISO 4217 such as CHF")
	} else {
		r.currency = money.Currency(c.Value)
	}
	if r.tax = f["taxRate"]; r.tax == nil {
		r.bad(n, "taxRate is missing; write 0 when there is no tax")
	} else if d, err := decimal.Parse(r.tax.Value); err != nil || d.IsNeg() || d.Cmp(decimal.MustNew(100, 0)) > 0 {
		r.bad(r.tax, "taxRate is a percentage from 0 to 100")
	}
	plans := f["plans"]
	if plans == nil || plans.Kind != yaml.SequenceNode || len(plans.Content) == 0 {
		r.bad(or(plans, n), "plans is a list of at least one plan")
		return nil
	}
	out := make([]Offering, 0, len(plans.Content))
	for _, p := range plans.Content {
		out = append(out, r.plan(p))
	}
	return out
}

func or(a, b *yaml.Node) *yaml.Node {
	if a != nil {
		return a
	}
	return b
}

var keyForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

func (r *reader) plan(n *yaml.Node) Offering {
	before := len(r.found)
	f := r.fields(n, "a plan", "key", "name", "description", "paidType", "price", "oneTimePrice", "openingBalance", "bundles")
	sellable := true
	v := Offering{
		Name: r.text(n, f, "name"), Key: r.text(n, f, "key"), PaidType: "prepaid",
		LifecycleStatus: Active, IsSellable: &sellable, OfferingType: PricePlan,
	}
	if d := f["description"]; d != nil {
		v.Description = d.Value
	}
	if v.Key != "" && !keyForm.MatchString(v.Key) {
		r.bad(f["key"], "a key is made of letters, digits, - and _")
	} else if first := r.keys[v.Key]; first != 0 {
		r.bad(f["key"], "the key %q is already that of the plan in line %d", v.Key, first)
	} else if v.Key != "" {
		r.keys[v.Key] = n.Line
	}
	if p := f["paidType"]; p != nil {
		if v.PaidType = p.Value; p.Value != "prepaid" && p.Value != "postpaid" {
			r.bad(p, "paidType is prepaid or postpaid")
		}
	}
	monthly, once := r.amount(f["price"], "price"), r.amount(f["oneTimePrice"], "oneTimePrice")
	if f["price"] == nil {
		r.bad(n, "price is missing; write 0 for a plan without a monthly charge")
	}
	if monthly != nil {
		v.Prices = append(v.Prices, r.price(v.Name+", monthly", monthly, true))
	}
	if once != nil && !once.IsZero() {
		v.Prices = append(v.Prices, r.price(v.Name+", one-off", once, false))
	}
	v.OpeningBalance = r.amount(f["openingBalance"], "openingBalance")
	if b := f["bundles"]; b != nil {
		v.Allowances = r.bundles(b)
	}
	if len(r.found) == before {
		r.affordable(or(f["openingBalance"], n), v)
	}
	return v
}

// affordable refuses a prepaid plan whose first charge its own opening balance does not cover: no line could
// ever begin on it.
func (r *reader) affordable(n *yaml.Node, v Offering) {
	charges, err := v.FirstCharges()
	if err != nil || v.PaidType != "prepaid" {
		return
	}
	var due, opening int64
	for _, c := range charges {
		due += c.Gross.Micros()
	}
	if v.OpeningBalance != nil {
		opening = v.OpeningBalance.Micros()
	}
	if opening < due {
		r.bad(n, "the opening balance of %s does not cover the first charge of %s", money.OfMicros(opening, r.currency), money.OfMicros(due, r.currency))
	}
}

func (r *reader) text(n *yaml.Node, f map[string]*yaml.Node, name string) string {
	v := f[name]
	if v == nil || strings.TrimSpace(v.Value) == "" {
		r.bad(or(v, n), "%s is missing", name)
		return ""
	}
	return v.Value
}

func (r *reader) amount(n *yaml.Node, name string) *money.Amount {
	if n == nil || !r.currency.Valid() {
		return nil
	}
	a, err := money.Parse(n.Value, r.currency)
	if err != nil || a.Sign() < 0 || a.Round() != a {
		r.bad(n, "%s is an amount of %s, not negative, such as 9.90", name, r.currency)
		return nil
	}
	return &a
}

func (r *reader) price(name string, a *money.Amount, monthly bool) Price {
	p := Price{Type: "ProductOfferingPrice", Name: name, PriceType: "oneTime", Price: a}
	if monthly {
		p.PriceType, p.Period, p.Length = "recurring", "month", 1
	}
	if r.tax != nil {
		p.Tax = []Tax{{Category: "VAT", Rate: jsontext.Value(r.tax.Value)}}
	}
	return p
}

func (r *reader) bundles(n *yaml.Node) []Allowance {
	if n.Kind != yaml.SequenceNode {
		r.bad(n, "bundles is a list")
		return nil
	}
	out := make([]Allowance, 0, len(n.Content))
	for _, b := range n.Content {
		f := r.fields(b, "a bundle", "name", "type", "amount", "validityDays")
		a := Allowance{Name: r.text(b, f, "name"), UsageType: r.text(b, f, "type")}
		if a.UsageType == "" {
			continue
		}
		if a.Units = unitOf[a.UsageType]; a.Units == "" {
			r.bad(f["type"], "type is voice, data or sms")
			continue
		}
		var ok bool
		if a.Amount, ok = quantity(a.UsageType, r.text(b, f, "amount")); !ok {
			r.bad(or(f["amount"], b), "the amount of a %s bundle is written as %s", a.UsageType, howTo[a.UsageType])
		}
		if d := f["validityDays"]; d != nil {
			days, err := strconv.Atoi(d.Value)
			if err != nil || days < 1 || days > 3660 {
				r.bad(d, "validityDays is a number of days from 1 to 3660")
			}
			a.ValidityDays = days
		}
		out = append(out, a)
	}
	return out
}

var howTo = map[string]string{Voice: "100 min", Data: "5 GB", SMS: "50"}

var scales = map[string]map[string]int64{
	Voice: {"s": 1, "min": 60, "h": 3600},
	Data:  {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30},
	SMS:   {"": 1},
}

// quantity reads "5 GB" into 5,000,000,000 bytes.
func quantity(usage, text string) (int64, bool) {
	number, unit, _ := strings.Cut(strings.TrimSpace(text), " ")
	scale, ok := scales[usage][strings.TrimSpace(unit)]
	if !ok {
		return 0, false
	}
	d, err := decimal.Parse(number)
	if err != nil {
		return 0, false
	}
	p, err := d.Mul(decimal.MustNew(scale, 0))
	if err != nil || !p.IsInt() {
		return 0, false
	}
	whole, _, ok := p.Int64(0)
	return whole, ok && whole > 0
}
