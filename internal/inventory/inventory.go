// Package inventory keeps what a line needs of the network: mobile numbers, SIM cards and devices, each taken by one
// line at a time.
package inventory

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// The id kinds of this package.
var (
	NumberKind      = id.Kind{Name: "msisdn", Prefix: "num"}
	GroupKind       = id.Kind{Name: "msisdnGroup", Prefix: "mgr"}
	SIMKind         = id.Kind{Name: "sim", Prefix: "sim"}
	BatchKind       = id.Kind{Name: "simBatch", Prefix: "sbt"}
	SerialKind      = id.Kind{Name: "serialNumber", Prefix: "srn"}
	ReservationKind = id.Kind{Name: "reservation", Prefix: "rsv"}
)

const (
	// CodeTaken is a number or SIM that another has.
	CodeTaken fault.Code = "resourceTaken"
	// CodeNone is a pool with nothing left in it.
	CodeNone fault.Code = "resourceNotAvailable"
)

const (
	numberClaim = "msisdn"
	iccidClaim  = "iccid"
	imsiClaim   = "imsi"
	serialClaim = "serialNumber"
	groupClaim  = "msisdnGroup"
)

const domain = "resourceInventoryManagement"

// Class says what a number costs to have: a premium one is never given to who did not ask for it.
type Class string

// The classes (pricing of a reservation).
const (
	Regular Class = "regular"
	Premium Class = "premium"
)

// Number is a mobile number of the pool.
type Number struct {
	Type   string        `json:"@type,omitzero"`
	Value  msisdn.Number `json:"msisdn"`
	Status Status        `json:"status,omitzero"`
	// Class is Regular unless it says otherwise, and Price what a number costs to have, once; nil: nothing.
	Class Class         `json:"pricing,omitzero"`
	Price *money.Amount `json:"price,omitzero"`
	// Group is the name of the MSISDN group that it belongs to; may be empty.
	Group string `json:"msisdnGroup,omitzero"`
	// Holder is the id of the order or reservation that reserved it, or of the line that has it or had it last;
	// empty while available.
	Holder id.ID `json:"holder,omitzero"`
	// Until is when a quarantined number is available again.
	Until *time.Time `json:"until,omitzero"`
	// Free and Draw find available numbers, by their beginning and by their end.
	Free string   `json:"free,omitzero"`
	Draw string   `json:"draw,omitzero"`
	Rest sid.Rest `json:",embed"`
}

// SIM is a card or a profile: its ICCID (ITU-T E.118) and IMSI (ITU-T E.212).
type SIM struct {
	Type   string `json:"@type,omitzero"`
	ICCID  string `json:"iccid"`
	IMSI   string `json:"imsi"`
	Status Status `json:"status,omitzero"`
	// Form is what kind of SIM it is: PlasticSIM unless it says otherwise.
	Form   string `json:"simType,omitzero"`
	Holder id.ID  `json:"holder,omitzero"`
	// Batch is the batch it came with; may be empty.
	Batch id.ID    `json:"batch,omitzero"`
	Draw  string   `json:"draw,omitzero"`
	Rest  sid.Rest `json:",embed"`
}

// The forms of SIMs.
const (
	PlasticSIM = "physical"
	ESIM       = "eSIM"
)

// Service is the pools.
type Service struct {
	Numbers      *resource.Set[Number]
	Groups       *resource.Set[Group]
	SIMs         *resource.Set[SIM]
	Batches      *resource.Set[SIMBatch]
	Serials      *resource.Set[Serial]
	Reservations *resource.Set[Reservation]
	store        *store.Store
	providers    *provider.Service
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, providers *provider.Service) *Service {
	v := &Service{store: s, providers: providers}
	v.Numbers = resource.New(s, store.Definition{
		Kind: NumberKind, Table: "msisdn_resource",
		Indexed: map[string]string{"msisdn": "msisdn", "status": "status", "free": "free", "draw": "draw"},
	}, resource.Rules[Number]{
		Domain: domain,
		Create: func(ctx context.Context, i id.ID, n *Number, _ time.Time) error {
			if err := n.begin(); err != nil {
				return err
			}
			return s.Claim(ctx, numberClaim, string(n.Value), i)
		},
		Change: func(_ context.Context, prev, n *Number, _ time.Time) error { return n.follow(prev) },
		Remove: func(_ context.Context, n *Number) error { return removable(n.Status) },
		After: func(ctx context.Context, _ id.ID, prev, next *Number) error {
			if next != nil {
				return nil
			}
			return s.Unclaim(ctx, numberClaim, string(prev.Value))
		},
		State: func(n *Number) string { return string(n.Status) },
		Touch: func(n *Number, _ time.Time) { n.show() },
		Fixed: []string{"msisdn"},
	})
	v.SIMs = resource.New(s, store.Definition{
		Kind: SIMKind, Table: "sim",
		Indexed: map[string]string{"status": "status", "iccid": "iccid", "imsi": "imsi", "draw": "draw"},
	}, resource.Rules[SIM]{
		Domain: domain,
		Create: func(ctx context.Context, i id.ID, c *SIM, _ time.Time) error {
			form, err := v.formOf(ctx, c.Batch)
			if err != nil {
				return err
			}
			if err := c.begin(form); err != nil {
				return err
			}
			if err := s.Claim(ctx, imsiClaim, c.IMSI, i); err != nil {
				return err
			}
			return s.Claim(ctx, iccidClaim, c.ICCID, i)
		},
		Change: func(_ context.Context, prev, c *SIM, _ time.Time) error { return follow(prev.Status, c.Status) },
		Remove: func(_ context.Context, c *SIM) error { return removable(c.Status) },
		After: func(ctx context.Context, _ id.ID, prev, next *SIM) error {
			if next != nil {
				return nil
			}
			if err := s.Unclaim(ctx, imsiClaim, prev.IMSI); err != nil {
				return err
			}
			return s.Unclaim(ctx, iccidClaim, prev.ICCID)
		},
		State: func(c *SIM) string { return string(c.Status) },
		Touch: func(c *SIM, _ time.Time) { c.show() },
		Fixed: []string{"iccid", "imsi"},
	})
	v.Groups = resource.New(s, store.Definition{
		Kind: GroupKind, Table: "msisdn_group", Indexed: map[string]string{"name": "name"},
	}, v.groupRules())
	v.Batches = resource.New(s, store.Definition{
		Kind: BatchKind, Table: "sim_batch", Indexed: map[string]string{"name": "name"},
	}, resource.Rules[SIMBatch]{
		Domain: domain,
		Create: func(_ context.Context, _ id.ID, b *SIMBatch, _ time.Time) error { return b.begin() },
	})
	v.Serials = resource.New(s, store.Definition{
		Kind: SerialKind, Table: "serial_number",
		Indexed: map[string]string{"serialNumber": "serial_number", "status": "status"},
	}, v.serialRules())
	v.Reservations = resource.New(s, store.Definition{
		Kind: ReservationKind, Table: "msisdn_reservation", Indexed: map[string]string{"status": "status", "msisdn": "msisdn"},
	}, v.reservationRules())
	return v
}

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler {
	return map[string]job.Handler{jobReservation: s.lapse, jobQuarantine: s.wake}
}
