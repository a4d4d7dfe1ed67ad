//go:build crash

// Package crash kills the binary while it works, and then looks whether it kept its word: nothing
// acknowledged is lost, nothing is half made, nothing is done twice, no event is lost or told too early, and
// the ledger balances.
package crash

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// load writes to a server that dies again and again. Every operation has an idempotency key and is sent
// until it is acknowledged: so each must be there once, however often the server was killed in between.
type load struct {
	url, token string
	// line is a subscription that is topped up.
	line string
	// offering is what is ordered.
	offering string
	// paid is a line that is charged for and adjusted.
	paid   paidLine
	client *http.Client

	mu sync.Mutex
	// acknowledged ids by kind of operation.
	individuals, accounts, orders, topups, charges, adjustments []string
	resent                                                      int
}

func newLoad(url, token string) *load {
	return &load{url: url, token: token, client: &http.Client{Timeout: 10 * time.Second}}
}

// operation is one write; keep stores the id of what it made.
type operation struct {
	path string
	body map[string]any
	keep *[]string
	// id is the attribute of the answer that has the id ("id" when it is empty), and also are statuses that acknowledge
	// beside 200 and 201.
	id   string
	also []int
}

// writer sends operations until ctx ends, and ends with one acknowledged.
func (l *load) writer(ctx context.Context, n int) error {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	for i := 0; ctx.Err() == nil; i++ {
		o := l.next(r, fmt.Sprintf("Crash%d-%d", n, i))
		id, err := l.until(o, fmt.Sprintf("crash-%d-%d", n, i))
		if err != nil {
			return err
		}
		l.mu.Lock()
		*o.keep = append(*o.keep, id)
		l.mu.Unlock()
	}
	return nil
}

func (l *load) next(r *rand.Rand, name string) operation {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch d := r.IntN(15); {
	case d < 4:
		return operation{path: "/api/individual", body: map[string]any{"givenName": "Ina", "familyName": name}, keep: &l.individuals}
	case d < 7:
		return operation{path: "/api/quickPrepaidBillingAccount", body: map[string]any{"tradingName": name}, keep: &l.accounts}
	case d < 10:
		return l.paid.charge(r, name, &l.charges)
	case d < 12:
		return l.paid.adjustment(name, &l.adjustments)
	case d < 13 && len(l.accounts) > 0 && len(l.orders) < mostOrders:
		return operation{path: "/api/productOrder", keep: &l.orders, body: map[string]any{
			"accountId":        l.accounts[r.IntN(len(l.accounts))],
			"productOrderItem": []any{map[string]any{"productOffering": map[string]any{"id": l.offering}}},
		}}
	default:
		return operation{path: "/api/subscription/topup", keep: &l.topups, body: map[string]any{
			"subscriptionId": l.line, "amount": map[string]any{"unit": "EUR", "value": 1}, "reference": name,
		}}
	}
}

// mostOrders keeps within the pool of numbers.
const mostOrders = 1500

// until sends an operation until the server acknowledges it.
func (l *load) until(o operation, key string) (id string, err error) {
	body, err := json.Marshal(o.body, json.Deterministic(true))
	if err != nil {
		return "", err
	}
	for begun := time.Now(); time.Since(begun) < 2*time.Minute; {
		status, answer, err := l.send(http.MethodPost, o.path, key, body)
		if err != nil || status >= 500 {
			l.mu.Lock()
			l.resent++
			l.mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			continue
		}
		var made map[string]any
		acknowledged := status == http.StatusCreated || status == http.StatusOK || slices.Contains(o.also, status)
		if acknowledged && json.Unmarshal(answer, &made) == nil {
			id, _ = made[cmp.Or(o.id, "id")].(string)
		}
		if id == "" {
			return "", fmt.Errorf("POST %s %s: status %d: %s", o.path, body, status, answer)
		}
		return id, nil
	}
	return "", fmt.Errorf("POST %s was not acknowledged within two minutes", o.path)
}

func (l *load) send(method, path, key string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequest(method, l.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := l.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// get reads JSON, and the total of a list.
func (l *load) get(path string, into any) (status int, total string, err error) {
	req, err := http.NewRequest(http.MethodGet, l.url+path, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	res, err := l.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && into != nil && res.StatusCode < 300 {
		err = json.Unmarshal(body, into)
	}
	return res.StatusCode, res.Header.Get("X-Total-Count"), err
}

// sink is where events arrive.
type sink struct {
	mu sync.Mutex
	// seen counts the deliveries by the id of the individual.
	seen map[string]int
}

// ServeHTTP takes an event.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var e struct {
		Event struct {
			Individual struct {
				ID string `json:"id"`
			} `json:"individual"`
		} `json:"event"`
	}
	if err != nil || json.Unmarshal(body, &e) != nil || e.Event.Individual.ID == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.seen[e.Event.Individual.ID]++
	s.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
}

func (s *sink) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[id] > 0
}
