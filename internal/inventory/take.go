package inventory

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
)

// PickNumber chooses a number to reserve: the one asked for, else any available regular one, at random so that
// many orders at once do not all reach for the same. Call it outside the transaction that reserves. Faults:
// NotFound for a number that is not of this service provider's pool, Conflict (CodeNone) for an empty pool.
func (s *Service) PickNumber(ctx context.Context, wish msisdn.Number) (id.ID, error) {
	if wish != "" {
		i, err := s.store.Claimant(ctx, numberClaim, string(wish))
		if err == nil && i == "" {
			err = fault.NotFoundf("the number %s is not in the pool", wish.E123())
		}
		return i, err
	}
	return pick(ctx, s.Numbers.Docs, string(Regular), "mobile number")
}

// PickSIM chooses a SIM to reserve, as PickNumber does; without a wish a PlasticSIM.
func (s *Service) PickSIM(ctx context.Context, iccid string) (id.ID, error) {
	if iccid != "" {
		return s.findSIM(ctx, iccid)
	}
	return s.PickSIMOf(ctx, PlasticSIM)
}

// PickSIMOf chooses an available SIM of a form.
func (s *Service) PickSIMOf(ctx context.Context, form string) (id.ID, error) {
	return pick(ctx, s.SIMs.Docs, form, "SIM")
}

func (s *Service) findSIM(ctx context.Context, iccid string) (id.ID, error) {
	i, err := s.store.Claimant(ctx, iccidClaim, iccid)
	if err == nil && i == "" {
		err = fault.NotFoundf("there is no SIM with the ICCID %s", iccid)
	}
	return i, err
}

// candidates is how many available ones are looked at from where the draw fell; one of them is chosen.
const candidates = 8

// pick draws one of those that are available: they stand in an index by the class and their last digits first, which
// are as good as random, and are read from a random place on.
func pick(ctx context.Context, docs func(context.Context, store.Query) (store.Page, error), class, what string) (id.ID, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", fault.Internalf(err, "no randomness")
	}
	for _, from := range []string{fmt.Sprintf("%06d", n), ""} {
		page, err := docs(ctx, store.Query{
			Filters: between("draw", class+"/"+from, class+"0"), // 0 follows /
			Sort:    []store.Sort{{Path: []string{"draw"}, Type: store.Text}},
			Limit:   candidates, NoTotal: true,
		})
		if err != nil {
			return "", err
		}
		if found := int64(len(page.Items)); found > 0 {
			n, err := rand.Int(rand.Reader, big.NewInt(found))
			if err != nil {
				return "", fault.Internalf(err, "no randomness")
			}
			return page.Items[n.Int64()].ID, nil
		}
	}
	return "", fault.Conflictf(CodeNone, "no %s is available", what)
}

// between asks for texts from one on and before another.
func between(attribute, from, before string) []store.Filter {
	return []store.Filter{
		{Path: []string{attribute}, Op: store.Gte, Values: []string{from}, Type: store.Text},
		{Path: []string{attribute}, Op: store.Lt, Values: []string{before}, Type: store.Text},
	}
}

// backwards is a text from its end on.
func backwards(text string) string {
	b := []byte(text)
	slices.Reverse(b)
	return string(b)
}

// ReserveNumber takes an available number for a holder. Repeating it for the same holder changes nothing; a
// number that another has is a Conflict fault (CodeTaken). One that was reserved before is given to who names the
// reservation, or the customer or account that it was made for.
func (s *Service) ReserveNumber(ctx context.Context, i, holder id.ID, by ...id.ID) (out Number, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		v, _, err := s.Numbers.Get(ctx, i)
		if err != nil {
			return err
		}
		if v.Status == Reserved && v.Holder.Is(ReservationKind) {
			if err := s.redeem(ctx, v.Holder, by); err != nil {
				return err
			}
			out, err = s.Numbers.Change(ctx, i, func(v *Number) error { v.Holder = holder; return nil })
			return err
		}
		out, err = s.Numbers.Change(ctx, i, func(v *Number) error { return take(&v.Status, &v.Holder, holder) })
		return err
	})
	return out, err
}

// ReserveSIM takes an available SIM for a holder, as ReserveNumber does.
func (s *Service) ReserveSIM(ctx context.Context, i, holder id.ID) (SIM, error) {
	return s.SIMs.Change(ctx, i, func(v *SIM) error { return take(&v.Status, &v.Holder, holder) })
}

// Assign hands a reserved number and SIM over from who reserved them to the line that has them now.
func (s *Service) Assign(ctx context.Context, number, sim, from, line id.ID) error {
	return s.both(ctx, number, sim,
		func(v *Number) error { return hand(&v.Status, &v.Holder, from, line) },
		func(v *SIM) error { return hand(&v.Status, &v.Holder, from, line) })
}

