//go:build crash

package crash

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
)

// paidLine is a line whose balance is charged for by cards of every behaviour, and adjusted.
type paidLine struct {
	account, line, number string
	// tokens are by what the sandbox's gateway makes of them.
	tokens []string
}

// behaviours are what the sandbox's gateway does with a token: it takes the money and says so, does not hear the first
// call, loses its answer, answers late, answers again and again, declines.
var behaviours = []string{"success", "timeout", "lost", "late", "twice", "decline"}

func (p paidLine) charge(r *rand.Rand, name string, keep *[]string) operation {
	return operation{
		path: "/api/paymentGatewayIntegration/applyPaymentCharge", keep: keep, id: "transactionId",
		also: []int{http.StatusAccepted, http.StatusPaymentRequired},
		body: map[string]any{
			"accountID": p.account, "subscriptionId": p.line, "tokenID": p.tokens[r.IntN(len(p.tokens))], "creditToBalance": true,
			"amount": map[string]any{"unit": "EUR", "value": 1}, "externalTransactionNumber": name,
		},
	}
}

func (p paidLine) adjustment(name string, keep *[]string) operation {
	return operation{
		path: "/api/subscription/adjustment", keep: keep, id: "adjustmentId",
		body: map[string]any{
			"accountID": p.account, "subscriptionId": p.line, "mobileNumber": p.number, "reasonCode": "GOODWILL",
			"amount": map[string]any{"unit": "EUR", "value": 0.01}, "externalTransactionNumber": name,
		},
	}
}

// preparePayments makes a line that pays by card.
func (h *house) preparePayments() {
	made := func(key, path, id string, body map[string]any) string {
		h.Helper()
		i, err := h.load.until(operation{path: path, body: body, id: id}, "payer "+key)
		if err != nil {
			h.Fatal(err)
		}
		return i
	}
	p := &h.load.paid
	p.account = made("account", "/api/quickPrepaidBillingAccount", "", map[string]any{"tradingName": "Payer"})
	made("line", "/api/productOrder", "", map[string]any{
		"accountId": p.account, "productOrderItem": []any{map[string]any{"productOffering": map[string]any{"id": h.load.offering}}},
	})
	var lines []struct {
		ID     string `json:"id"`
		State  string `json:"state"`
		Number string `json:"mobileNumber"`
	}
	h.eventually("the line that pays", func() bool {
		_, _, err := h.load.get("/api/subscription?accountID="+p.account, &lines)
		return err == nil && len(lines) == 1 && lines[0].State == "ACTIVE"
	})
	p.line, p.number = lines[0].ID, "+"+lines[0].Number
	for _, b := range behaviours {
		p.tokens = append(p.tokens, made("token "+b, "/api/paymentGatewayIntegration/createToken", "tokenID", map[string]any{
			"accountID": p.account, "tokenValue": "tok_" + b + "_crash",
		}))
	}
}

const paymentPath = "/tmf-api/paymentManagement/v4/payment"

// checkPayments holds, once the outcome of every charge is known, that the gateway took each of those that are done once and
// nothing else, that each was credited, and that each adjustment was made once.
func (h *house) checkPayments() {
	h.eventually("the outcome of every charge", func() bool {
		status, total, err := h.load.get(paymentPath+"?status=pendingAuthorization&limit=1", nil)
		return err == nil && status < 300 && total == "0"
	})
	done, all := map[string]bool{}, 0
	for more := true; more; {
		var page []struct {
			ID     string `json:"id"`
			Status string `json:"status"`
		}
		status, _, err := h.load.get(fmt.Sprintf("%s?limit=500&offset=%d", paymentPath, all), &page)
		if err != nil || status >= 300 {
			h.Fatalf("payments: status %d, %v", status, err)
		}
		for _, p := range page {
			if p.Status == "done" {
				done[p.ID] = true
			}
		}
		all += len(page)
		more = len(page) == 500
	}
	if all != len(h.load.charges) {
		h.Errorf("%d payments are there, %d were acknowledged", all, len(h.load.charges))
	}
	taken := h.taken()
	for id, times := range taken {
		if times != 1 || !done[id] {
			h.Errorf("the gateway took %s %d times; done here: %v", id, times, done[id])
		}
	}
	for id := range done {
		if taken[id] == 0 {
			h.Errorf("%s is done, and the gateway took nothing", id)
		}
	}
	if len(taken) == 0 {
		h.Error("the gateway took nothing at all")
	}
	var b struct {
		Balance struct {
			Amount float64 `json:"amount"`
		} `json:"balance"`
	}
	if _, _, err := h.load.get("/api/subscription/balanceQuery?subscriptionId="+h.load.paid.line, &b); err != nil {
		h.Error(err)
	}
	want := 500 + 100*len(done) + len(h.load.adjustments)
	if got := int(math.Round(b.Balance.Amount * 100)); got != want {
		h.Errorf("the line that pays has %d cents, want %d: 5 EUR, %d charges, %d adjustments", got, want, len(done), len(h.load.adjustments))
	}
	h.Logf("%d of %d charges were paid", len(done), all)
}

// taken are the charges that the sandbox's gateway carried out, by their payment, from the file that it keeps.
func (h *house) taken() map[string]int {
	raw, err := os.ReadFile(filepath.Join(h.options.Data, "sandbox-payments.jsonl"))
	if err != nil {
		h.Fatal(err)
	}
	out := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		var deed struct {
			Key  string `json:"key"`
			Of   string `json:"of"`
			Code string `json:"code"`
		}
		if err := json.Unmarshal(lines.Bytes(), &deed); err != nil {
			h.Fatalf("the gateway's file: %v: %s", err, lines.Text())
		}
		if deed.Of == "" && deed.Code == "" {
			out[deed.Key]++
		}
	}
	return out
}
