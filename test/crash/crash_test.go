//go:build crash

package crash

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/test/binary"
)

// writers is how many clients write side by side.
const writers = 8

func TestNothingAcknowledgedIsLostWhateverIsKilled(t *testing.T) {
	kills, err := strconv.Atoi(os.Getenv("N"))
	if err != nil || kills < 1 {
		t.Fatalf("N says how often to kill: %q is no number above 0", os.Getenv("N"))
	}
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			h := begin(t, storetest.URL(t, engine))
			h.kill(kills)
			h.check()
		})
	}
}

// house is a server that is killed and started again, with what was asked of it.
type house struct {
	*testing.T
	options binary.Options
	server  *binary.Server
	load    *load
	events  *sink
}

// begin starts a server with pools, a line to top up and somebody who listens.
func begin(t *testing.T, db string) *house {
	h := &house{T: t, events: &sink{seen: map[string]int{}}, options: binary.Options{
		Bin: binary.Build(t), Data: t.TempDir(), Port: binary.Port(t),
		Args: []string{"--dev", "--demo", "--demo-customers", "10", "--access-log", "none", "--log-level", "error", "--job-lease", "2s", "--db", db},
	}}
	binary.Start(t, h.options).Kill() // it has made its demonstration, and nobody else may write to an embedded database beside it
	seed := exec.Command(h.options.Bin, "seed", "--data", h.options.Data, "--db", db, "--numbers", "33639981000+2000", "--sims", "33098/20898/1000+2000")
	seed.Env = binary.Environ()
	if out, err := seed.CombinedOutput(); err != nil {
		t.Fatalf("seed: %v\n%s", err, out)
	}
	h.server = binary.Start(t, h.options)
	token, err := h.server.Token(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	h.load = newLoad(h.server.URL, token)
	h.prepare()
	return h
}

func (h *house) prepare() {
	var offerings []struct {
		ID string `json:"id"`
	}
	if _, _, err := h.load.get("/api/productOffering?name=Start", &offerings); err != nil || len(offerings) != 1 {
		h.Fatalf("offerings %v, %v", offerings, err)
	}
	h.load.offering = offerings[0].ID
	var lines []struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}
	account, err := h.load.until(operation{path: "/api/quickPrepaidBillingAccount", body: map[string]any{"tradingName": "Savings"}}, "savings")
	if err != nil {
		h.Fatal(err)
	}
	order := map[string]any{"accountId": account, "productOrderItem": []any{map[string]any{"productOffering": map[string]any{"id": h.load.offering}}}}
	if _, err := h.load.until(operation{path: "/api/productOrder", body: order}, "savings line"); err != nil {
		h.Fatal(err)
	}
	h.eventually("the line to top up", func() bool {
		_, _, err := h.load.get("/api/subscription?accountID="+account, &lines)
		return err == nil && len(lines) == 1 && lines[0].State == "ACTIVE"
	})
	h.load.line = lines[0].ID
	h.preparePayments()
	listener := httptest.NewServer(h.events)
	h.Cleanup(listener.Close)
	hub := map[string]any{"callback": listener.URL, "query": "eventType=IndividualCreateEvent"}
	if _, err := h.load.until(operation{path: "/tmf-api/party/v4/hub", body: hub}, "hub"); err != nil {
		h.Fatal(err)
	}
}

// kill kills the server at random moments while the writers write, and starts it again.
func (h *house) kill(times int) {
	ctx, stop := context.WithCancel(h.Context())
	ended := make(chan error, writers)
	for n := range writers {
		go func() { ended <- h.load.writer(ctx, n) }()
	}
	r := rand.New(rand.NewPCG(uint64(times), 2))
	for n := range times {
		time.Sleep(time.Duration(50+r.IntN(500)) * time.Millisecond)
		h.server.Kill()
		s, err := binary.Launch(h.T, h.options)
		if err != nil {
			stop()
			h.Fatalf("start after kill %d: %v", n+1, err)
		}
		h.server = s
	}
	stop()
	for range writers {
		if err := <-ended; err != nil {
			h.Error(err)
		}
	}
	l := h.load
	h.Logf("killed %d times; acknowledged %d individuals, %d accounts, %d orders, %d top-ups, %d charges, %d adjustments; %d requests were sent again",
		times, len(l.individuals), len(l.accounts), len(l.orders), len(l.topups), len(l.charges), len(l.adjustments), l.resent)
}