// Release gives back a number and SIM that a holder has, reserved or assigned. What it does not have is
// left alone, so that repeating it changes nothing.
func (s *Service) Release(ctx context.Context, number, sim, holder id.ID) error {
	back := func(status *Status, h *id.ID) error {
		if *h != holder || *status != Reserved && *status != Assigned {
			return errAsItWas
		}
		*status, *h = Available, ""
		return nil
	}
	return s.both(ctx, number, sim,
		func(v *Number) error { return back(&v.Status, &v.Holder) },
		func(v *SIM) error { return back(&v.Status, &v.Holder) })
}

// Retire takes a number and SIM from a line that is disconnected: the number rests for the service provider's
// QuarantineDays and is available then, the SIM is never used again. What the line does not have is left alone, so
// that repeating it changes nothing.
func (s *Service) Retire(ctx context.Context, number, sim, line id.ID) error {
	rules, err := s.providers.Rules(ctx)
	if err != nil {
		return err
	}
	until := s.store.Now(ctx).AddDate(0, 0, provider.Or(rules.Policy.QuarantineDays, 90))
	rests := false
	return s.store.Write(ctx, func(ctx context.Context) error {
		if err := s.both(ctx, number, sim,
			func(v *Number) error {
				if v.Holder != line || v.Status != Assigned {
					return errAsItWas
				}
				rests = true
				v.Status, v.Until = Quarantined, &until
				return nil
			},
			func(v *SIM) error {
				if v.Holder != line || v.Status != Assigned && v.Status != Blocked {
					return errAsItWas
				}
				v.Status = Retired
				return nil
			}); err != nil || !rests {
			return err
		}
		return s.promise(ctx, jobQuarantine, number, until)
	})
}

// PortedAway takes the number of a line that another operator has now out of use for good.
func (s *Service) PortedAway(ctx context.Context, number, line id.ID) error {
	return s.both(ctx, number, "", func(v *Number) error {
		if v.Holder != line || v.Status != Assigned {
			return errAsItWas
		}
		v.Status = Retired
		return nil
	}, nil)
}

// Block keeps a SIM that is lost or stolen from being used, whoever has it; Unblock gives it back to them.
func (s *Service) Block(ctx context.Context, sim id.ID) error {
	return s.both(ctx, "", sim, nil, func(v *SIM) error {
		if v.Status == Blocked {
			return errAsItWas
		}
		v.Status = Blocked
		return nil
	})
}

// Unblock undoes Block.
func (s *Service) Unblock(ctx context.Context, sim id.ID) error {
	return s.both(ctx, "", sim, nil, func(v *SIM) error {
		if v.Status != Blocked {
			return errAsItWas
		}
		v.Status = Available
		if v.Holder != "" {
			v.Status = Assigned
		}
		return nil
	})
}

// errAsItWas ends a change that has nothing to change.
var errAsItWas = fault.New(fault.Conflict, "nothingToChange", "it is as it should be")

func unlessAsItWas(err error) error {
	if fault.From(err) != nil && fault.From(err).Code == errAsItWas.Code {
		return nil
	}
	return err
}

func (s *Service) both(ctx context.Context, number, sim id.ID, ofNumber func(*Number) error, ofSIM func(*SIM) error) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		if number != "" {
			if _, err := s.Numbers.Change(ctx, number, ofNumber); unlessAsItWas(err) != nil {
				return err
			}
		}
		if sim == "" {
			return nil
		}
		_, err := s.SIMs.Change(ctx, sim, ofSIM)
		return unlessAsItWas(err)
	})
}

const (
	// jobQuarantine makes a number available that has rested, jobReservation one whose reservation ends.
	jobQuarantine  = "inventory.quarantineEnd"
	jobReservation = "inventory.reservationEnd"
)

// due is the payload of both: what is due.
type due struct {
	ID id.ID `json:"id"`
}

// promise has something looked at when its moment comes.
func (s *Service) promise(ctx context.Context, kind string, i id.ID, at time.Time) error {
	payload, err := json.Marshal(due{i})
	if err != nil {
		return fault.Internalf(err, "a job cannot be written down")
	}
	home, _ := i.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{Kind: kind, Key: string(i) + "/" + at.Format(time.RFC3339Nano), Payload: payload, RunAt: at})
	return err
}

// wake ends the quarantine of a number that has rested.
func (s *Service) wake(ctx context.Context, j job.Job) error {
	var d due
	if err := json.Unmarshal(j.Payload, &d); err != nil {
		return job.Permanent{Err: err}
	}
	now := s.store.Now(ctx)
	_, err := s.Numbers.Change(ctx, d.ID, func(v *Number) error {
		if v.Status != Quarantined || v.Until == nil || now.Before(*v.Until) {
			return errAsItWas
		}
		v.Status, v.Holder, v.Until = Available, "", nil
		return nil
	})
	return gone(unlessAsItWas(err))
}

// gone forgives what was deleted meanwhile.
func gone(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}
