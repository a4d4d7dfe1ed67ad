//go:build faults

package faults

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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
	orderPath   = "/tmf-api/productOrderingManagement/v4/productOrder"
	cancelPath  = "/tmf-api/productOrderingManagement/v4/cancelProductOrder"
	productPath = "/tmf-api/productInventory/v4/product/"
)

// The steps of a process are done in one transaction up to where it waits for the network, and from its answer to the
// end: what a kill can leave an order at is before its first step, with the network asked and nothing done, with the
// network done and its answer lost, and in the middle of being taken back. The network holds its answers, so that the
// order of every process stands at each of these when the binary is killed.
func TestKilledAtEachStep(t *testing.T) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			h, g := held(t, storetest.URL(t, engine))
			usual := h.carriedOut(h.processes("usual"))
			same := func(at string, all []*process) {
				h.Helper()
				for n, got := range h.carriedOut(all) {
					if got != usual[n] {
						h.Errorf("%s, killed %s, left %s; without a kill it leaves %s", all[n].name, at, got, usual[n])
					}
				}
			}

			all := h.processes("pending")
			start := time.Now().Add(4 * time.Second)
			for _, p := range all {
				p.order["requestedStartDate"] = start.UTC().Format(time.RFC3339Nano)
			}
			h.placed(all)
			h.stand(all, "pending", "pending")
			h.restart(nil)
			same("before the first step", all)

			for mode, at := range map[mode]string{before: "with the network asked", after: "with the network's answer lost"} {
				all = h.processes(at)
				g.set(mode)
				h.placed(all)
				h.stand(all, "inProgress", "inProgress")
				g.await(h.T, all)
				h.restart(g)
				same(at, all)
			}

			all = h.processes("back")
			g.set(after)
			h.placed(all)
			was := map[*process]string{}
			for _, p := range all {
				was[p] = p.seen
			}
			h.stand(all, "inProgress", "inProgress")
			g.await(h.T, all)
			for _, p := range all {
				h.until("POST", cancelPath, "c"+p.id, map[string]any{"productOrder": map[string]any{"id": p.id}})
			}
			g.set(before)
			h.stand(all, "pendingCancellation", "compensating")
			g.await(h.T, all)
			h.restart(g)
			for _, p := range all {
				h.ended(p, "cancelled")
				if got := h.left(p.line); p.name != "newLine" && got != was[p] {
					h.Errorf("%s, taken back, left %s, and there was %s", p.name, got, was[p])
				} else if p.name == "newLine" && got != "cancelled  0 false false 0 0" {
					h.Errorf("a new line, taken back, left %s", got)
				}
			}
			h.proved()
		})
	}
}

// process is an order that is carried out by a process of its own.
type process struct {
	name  string
	order map[string]any
	id    string
	line  id.ID
	// seen is what there was before.
	seen string
}

func held(t *testing.T, db string) (*house, *gate) {
	net := networktest.New(connect.NewSimulator(connect.SimulatorOptions{}), []byte(key), clock.Real{})
	t.Cleanup(net.Close)
	g := &gate{net: net, known: map[id.ID]bool{}}
	g.set(through)
	front := httptest.NewServer(g)
	t.Cleanup(front.Close)
	t.Cleanup(func() { g.set(through) })
	return run(t, db, net, front.URL, "--workers", "16"), g
}

// offering is the id of an offering by its key.
func (h *house) offering(key string) map[string]any {
	if h.offerings == nil {
		var all []struct {
			ID  string `json:"id"`
			Key string `json:"key"`
		}
		h.get("/tmf-api/productCatalogManagement/v4/productOffering?limit=200", &all)
		h.offerings = map[string]string{}
		for _, o := range all {
			h.offerings[o.Key] = o.ID
		}
	}
	if h.offerings[key] == "" {
		h.Fatalf("there is no offering %s", key)
	}
	return map[string]any{"id": h.offerings[key]}
}

