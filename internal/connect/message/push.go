package message

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/webhook"
	"github.com/demarc-bss/demarc/internal/message"
)

// LeastKey is how many bytes the key has at least that push messages are signed with.
const LeastKey = 32

// PushOptions say where push messages go. The zero value of a field means its default, except URL and Key.
type PushOptions struct {
	// URL is where they are POSTed to.
	URL string
	// Key signs them.
	Key []byte
	// Timeout bounds one call (default 10 s).
	Timeout time.Duration
	Clock   clock.Clock
	// Client makes the calls; one that follows no redirects by default.
	Client *http.Client
}

// Push sends messages to apps by way of a service that knows them.
type Push struct{ o PushOptions }

// NewPush makes the channel. A URL that is none, or a key that is too short, is an error.
func NewPush(o PushOptions) (*Push, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "" {
		return nil, errors.New("the URL of the push service is an absolute http or https URL")
	}
	if len(o.Key) < LeastKey {
		return nil, fmt.Errorf("the key for push messages has %d bytes: it needs %d", len(o.Key), LeastKey)
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Client == nil {
		o.Client = &http.Client{
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: o.Timeout, ResponseHeaderTimeout: o.Timeout,
				MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: mostAnswer, ForceAttemptHTTP2: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Push{o}, nil
}

// Pushed is a push message as it is POSTed.
type Pushed struct {
	ID        string    `json:"id"`
	SPID      int       `json:"spid"`
	AppUserID string    `json:"appUserId"`
	Title     string    `json:"title,omitzero"`
	Text      string    `json:"text"`
	Language  string    `json:"language,omitzero"`
	Expires   time.Time `json:"expires"`
}

// mostAnswer is how much of an answer is read.
const mostAnswer = 64 << 10

// notOurs are refusals that say nothing of the message itself: it is sent again.
var notOurs = []int{
	http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired,
	http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusTooManyRequests,
}

// Send implements message.Connector.
func (p *Push) Send(ctx context.Context, e message.Envelope) (message.Taken, error) {
	body, err := json.Marshal(Pushed{ID: e.ID, SPID: e.SPID, AppUserID: e.To, Title: e.Subject, Text: e.Text, Language: e.Language, Expires: e.Expires})
	if err != nil {
		return message.Taken{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.o.URL, bytes.NewReader(body))
	if err != nil {
		return message.Taken{}, err
	}
	webhook.Sign(r.Header, p.o.Key, e.ID, p.o.Clock.Now(), body)
	r.Header.Set("User-Agent", "demarc")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json;charset=utf-8")
	r.Header.Set("Idempotency-Key", e.ID)
	answer, err := p.o.Client.Do(r)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok { // the address may hold a secret: it stays out of jobs and logs
			err = failed.Err
		}
		return message.Taken{}, fmt.Errorf("the push service does not answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, mostAnswer)) // so that the connection is used again
	switch status := answer.StatusCode; {
	case status/100 == 2:
		return message.Taken{Parts: []string{e.ID}}, nil
	case status/100 == 4 && !slices.Contains(notOurs, status):
		return message.Taken{}, &message.Refused{Reason: fmt.Sprintf("the push service answered %d %s", status, http.StatusText(status))}
	default:
		return message.Taken{}, fmt.Errorf("the push service answered %d", status)
	}
}