// check looks whether the server kept its word.
func (h *house) check() {
	h.once("individual", "familyName", len(h.load.individuals))
	h.once("customer", "name", len(h.load.accounts))
	h.once("billingAccount", "name", len(h.load.accounts))
	for kind, ids := range map[string][]string{"individual": h.load.individuals, "quickPrepaidBillingAccount": h.load.accounts} {
		for _, id := range ids {
			if status, _, err := h.load.get("/api/"+kind+"/"+id, nil); err != nil || status != http.StatusOK {
				h.Errorf("acknowledged %s %s: status %d, %v", kind, id, status, err)
			}
		}
	}
	h.checkOrders()
	h.checkMoney()
	h.checkPayments()
	h.checkEvents()
	if code, err := h.server.Stop(30 * time.Second); err != nil || code != 0 {
		h.Errorf("the last stop: code %d, %v", code, err)
	}
	db := h.options.Args[slices.Index(h.options.Args, "--db")+1]
	doctor := exec.Command(h.options.Bin, "doctor", "--data", h.options.Data, "--db", db)
	doctor.Env = binary.Environ()
	out, err := doctor.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "every unit sums to zero") || !strings.Contains(string(out), "1 has 0 dead jobs") {
		h.Errorf("doctor: %v\n%s", err, out)
	}
}

// once holds that each acknowledged thing is there once, and that nothing else is: no half of an account.
func (h *house) once(collection, attribute string, want int) {
	_, total, err := h.load.get("/api/"+collection+"?limit=1&"+attribute+".regex=%5ECrash", nil)
	if err != nil || total != strconv.Itoa(want) {
		h.Errorf("%s %ss are there, %d were acknowledged (%v)", total, collection, want, err)
	}
}

// checkOrders holds that every acknowledged order is carried out.
func (h *house) checkOrders() {
	for _, id := range h.load.orders {
		var o struct {
			State string `json:"state"`
		}
		h.eventually("order "+id+" to be completed", func() bool {
			_, _, err := h.load.get("/api/productOrder/"+id, &o)
			return err == nil && o.State == "completed"
		})
	}
}

// checkMoney holds that each top-up was paid in once: 5 EUR to begin with, 1 EUR each.
func (h *house) checkMoney() {
	var b struct {
		Balance struct {
			Amount float64 `json:"amount"`
		} `json:"balance"`
	}
	if _, _, err := h.load.get("/api/subscription/balanceQuery?subscriptionId="+h.load.line, &b); err != nil {
		h.Error(err)
	}
	if want := 5 + float64(len(h.load.topups)); b.Balance.Amount != want {
		h.Errorf("the balance is %v, want %v", b.Balance.Amount, want)
	}
}

// checkEvents holds that every creation was told, and nothing that did not happen.
func (h *house) checkEvents() {
	for _, id := range h.load.individuals {
		h.eventually("the event of "+id, func() bool { return h.events.has(id) })
	}
	h.events.mu.Lock()
	defer h.events.mu.Unlock()
	twice := 0
	for id, times := range h.events.seen {
		if !slices.Contains(h.load.individuals, id) {
			h.Errorf("an event tells of %s, which was never acknowledged", id)
		}
		if times > 1 {
			twice++
		}
	}
	h.Logf("%d events arrived, %d of them more than once", len(h.events.seen), twice)
}

func (h *house) eventually(what string, is func() bool) {
	h.Helper()
	for begun := time.Now(); time.Since(begun) < 2*time.Minute; time.Sleep(20 * time.Millisecond) {
		if is() {
			return
		}
	}
	h.Fatalf("waited two minutes for %s", what)
}