// processes are orders that are still to be placed, of every process, each for a line of its own.
func (h *house) processes(mark string) []*process {
	h.Helper()
	account := h.until("POST", "/api/quickPrepaidBillingAccount", mark, map[string]any{"tradingName": "Steps " + mark})
	of := func(item map[string]any) map[string]any {
		item["id"] = "1"
		return map[string]any{"billingAccount": map[string]any{"id": account}, "productOrderItem": []any{item}}
	}
	line := func(n int, plan string) id.ID {
		p := &process{id: h.until("POST", orderPath, fmt.Sprint(mark, n), of(map[string]any{"action": "add", "productOffering": h.offering(plan)}))}
		h.ended(p, "completed")
		return p.line
	}
	change := func(action string, line id.ID, offering string) map[string]any {
		it := map[string]any{"action": action, "product": map[string]any{"id": line}}
		if offering != "" {
			it["productOffering"] = h.offering(offering)
		}
		return it
	}
	first := func(n int, it map[string]any) {
		h.ended(&process{id: h.until("POST", orderPath, fmt.Sprint(mark, "first", n), of(it))}, "completed")
	}
	blocks := func(line id.ID) map[string]any {
		it := change("delete", line, "smile-m")
		it["blocks"] = true
		return it
	}
	all := []*process{{name: "newLine", order: of(map[string]any{"action": "add", "productOffering": h.offering("smile-m")})}}
	for n, c := range []struct {
		name, plan string
		item       func(line id.ID) map[string]any
	}{
		{"addProduct", "smile-m", func(l id.ID) map[string]any { return change("add", l, "ringback") }},
		{"removeProduct", "smile-m", func(l id.ID) map[string]any {
			first(1, change("add", l, "voicemail"))
			return change("delete", l, "voicemail")
		}},
		{"changePlan", "start", func(l id.ID) map[string]any { return change("modify", l, "gadget") }},
		{"modifyLine", "smile-m", func(l id.ID) map[string]any { return change("modify", l, "sim-plastic") }},
		{"block", "smile-m", blocks},
		{"unblock", "smile-m", func(l id.ID) map[string]any { first(2, blocks(l)); return change("add", l, "gadget") }},
		{"cease", "smile-m", func(l id.ID) map[string]any { return change("delete", l, "") }},
	} {
		l := line(n, c.plan)
		all = append(all, &process{name: c.name, order: of(c.item(l)), line: l})
	}
	for _, p := range all {
		if p.line != "" {
			p.seen = h.left(p.line)
		}
	}
	return all
}

// placed places what was not placed yet.
func (h *house) placed(all []*process) {
	h.Helper()
	for _, p := range all {
		if p.id == "" {
			p.id = h.until("POST", orderPath, "", p.order)
		}
	}
}

// seen is an order as TMF622 shows it.
type seen struct {
	State string `json:"state"`
	Items []struct {
		Process    string `json:"process"`
		Milestones []struct {
			Name   string `json:"name"`
			Status string `json:"status"`
		} `json:"milestone"`
		Product struct {
			ID id.ID `json:"id"`
		} `json:"product"`
	} `json:"productOrderItem"`
}

// stand waits until every order has a state and stands at a step of a status: its first one that is not completed.
func (h *house) stand(all []*process, state, status string) {
	h.Helper()
	for _, p := range all {
		var o seen
		for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			h.get(orderPath+"/"+p.id, &o)
			at := ""
			for _, m := range o.Items[0].Milestones {
				if at = m.Status; at != "completed" {
					break
				}
			}
			if o.State == state && at == status {
				break
			}
			if time.Since(begun) > time.Minute {
				h.Fatalf("the order of %s is %s at %+v, and should stand %s at a step %s", p.name, o.State, o.Items[0].Milestones, state, status)
			}
		}
		if o.Items[0].Process != p.name {
			h.Fatalf("the order of %s is carried out by %s", p.name, o.Items[0].Process)
		}
	}
}

// ended waits until an order has ended so, and notes its line.
func (h *house) ended(p *process, state string) {
	h.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var o seen
		h.get(orderPath+"/"+p.id, &o)
		if o.State == state {
			if p.line == "" {
				p.line = o.Items[0].Product.ID
			}
			return
		}
		if time.Since(begun) > time.Minute {
			h.Fatalf("the order of %s is %s, want %s: %+v", p.name, o.State, state, o.Items[0].Milestones)
		}
	}
}

