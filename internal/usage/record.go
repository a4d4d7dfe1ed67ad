package usage

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/rating"
)

const (
	// CodeFuture is usage of a moment that has not come.
	CodeFuture fault.Code = "usageOfTheFuture"
	// CodeNegative is a quantity below 0.
	CodeNegative fault.Code = "negativeQuantity"
	// CodeDuplicate is a record that its source has sent before.
	CodeDuplicate fault.Code = "duplicateUsage"
)

// DefaultSource is who recorded what names no source.
const DefaultSource = "network"

// Record is one usage as a network element tells it.
type Record struct {
	// ID is the source's own name for it, and Source who recorded it: together they tell a record that comes again.
	ID     string `json:"recordId"`
	Source string `json:"source,omitzero"`
	// MSISDN is the number of the line that used, in any spelling; Subscription may stand in its place.
	MSISDN       string `json:"msisdn,omitzero"`
	Subscription id.ID  `json:"subscriptionId,omitzero"`
	// UsageType is voice, data or sms; Quantity is in its seconds, bytes or messages.
	UsageType string `json:"usageType"`
	Quantity  int64  `json:"quantity"`
	// Direction is outgoing (what an empty one means) or incoming.
	Direction string    `json:"direction,omitzero"`
	Start     time.Time `json:"start"`
	// Duration is how many seconds data took to flow; a call's is its quantity.
	Duration int64 `json:"duration,omitzero"`
	// Other is the number called or written to or, of what comes in, that of the caller.
	Other string `json:"otherNumber,omitzero"`
	// Network is the network that served it (MCC and MNC): a foreign one is one that the line's IMSI does not begin with.
	Network string `json:"network,omitzero"`
}

const incoming = "incoming"

// units are what the quantities of usage types are called.
var units = map[string]string{rating.Voice: "duration", rating.Data: "volume", rating.SMS: "messages"}

// most bounds a quantity: a petabyte, or thirty million years.
const most = 1e15

const maxText = 128

var networkForm = regexp.MustCompile(`^[0-9]{3}([0-9]{2,3})?$`)

// check completes a record and tells all that is wrong with its form.
func (r *Record) check(now time.Time, p provider.ServiceProvider) error {
	var wrong fault.Several
	if r.Source == "" {
		r.Source = DefaultSource
	}
	if len(r.ID) > maxText || len(r.Source) > maxText {
		wrong.Invalidf("recordId", "recordId and source have at most %d bytes", maxText)
	}
	r.UsageType = strings.ToLower(r.UsageType)
	if units[r.UsageType] == "" {
		wrong.Invalidf("usageType", "usageType is voice, data or sms")
	}
	if r.Direction = strings.ToLower(r.Direction); r.Direction == "" {
		r.Direction = "outgoing"
	}
	if r.Direction != "outgoing" && r.Direction != incoming {
		wrong.Invalidf("direction", "direction is outgoing or incoming")
	}
	if r.MSISDN == "" && r.Subscription == "" {
		wrong.Invalidf("msisdn", "msisdn is mandatory: the number of the line that used")
	} else if r.MSISDN != "" {
		n, err := msisdn.Parse(r.MSISDN, p.Country)
		if err != nil {
			wrong.Invalidf("msisdn", "%s", fault.From(err).Message)
		}
		r.MSISDN = string(n)
	}
	other, err := otherNumber(r.Other, r.Direction == incoming, p.Country)
	if err != nil {
		wrong.Invalidf("otherNumber", "%s", fault.From(err).Message)
	}
	r.Other = other
	if r.Network != "" && !networkForm.MatchString(r.Network) {
		wrong.Invalidf("network", "network is a mobile country code of 3 digits with the network's 2 or 3 digits")
	}
	if r.Quantity > most || r.Duration > most || r.Duration < 0 {
		wrong.Invalidf("quantity", "the quantity is out of range")
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	return r.sound(now, p)
}

// sound refuses what cannot be true.
func (r *Record) sound(now time.Time, p provider.ServiceProvider) error {
	if r.Quantity < 0 {
		return fault.New(fault.Invalid, CodeNegative, "the quantity is negative: nobody uses less than nothing").At("quantity")
	}
	if r.Start.IsZero() {
		return fault.Invalidf("start", "start is mandatory: when the usage began, such as 2026-01-31T09:30:00Z")
	}
	r.Start = r.Start.UTC().Truncate(time.Second)
	ahead := time.Duration(provider.Or(p.Policy.UsageFutureMinutes, 5)) * time.Minute
	if r.Start.After(now.Add(ahead)) {
		return fault.New(fault.Invalid, CodeFuture, "the usage is of %s, and it is %s", r.Start.Format(time.RFC3339), now.Format(time.RFC3339)).At("start")
	}
	return nil
}

// otherNumber reads the other party: a number in any spelling, a short code or, of what comes in, any text.
func otherNumber(text string, in bool, country string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", nil
	}
	if len(text) > 64 {
		return "", fault.Invalidf("otherNumber", "the number is too long")
	}
	if len(text) < 7 && strings.Trim(text, "0123456789") == "" {
		return text, nil
	}
	n, err := msisdn.Parse(text, country)
	if err != nil && in {
		return text, nil // some senders of messages have names
	}
	return string(n), err
}

