package payment

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// asked is a request as Stripe got it.
type asked struct {
	way, key, version, credential string
	form                          url.Values
}

// stripe answers with what a test says for each way ("POST /v1/refunds"), and keeps what it was asked.
type stripe struct {
	answers map[string]string
	status  int
	got     []asked
}

func (s *stripe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	way := r.Method + " " + r.URL.Path
	s.got = append(s.got, asked{way, r.Header.Get("Idempotency-Key"), r.Header.Get("Stripe-Version"), r.Header.Get("Authorization"), r.Form})
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	_, _ = w.Write([]byte(s.answers[way]))
}

func connected(t *testing.T) (*Stripe, *stripe) {
	t.Helper()
	fake := &stripe{answers: map[string]string{}}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	s, err := NewStripe(StripeOptions{URL: server.URL, Key: "sk_test_1", Clock: clock.NewVirtual(start.Add(time.Hour))})
	if err != nil {
		t.Fatal(err)
	}
	return s, fake
}

const intents, refunds = "POST /v1/payment_intents", "POST /v1/refunds"

func TestAChargeAsStripeWantsIt(t *testing.T) {
	s, fake := connected(t)
	fake.answers[intents] = `{"id":"pi_1","object":"payment_intent","status":"succeeded","latest_charge":"ch_1"}`
	c := charge("001", "cus_7:pm_9")
	c.Amount, c.Text, c.Account = money.OfMicros(21_600_000, "CHF"), "Top-up", "bac_1"
	a, err := s.Charge(storetest.Context(3), c)
	if err != nil || a.Outcome != payment.Succeeded || a.Reference != "pi_1" || a.Authorization != "ch_1" {
		t.Errorf("%+v %v", a, err)
	}
	got := fake.got[0]
	if got.key != string(c.Key) || got.version == "" || got.credential != "Bearer sk_test_1" {
		t.Errorf("%+v", got)
	}
	for name, want := range map[string]string{
		"amount": "2160", "currency": "chf", "customer": "cus_7", "payment_method": "pm_9", "confirm": "true", "off_session": "true", "description": "Top-up",
		"metadata[demarc_key]": string(c.Key), "metadata[demarc_spid]": "3", "metadata[demarc_account]": "bac_1",
	} {
		if got.form.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.form.Get(name), want)
		}
	}
}

func TestWhatStripeSaysOfACharge(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   payment.Outcome
		code   string
	}{
		"done":              {200, `{"id":"pi_1","status":"succeeded"}`, payment.Succeeded, ""},
		"under way":         {200, `{"id":"pi_1","status":"processing"}`, payment.Accepted, ""},
		"wants the payer":   {200, `{"id":"pi_1","status":"requires_action"}`, payment.Declined, "requires_action"},
		"declined":          {402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds","message":"No.","payment_intent":{"id":"pi_1"}}}`, payment.Declined, "insufficient_funds"},
		"no such card":      {400, `{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such PaymentMethod: 'pm_secret'"}}`, payment.Declined, "resource_missing"},
		"too little":        {400, `{"error":{"type":"invalid_request_error","code":"amount_too_small"}}`, payment.Declined, "amount_too_small"},
		"another's key":     {400, `{"error":{"type":"idempotency_error"}}`, "", ""},
		"too often":         {429, `{"error":{"type":"rate_limit_error"}}`, "", ""},
		"our key":           {401, `{"error":{"type":"invalid_request_error"}}`, "", ""},
		"at the same time":  {409, `{"error":{"type":"invalid_request_error","code":"lock_timeout"}}`, "", ""},
		"their fault":       {500, `{"error":{"type":"api_error"}}`, "", ""},
		"a proxy's refusal": {400, `<html>`, "", ""},
		"a proxy's 404":     {404, `not here`, "", ""},
		"half an answer":    {200, `{"id":"pi_1","sta`, "", ""},
		"a new status":      {200, `{"id":"pi_1","status":"dreaming"}`, "", ""},
	} {
		s, fake := connected(t)
		fake.status, fake.answers[intents] = c.status, c.body
		a, err := s.Charge(t.Context(), charge("001", "pm_secret"))
		if (err != nil) != (c.want == "") || a.Outcome != c.want && err == nil || a.Code != c.code && err == nil {
			t.Errorf("%s: %+v %v", name, a, err)
		}
		if strings.Contains(a.Reason, "pm_secret") || err != nil && strings.Contains(err.Error(), "sk_test") {
			t.Errorf("%s shows a secret: %+v %v", name, a, err)
		}
	}
}

