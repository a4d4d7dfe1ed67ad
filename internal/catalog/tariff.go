package catalog

import (
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// TariffKind is the id kind of tariffs.
var TariffKind = id.Kind{Name: "tariff", Prefix: "trf"}

// Tariff is what usage costs: zones of destinations and visited networks, and a rate for each kind of usage.
// Several plans may share one. TMF620 has no such resource: offerings show it as prices of type "usage".
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

// Zone is a group of destinations, by prefix of the number called, or of visited networks.
type Zone struct {
	Key  string `json:"key"`
	Name string `json:"name,omitzero"`
	// Prefixes are digits of E.164 without "+"; the longest that fits a number wins over all zones.
	Prefixes []string `json:"prefix,omitzero"`
	// Networks are mobile country codes (3 digits) or country and network codes (5 or 6), E.212; the longest wins.
	Networks []string `json:"network,omitzero"`
}

// Rate is what one kind of usage costs. Of those that fit a record, the first in the tariff's order holds.
type Rate struct {
	Name string `json:"name"`
	// UsageType is Voice, Data or SMS.
	UsageType string `json:"usageType"`
	// Direction is "outgoing" (what an empty one means) or "incoming".
	Direction string `json:"direction,omitzero"`
	// Zone is the key of the destination's zone; empty fits any.
	Zone string `json:"zone,omitzero"`
	// Roaming is the key of the visited network's zone, "*" any foreign network; empty: at home.
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
	// FirstStep is the least that is charged, Step what it grows by, in units: 60 and 1 charge a minute, then seconds.
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
