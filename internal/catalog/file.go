package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/govalues/decimal"
	"gopkg.in/yaml.v3"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// CodeFile is a catalogue file with a mistake in it.
const CodeFile fault.Code = "pricePlanFile"

// File is a catalogue as it was read, to be given to Service.Load. Its parts are complete, save that what refers
// to another part has that part's key for an id.
type File struct {
	Catalogs       []Catalog
	Categories     []Category
	Specifications []Specification
	Tariffs        []Tariff
	Prices         []OfferingPrice
	Offerings      []Offering
	// locals are the ids that the entries of a kind have in the file, in their order; none where keys name them.
	locals map[string][]string
}

// local is the id of an entry in the file.
func (f *File) local(k id.Kind, n int) string {
	if all := f.locals[k.Name]; n < len(all) {
		return all[n]
	}
	return ""
}

// names are the keys and ids of all entries, by kind and name.
func (f *File) names() map[string]bool {
	out := map[string]bool{}
	note(out, CatalogKind, f.Catalogs, func(v Catalog) string { return v.Key })
	note(out, CategoryKind, f.Categories, func(v Category) string { return v.Key })
	note(out, SpecificationKind, f.Specifications, func(v Specification) string { return v.Key })
	note(out, TariffKind, f.Tariffs, func(v Tariff) string { return v.Key })
	note(out, PriceKind, f.Prices, func(v OfferingPrice) string { return v.Key })
	note(out, Kind, f.Offerings, func(v Offering) string { return v.Key })
	for k, all := range f.locals {
		for _, local := range all {
			out[k+" "+local] = true
		}
	}
	return out
}

func note[T any](out map[string]bool, k id.Kind, all []T, key func(T) string) {
	for _, v := range all {
		if key(v) != "" {
			out[name(k, key(v))] = true
		}
	}
}

// Len is how many things the file describes.
func (f *File) Len() int {
	return len(f.Catalogs) + len(f.Categories) + len(f.Specifications) + len(f.Tariffs) + len(f.Prices) + len(f.Offerings)
}

// Plans are the price plans of the file.
func (f *File) Plans() (out []Offering) {
	for _, v := range f.Offerings {
		if v.OfferingType == PricePlan {
			out = append(out, v)
		}
	}
	return out
}

// Parse reads a catalogue file, a YAML document that docs/catalogue.md describes. Beside its currency and tax rate
// only plans are needed:
//
//	currency: CHF          # of all amounts
//	taxRate: 8.1           # percent, contained in all prices
//	plans:
//	  - key: start         # stays the same for ever; letters, digits, - and _
//	    name: Start
//	    price: 9.90        # a month, tax included; the first month is charged when the line begins
//	    openingBalance: 15
//	    bundles:
//	      - {name: Welcome data, type: data, amount: 5 GB, validityDays: 30}
//
// A mistake is an Invalid fault (CodeFile) whose details name every line at fault, as "line 12", and the
// reason.
func Parse(file []byte) (*File, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(file, &root); err != nil {
		return nil, notYAML(err)
	}
	if len(root.Content) == 0 {
		return nil, fault.New(fault.Invalid, CodeFile, "the file is empty")
	}
	r := &reader{lines: map[string]map[string]int{}}
	out := r.file(root.Content[0])
	if err := told(r.found); err != nil {
		return nil, err
	}
	return out, nil
}

var yamlLine = regexp.MustCompile(`^line ([0-9]+): `)

// notYAML tells a mistake of the YAML itself, at its line when it is known.
func notYAML(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	f := fault.New(fault.Invalid, CodeFile, "the file is not YAML: %s", text)
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		f = f.At("line " + m[1])
	}
	return f
}

type mistake struct {
	line int
	why  string
}

// reader walks the file and gathers its mistakes.
type reader struct {
	currency money.Currency
	tax      *yaml.Node
	// lines are where the keys stand, by what they are keys of.
	lines map[string]map[string]int
	found []mistake
	// began is how many mistakes were found before the offering that is being read.
	began int
	// reckons says that currency and tax, which all prices have, are right.
	reckons bool
	// later are checks that need the whole file.
	later []func()
	out   File
}