func TestStripeIsAskedForACharge(t *testing.T) {
	c := charge("001", "pm_1")
	found := fmt.Sprintf(`{"data":[{"id":"pi_0","metadata":{}},{"id":"pi_1","metadata":{"demarc_key":%q}}]}`, c.Key)
	const search, one, cancel = "GET /v1/payment_intents/search", "GET /v1/payment_intents/pi_1", "POST /v1/payment_intents/pi_1/cancel"
	for name, k := range map[string]struct {
		answers map[string]string
		age     time.Duration
		want    payment.Outcome
		calls   int
	}{
		"it is not there": {map[string]string{search: `{"data":[]}`}, time.Hour, payment.Unknown, 1},
		"another is":      {map[string]string{search: `{"data":[{"id":"pi_1","metadata":{"demarc_key":"pay_other"}}]}`}, time.Hour, payment.Unknown, 1},
		"it succeeded":    {map[string]string{search: found, one: `{"id":"pi_1","status":"succeeded"}`}, time.Hour, payment.Succeeded, 2},
		"it was declined": {map[string]string{search: found, one: `{"id":"pi_1","status":"requires_payment_method","last_payment_error":{"code":"card_declined"}}`}, 0, payment.Declined, 2},
		"it is under way": {map[string]string{search: found, one: `{"id":"pi_1","status":"requires_confirmation"}`}, time.Second, payment.Accepted, 2},
		"it was given up": {map[string]string{search: found, one: `{"id":"pi_1","status":"requires_confirmation"}`, cancel: `{"id":"pi_1","status":"canceled"}`}, time.Hour, payment.Declined, 3},
	} {
		s, fake := connected(t)
		fake.answers = k.answers
		c.Asked = start.Add(time.Hour - k.age)
		a, err := s.Find(t.Context(), c)
		if err != nil || a.Outcome != k.want || len(fake.got) != k.calls {
			t.Errorf("%s: %+v %v, %d calls", name, a, err, len(fake.got))
		}
		if q := fake.got[0].form.Get("query"); q != "metadata['demarc_key']:'"+string(c.Key)+"'" {
			t.Error(q)
		}
	}
	s, fake := connected(t)
	fake.status = 503
	if a, err := s.Find(t.Context(), c); err == nil {
		t.Errorf("it answered %+v", a)
	}
}

func TestRefundsAtStripe(t *testing.T) {
	s, fake := connected(t)
	r := payment.Reversal{Key: "rfd_1", Reference: "pi_1", Amount: money.OfMicros(5_400_000, "CHF")}
	for body, want := range map[string]payment.Outcome{
		`{"id":"re_1","status":"succeeded"}`: payment.Succeeded, `{"id":"re_1","status":"pending"}`: payment.Accepted,
		`{"id":"re_1","status":"failed","failure_reason":"lost_or_stolen_card"}`: payment.Declined, `{"id":"re_1","status":"canceled"}`: payment.Declined,
	} {
		fake.answers[refunds] = body
		if a, err := s.Refund(storetest.Context(1), r); err != nil || a.Outcome != want || a.Reference != "re_1" {
			t.Errorf("%s: %+v %v", body, a, err)
		}
		fake.answers["GET /v1/refunds"] = `{"data":[{"id":"re_0"},` + strings.Replace(body, "{", `{"metadata":{"demarc_key":"rfd_1"},`, 1) + `]}`
		if a, err := s.FindRefund(t.Context(), r); err != nil || a.Outcome != want {
			t.Errorf("%s: found %+v %v", body, a, err)
		}
	}
	if got := fake.got[0]; got.key != "rfd_1" || got.form.Get("amount") != "540" || got.form.Get("payment_intent") != "pi_1" {
		t.Errorf("%+v", got)
	}
	fake.answers["GET /v1/refunds"] = `{"data":[]}`
	if a, err := s.FindRefund(t.Context(), r); err != nil || a.Outcome != payment.Unknown {
		t.Errorf("%+v %v", a, err)
	}
	fake.status, fake.answers[refunds] = 400, `{"error":{"type":"invalid_request_error","code":"charge_already_refunded"}}`
	if a, err := s.Refund(t.Context(), r); err != nil || a.Outcome != payment.Declined || a.Code != "charge_already_refunded" {
		t.Errorf("%+v %v", a, err)
	}
}

