package payment

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/payment"
)

// StripeURL is where Stripe is. stripeVersion is the version of its API that demarc speaks.
const (
	StripeURL     = "https://api.stripe.com"
	stripeVersion = "2024-06-20"
)

// Names of metadata by which demarc finds what is its own at Stripe.
const (
	metaKey  = "demarc_key"
	metaSPID = "demarc_spid"
)

// StripeOptions say how Stripe is reached. The zero value of a field means its default, except Key.
type StripeOptions struct {
	// URL is StripeURL by default.
	URL string
	// Key is the secret key of the account ("sk_…", or a restricted one).
	Key payment.Secret
	// Timeout bounds one call (default 15 s).
	Timeout time.Duration
	// Client makes the calls; one that follows no redirects by default.
	Client *http.Client
	// Clock says how old a charge is that was begun and not completed; clock.Real by default.
	Clock clock.Clock
}

// Stripe charges through PaymentIntents that are confirmed at once and off session. A token is the id of a PaymentMethod
// ("pm_…"), or that of a Customer and a PaymentMethod with a colon between them ("cus_…:pm_…").
type Stripe struct{ o StripeOptions }

// NewStripe makes a connector. A URL that is none, or a missing key, is an error.
func NewStripe(o StripeOptions) (*Stripe, error) {
	if o.URL == "" {
		o.URL = StripeURL
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the URL of Stripe is an absolute http or https URL without a query")
	}
	if o.Key == "" {
		return nil, errors.New("a secret key of Stripe is missing")
	}
	o.URL = strings.TrimSuffix(o.URL, "/")
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Client == nil {
		o.Client = &http.Client{
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: o.Timeout, ResponseHeaderTimeout: o.Timeout,
				MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Stripe{o}, nil
}

// intent is what is read of a PaymentIntent.
type intent struct {
	ID       string            `json:"id"`
	Status   string            `json:"status"`
	Metadata map[string]string `json:"metadata"`
	Charge   string            `json:"latest_charge"`
	Error    *stripeError      `json:"last_payment_error"`
}

// refund is what is read of a Refund.
type refund struct {
	ID            string            `json:"id"`
	Status        string            `json:"status"`
	FailureReason string            `json:"failure_reason"`
	Metadata      map[string]string `json:"metadata"`
}

type stripeError struct {
	Type        string  `json:"type"`
	Code        string  `json:"code"`
	DeclineCode string  `json:"decline_code"`
	Message     string  `json:"message"`
	Intent      *intent `json:"payment_intent"`
}

func (e *stripeError) code() string {
	if e.DeclineCode != "" {
		return e.DeclineCode
	}
	return e.Code
}

// begun reports whether a PaymentIntent was neither completed nor refused yet.
func (v *intent) begun() bool {
	return strings.HasPrefix(v.Status, "requires_") && v.Status != "requires_capture" && v.Error == nil
}

// answer reads how a PaymentIntent stands whose confirmation is over. One that wants its payer to do something never succeeds:
// nobody is there.
func (v *intent) answer() (payment.Answer, error) {
	a := payment.Answer{Reference: v.ID, Authorization: v.Charge}
	switch v.Status {
	case "succeeded":
		a.Outcome = payment.Succeeded
	case "processing", "requires_capture":
		a.Outcome = payment.Accepted
	case "requires_payment_method", "canceled", "requires_action", "requires_confirmation":
		a.Outcome, a.Code, a.Reason = payment.Declined, v.Status, "the payment was not completed"
		if v.Error != nil {
			a.Code, a.Reason = v.Error.code(), v.Error.Message
		}
	default:
		return a, fmt.Errorf("the PaymentIntent %s has the status %q", v.ID, v.Status)
	}
	return a, nil
}

// Charge implements payment.Gateway.
func (s *Stripe) Charge(ctx context.Context, c payment.Instruction) (payment.Answer, error) {
	n, currency, err := minor(c.Amount)
	if err != nil {
		return payment.Answer{}, err
	}
	form := url.Values{
		"amount": {n}, "currency": {currency}, "confirm": {"true"}, "off_session": {"true"},
		"automatic_payment_methods[enabled]": {"true"}, "automatic_payment_methods[allow_redirects]": {"never"},
	}
	customer, method, both := strings.Cut(c.Token.Reveal(), ":")
	if both {
		form.Set("customer", customer)
	} else {
		method = customer
	}
	form.Set("payment_method", method)
	if c.Text != "" {
		form.Set("description", c.Text)
	}
	form.Set("metadata["+metaKey+"]", string(c.Key))
	form.Set("metadata[demarc_account]", c.Account)
	s.scope(ctx, form)
	status, body, err := s.call(ctx, http.MethodPost, "/v1/payment_intents", form, string(c.Key))
	if err != nil {
		return payment.Answer{}, err
	}
	if status == http.StatusOK {
		var v intent
		if err := json.Unmarshal(body, &v); err != nil {
			return payment.Answer{}, fmt.Errorf("Stripe's answer cannot be read: %w", err)
		}
		return v.answer()
	}
	return declined(status, body)
}

// scope names the service provider, for webhooks.
func (s *Stripe) scope(ctx context.Context, form url.Values) {
	if sc, err := scope.From(ctx); err == nil {
		form.Set("metadata["+metaSPID+"]", strconv.Itoa(sc.SPID()))
	}
}

// forgetful are errors that say nothing of the charge itself.
var forgetful = []string{"api_error", "idempotency_error", "rate_limit_error", "authentication_error"}

// declined reads an error: one of the card or of the request is for good, any other is none.
func declined(status int, body []byte) (payment.Answer, error) {
	var v struct {
		Error stripeError `json:"error"`
	}
	readable := json.Unmarshal(body, &v) == nil && v.Error.Type != ""
	if !readable || status != http.StatusPaymentRequired && status != http.StatusBadRequest && status != http.StatusNotFound || slices.Contains(forgetful, v.Error.Type) {
		return payment.Answer{}, fmt.Errorf("the gateway answered %d %s", status, v.Error.Type)
	}
	a := payment.Answer{Outcome: payment.Declined, Code: v.Error.code(), Reason: v.Error.Message}
	if v.Error.Intent != nil {
		a.Reference = v.Error.Intent.ID
	}
	if a.Code == "" {
		a.Code = v.Error.Type
	}
	if v.Error.Type != "card_error" { // it may repeat what was asked for
		a.Reason = "the gateway refused the request: " + a.Code
	}
	return a, nil
}

// Find implements payment.Gateway. Stripe finds what is older than a minute or so: Unknown is no proof before.
func (s *Stripe) Find(ctx context.Context, c payment.Instruction) (payment.Answer, error) {
	form := url.Values{"query": {fmt.Sprintf("metadata['%s']:'%s'", metaKey, c.Key)}, "limit": {"10"}}
	status, body, err := s.call(ctx, http.MethodGet, "/v1/payment_intents/search", form, "")
	if err != nil {
		return payment.Answer{}, err
	}
	var v struct {
		Data []intent `json:"data"`
	}
	if status != http.StatusOK || json.Unmarshal(body, &v) != nil {
		return payment.Answer{}, fmt.Errorf("the gateway answered %d", status)
	}
	for _, i := range v.Data {
		if i.Metadata[metaKey] == string(c.Key) {
			return s.look(ctx, c, i.ID)
		}
	}
	return payment.Answer{Outcome: payment.Unknown}, nil
}

// abandoned is how old a charge is that is given up when it was begun and never completed.
const abandoned = 2 * time.Minute

// look reads a PaymentIntent itself: what a search finds may be behind. One that nobody completes any more is cancelled, so
// that it cannot succeed later.
func (s *Stripe) look(ctx context.Context, c payment.Instruction, i string) (payment.Answer, error) {
	path := "/v1/payment_intents/" + url.PathEscape(i)
	v, err := s.intent(ctx, http.MethodGet, path, nil, "")
	if err != nil || !v.begun() {
		return v.answerUnless(err)
	}
	if s.o.Clock.Now().Sub(c.Asked) < abandoned {
		return payment.Answer{Outcome: payment.Accepted, Reference: v.ID}, nil
	}
	v, err = s.intent(ctx, http.MethodPost, path+"/cancel", url.Values{"cancellation_reason": {"abandoned"}}, string(c.Key)+"/cancel")
	return v.answerUnless(err)
}

func (v intent) answerUnless(err error) (payment.Answer, error) {
	if err != nil {
		return payment.Answer{}, err
	}
	return v.answer()
}

func (s *Stripe) intent(ctx context.Context, method, path string, form url.Values, key string) (v intent, err error) {
	status, body, err := s.call(ctx, method, path, form, key)
	if err != nil {
		return v, err
	}
	if status != http.StatusOK || json.Unmarshal(body, &v) != nil {
		return v, fmt.Errorf("the gateway answered %d", status)
	}
	return v, nil
}

// answer reads how a Refund stands.
func (v *refund) answer() (payment.Answer, error) {
	a := payment.Answer{Reference: v.ID}
	switch v.Status {
	case "succeeded":
		a.Outcome = payment.Succeeded
	case "pending", "requires_action":
		a.Outcome = payment.Accepted
	case "failed", "canceled":
		a.Outcome, a.Code, a.Reason = payment.Declined, v.FailureReason, "the refund failed"
		if a.Code == "" {
			a.Code = v.Status
		}
	default:
		return a, fmt.Errorf("the Refund %s has the status %q", v.ID, v.Status)
	}
	return a, nil
}

// Refund implements payment.Gateway.
func (s *Stripe) Refund(ctx context.Context, r payment.Reversal) (payment.Answer, error) {
	n, _, err := minor(r.Amount)
	if err != nil {
		return payment.Answer{}, err
	}
	form := url.Values{"payment_intent": {r.Reference}, "amount": {n}, "metadata[" + metaKey + "]": {string(r.Key)}}
	s.scope(ctx, form)
	status, body, err := s.call(ctx, http.MethodPost, "/v1/refunds", form, string(r.Key))
	if err != nil {
		return payment.Answer{}, err
	}
	if status == http.StatusOK {
		var v refund
		if err := json.Unmarshal(body, &v); err != nil {
			return payment.Answer{}, fmt.Errorf("Stripe's answer cannot be read: %w", err)
		}
		return v.answer()
	}
	return declined(status, body)
}

// FindRefund implements payment.Gateway.
func (s *Stripe) FindRefund(ctx context.Context, r payment.Reversal) (payment.Answer, error) {
	form := url.Values{"payment_intent": {r.Reference}, "limit": {"100"}}
	status, body, err := s.call(ctx, http.MethodGet, "/v1/refunds", form, "")
	if err != nil {
		return payment.Answer{}, err
	}
	var v struct {
		Data []refund `json:"data"`
	}
	if status != http.StatusOK || json.Unmarshal(body, &v) != nil {
		return payment.Answer{}, fmt.Errorf("the gateway answered %d", status)
	}
	for _, f := range v.Data {
		if f.Metadata[metaKey] == string(r.Key) {
			return f.answer()
		}
	}
	return payment.Answer{Outcome: payment.Unknown}, nil
}

// mostAnswer is how much of an answer is read.
const mostAnswer = 1 << 20

func (s *Stripe) call(ctx context.Context, method, path string, form url.Values, key string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	address, text := s.o.URL+path, form.Encode()
	if method == http.MethodGet && text != "" {
		address, text = address+"?"+text, ""
	}
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.o.Key.Reveal())
	r.Header.Set("Stripe-Version", stripeVersion)
	r.Header.Set("User-Agent", "demarc")
	r.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Idempotency-Key", key)
	}
	answer, err := s.o.Client.Do(r)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok { // the address may hold a secret: it stays out of jobs and logs
			err = failed.Err
		}
		return 0, nil, fmt.Errorf("the gateway does not answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if body, err = io.ReadAll(io.LimitReader(answer.Body, mostAnswer)); err != nil {
		return 0, nil, fmt.Errorf("the gateway's answer broke off: %w", err)
	}
	return answer.StatusCode, body, nil
}

