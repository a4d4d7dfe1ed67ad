package network_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	connect "github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/connect/network/networktest"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/network"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

var key = []byte("0123456789abcdef0123456789abcdef")

// rig is a way to a simulated network whose faults the test chooses.
type rig struct {
	network.Connector
	sim   *connect.Simulator
	fault connect.Fault
	clock *clock.Virtual
	ctx   context.Context
	// told are the callbacks that arrived.
	told []network.Answer
}

// each runs the suite that every connector must pass on all of them.
func each(t *testing.T, fn func(t *testing.T, r *rig)) {
	build := func() *rig {
		r := &rig{clock: clock.NewVirtual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)), ctx: storetest.Context(1)}
		r.sim = connect.NewSimulator(connect.SimulatorOptions{
			Clock: r.clock, Delay: time.Hour, Choose: func(network.Order, int) connect.Fault { return r.fault },
		})
		return r
	}
	tell := func(r *rig) func(context.Context, id.ID, network.Answer) error {
		return func(_ context.Context, _ id.ID, a network.Answer) error {
			r.told = append(r.told, a)
			return nil
		}
	}
	t.Run("simulator", func(t *testing.T) {
		r := build()
		r.Connector = r.sim
		r.sim.OnCallback(tell(r))
		fn(t, r)
	})
	t.Run("http", func(t *testing.T) {
		r := build()
		server := networktest.New(r.sim, key, r.clock)
		t.Cleanup(server.Close)
		back := httptest.NewServer(networktest.Listen(key, r.clock, func(c connect.Callback) error {
			return tell(r)(t.Context(), c.Request, c.Answer)
		}))
		t.Cleanup(back.Close)
		var err error
		r.Connector, err = connect.NewHTTP(connect.HTTPOptions{URL: server.URL + "/", Key: key, Clock: r.clock, Callback: func() string { return back.URL }})
		if err != nil {
			t.Fatal(err)
		}
		fn(t, r)
	})
}

var lines = id.Kind{Name: "product", Prefix: "sub"}

func (r *rig) order(a network.Action) network.Order {
	return network.Order{
		ID: id.New(network.Kind, 1, r.clock.Now()), Action: a, Line: id.New(lines, 1, r.clock.Now()),
		MSISDN: "41790000001", ICCID: "8941001000000000015", IMSI: "228010000000001", Plan: "plus", Services: []string{"roaming"},
	}
}

func (r *rig) submit(t *testing.T, o network.Order, want network.Result) network.Answer {
	t.Helper()
	a, err := r.Submit(r.ctx, o)
	if err != nil || a.Result != want {
		t.Fatalf("%s: %+v, %v; want %s", o.Action, a, err, want)
	}
	return a
}

func (r *rig) status(t *testing.T, i id.ID, want network.Result) {
	t.Helper()
	if a, err := r.Status(r.ctx, i); err != nil || a.Result != want {
		t.Errorf("it is %+v, %v; want %s", a, err, want)
	}
}

func TestARequestIsCarriedOutOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		o := r.order(network.Activate)
		r.status(t, o.ID, network.Unknown)
		for range 3 {
			r.submit(t, o, network.Done)
		}
		r.status(t, o.ID, network.Done)
		l := r.sim.Line(o.Line)
		if !l.Connected || l.Activations != 1 || l.Order.Plan != "plus" || l.Order.IMSI != o.IMSI || len(l.Order.Services) != 1 || r.sim.Calls(o.ID) != 3 {
			t.Errorf("%+v, %d calls", l, r.sim.Calls(o.ID))
		}
		if d := r.sim.Doubled(); len(d) != 0 {
			t.Errorf("provisioned twice: %v", d)
		}
		second := o
		second.ID = id.New(network.Kind, 1, r.clock.Now())
		r.submit(t, second, network.Done)
		if d := r.sim.Doubled(); len(d) != 1 || d[0] != o.Line {
			t.Errorf("a line that is provisioned twice is not named: %v", d)
		}
	})
}

func TestACallThatFailsIsAnError(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		o := r.order(network.Activate)
		for fault, want := range map[connect.Fault]network.Result{connect.Fail: network.Unknown, connect.Lose: network.Done} {
			o.ID = id.New(network.Kind, 1, r.clock.Now())
			r.fault = fault
			if a, err := r.Submit(r.ctx, o); err == nil {
				t.Errorf("%s: %+v", fault, a)
			}
			r.status(t, o.ID, want)
			r.fault = connect.None
			r.submit(t, o, network.Done)
		}
		if l := r.sim.Line(o.Line); l.Activations != 2 {
			t.Errorf("two requests were carried out %d times", l.Activations)
		}
	})
}