func TestAmountsAsStripeCountsThem(t *testing.T) {
	for text, want := range map[string]string{
		"12.34 CHF": "1234 chf", "500 JPY": "500 jpy", "5 ISK": "500 isk", "1.230 KWD": "1230 kwd", "1.234 KWD": "", "0.001 CHF": "", "7 UGX": "700 ugx",
	} {
		value, currency, _ := strings.Cut(text, " ")
		a, err := money.Parse(value, money.Currency(currency))
		if err != nil {
			t.Fatal(err)
		}
		n, c, err := minor(a)
		if got := n + " " + c; err == nil && got != want || (err != nil) != (want == "") {
			t.Errorf("%s is %q, %v", text, got, err)
		}
	}
}

func signed(secret, body string, at time.Time) http.Header {
	m := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(m, "%d.%s", at.Unix(), body)
	return http.Header{"Stripe-Signature": {"t=" + strconv.FormatInt(at.Unix(), 10) + ",v1=00,v1=" + hex.EncodeToString(m.Sum(nil)) + ",v0=zz"}}
}

func TestStripesWebhooks(t *testing.T) {
	const secret = "whsec_1"
	event := func(kind, object string) string {
		return fmt.Sprintf(`{"id":"evt_1","type":%q,"data":{"object":{"id":"pi_1","metadata":{"demarc_key":"pay_1","demarc_spid":"2"},%s}}}`, kind, object)
	}
	for body, want := range map[string]payment.Outcome{
		event("payment_intent.succeeded", `"status":"succeeded"`):                                                                  payment.Succeeded,
		event("payment_intent.payment_failed", `"status":"requires_payment_method","last_payment_error":{"code":"card_declined"}`): payment.Declined,
		event("payment_intent.canceled", `"status":"canceled"`):                                                                    payment.Declined,
		event("payment_intent.processing", `"status":"processing"`):                                                                payment.Accepted,
		event("refund.updated", `"status":"succeeded"`):                                                                            payment.Succeeded,
		event("payment_intent.created", `"status":"requires_payment_method"`):                                                      "", // it has only begun
		event("charge.succeeded", `"status":"succeeded"`):                                                                          "",
		strings.Replace(event("payment_intent.succeeded", `"status":"succeeded"`), "demarc_key", "other_key", 1):                   "",
	} {
		spid, told, ok, err := ReadStripe(signed(secret, body, start), secret, start, []byte(body))
		if err != nil || ok != (want != "") || told.Answer.Outcome != want || ok && (spid != 2 || told.Key != id.ID("pay_1") || told.Refund != strings.Contains(body, "refund.")) {
			t.Errorf("%s: %+v %v %v", body, told, ok, err)
		}
	}
	body := event("payment_intent.succeeded", `"status":"succeeded"`)
	good := signed(secret, body, start)
	for name, c := range map[string]struct {
		h      http.Header
		secret payment.Secret
		at     time.Time
		body   string
	}{
		"not signed":      {http.Header{}, secret, start, body},
		"another secret":  {good, "whsec_2", start, body},
		"no secret":       {good, "", start, body},
		"an empty secret": {signed("", body, start), "", start, body},
		"another body":    {good, secret, start, body + " "},
		"too old":         {good, secret, start.Add(6 * time.Minute), body},
		"from the future": {good, secret, start.Add(-6 * time.Minute), body},
		"without a time":  {http.Header{"Stripe-Signature": {"v1=" + good.Get("Stripe-Signature")[16:]}}, secret, start, body},
		"time of another": {http.Header{"Stripe-Signature": {strings.Replace(good.Get("Stripe-Signature"), "t=1", "t=2", 1)}}, secret, start, body},
	} {
		if _, _, ok, err := ReadStripe(c.h, c.secret, c.at, []byte(c.body)); ok || fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %v %v", name, ok, err)
		}
	}
	if _, _, _, err := ReadStripe(signed(secret, "{", start), secret, start, []byte("{")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("what is no event: %v", err)
	}
	if _, _, ok, err := ReadStripe(good, secret, start.Add(4*time.Minute), []byte(body)); !ok || err != nil {
		t.Errorf("four minutes old: %v %v", ok, err)
	}
}

func TestWhatIsNoStripe(t *testing.T) {
	for _, o := range []StripeOptions{{}, {URL: "ftp://x", Key: "k"}, {URL: "http://x?y=1", Key: "k"}, {URL: "nowhere", Key: "k"}} {
		if s, err := NewStripe(o); err == nil {
			t.Errorf("%+v is %v", o.URL, s)
		}
	}
	if s, err := NewStripe(StripeOptions{Key: "k"}); err != nil || s.o.URL != StripeURL {
		t.Errorf("%v", err)
	}
}
