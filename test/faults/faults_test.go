//go:build faults

// Package faults has the binary carry out orders while its network fails, loses answers, answers twice or never, and
// while it is killed again and again. Then every order must have ended, carried out or taken back; the network must have
// just the lines that are active, each connected once; and no money may have been taken for a line that never was.
package faults

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	connect "github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/connect/network/networktest"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/test/binary"
)

const (
	orders = 60
	kills  = 12
	key    = "the key of the network for the tests of faults"
)

func TestOrdersEndWhateverFails(t *testing.T) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel() // most of it waits
			h := begin(t, storetest.URL(t, engine))
			h.place()
			h.settle()
			h.check()
		})
	}
}

type house struct {
	*testing.T
	options binary.Options
	server  *binary.Server
	net     *networktest.Server
	db      string
	token   string
	// ids are the orders that were acknowledged.
	ids       []string
	offerings map[string]string
}

func begin(t *testing.T, db string) *house {
	sim := connect.NewSimulator(connect.SimulatorOptions{Seed: 3, Delay: 300 * time.Millisecond, Chances: map[connect.Fault]float64{
		connect.Slow: .1, connect.Fail: .1, connect.Lose: .15, connect.Refuse: .1, connect.Later: .15, connect.Twice: .1, connect.Mute: .05,
	}})
	net := networktest.New(sim, []byte(key), clock.Real{})
	t.Cleanup(net.Close)
	return run(t, db, net, net.URL, "--network-patience", "20s")
}

// run starts the binary with its network at an address.
func run(t *testing.T, db string, net *networktest.Server, address string, args ...string) *house {
	h := &house{T: t, net: net, db: db, options: binary.Options{
		Bin: binary.Build(t), Data: t.TempDir(), Port: binary.Port(t),
		Args: append([]string{"--dev", "--demo", "--demo-customers", "1", "--access-log", "none", "--log-level", "error", "--job-lease", "2s", "--db", db,
			"--network-url", address, "--network-key", key, "--network-timeout", "2s"}, args...),
	}}
	h.server = binary.Start(t, h.options)
	var err error
	if h.token, err = h.server.Token(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	return h
}

// place orders lines, and kills the server at moments that fall into every step.
func (h *house) place() {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range orders {
		account := h.until("POST", "/api/quickPrepaidBillingAccount", fmt.Sprintf("a%d", n), map[string]any{"tradingName": fmt.Sprintf("Fault %d", n)})
		h.ids = append(h.ids, h.until("POST", "/api/productOrder", fmt.Sprintf("o%d", n), map[string]any{
			"accountId": account, "productOrderItem": []any{map[string]any{"productOffering": map[string]any{"id": "start"}}},
		}))
		if n%(orders/kills) == 0 {
			time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond)
			h.server.Kill()
			s, err := binary.Launch(h.T, h.options)
			if err != nil {
				h.Fatalf("start after a kill: %v", err)
			}
			h.server = s
		}
	}
}

type ordered struct {
	State string `json:"state"`
	Items []struct {
		Product struct {
			ID id.ID `json:"id"`
		} `json:"product"`
	} `json:"productOrderItem"`
	Errors []struct {
		Reason string `json:"reason"`
	} `json:"productOrderErrorMessage"`
}

// settle waits until every order has ended.
func (h *house) settle() {
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(200 * time.Millisecond) {
		open := 0
		for _, i := range h.ids {
			var o ordered
			h.get("/api/productOrder/"+i, &o)
			if o.State != "completed" && o.State != "failed" {
				open++
			}
		}
		if open == 0 {
			return
		}
	}
	h.Fatal("orders are stuck")
}

func (h *house) check() {
	ended := map[string]int{}
	for _, i := range h.ids {
		var o ordered
		h.get("/api/productOrder/"+i, &o)
		ended[o.State]++
		line := o.Items[0].Product.ID
		if line == "" {
			continue
		}
		var v struct {
			State string `json:"state"`
		}
		h.get("/api/subscription/"+string(line), &v)
		told := false
		for _, e := range o.Errors {
			told = told || strings.HasPrefix(e.Reason, "not taken back")
		}
		connected := h.net.Simulator.Line(line).Connected
		switch {
		case o.State == "completed" && (v.State != "ACTIVE" || !connected):
			h.Errorf("a completed order's line %s is %s, connected %v", line, v.State, connected)
		case o.State == "failed" && (v.State == "ACTIVE" || connected && !told):
			h.Errorf("a failed order's line %s is %s, connected %v", line, v.State, connected)
		case o.State == "completed" && h.money(line) != 5:
			h.Errorf("the line %s has %v", line, h.money(line))
		case o.State == "failed" && h.money(line) != 0:
			h.Errorf("a failed order's line %s has %v", line, h.money(line))
		}
	}
	if ended["completed"] == 0 || ended["failed"] == 0 {
		h.Errorf("the orders ended %v: nothing went wrong, or everything did", ended)
	}
	h.Logf("killed %d times; the orders ended %v", kills, ended)
	h.proved()
}

// proved holds that nothing was provisioned twice, and that the ledger makes and loses nothing.
func (h *house) proved() {
	if doubled := h.net.Simulator.Doubled(); len(doubled) > 0 {
		h.Errorf("provisioned twice: %v", doubled)
	}
	if code, err := h.server.Stop(30 * time.Second); err != nil || code != 0 {
		h.Errorf("the last stop: code %d, %v", code, err)
	}
	doctor := exec.Command(h.options.Bin, "doctor", "--data", h.options.Data, "--db", h.db)
	doctor.Env = binary.Environ()
	out, err := doctor.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "every unit sums to zero") {
		h.Errorf("doctor: %v\n%s", err, out)
	}
}

// until sends a request until the server acknowledges it, under one idempotency key, and gives the id of what it made.
func (h *house) until(method, path, idempotency string, body map[string]any) string {
	h.Helper()
	payload, err := json.Marshal(body)
	if err != nil {
		h.Fatal(err)
	}
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(20 * time.Millisecond) {
		status, answer, err := h.send(method, path, idempotency, payload)
		if err != nil || status >= 500 {
			continue
		}
		var made struct {
			ID string `json:"id"`
		}
		if status != http.StatusCreated || json.Unmarshal(answer, &made) != nil {
			h.Fatalf("%s %s: %d %s", method, path, status, answer)
		}
		return made.ID
	}
	h.Fatalf("%s %s was not acknowledged within a minute", method, path)
	return ""
}

func (h *house) get(path string, into any) {
	h.Helper()
	status, answer, err := h.send(http.MethodGet, path, "", nil)
	if err != nil || status >= 300 || json.Unmarshal(answer, into) != nil {
		h.Fatalf("GET %s: %d %s %v", path, status, answer, err)
	}
}

func (h *house) send(method, path, idempotency string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(h.Context(), method, h.server.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+h.token)
	req.Header.Set("Content-Type", "application/json")
	if idempotency != "" {
		req.Header.Set("Idempotency-Key", idempotency)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}
