// Package inventory keeps what a line needs of the network: mobile numbers and SIM cards, each taken by one
// line at a time.
package inventory

import (
	"context"
	"crypto/rand"
	"math/big"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// The id kinds of this package.
var (
	NumberKind = id.Kind{Name: "msisdn", Prefix: "num"}
	SIMKind    = id.Kind{Name: "sim", Prefix: "sim"}
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
)

// Number is a mobile number of the pool.
type Number struct {
	Type   string        `json:"@type,omitzero"`
	Value  msisdn.Number `json:"msisdn"`
	Status Status        `json:"status,omitzero"`
	// Holder is the id of the order that reserved it or of the line that has it; empty while available.
	Holder id.ID    `json:"holder,omitzero"`
	Rest   sid.Rest `json:",embed"`
}

// SIM is a card or a profile: its ICCID (ITU-T E.118) and IMSI (ITU-T E.212).
type SIM struct {
	Type   string   `json:"@type,omitzero"`
	ICCID  string   `json:"iccid"`
	IMSI   string   `json:"imsi"`
	Status Status   `json:"status,omitzero"`
	Holder id.ID    `json:"holder,omitzero"`
	Rest   sid.Rest `json:",embed"`
}

// Service is the pools.
type Service struct {
	Numbers *resource.Set[Number]
	SIMs    *resource.Set[SIM]
	store   *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store) *Service {
	return &Service{
		store: s,
		Numbers: resource.New(s, store.Definition{
			Kind: NumberKind, Table: "msisdn_resource", Indexed: map[string]string{"msisdn": "msisdn", "status": "status"},
		}, resource.Rules[Number]{
			Domain: "resourceInventoryManagement",
			Create: func(ctx context.Context, i id.ID, v *Number, _ time.Time) error {
				if err := v.begin(); err != nil {
					return err
				}
				return s.Claim(ctx, numberClaim, string(v.Value), i)
			},
			Change: func(_ context.Context, prev, v *Number, _ time.Time) error { return follow(prev.Status, v.Status) },
			Remove: func(_ context.Context, v *Number) error { return removable(v.Status) },
			After: func(ctx context.Context, _ id.ID, prev, next *Number) error {
				if next != nil {
					return nil
				}
				return s.Unclaim(ctx, numberClaim, string(prev.Value))
			},
			State: func(v *Number) string { return string(v.Status) },
			Fixed: []string{"msisdn"},
		}),
		SIMs: resource.New(s, store.Definition{
			Kind: SIMKind, Table: "sim", Indexed: map[string]string{"status": "status", "iccid": "iccid", "imsi": "imsi"},
		}, resource.Rules[SIM]{
			Domain: "resourceInventoryManagement",
			Create: func(ctx context.Context, i id.ID, v *SIM, _ time.Time) error {
				if err := v.begin(); err != nil {
					return err
				}
				return s.Claim(ctx, iccidClaim, v.ICCID, i)
			},
			Change: func(_ context.Context, prev, v *SIM, _ time.Time) error { return follow(prev.Status, v.Status) },
			Remove: func(_ context.Context, v *SIM) error { return removable(v.Status) },
			After: func(ctx context.Context, _ id.ID, prev, next *SIM) error {
				if next != nil {
					return nil
				}
				return s.Unclaim(ctx, iccidClaim, prev.ICCID)
			},
			State: func(v *SIM) string { return string(v.Status) },
			Fixed: []string{"iccid", "imsi"},
		}),
	}
}

// PickNumber chooses a number to reserve: the one asked for, else any available one, at random so that
// many orders at once do not all reach for the same. Call it outside the transaction that reserves. Faults:
// NotFound for a number that is not of this pool, Conflict (CodeNone) for an empty pool.
func (s *Service) PickNumber(ctx context.Context, wish msisdn.Number) (id.ID, error) {
	if wish != "" {
		i, err := s.store.Claimant(ctx, numberClaim, string(wish))
		if err == nil && i == "" {
			err = fault.NotFoundf("the number %s is not in the pool", wish.E123())
		}
		return i, err
	}
	return pick(ctx, s.Numbers.Docs, "mobile number")
}

// PickSIM chooses a SIM to reserve, as PickNumber does.
func (s *Service) PickSIM(ctx context.Context, iccid string) (id.ID, error) {
	if iccid != "" {
		i, err := s.store.Claimant(ctx, iccidClaim, iccid)
		if err == nil && i == "" {
			err = fault.NotFoundf("there is no SIM with the ICCID %s", iccid)
		}
		return i, err
	}
	return pick(ctx, s.SIMs.Docs, "SIM")
}

// candidates is how many available ones are looked at; one of them is chosen.
const candidates = 64

func pick(ctx context.Context, docs func(context.Context, store.Query) (store.Page, error), what string) (id.ID, error) {
	page, err := docs(ctx, store.Query{
		Filters: []store.Filter{{Path: []string{"status"}, Op: store.Eq, Values: []string{string(Available)}, Type: store.Text}},
		Limit:   candidates, NoTotal: true,
	})
	if err != nil {
		return "", err
	}
	if len(page.Items) == 0 {
		return "", fault.Conflictf(CodeNone, "no %s is available", what)
	}
	n, err := rand.Int(rand.Reader, big.NewInt(int64(len(page.Items))))
	if err != nil {
		return "", fault.Internalf(err, "no randomness")
	}
	return page.Items[n.Int64()].ID, nil
}

// ReserveNumber takes an available number for a holder. Repeating it for the same holder changes nothing; a
// number that another has is a Conflict fault (CodeTaken).
func (s *Service) ReserveNumber(ctx context.Context, i, holder id.ID) (Number, error) {
	return s.Numbers.Change(ctx, i, func(v *Number) error { return take(&v.Status, &v.Holder, holder) })
}

// ReserveSIM takes an available SIM for a holder, as ReserveNumber does.
func (s *Service) ReserveSIM(ctx context.Context, i, holder id.ID) (SIM, error) {
	return s.SIMs.Change(ctx, i, func(v *SIM) error { return take(&v.Status, &v.Holder, holder) })
}

// Assign hands a reserved number and SIM over from who reserved them to the line that has them now.
func (s *Service) Assign(ctx context.Context, number, sim, from, line id.ID) error {
	return s.both(ctx, number, sim, func(status *Status, holder *id.ID) error { return hand(status, holder, from, line) })
}

// Release gives back a number and SIM that a holder has, reserved or assigned. What it does not have is
// left alone, so that repeating it changes nothing.
func (s *Service) Release(ctx context.Context, number, sim, holder id.ID) error {
	return s.both(ctx, number, sim, func(status *Status, h *id.ID) error {
		if *h == holder {
			*status, *h = Available, ""
		}
		return nil
	})
}

func (s *Service) both(ctx context.Context, number, sim id.ID, decide func(*Status, *id.ID) error) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		if number != "" {
			if _, err := s.Numbers.Change(ctx, number, func(v *Number) error { return decide(&v.Status, &v.Holder) }); err != nil {
				return err
			}
		}
		if sim == "" {
			return nil
		}
		_, err := s.SIMs.Change(ctx, sim, func(v *SIM) error { return decide(&v.Status, &v.Holder) })
		return err
	})
}
