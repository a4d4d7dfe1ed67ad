package op_test

import (
	"slices"
	"strings"
	"testing"
)

func TestTypedOperationReadsParametersAndBody(t *testing.T) {
	f := desk()
	h := serve(t, create(f), read(f))
	h.answered(h.send("GET", "/api/customer/7?tag=a,b&tag=c", ""), 200, `{"id":"7","limit":20,"tags":["a","b","c"]}`)
	w := h.send("POST", "/api/customer", `{"name":"Anna"}`)
	h.answered(w, 201, `{"name":"Anna"}`)
	if w.Header().Get("Location") != "/api/customer/1" || w.Header().Get("Content-Type") != "application/json;charset=utf-8" {
		t.Errorf("headers %v", w.Header())
	}
	if h.ledger.writes != 1 || h.ledger.calls[0].Operation != "customer.create" {
		t.Errorf("written: %+v", h.ledger)
	}
}

func TestAllFaultsOfTheInputAreToldAtOnce(t *testing.T) {
	h := serve(t, create(desk()))
	p := h.refused(h.send("POST", "/api/customer?channel=fax", `{"contactMedium":[{"value":"x"},{"mediumType":"pigeon","value":7}],"colour":1}`), 400)
	var got []string
	for _, d := range p.Errors {
		got = append(got, d.Attribute+" "+d.Message)
	}
	want := []string{
		"channel must be one of web, shop",
		"contactMedium[0].mediumType is required",
		"contactMedium[1].mediumType must be one of email, mobile",
		"contactMedium[1].value must be text",
		"name is required",
		"colour is not an attribute of this object",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if h.ledger.writes != 0 || len(h.ledger.calls) != 0 {
		t.Error("a transaction was opened for input that is wrong")
	}
}