// Currencies that Stripe counts otherwise than in their own minor unit (its documentation, "Supported currencies").
var (
	// inHundredths have no minor unit any more, and are counted in hundredths all the same.
	inHundredths = []money.Currency{"ISK", "UGX"}
	// inThousandths end in a 0.
	inThousandths = []money.Currency{"BHD", "JOD", "KWD", "OMR", "TND"}
	// whole are counted in main units.
	whole = []money.Currency{"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)

// minor is an amount as Stripe counts it.
func minor(a money.Amount) (n, currency string, err error) {
	unit := int64(money.Micros / 100)
	switch c := a.Currency(); {
	case slices.Contains(whole, c):
		unit = money.Micros
	case slices.Contains(inThousandths, c):
		unit = money.Micros / 1000
		if a.Micros()%(money.Micros/100) != 0 {
			return "", "", fmt.Errorf("the gateway takes %s with two decimals", c)
		}
	case !slices.Contains(inHundredths, c) && c.Digits() != 2:
		return "", "", fmt.Errorf("the gateway does not take %s", c)
	}
	if a.Micros()%unit != 0 {
		return "", "", fmt.Errorf("the gateway does not take %s", a)
	}
	return strconv.FormatInt(a.Micros()/unit, 10), strings.ToLower(string(a.Currency())), nil
}

// signatureHeader is where the signature of a webhook stands.
const signatureHeader = "Stripe-Signature"

// Tolerance is how old a webhook may be, or how far ahead of the clock.
const Tolerance = 5 * time.Minute

// ReadStripe verifies a webhook of Stripe with the endpoint's secret ("whsec_…") and reads it. ok is false for an event that
// says nothing of a payment or refund of demarc's. Faults: Unauthenticated for a signature that is not right, or too old;
// Invalid for a body that cannot be read.
func ReadStripe(h http.Header, secret payment.Secret, now time.Time, body []byte) (spid int, t Told, ok bool, err error) {
	if err := verify(h.Get(signatureHeader), secret, now, body); err != nil {
		return 0, t, false, err
	}
	var e struct {
		Type string `json:"type"`
		Data struct {
			Object struct {
				Metadata map[string]string `json:"metadata"`
			} `json:"object"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return 0, t, false, fault.New(fault.Invalid, fault.CodeMalformed, "the event cannot be read").Because(err)
	}
	meta := e.Data.Object.Metadata
	t.Key = id.ID(meta[metaKey])
	if spid, _ = strconv.Atoi(meta[metaSPID]); spid < 1 || t.Key == "" {
		return 0, t, false, nil // another's: the account may be used by others than demarc
	}
	switch e.Type {
	case "payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled", "payment_intent.processing":
		var v struct {
			Data struct {
				Object intent `json:"object"`
			} `json:"data"`
		}
		if err = json.Unmarshal(body, &v); err == nil {
			t.Answer, err = v.Data.Object.answer()
		}
	case "refund.created", "refund.updated", "refund.failed", "charge.refund.updated":
		t.Refund = true
		var v struct {
			Data struct {
				Object refund `json:"object"`
			} `json:"data"`
		}
		if err = json.Unmarshal(body, &v); err == nil {
			t.Answer, err = v.Data.Object.answer()
		}
	default:
		return 0, t, false, nil
	}
	if err != nil {
		return 0, t, false, fault.New(fault.Invalid, fault.CodeMalformed, "the event cannot be read").Because(err)
	}
	return spid, t, true, nil
}

// verify checks the header "t=SECONDS,v1=SIGNATURE[,v1=…]": HMAC-SHA-256 of "SECONDS.BODY".
func verify(header string, secret payment.Secret, now time.Time, body []byte) error {
	refused := func(why string) error { return fault.New(fault.Unauthenticated, fault.CodeUnauthenticated, "%s", why) }
	if secret == "" {
		return refused("no gateway may tell anything here: no webhook secret is set")
	}
	var at string
	var signatures []string
	for part := range strings.SplitSeq(header, ",") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
		case "t":
			at = value
		case "v1":
			signatures = append(signatures, value)
		}
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || len(signatures) == 0 {
		return refused("the message is not signed")
	}
	m := hmac.New(sha256.New, []byte(secret.Reveal()))
	m.Write([]byte(at + "."))
	m.Write(body)
	want := m.Sum(nil)
	right := slices.ContainsFunc(signatures, func(s string) bool {
		got, err := hex.DecodeString(s)
		return err == nil && hmac.Equal(got, want)
	})
	if !right {
		return refused("the signature is not right")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return refused("the message is too old, or from the future")
	}
	return nil
}