// carriedOut places what was not placed yet, and gives what each leaves behind when it is completed.
func (h *house) carriedOut(all []*process) (left []string) {
	h.Helper()
	h.placed(all)
	for _, p := range all {
		h.ended(p, "completed")
		left = append(left, h.left(p.line))
	}
	return left
}

// left is what there is of a line: its status, its plan, its money, whether the network has it connected and barred, and
// how many services and products it has.
func (h *house) left(line id.ID) string {
	h.Helper()
	var v struct {
		Status   string `json:"status"`
		Offering struct {
			Name string `json:"name"`
		} `json:"productOffering"`
		Products []struct {
			Status string `json:"status"`
		} `json:"product"`
	}
	h.get(productPath+string(line), &v)
	if v.Status == "cancelled" {
		v.Offering.Name = ""
	}
	products := 0
	for _, p := range v.Products {
		if p.Status == "active" {
			products++
		}
	}
	n := h.net.Simulator.Line(line)
	return fmt.Sprint(v.Status, " ", v.Offering.Name, " ", h.money(line), " ", n.Connected, " ", n.Barred, " ", len(n.Order.Services), " ", products)
}

// restart kills the server, has the network answer again, and starts it.
func (h *house) restart(g *gate) {
	h.Helper()
	h.server.Kill()
	if g != nil {
		g.set(through)
	}
	s, err := binary.Launch(h.T, h.options)
	if err != nil {
		h.Fatalf("start after a kill: %v", err)
	}
	h.server = s
}

// mode is what a gate does with requests.
type mode string

const (
	through mode = "through"
	// before holds requests that the network does not know yet; after has them carried out and holds the answers.
	before mode = "before"
	after  mode = "after"
)

// gate stands before a network. What it holds is never answered: the connection breaks off.
type gate struct {
	net   *networktest.Server
	mu    sync.Mutex
	mode  mode
	open  chan struct{}
	known map[id.ID]bool
	// lines are those with a request that is held in this mode.
	lines map[id.ID]bool
}

// set changes the mode, and breaks off what is held.
func (g *gate) set(m mode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil {
		close(g.open)
	}
	g.mode, g.open, g.lines = m, make(chan struct{}), map[id.ID]bool{}
}

// await waits until a request for every line is held; new lines are those that no order names.
func (g *gate) await(t *testing.T, all []*process) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		g.mu.Lock()
		n := len(g.lines)
		g.mu.Unlock()
		if n == len(all) {
			return
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("the network was asked for %d lines of %d", n, len(all))
		}
	}
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var m connect.Message
	if r.Method != http.MethodPost || json.Unmarshal(body, &m) != nil {
		g.net.Config.Handler.ServeHTTP(w, r)
		return
	}
	g.mu.Lock()
	hold, open := g.mode, g.open
	if hold == before && g.known[m.ID] {
		hold = through
	}
	if hold != before {
		g.known[m.ID] = true
	}
	g.mu.Unlock()
	switch hold {
	case through:
		g.net.Config.Handler.ServeHTTP(w, r)
		return
	case after:
		g.net.Config.Handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	g.mu.Lock()
	if open == g.open {
		g.lines[m.Line] = true
	}
	g.mu.Unlock()
	select {
	case <-open:
	case <-r.Context().Done():
	}
	panic(http.ErrAbortHandler)
}

// money is what a line can spend; 0 for one that has no balance.
func (h *house) money(line id.ID) float64 {
	h.Helper()
	var b struct {
		Balance struct {
			Amount float64 `json:"amount"`
		} `json:"balance"`
	}
	status, answer, err := h.send(http.MethodGet, "/api/subscription/balanceQuery?subscriptionId="+string(line), "", nil)
	if err == nil && (status == http.StatusNotFound || status == http.StatusConflict) && strings.Contains(string(answer), "balance") {
		return 0
	}
	if err != nil || status != http.StatusOK || json.Unmarshal(answer, &b) != nil {
		h.Fatalf("the balance of %s: %d %s %v", line, status, answer, err)
	}
	return b.Balance.Amount
}