func (r *reader) bad(n *yaml.Node, format string, args ...any) {
	r.found = append(r.found, mistake{n.Line, fmt.Sprintf(format, args...)})
}

func (r *reader) file(n *yaml.Node) *File {
	f := r.fields(n, "the file", "currency", "taxRate", "catalog", "categories", "specifications", "tariffs", "plans", "addOns", "sims", "devices")
	if c := f["currency"]; c == nil || !money.Currency(c.Value).Valid() {
		r.bad(or(c, n), "currency is a code of ISO 4217 such as CHF")
	} else {
		r.currency = money.Currency(c.Value)
	}
	if r.tax = f["taxRate"]; r.tax == nil {
		r.bad(n, "taxRate is missing; write 0 when there is no tax")
	} else if d, err := decimal.Parse(r.tax.Value); err != nil || d.IsNeg() || d.Cmp(decimal.MustNew(100, 0)) > 0 {
		r.bad(r.tax, "taxRate is a percentage from 0 to 100")
	}
	r.reckons = len(r.found) == 0
	if p := f["plans"]; p == nil || p.Kind != yaml.SequenceNode || len(p.Content) == 0 {
		r.bad(or(p, n), "plans is a list of at least one plan")
	}
	r.catalog(f["catalog"])
	each(r, f["categories"], "categories", r.category)
	each(r, f["specifications"], "specifications", r.specification)
	each(r, f["tariffs"], "tariffs", r.tariff)
	each(r, f["plans"], "plans", r.plan)
	each(r, f["addOns"], "addOns", r.addOn)
	each(r, f["sims"], "sims", func(n *yaml.Node) { r.goods(n, "a SIM kind", SIMCard) })
	each(r, f["devices"], "devices", func(n *yaml.Node) { r.goods(n, "a device", Device) })
	for _, check := range r.later {
		check()
	}
	return &r.out
}

func each(r *reader, n *yaml.Node, what string, do func(*yaml.Node)) {
	for _, e := range r.list(n, what) {
		do(e)
	}
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
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		switch {
		case !slices.Contains(allowed, key.Value):
			r.bad(key, "%s has no %q: it has %s", what, key.Value, strings.Join(allowed, ", "))
		case out[key.Value] != nil:
			r.bad(key, "%s stands here twice", key.Value)
		default:
			out[key.Value] = value
		}
	}
	return out
}

// list gives the elements of a sequence; a missing one has none.
func (r *reader) list(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.bad(n, "%s is a list", what)
		return nil
	}
	out := make([]*yaml.Node, len(n.Content))
	for i, e := range n.Content {
		if out[i] = e; e.Kind == yaml.AliasNode {
			out[i] = e.Alias
		}
	}
	return out
}

// scalars gives the elements of a list of plain values; one alone needs no brackets.
func (r *reader) scalars(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	all := []*yaml.Node{n}
	if n.Kind != yaml.ScalarNode {
		all = r.list(n, what)
	}
	for _, e := range all {
		if e.Kind != yaml.ScalarNode || strings.TrimSpace(e.Value) == "" {
			r.bad(e, "%s is a list of plain values", what)
			return nil
		}
	}
	return all
}