func TestARefusalSaysWhy(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		o := r.order(network.Suspend)
		r.fault = connect.Refuse
		if a := r.submit(t, o, network.Refused); a.Reason != "the network refuses suspend" || a.Silent {
			t.Errorf("%+v", a)
		}
		r.fault = connect.None
		r.submit(t, o, network.Refused)
		r.status(t, o.ID, network.Refused)
	})
}

func TestANumberAndASIMAreConnectedOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		first := r.order(network.Activate)
		r.submit(t, first, network.Done)
		for _, change := range []func(o *network.Order){func(o *network.Order) { o.ICCID = "8941001000000000023" }, func(o *network.Order) { o.MSISDN = "41790000002" }} {
			o := r.order(network.Activate)
			change(&o)
			r.submit(t, o, network.Refused)
		}
		off := first
		off.ID, off.Action = id.New(network.Kind, 1, r.clock.Now()), network.Deactivate
		r.submit(t, off, network.Done)
		r.submit(t, r.order(network.Activate), network.Done)
		r.submit(t, r.order(network.Deactivate), network.Done)
		if l := r.sim.Line(first.Line); l.Connected || l.Deactivations != 1 {
			t.Errorf("%+v", l)
		}
	})
}

func TestWhatBecomesOfALine(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		o := r.order(network.Activate)
		for _, step := range []struct {
			action            network.Action
			connected, barred bool
		}{
			{network.Activate, true, false}, {network.Suspend, true, true}, {network.Modify, true, true}, {network.Resume, true, false},
			{network.Suspend, true, true}, {network.Deactivate, false, false}, {network.Deactivate, false, false},
		} {
			o.ID, o.Action = id.New(network.Kind, 1, r.clock.Now()), step.action
			r.submit(t, o, network.Done)
			if l := r.sim.Line(o.Line); l.Connected != step.connected || l.Barred != step.barred {
				t.Errorf("after %s: %+v", step.action, l)
			}
		}
	})
}

func TestAnAnswerMayComeLater(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		for fault, times := range map[connect.Fault]int{connect.Later: 1, connect.Twice: 2, connect.Mute: 0} {
			r.fault, r.told = fault, nil
			o := r.order(network.Modify)
			o.MSISDN, o.ICCID = "", ""
			r.submit(t, o, network.Accepted)
			if len(r.told) != 0 {
				t.Errorf("%s: told at once", fault)
			}
			if n, err := r.sim.Deliver(); n != times || err != nil {
				t.Errorf("%s: %d callbacks, %v", fault, n, err)
			}
			if len(r.told) != times {
				t.Errorf("%s: told %d times", fault, len(r.told))
			}
			for _, a := range r.told {
				if a.Result != network.Done {
					t.Errorf("%s: told %+v", fault, a)
				}
			}
			r.status(t, o.ID, network.Done)
		}
	})
}

func TestASlowAnswerIsNotWaitedForForEver(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.fault = connect.Slow
		ctx, cancel := context.WithCancel(r.ctx)
		cancel()
		o := r.order(network.Activate)
		if a, err := r.Submit(ctx, o); err == nil {
			t.Errorf("%+v", a)
		}
	})
}