// tooOld reports whether a record comes later than the service provider takes it.
func (r *Record) tooOld(now time.Time, p provider.ServiceProvider) bool {
	days := provider.Or(p.Policy.UsageMaxAgeDays, 90)
	return r.Start.Before(now.AddDate(0, 0, -days))
}

// key names the record among all of its service provider.
func (r *Record) key() string { return r.Source + "/" + r.ID }

// rated is the record as rating sees it; home is the beginning of the line's IMSI.
func (r *Record) rated(imsi string) rating.Record {
	out := rating.Record{
		Kind: r.UsageType, Quantity: r.Quantity, Incoming: r.Direction == incoming, Start: r.Start,
		Lasted: time.Duration(r.Duration) * time.Second, Other: r.Other,
	}
	if r.Network != "" && !strings.HasPrefix(imsi, r.Network) {
		out.Network = r.Network
	}
	return out
}

// describe says in words what was used.
func (r *Record) describe() string {
	party := ""
	if r.Other != "" {
		party = " to " + shown(r.Other)
		if r.Direction == incoming {
			party = " from " + shown(r.Other)
		}
	}
	n := strconv.FormatInt(r.Quantity, 10)
	switch r.UsageType {
	case rating.Voice:
		return "Call of " + n + " s" + party
	case rating.SMS:
		if r.Quantity == 1 {
			return "Message" + party
		}
		return n + " messages" + party
	}
	return n + " bytes of data"
}

func shown(number string) string {
	if len(number) >= 7 && strings.Trim(number, "0123456789") == "" {
		return "+" + number
	}
	return number
}

// Names of the characteristics that usage is rated by.
const (
	charRecord      = "recordId"
	charSource      = "source"
	charLine        = "mobileNumber"
	charDirection   = "direction"
	charOriginating = "originatingNumber"
	charDestination = "destinationNumber"
	charDuration    = "duration"
	charVolume      = "volume"
	charMessages    = "messages"
	charNetwork     = "visitedNetwork"
)

// characteristics are the record as usageCharacteristic (TMF635).
func (r *Record) characteristics() []sid.Characteristic {
	out := make([]sid.Characteristic, 0, 8)
	text := func(name, v string) {
		if v != "" {
			q, err := jsontext.AppendQuote(nil, v)
			if err == nil {
				out = append(out, sid.Characteristic{Name: name, Value: q})
			}
		}
	}
	number := func(name string, v int64) {
		out = append(out, sid.Characteristic{Name: name, Value: strconv.AppendInt(nil, v, 10)})
	}
	text(charRecord, r.ID)
	text(charSource, r.Source)
	text(charLine, r.MSISDN)
	text(charDirection, r.Direction)
	from, to := r.MSISDN, r.Other
	if r.Direction == incoming {
		from, to = to, from
	}
	if r.UsageType != rating.Data {
		text(charOriginating, from)
		text(charDestination, to)
	}
	number(units[r.UsageType], r.Quantity)
	if r.UsageType == rating.Data && r.Duration > 0 {
		number(charDuration, r.Duration)
	}
	text(charNetwork, r.Network)
	return out
}

// recordOf reads the record out of a usage. What it lacks is an Invalid fault that names the characteristic.
func recordOf(u *Usage) (Record, error) {
	r := Record{UsageType: strings.ToLower(u.UsageType), Start: u.UsageDate, Subscription: u.SubscriptionID}
	c := map[string]sid.Characteristic{}
	for _, one := range u.Characteristics {
		c[one.Name] = one
	}
	r.ID, r.Source, r.Network = textOf(c[charRecord]), textOf(c[charSource]), textOf(c[charNetwork])
	r.Direction = strings.ToLower(textOf(c[charDirection]))
	mine, other := textOf(c[charOriginating]), textOf(c[charDestination])
	if r.Direction == incoming {
		mine, other = other, mine
	}
	if r.MSISDN = textOf(c[charLine]); r.MSISDN == "" && r.Subscription == "" {
		r.MSISDN = mine
	}
	r.Other = other
	unit := units[r.UsageType]
	if unit == "" {
		return r, fault.Invalidf("usageType", "usageType is voice, data or sms")
	}
	var err error
	if r.Quantity, err = countOf(c, unit); err != nil {
		return r, err
	}
	if _, has := c[charDuration]; has && r.UsageType == rating.Data {
		r.Duration, err = countOf(c, charDuration)
	}
	return r, err
}

// textOf is a characteristic's value as text: a number is taken as it is written.
func textOf(c sid.Characteristic) string {
	if c.Value.Kind() == '"' {
		b, err := jsontext.AppendUnquote(nil, c.Value)
		if err == nil {
			return string(b)
		}
	}
	if c.Value.Kind() == '0' {
		return string(c.Value)
	}
	return ""
}

func countOf(c map[string]sid.Characteristic, name string) (int64, error) {
	one, ok := c[name]
	if !ok {
		return 0, fault.Invalidf("usageCharacteristic", "the characteristic %s is missing", name)
	}
	n, err := strconv.ParseInt(textOf(one), 10, 64)
	if err != nil {
		return 0, fault.Invalidf("usageCharacteristic", "the characteristic %s is a whole number", name)
	}
	return n, nil
}

// Facts is what a usage says that was used; what it lacks is an Invalid fault.
func (v *Usage) Facts() (Record, error) { return recordOf(v) }