func values(nodes []*yaml.Node) (out []string) {
	for _, n := range nodes {
		out = append(out, n.Value)
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

// key reads the key of n, which is a what, and remembers where it stands.
func (r *reader) key(n *yaml.Node, f map[string]*yaml.Node, what string) string {
	key := r.text(n, f, "key")
	if key == "" {
		return ""
	}
	if r.lines[what] == nil {
		r.lines[what] = map[string]int{}
	}
	if first := r.lines[what][key]; first != 0 {
		r.bad(f["key"], "the key %q is already that of the %s in line %d", key, what, first)
	} else {
		r.lines[what][key] = n.Line
	}
	if !keyForm.MatchString(key) {
		r.bad(f["key"], "a key is made of letters, digits, - and _, 40 at most")
	}
	return key
}

// refers has it checked, when the whole file was read, that there is a what with the key in n.
func (r *reader) refers(n *yaml.Node, what string) {
	r.later = append(r.later, func() {
		if r.lines[what][n.Value] == 0 {
			r.bad(n, "there is no %s with the key %q", what, n.Value)
		}
	})
}

func (r *reader) text(n *yaml.Node, f map[string]*yaml.Node, name string) string {
	v := f[name]
	if v == nil || strings.TrimSpace(v.Value) == "" {
		r.bad(or(v, n), "%s is missing", name)
		return ""
	}
	return v.Value
}

// optional is a text that may be missing.
func (r *reader) optional(f map[string]*yaml.Node, name string) string {
	v := f[name]
	if v == nil {
		return ""
	}
	if v.Kind != yaml.ScalarNode {
		r.bad(v, "%s is a text", name)
	}
	return v.Value
}

func (r *reader) boolean(f map[string]*yaml.Node, name string) bool {
	v := f[name]
	if v == nil {
		return false
	}
	if v.Value != "true" && v.Value != "false" {
		r.bad(v, "%s is true or false", name)
	}
	return v.Value == "true"
}

// number is a whole number from least to most; 0 when it is missing.
func (r *reader) number(f map[string]*yaml.Node, name string, least, most int) int {
	v := f[name]
	if v == nil {
		return 0
	}
	n, err := strconv.Atoi(v.Value)
	if err != nil || n < least || n > most {
		r.bad(v, "%s is a number from %d to %d", name, least, most)
		return 0
	}
	return n
}

// moment is a date, which means its beginning in UTC, or a moment of RFC 3339.
func (r *reader) moment(f map[string]*yaml.Node, name string) *time.Time {
	v := f[name]
	if v == nil {
		return nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, v.Value); err == nil {
			t = t.UTC()
			return &t
		}
	}
	r.bad(v, "%s is a date such as 2026-01-31 or a moment such as 2026-01-31T08:00:00+01:00", name)
	return nil
}

// validity reads validFrom and validTo.
func (r *reader) validity(f map[string]*yaml.Node) *sid.Period {
	p := sid.Period{Start: r.moment(f, "validFrom"), End: r.moment(f, "validTo")}
	if p.Start == nil && p.End == nil {
		return nil
	}
	if p.Start != nil && p.End != nil && !p.Start.Before(*p.End) {
		r.bad(f["validTo"], "validTo is after validFrom")
	}
	return &p
}

// lifecycle reads the status; what is in the file is sold when it says nothing.
func (r *reader) lifecycle(f map[string]*yaml.Node) LifecycleStatus {
	v := f["lifecycle"]
	if v == nil {
		return Active
	}
	if _, known := next[LifecycleStatus(v.Value)]; !known {
		r.bad(v, "lifecycle is %s", statuses)
	}
	return LifecycleStatus(v.Value)
}

// money reads an amount that is not negative; payable ones have no more decimals than the currency.
func (r *reader) money(n *yaml.Node, name string, payable bool) *money.Amount {
	if n == nil || !r.currency.Valid() {
		return nil
	}
	a, err := money.Parse(n.Value, r.currency)
	switch {
	case err != nil || a.Sign() < 0:
	case payable && a.Round() != a:
	default:
		return &a
	}
	r.bad(n, "%s is an amount of %s, not negative, such as 9.90", name, r.currency)
	return nil
}

func (r *reader) amount(n *yaml.Node, name string) *money.Amount { return r.money(n, name, true) }

// taxes are the tax that every price of the file contains.
func (r *reader) taxes() []Tax {
	if r.tax == nil {
		return nil
	}
	return []Tax{{Category: "VAT", Rate: []byte(r.tax.Value)}}
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

// units reads a quantity of a usage type; 0 when it is missing.
func (r *reader) units(f map[string]*yaml.Node, name, usage string) int64 {
	v := f[name]
	if v == nil {
		return 0
	}
	n, ok := quantity(usage, v.Value)
	if !ok {
		r.bad(v, "%s of %s is written as %s", name, usage, howTo[usage])
	}
	return n
}
