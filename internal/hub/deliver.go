package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/webhook"
)

// mostAnswer is how much of a listener's answer is read before the connection is given up.
const mostAnswer = 64 << 10

// Handler delivers one event to one subscription; register it for JobKind, outside any transaction.
//
// It POSTs the event to the callback and takes any 2xx as received. 410 Gone ends the delivery at once, as
// does an event that is no longer kept; any other answer, or none, is an error that is retried. A
// subscription that is gone has nothing more to receive.
func (s *Service) Handler() job.Handler {
	client := s.client()
	return func(ctx context.Context, j job.Job) error {
		var d delivery
		if err := json.Unmarshal(j.Payload, &d); err != nil {
			return job.Permanent{Err: fmt.Errorf("the delivery cannot be read: %w", err)}
		}
		h, _, err := s.Hubs.Get(ctx, d.Hub)
		if err != nil {
			if fault.KindOf(err) == fault.NotFound {
				return nil
			}
			return err
		}
		e, err := s.store.Event(ctx, d.Event)
		if err != nil {
			if fault.KindOf(err) == fault.NotFound {
				return job.Permanent{Err: err}
			}
			return err
		}
		body, err := s.body(e)
		if err != nil {
			return job.Permanent{Err: err}
		}
		return s.post(ctx, client, d.Hub, s.address(h, e), string(e.ID), body)
	}
}

func (s *Service) address(h Hub, e event.Event) string {
	if !s.o.Listener {
		return h.Callback
	}
	name := strings.ToLower(e.Type[:1]) + e.Type[1:]
	return strings.TrimSuffix(h.Callback, "/") + "/listener/" + name
}

func (s *Service) post(ctx context.Context, client *http.Client, hub id.ID, address, message string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return job.Permanent{Err: err}
	}
	r.Header.Set("Content-Type", "application/json;charset=utf-8")
	r.Header.Set("User-Agent", "demarc")
	webhook.Sign(r.Header, s.secret(hub), message, s.store.MachineNow(), body)
	answer, err := client.Do(r)
	if err != nil {
		// A callback's query may hold a secret of the listener's: the address stays out of logs and jobs.
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err
		}
		return fmt.Errorf("the listener does not answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, mostAnswer)) // what a listener says does not matter
	switch {
	case answer.StatusCode/100 == 2:
		return nil
	case answer.StatusCode == http.StatusGone:
		return job.Permanent{Err: fmt.Errorf("the listener answered %s", answer.Status)}
	case answer.StatusCode/100 == 3:
		return fmt.Errorf("the listener answered %s, and redirects are not followed", answer.Status)
	}
	return fmt.Errorf("the listener answered %s", answer.Status)
}

// client calls listeners: never through a proxy of the environment, never along a redirect, and only at
// addresses that the guard allows, which is asked when the connection is made: a name that resolved to a
// harmless address before cannot lead elsewhere now.
func (s *Service) client() *http.Client {
	dialer := &net.Dialer{
		Timeout: s.o.Timeout,
		Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return s.o.Guard.Allow(to.Addr())
		},
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: s.o.Timeout, ResponseHeaderTimeout: s.o.Timeout,
			MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: mostAnswer, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// notification is an event as listeners get it (TMF630 part 1, "Notification patterns").
type notification struct {
	event.Event
	// Priority and TimeOccurred (the standard's spelling on the wire) stand in the APIs' documents.
	Priority     string                    `json:"priority"`
	TimeOccurred time.Time                 `json:"timeOcurred"`
	Content      map[string]jsontext.Value `json:"event"`
}

// body is the event with its resource in it, under its name.
func (s *Service) body(e event.Event) ([]byte, error) {
	resource, err := s.document(e)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(notification{
		Event: e, Priority: "normal", TimeOccurred: e.Time, Content: map[string]jsontext.Value{e.Resource: resource},
	})
	if err != nil {
		return nil, fault.Internalf(err, "the event %s cannot be written", e.ID)
	}
	return b, nil
}

func (s *Service) document(e event.Event) (jsontext.Value, error) {
	members := map[string]jsontext.Value{}
	if err := json.Unmarshal(e.Document, &members); err != nil {
		return nil, fault.Internalf(err, "the document of the event %s cannot be read", e.ID)
	}
	set := func(name, text string) (err error) {
		members[name], err = json.Marshal(text)
		return err
	}
	err := set("id", string(e.Subject))
	if s.o.Href != nil && err == nil {
		if href := s.o.Href(e.Resource, e.Subject); href != "" {
			err = set("href", href)
		}
	}
	if err != nil {
		return nil, fault.Internalf(err, "the event %s cannot be written", e.ID)
	}
	text, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return nil, fault.Internalf(err, "the event %s cannot be written", e.ID)
	}
	return text, nil
}
