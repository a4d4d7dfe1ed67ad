package inventory

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/resource"
)

// ReservationStatus is where a reservation stands.
type ReservationStatus string

// A reservation is active until it is used by an order, cancelled, or its time has passed.
const (
	ReservationActive    ReservationStatus = "active"
	ReservationUsed      ReservationStatus = "used"
	ReservationCancelled ReservationStatus = "cancelled"
	ReservationExpired   ReservationStatus = "expired"
)

const (
	// CodeReservation is a change of a reservation that is over, or the use of somebody else's.
	CodeReservation fault.Code = "reservationNotUsable"
	// CodeExtensions is an extension too many.
	CodeExtensions fault.Code = "reservationExtensionsUsedUp"
)

// mostExtensions bounds for how long a number can be kept from others.
const mostExtensions = 10

// Reservation holds a number for a while.
type Reservation struct {
	Type         string            `json:"@type,omitzero"`
	ResourceType string            `json:"resourceType,omitzero"`
	MSISDN       msisdn.Number     `json:"msisdn"`
	Number       id.ID             `json:"resourceId"`
	Status       ReservationStatus `json:"status,omitzero"`
	Date         time.Time         `json:"reservationDate,omitzero"`
	// Till is when it ends by itself.
	Till time.Time `json:"reservationTill"`
	// Class and Price are those of the number.
	Class Class         `json:"pricing"`
	Price *money.Amount `json:"price,omitzero"`
	// Customer is whom it is for: the id of a customer or an account; empty: for who knows its id.
	Customer   id.ID    `json:"customerId,omitzero"`
	Extensions int      `json:"extensions,omitzero"`
	Rest       sid.Rest `json:",embed"`
}

func (s *Service) reservationRules() resource.Rules[Reservation] {
	return resource.Rules[Reservation]{
		Domain: domain,
		Home:   func(v *Reservation) (id.Home, bool) { return v.Number.Home() },
		Change: func(_ context.Context, prev, _ *Reservation, _ time.Time) error {
			if prev.Status != ReservationActive {
				return fault.Conflictf(CodeReservation, "the reservation is %s", prev.Status)
			}
			return nil
		},
		State: func(v *Reservation) string { return string(v.Status) },
	}
}

// Reserve holds a number for a customer or account (empty: for who knows the reservation) for the service provider's
// ReservationMinutes. Faults: those of PickNumber, and Conflict (CodeTaken) for a number that is not available.
func (s *Service) Reserve(ctx context.Context, number msisdn.Number, customer id.ID) (id.ID, Reservation, error) {
	held, err := s.held(ctx)
	if err != nil {
		return "", Reservation{}, err
	}
	n, err := s.PickNumber(ctx, number)
	if err != nil {
		return "", Reservation{}, err
	}
	var i id.ID
	var r Reservation
	err = s.store.Write(ctx, func(ctx context.Context) error {
		v, _, err := s.Numbers.Get(ctx, n)
		if err != nil {
			return err
		}
		now := s.store.Now(ctx)
		r = Reservation{
			Type: "Reservation", ResourceType: "MSISDN", MSISDN: v.Value, Number: n, Status: ReservationActive, Date: now,
			Till: now.Add(held), Class: v.Class, Price: v.Price, Customer: customer,
		}
		if i, _, err = s.Reservations.Add(ctx, &r); err != nil {
			return err
		}
		if _, err := s.ReserveNumber(ctx, n, i); err != nil {
			return err
		}
		return s.promise(ctx, jobReservation, i, r.Till)
	})
	return i, r, err
}

func (s *Service) held(ctx context.Context) (time.Duration, error) {
	rules, err := s.providers.Rules(ctx)
	if err != nil {
		return 0, err
	}
	return time.Duration(provider.Or(rules.Policy.ReservationMinutes, 30)) * time.Minute, nil
}

// Extend has a reservation last for another ReservationMinutes from now. Over, it is a Conflict fault
// (CodeReservation); extended too often, another (CodeExtensions).
func (s *Service) Extend(ctx context.Context, i id.ID) (r Reservation, err error) {
	held, err := s.held(ctx)
	if err != nil {
		return r, err
	}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		now := s.store.Now(ctx)
		if r, err = s.Reservations.Change(ctx, i, func(v *Reservation) error {
			if v.Status == ReservationActive && !now.Before(v.Till) {
				return fault.Conflictf(CodeReservation, "the reservation has ended")
			}
			if v.Extensions >= mostExtensions {
				return fault.Conflictf(CodeExtensions, "a reservation is extended %d times at most", mostExtensions)
			}
			v.Extensions++
			v.Till = now.Add(held)
			return nil
		}); err != nil {
			return err
		}
		return s.promise(ctx, jobReservation, i, r.Till)
	})
	return r, err
}

// Cancel ends a reservation and gives the number back. One that is over already stays as it is, except one that was
// used, which is a Conflict fault (CodeReservation).
func (s *Service) Cancel(ctx context.Context, i id.ID) (r Reservation, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if r, _, err = s.Reservations.Get(ctx, i); err != nil {
			return err
		}
		if r.Status == ReservationCancelled || r.Status == ReservationExpired {
			return nil
		}
		if r, err = s.Reservations.Change(ctx, i, func(v *Reservation) error { v.Status = ReservationCancelled; return nil }); err != nil {
			return err
		}
		return s.Release(ctx, r.Number, "", i)
	})
	return r, err
}

// For reports whether one of by may use the reservation: it names the reservation i itself, or whom it is for.
func (v Reservation) For(i id.ID, by []id.ID) bool {
	return slices.Contains(by, i) || v.Customer != "" && slices.Contains(by, v.Customer)
}

// redeem uses up a reservation for who may: one of by names the reservation itself, or whom it is for.
func (s *Service) redeem(ctx context.Context, i id.ID, by []id.ID) error {
	_, err := s.Reservations.Change(ctx, i, func(v *Reservation) error {
		if !v.For(i, by) {
			return fault.Conflictf(CodeTaken, "it is reserved")
		}
		v.Status = ReservationUsed
		return nil
	})
	return err
}

// lapse ends a reservation whose time has passed.
func (s *Service) lapse(ctx context.Context, j job.Job) error {
	var d due
	if err := json.Unmarshal(j.Payload, &d); err != nil {
		return job.Permanent{Err: err}
	}
	return s.store.Write(ctx, func(ctx context.Context) error {
		now := s.store.Now(ctx)
		r, err := s.Reservations.Change(ctx, d.ID, func(v *Reservation) error {
			if v.Status != ReservationActive || now.Before(v.Till) {
				return errAsItWas
			}
			v.Status = ReservationExpired
			return nil
		})
		if err != nil {
			return gone(unlessAsItWas(err))
		}
		return s.Release(ctx, r.Number, "", d.ID)
	})
}
