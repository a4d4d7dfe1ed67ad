package op_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/kernel/money"
)

// A façade declares its operations, the application makes one table of all of them and serves it.
func ExampleHandle() {
	till := &op.Facade{Name: "till", Title: "Till", Version: "1", Prefixes: []string{"/till/"}}

	type payment struct {
		Price money.Amount `json:"price" doc:"What is paid."`
	}
	type pay struct {
		Account string `path:"account" doc:"Number of the account." example:"10000001"`
		Body    payment
	}
	type paid struct {
		Location string `header:"Location" doc:"Where the receipt is."`
		Body     payment
	}
	operation := op.Handle(op.Operation{
		ID: "till.pay", Facade: till, Method: "POST", Path: "/till/{account}/payment", Status: 201,
		Tag: "payment", Summary: "Pay", Public: true,
		Request: &op.Body{Example: map[string]any{"price": map[string]any{"unit": "EUR", "value": 5}}},
	}, func(ctx context.Context, in *pay) (*paid, error) {
		return &paid{Location: "/till/" + in.Account + "/receipt/1", Body: in.Body}, nil
	})

	table, err := op.NewTable(append(op.System(op.SystemOptions{Title: "Till"}), operation)...)
	if err != nil {
		fmt.Println(err)
		return
	}
	handler, err := table.Handler(op.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, body := range []string{`{"price":{"unit":"EUR","value":12.5}}`, `{"price":{"unit":"EUR"},"tip":1}`} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("POST", "/till/10000001/payment", strings.NewReader(body)))
		fmt.Println(w.Code, w.Header().Get("Location"), strings.Contains(w.Body.String(), "price.value"), strings.Contains(w.Body.String(), "tip"))
	}
	// Output:
	// 201 /till/10000001/receipt/1 false false
	// 400  true true
}
