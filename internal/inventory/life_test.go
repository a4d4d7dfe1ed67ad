package inventory

import (
	"context"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

var (
	anOrder = id.New(id.Kind{Prefix: "ord"}, 1, time.Unix(0, 0))
	aLine   = id.New(id.Kind{Prefix: "sub"}, 1, time.Unix(0, 0))
	ann     = id.New(id.Kind{Prefix: "cus"}, 1, time.Unix(0, 0))
)

// stock is a service with ten numbers, two of them premium, and SIMs, on a clock that the test moves.
type stock struct {
	*Service
	t   *testing.T
	ctx context.Context
	at  *clock.Virtual
}

func eachStock(t *testing.T, fn func(t *testing.T, s *stock)) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			s := &stock{t: t, ctx: storetest.Context(1), at: clock.NewVirtual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))}
			db := storetest.Open(t, engine, func(o *store.Options) { o.Clock = s.at })
			s.Service = New(db, provider.New(db))
			list := []Number{{Value: "41791234777", Class: Premium, Group: "gold"}, {Value: "41781234777", Class: Premium}}
			for n := range 8 {
				list = append(list, Number{Value: msisdn.Number([]byte("4179000000" + string(rune('0'+n))))})
			}
			if bad, err := s.AddNumberList(s.ctx, list); err != nil || len(bad) > 0 {
				t.Fatal(bad, err)
			}
			if _, err := s.AddSIMs(s.ctx, Batch{Issuer: "41001", Network: "22801", First: 1, Count: 3}); err != nil {
				t.Fatal(err)
			}
			fn(t, s)
		})
	}
}

