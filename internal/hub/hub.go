// Package hub keeps event subscriptions and delivers events to them (TMF630 part 1, "Notification
// patterns"; Standard Webhooks for the signature).
//
// When something happens, the transaction in which it happens also promises one delivery for each
// subscription that wants the event. So nothing is sent of what is rolled back, and nothing is lost of what
// is committed. A delivery that fails is tried again with growing pauses and ends as a dead job that a person
// can inspect and retry. Deliveries may come out of order and more than once: receivers go by eventId and
// eventTime.
package hub

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// Kind is the id kind of event subscriptions.
var Kind = id.Kind{Name: "hub", Prefix: "hub"}

// CodeTooMany is a subscription beyond what one service provider may have.
const CodeTooMany fault.Code = "tooManySubscriptions"

// Most is how many subscriptions one service provider may have.
const Most = 200

const longestCallback = 2048

// Hub is one event subscription (TMF630 EventSubscription).
type Hub struct {
	Type string `json:"@type,omitzero"`
	// Callback is where events are POSTed to: an absolute http or https URL.
	Callback string `json:"callback"`
	// Query says which events, as attribute filters on the event
	// ("eventType=CustomerCreateEvent,CustomerDeleteEvent"); empty means all.
	Query string `json:"query,omitzero"`
	// Domain is the API whose events are wanted ("customerManagement"); empty means every API's.
	Domain string   `json:"domain,omitzero"`
	Rest   sid.Rest `json:",embed"`
}

// Options are what the service needs beside its store.
type Options struct {
	// Key is what the signing secrets of all subscriptions are derived from: 32 bytes or more, the same on
	// every node and after every restart. With a shorter one nobody can subscribe.
	Key []byte
	// Parse reads the query of a subscription.
	Parse func(query string) ([]store.Filter, error)
	// Href is the absolute address of a resource, for the documents that events carry; nil leaves hrefs out.
	Href func(resource string, i id.ID) string
	// Guard says which addresses may be called; PublicOnly by default.
	Guard Guard
	// Listener has events POSTed to {callback}/listener/{eventType} instead of {callback}, the path that the
	// APIs' documents name for listeners.
	Listener bool
	// Timeout bounds one delivery (default 10 s).
	Timeout time.Duration
}

// Service is all event subscriptions and their delivery.
type Service struct {
	// Hubs are the subscriptions.
	Hubs *resource.Set[Hub]

	store *store.Store
	o     Options
	known subscriptions
}

// leastKey is how many bytes a key has at least.
const leastKey = 32

// New makes the service and has it react to the store's events; call it once, before the store is used.
func New(s *store.Store, o Options) *Service {
	if o.Guard == nil {
		o.Guard = PublicOnly{}
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	h := &Service{store: s, o: o}
	h.Hubs = resource.New(s, store.Definition{Kind: Kind, Table: "hub", Indexed: map[string]string{"callback": "callback"}}, h.rules())
	s.ReactIf(h.wants, h.react)
	return h
}

// Secret is what the deliveries to a subscription are signed with, as Standard Webhooks writes secrets
// ("whsec_…"). It is derived, not stored.
func (s *Service) Secret(i id.ID) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(s.secret(i))
}

func (s *Service) secret(i id.ID) []byte {
	m := hmac.New(sha256.New, s.o.Key)
	m.Write([]byte("hub secret " + string(i)))
	return m.Sum(nil)
}

func (s *Service) rules() resource.Rules[Hub] {
	return resource.Rules[Hub]{
		Domain: "hub",
		Create: func(ctx context.Context, _ id.ID, v *Hub, _ time.Time) error {
			v.Type = "EventSubscription"
			if len(s.o.Key) < leastKey {
				return fault.Internalf(nil, "the key that signing secrets are derived from has %d bytes, not %d", len(s.o.Key), leastKey)
			}
			if err := s.check(v); err != nil {
				return err
			}
			page, err := s.Hubs.Docs(ctx, store.Query{Limit: 1})
			if err == nil && page.Total >= Most {
				err = fault.New(fault.Conflict, CodeTooMany, "a service provider has at most %d event subscriptions", Most)
			}
			return err
		},
		Change: func(_ context.Context, _, v *Hub, _ time.Time) error { return s.check(v) },
	}
}

func (s *Service) check(v *Hub) error {
	if why := s.checkCallback(v.Callback); why != "" {
		return fault.Invalidf("callback", "callback %s", why)
	}
	if _, _, err := s.conditions(v.Query); err != nil {
		f := fault.From(err)
		return fault.Invalidf("query", "query: %s", f.Message).Because(err)
	}
	return nil
}

func (s *Service) checkCallback(callback string) (why string) {
	u, err := url.Parse(callback)
	switch {
	case err != nil || len(callback) > longestCallback:
		return "is not a URL of at most 2048 characters"
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "must be an absolute http or https URL"
	case u.User != nil:
		return "must not carry a user name or password"
	case u.Fragment != "":
		return "must not have a fragment"
	}
	host := u.Hostname()
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		host = "127.0.0.1"
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if err := s.o.Guard.Allow(addr); err != nil {
			return "leads to an address that may not be called: " + err.Error()
		}
	}
	return ""
}
