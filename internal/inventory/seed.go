package inventory

import (
	"context"
	"fmt"
	"strconv"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
)

// batch is how many resources one transaction adds.
const batch = 1000

// AddNumbers puts count numbers from the first one on into the pool and says how many were new: those that
// are there already stay as they are.
func (s *Service) AddNumbers(ctx context.Context, first msisdn.Number, count int) (added int, err error) {
	start, err := strconv.ParseUint(string(first), 10, 63)
	if err != nil || len(first) < 7 || len(strconv.FormatUint(start+uint64(count), 10)) > 15 {
		return 0, fault.Invalidf("first", "%q is not the first of %d mobile numbers", first, count)
	}
	return s.add(ctx, count, func(ctx context.Context, from, to int) (map[int]error, error) {
		list := make([]Number, 0, to-from)
		for n := from; n < to; n++ {
			list = append(list, Number{Value: msisdn.Number(strconv.FormatUint(start+uint64(n), 10))})
		}
		return s.AddNumberList(ctx, list)
	})
}

// Batch describes SIMs to add: Count of them, their ICCIDs counted up from Issuer (the digits after 89 of
// country and issuer) and their IMSIs from Network (MCC and MNC), both from serial number First on.
type Batch struct {
	Issuer  string // "41001": the ICCIDs are 89 41001 …
	Network string // "22801": the IMSIs are 22801 …
	First   int
	Count   int
}

// AddSIMs puts a batch of SIMs into the pool and says how many were new.
func (s *Service) AddSIMs(ctx context.Context, b Batch) (added int, err error) {
	if len(b.Issuer) < 3 || len(b.Issuer) > 7 || !digits(b.Issuer) {
		return 0, fault.Invalidf("issuer", "an issuer has 3 to 7 digits of country and issuer identifier")
	}
	if (len(b.Network) != 5 && len(b.Network) != 6) || !digits(b.Network) {
		return 0, fault.Invalidf("network", "a network has 5 or 6 digits of MCC and MNC")
	}
	return s.add(ctx, b.Count, func(ctx context.Context, from, to int) (map[int]error, error) {
		list := make([]SIM, 0, to-from)
		for n := from; n < to; n++ {
			list = append(list, b.sim(n))
		}
		return s.AddSIMList(ctx, list, WithCheckDigit)
	})
}

func (b Batch) sim(n int) SIM {
	serial := b.First + n
	payload := fmt.Sprintf("89%s%0*d", b.Issuer, 16-len(b.Issuer), serial)
	return SIM{
		ICCID: payload + string(Luhn(payload)),
		IMSI:  fmt.Sprintf("%s%0*d", b.Network, 15-len(b.Network), serial),
	}
}

// add adds things a batch at a time; those that are there already are left out.
func (s *Service) add(ctx context.Context, count int, some func(ctx context.Context, from, to int) (map[int]error, error)) (added int, err error) {
	for from := 0; from < count; from += batch {
		to := min(from+batch, count)
		bad, err := some(ctx, from, to)
		if err != nil {
			return added, err
		}
		for _, why := range bad {
			if fault.From(why).Code != CodeTaken {
				return added, why
			}
		}
		added += to - from - len(bad)
	}
	return added, nil
}
