package op_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/api/op"
)

// The number of a card is refused wherever it stands in a request, and stands nowhere afterwards.
func TestCardNumbersAreRefusedWhereverTheyStand(t *testing.T) {
	f := desk()
	h := serve(t, create(f), read(f))
	const number, grouped = "4111111111111111", "4111 1111 1111 1111"
	for _, c := range []struct{ name, method, target, body, header, attribute string }{
		{"a name", "POST", "/api/customer", `{"name":"` + number + `"}`, "", "name"},
		{"within words", "POST", "/api/customer", `{"name":"pays with ` + grouped + ` today"}`, "", "name"},
		{"escaped", "POST", "/api/customer", `{"name":"\u0034111-1111-1111-1111"}`, "", "name"},
		{"in a list", "POST", "/api/customer", `{"name":"a","contactMedium":[{"mediumType":"email","value":"` + number + `"}]}`, "", "contactMedium[0].value"},
		{"an attribute that nobody knows", "POST", "/api/customer", `{"name":"a","note":"` + grouped + `"}`, "", "note"},
		{"a number", "POST", "/api/customer", `{"name":"a","card":` + number + `}`, "", "card"},
		{"the name of an attribute", "POST", "/api/customer", `{"name":"a","more":{"` + number + `":1}}`, "", "more"},
		{"a characteristic", "POST", "/api/customer", `{"name":"a","characteristic":[{"name":"imei","value":"` + number + `"}]}`, "", "characteristic[0].value"},
		{"the query", "GET", "/api/customer/1?tag=" + number, "", "", "tag"},
		{"the path", "GET", "/api/customer/" + number, "", "", "id"},
		{"the reason", "POST", "/api/customer", `{"name":"a"}`, "X-Reason: card 4111%201111%201111%201111", "X-Reason"},
		{"the key", "POST", "/api/customer", `{"name":"a"}`, "Idempotency-Key: " + number, "Idempotency-Key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := h.send(c.method, c.target, c.body, c.header)
			p := h.refused(w, 400)
			if p.Code != string(op.CodeCardNumber) || p.Attribute != c.attribute {
				t.Errorf("%s at %q: %s", p.Code, p.Attribute, p.Detail)
			}
			if strings.Contains(w.Body.String(), "1111") {
				t.Errorf("the answer shows it: %s", w.Body)
			}
		})
	}
	h.send("GET", "/api/nowhere/"+number, "", "X-Request-Id: "+number)
	if said := h.log.String() + fmt.Sprint(h.access); strings.Contains(said, "1111") {
		t.Errorf("it is logged: %s", said)
	}
	if h.ledger.writes != 0 {
		t.Error("something was written")
	}
}

func TestOtherNumbersAreNotTakenForCards(t *testing.T) {
	f := desk()
	coded := create(f)
	coded.ID, coded.Path, coded.Codes = "customer.coded", "/api/coded", []string{"code"}
	h := serve(t, create(f), coded)
	for _, c := range []struct{ target, body string }{
		{"/api/customer", `{"name":"a","iccid":"8933098000000000005","imsi":"208981234567890","imei":"490154203237518"}`},
		{"/api/customer", `{"name":"a","imeisv":"3528000000000007","characteristic":[{"name":"IMEISV","value":"3528000000000007"}]}`},
		{"/api/customer", `{"name":"a","msisdn":"+33 640 000 001","when":"2026-11-22T03:46:50.123456Z","last":"1111","amount":4111.11}`},
		{"/api/coded", `{"name":"a","code":"4111111111111111"}`},
	} {
		// This operation knows none of the attributes, and says that instead.
		if p := h.refused(h.send("POST", c.target, c.body), 400); p.Code == string(op.CodeCardNumber) {
			t.Errorf("%s: %+v", c.body, p)
		}
	}
	if p := h.refused(h.send("POST", "/api/coded", `{"name":"4111111111111111"}`), 400); p.Attribute != "name" {
		t.Errorf("a code's attribute lets others pass: %+v", p)
	}
}