// What a network that is not the test's own may answer.
func TestWhatAnswersMean(t *testing.T) {
	var status int
	var text string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}))
	defer server.Close()
	h, err := connect.NewHTTP(connect.HTTPOptions{URL: server.URL, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	const again = network.Result("again")
	for _, c := range []struct {
		status int
		text   string
		want   network.Result
		reason string
	}{
		{200, `{"result":"done"}`, network.Done, ""},
		{200, `{"result":"accepted","more":1}`, network.Accepted, ""},
		{200, `{"result":"refused","reason":"no"}`, network.Refused, "no"},
		{200, `{"result":"refused","reason":"no","silent":true}`, network.Refused, "no"},
		{200, `{"result":"perhaps"}`, again, ""}, {200, ``, again, ""}, {200, `<html>`, again, ""}, {204, ``, again, ""},
		{202, ``, network.Accepted, ""}, {202, `{"result":"done"}`, network.Accepted, ""},
		{301, ``, again, ""}, {304, ``, again, ""},
		{400, `{"reason":"no such SIM"}`, network.Refused, "no such SIM"},
		{409, ``, network.Refused, "the network answered 409 Conflict"}, {422, `<html>`, network.Refused, "the network answered 422 Unprocessable Entity"},
		{401, ``, again, ""}, {403, ``, again, ""}, {404, ``, again, ""}, {408, ``, again, ""}, {425, ``, again, ""}, {429, ``, again, ""},
		{500, ``, again, ""}, {502, `{"result":"done"}`, again, ""}, {503, ``, again, ""}, {504, ``, again, ""},
	} {
		status, text = c.status, c.text
		a, err := h.Submit(storetest.Context(1), network.Order{ID: "nrq_x"})
		if c.want == again && err == nil || c.want != again && (err != nil || a.Result != c.want || a.Reason != c.reason || a.Silent) {
			t.Errorf("%d %s: %+v, %v; want %s %q", c.status, c.text, a, err, c.want, c.reason)
		}
	}
}

func TestANetworkThatIsNotThere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	h, err := connect.NewHTTP(connect.HTTPOptions{URL: server.URL + "/secret-path", Key: key, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Submit(storetest.Context(1), network.Order{ID: "nrq_x"}); err == nil || strings.Contains(err.Error(), "secret-path") {
		t.Errorf("%v", err)
	}
	if _, err := h.Status(storetest.Context(1), "nrq_x"); err == nil {
		t.Error("a status from nowhere")
	}
	for _, o := range []connect.HTTPOptions{
		{URL: "hlr.example", Key: key}, {URL: "ftp://hlr.example", Key: key}, {URL: "https://hlr.example?x=1", Key: key}, {URL: "https://hlr.example", Key: key[:31]},
	} {
		if _, err := connect.NewHTTP(o); err == nil {
			t.Errorf("%s was taken", o.URL)
		}
	}
}

func TestASignatureOfAnotherKeyIsRefused(t *testing.T) {
	at := clock.NewVirtual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	sim := connect.NewSimulator(connect.SimulatorOptions{})
	server := networktest.New(sim, key, at)
	defer server.Close()
	h, err := connect.NewHTTP(connect.HTTPOptions{URL: server.URL, Key: []byte("another key that is long enough ..."), Clock: at})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := h.Submit(storetest.Context(1), network.Order{ID: "nrq_x", Action: network.Activate, Line: "sub_x"}); err == nil {
		t.Errorf("%+v", a)
	}
	if len(sim.Requests()) != 0 {
		t.Error("it was carried out")
	}
}

// The same seed makes the same faults, and whatever they are, every request ends and none is carried out twice.
func TestASeededNetworkWithEveryFault(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			at := clock.NewVirtual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
			seeded(t, storetest.Open(t, engine, func(o *store.Options) { o.Clock = at }), at)
		})
	}
}

func seeded(t *testing.T, s *store.Store, at *clock.Virtual) {
	t.Helper()
	ctx := storetest.Context(1)
	sim := connect.NewSimulator(connect.SimulatorOptions{Seed: 42, Clock: at, Delay: 1000 * time.Hour, Chances: map[connect.Fault]float64{
		connect.Fail: .2, connect.Lose: .2, connect.Refuse: .05, connect.Later: .1, connect.Twice: .1, connect.Mute: .1,
	}})
	ended := map[id.ID]int{}
	n := network.New(s, network.Options{Connector: sim, Ended: func(_ context.Context, o network.Outcome) error {
		ended[o.Request]++
		return nil
	}})
	sim.OnCallback(n.Tell)
	var all []id.ID
	for range 20 {
		line := id.New(lines, 1, s.Now(ctx))
		for _, a := range []network.Action{network.Activate, network.Modify, network.Suspend} {
			i, err := n.Request(ctx, string(line)+string(a), network.Order{Action: a, Line: line})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, i)
		}
	}
	for round := 0; len(ended) < len(all) && round < 1000; round++ {
		if _, err := sim.Deliver(); err != nil {
			t.Fatal(err)
		}
		work(ctx, t, s, n)
		at.Advance(10 * time.Second)
	}
	for _, i := range all {
		if ended[i] != 1 {
			t.Errorf("%s ended %d times", i, ended[i])
		}
	}
	if d := sim.Doubled(); len(d) > 0 {
		t.Errorf("provisioned twice: %v", d)
	}
}

func work(ctx context.Context, t *testing.T, s *store.Store, n *network.Service) {
	t.Helper()
	jobs, err := s.ClaimJobs(ctx, 100, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if err := n.Jobs()[j.Kind](ctx, j); err != nil {
			t.Fatal(err)
		}
		if err := s.FinishJob(ctx, j); err != nil {
			t.Fatal(err)
		}
	}
}