// pass lets time pass and runs what is due then.
func (s *stock) pass(d time.Duration) {
	s.t.Helper()
	s.at.Advance(d)
	jobs, err := s.store.ClaimJobs(s.ctx, 100, time.Minute)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, j := range jobs {
		for range 2 { // a job may run twice
			if err := s.Jobs()[j.Kind](s.ctx, j); err != nil {
				s.t.Fatal(err)
			}
		}
		if err := s.store.FinishJob(s.ctx, j); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *stock) stands(i id.ID, want Status) {
	s.t.Helper()
	if v, _, err := s.Numbers.Get(s.ctx, i); err != nil || v.Status != want || (v.Draw != "") != (want == Available) {
		s.t.Errorf("the number is %s (%s), want %s: %v", v.Status, v.Draw, want, err)
	}
}

func (s *stock) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestANumberRestsAfterItsLine(t *testing.T) {
	eachStock(t, func(t *testing.T, s *stock) {
		n, err := s.PickNumber(s.ctx, "")
		s.must(err)
		c, err := s.PickSIM(s.ctx, "")
		s.must(err)
		_, err = s.ReserveNumber(s.ctx, n, anOrder)
		s.must(err)
		_, err = s.ReserveSIM(s.ctx, c, anOrder)
		s.must(err)
		s.must(s.Assign(s.ctx, n, c, anOrder, aLine))
		s.must(s.Retire(s.ctx, n, c, anOrder))
		s.stands(n, Assigned)
		for range 2 {
			s.must(s.Retire(s.ctx, n, c, aLine))
		}
		s.stands(n, Quarantined)
		if v, _, err := s.SIMs.Get(s.ctx, c); err != nil || v.Status != Retired {
			t.Errorf("the SIM is %s %v", v.Status, err)
		}
		s.must(s.Release(s.ctx, n, c, aLine))
		s.stands(n, Quarantined)
		s.pass(90*24*time.Hour - time.Second)
		s.stands(n, Quarantined)
		s.pass(time.Second)
		s.stands(n, Available)
	})
}

func TestAReservationEndsAtItsMoment(t *testing.T) {
	eachStock(t, func(t *testing.T, s *stock) {
		i, r, err := s.Reserve(s.ctx, "41790000003", ann)
		s.must(err)
		if !r.Till.Equal(s.at.Now().Add(30*time.Minute)) || r.Class != Regular {
			t.Errorf("%+v", r)
		}
		s.stands(r.Number, Reserved)
		if _, _, err := s.Reserve(s.ctx, "41790000003", ann); fault.From(err).Code != CodeTaken {
			t.Errorf("reserved twice: %v", err)
		}
		s.pass(20 * time.Minute)
		if r, err = s.Extend(s.ctx, i); err != nil || !r.Till.Equal(s.at.Now().Add(30*time.Minute)) {
			t.Errorf("%+v %v", r, err)
		}
		s.pass(20 * time.Minute) // the first end passes by
		s.stands(r.Number, Reserved)
		s.pass(10 * time.Minute)
		s.stands(r.Number, Available)
		if _, err := s.Extend(s.ctx, i); fault.From(err).Code != CodeReservation {
			t.Errorf("extended after its end: %v", err)
		}
		i, _, err = s.Reserve(s.ctx, "41790000003", ann)
		s.must(err)
		for range mostExtensions {
			_, err := s.Extend(s.ctx, i)
			s.must(err)
		}
		if _, err := s.Extend(s.ctx, i); fault.From(err).Code != CodeExtensions {
			t.Errorf("extended for ever: %v", err)
		}
	})
}

func TestAReservationIsForWhoMadeIt(t *testing.T) {
	eachStock(t, func(t *testing.T, s *stock) {
		i, r, err := s.Reserve(s.ctx, "", ann)
		s.must(err)
		for _, by := range [][]id.ID{nil, {aLine}, {""}} {
			if _, err := s.ReserveNumber(s.ctx, r.Number, anOrder, by...); fault.From(err).Code != CodeTaken {
				t.Errorf("%v got another's number: %v", by, err)
			}
		}
		if v, err := s.ReserveNumber(s.ctx, r.Number, anOrder, aLine, ann); err != nil || v.Holder != anOrder {
			t.Errorf("%+v %v", v, err)
		}
		if _, err := s.Cancel(s.ctx, i); fault.From(err).Code != CodeReservation {
			t.Errorf("a used reservation was cancelled: %v", err)
		}
		s.pass(time.Hour)
		s.stands(r.Number, Reserved)
		nobodys, r, err := s.Reserve(s.ctx, "", "")
		s.must(err)
		if _, err := s.ReserveNumber(s.ctx, r.Number, anOrder, ""); err == nil {
			t.Error("nobody's reservation went to nobody")
		}
		_, err = s.ReserveNumber(s.ctx, r.Number, anOrder, nobodys)
		s.must(err)
	})
}

func TestNumbersAreFoundByPattern(t *testing.T) {
	eachStock(t, func(t *testing.T, s *stock) {
		for _, c := range []struct {
			q    Search
			want int
		}{
			{Search{}, 10}, {Search{Pattern: "*"}, 10}, {Search{Pattern: "4179*"}, 9}, {Search{Pattern: "41790000003"}, 1}, {Search{Pattern: "*777"}, 2},
			{Search{Pattern: "?179*"}, 9}, {Search{Pattern: "0000"}, 8}, {Search{Pattern: "*1234*"}, 2}, {Search{Pattern: "41?81234777"}, 1},
			{Search{Pattern: "417?1234777"}, 2}, {Search{Class: Premium}, 2}, {Search{Class: Premium, Pattern: "4179*"}, 1}, {Search{Class: Regular, Pattern: "*777"}, 0},
			{Search{Group: "gold"}, 1}, {Search{Group: "gold", Pattern: "*7"}, 1}, {Search{Pattern: "+4178*"}, 1}, {Search{Pattern: "**777"}, 2},
		} {
			c.q.Limit = 100
			if got, err := s.Find(s.ctx, c.q); err != nil || len(got) != c.want {
				t.Errorf("%+v finds %d, want %d: %v", c.q, len(got), c.want, err)
			}
		}
		for _, bad := range []Search{{Pattern: "x"}, {Pattern: "4179%"}, {Class: "gold"}, {Pattern: "123456789012345678901234567890123"}} {
			if _, err := s.Find(s.ctx, bad); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		for range 50 {
			i, err := s.PickNumber(s.ctx, "")
			s.must(err)
			if v, _, err := s.Numbers.Get(s.ctx, i); err != nil || v.Class != Regular {
				t.Fatalf("a premium number was given to who did not ask: %+v %v", v, err)
			}
		}
		if _, err := s.PickNumber(storetest.Context(2), "41790000003"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("another service provider's number: %v", err)
		}
	})
}

func TestSerialNumbers(t *testing.T) {
	eachStock(t, func(t *testing.T, s *stock) {
		const imei = "490154203237518"
		if _, err := s.TakeSerial(s.ctx, IMEI, imei, true, aLine); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a managed one that is not in stock: %v", err)
		}
		_, _, err := s.Serials.Add(s.ctx, &Serial{Serial: imei, Of: IMEI, Managed: true})
		s.must(err)
		i, err := s.TakeSerial(s.ctx, IMEI, imei, true, aLine)
		s.must(err)
		if again, err := s.TakeSerial(s.ctx, IMEI, imei, true, aLine); again != i || err != nil {
			t.Error(again, err)
		}
		if _, err := s.TakeSerial(s.ctx, IMEI, imei, true, anOrder); fault.From(err).Code != CodeTaken {
			t.Errorf("taken twice: %v", err)
		}
		s.must(s.ReturnSerial(s.ctx, i, aLine))
		if v, _, err := s.Serials.Get(s.ctx, i); err != nil || v.Status != Available {
			t.Errorf("%+v %v", v, err)
		}
		other, err := s.TakeSerial(s.ctx, "router", "R-17", false, aLine)
		s.must(err)
		s.must(s.ReturnSerial(s.ctx, other, aLine))
		s.must(s.ReturnSerial(s.ctx, other, aLine))
		for _, bad := range []Serial{{Serial: "490154203237519", Of: IMEI}, {Serial: "1", Of: IMEISV}, {Serial: "", Of: "x"}, {Serial: "1", Of: "a/b"}} {
			if _, _, err := s.Serials.Add(s.ctx, &bad); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

func TestHowICCIDsOfABatchAreWritten(t *testing.T) {
	with := Batch{Issuer: "41001", Network: "22801", First: 1}.sim(0).ICCID
	for form, want := range map[ICCIDForm][3]bool{WithCheckDigit: {true, false, false}, WithoutCheckDigit: {true, true, false}, EitherForm: {true, true, false}} {
		for n, text := range []string{with, with[:18], with[:17]} {
			if got := form.Check(text) == nil; got != want[n] {
				t.Errorf("%q: %s is %v", form, text, got)
			}
		}
	}
}
