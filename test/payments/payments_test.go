//go:build payments

package payments

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	connect "github.com/demarc-bss/demarc/internal/connect/payment"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/payment/paymenttest"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestManyCharges(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("DEMARC_CHARGES"))
	if err != nil {
		t.Fatal("DEMARC_CHARGES says how many charges are made; make payments sets it")
	}
	for k, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			paymenttest.Prove(t, paymenttest.Options{Engine: engine, Seed: uint64(100 + k), Charges: n, Side: 8})
		})
	}
}

// stripeMock starts stripe-mock and gives its address.
func stripeMock(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("STRIPE_MOCK")
	if bin == "" {
		t.Fatal("STRIPE_MOCK must name stripe-mock; make payments installs it")
	}
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(at)
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, bin, "-http-port", port)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was told to end
	})
	for range 100 {
		c, err := net.DialTimeout("tcp", at, time.Second)
		if err == nil {
			_ = c.Close()
			return "http://" + at
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("stripe-mock does not listen: %s", out.String())
	return ""
}

// watch keeps what passes between the connector and Stripe.
type watch struct {
	next  http.RoundTripper
	calls []string
	// finds has a search find a PaymentIntent with this key, which the samples have not.
	finds string
}

func (w *watch) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.finds != "" && strings.HasSuffix(r.URL.Path, "/search") {
		body := fmt.Sprintf(`{"data":[{"id":"pi_1","metadata":{"demarc_key":%q}}]}`, w.finds)
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	a, err := w.next.RoundTrip(r)
	if err == nil && w.finds != "" && r.Method == http.MethodGet { // the sample was refused: this one was not
		body, _ := io.ReadAll(a.Body)
		_ = a.Body.Close()
		a.Body, a.ContentLength = io.NopCloser(bytes.NewReader(bytes.Replace(body, []byte(`"last_payment_error"`), []byte(`"not_now"`), 1))), -1
	}
	if err == nil {
		w.calls = append(w.calls, fmt.Sprintf("%s %s %d", r.Method, r.URL.Path, a.StatusCode))
	}
	return a, err
}

// TestStripeTakesOurRequests sends every request of the connector to Stripe's own server, which refuses parameters that Stripe
// does not know, or that are of another type. What it answers are samples: what they say of a charge is not looked at.
func TestStripeTakesOurRequests(t *testing.T) {
	w := &watch{next: http.DefaultTransport}
	at := stripeMock(t)
	s, err := connect.NewStripe(connect.StripeOptions{URL: at, Key: "sk_test_123", Client: &http.Client{Transport: w}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := storetest.Context(1)
	key := id.New(payment.Kind, 1, time.Now())
	c := payment.Instruction{Key: key, Token: "cus_1:pm_card_visa", Amount: money.OfMicros(21_600_000, "CHF"), Account: "bac_1", Text: "Top-up", Asked: time.Now().Add(-time.Hour)}
	if _, err := s.Charge(ctx, c); err != nil {
		t.Errorf("a charge: %v", err)
	}
	c.Token = "pm_card_visa"
	if _, err := s.Charge(ctx, c); err != nil {
		t.Errorf("a charge without a customer: %v", err)
	}
	if a, err := s.Find(ctx, c); err != nil || a.Outcome != payment.Unknown {
		t.Errorf("a search finds another's charge: %+v %v", a, err)
	}
	r := payment.Reversal{Key: id.New(payment.RefundKind, 1, time.Now()), Reference: "pi_1", Amount: money.OfMicros(5_400_000, "CHF")}
	if _, err := s.Refund(ctx, r); err != nil {
		t.Errorf("a refund: %v", err)
	}
	if a, err := s.FindRefund(ctx, r); err != nil || a.Outcome != payment.Unknown {
		t.Errorf("a list finds another's refund: %+v %v", a, err)
	}
	want := "POST /v1/payment_intents 200|POST /v1/payment_intents 200|GET /v1/payment_intents/search 200|POST /v1/refunds 200|GET /v1/refunds 200"
	if got := strings.Join(w.calls, "|"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	w.finds = string(key)
	w.calls = nil
	if _, err := s.Find(ctx, c); err != nil {
		t.Errorf("a charge that was begun and not completed: %v", err)
	}
	want = "GET /v1/payment_intents/pi_1 200|POST /v1/payment_intents/pi_1/cancel 200"
	if got := strings.Join(w.calls, "|"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	bad, err := http.NewRequestWithContext(ctx, http.MethodPost, at+"/v1/payment_intents", strings.NewReader("no_such_parameter=1"))
	if err != nil {
		t.Fatal(err)
	}
	bad.Header.Set("Authorization", "Bearer sk_test_123")
	bad.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(bad)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		t.Error("stripe-mock takes anything: this test proves nothing")
	}
}
