package hub_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/hub"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

type customer struct {
	Name   string   `json:"name,omitzero"`
	Status string   `json:"status,omitzero"`
	Rest   sid.Rest `json:",embed"`
}

// house is a database with customers and event subscriptions, and a listener.
type house struct {
	t         *testing.T
	clock     *clock.Virtual
	store     *store.Store
	customers *resource.Set[customer]
	hubs      *hub.Service
	listener  *listener
}

// listener is a server that takes events and answers as told.
type listener struct {
	*httptest.Server
	mu     sync.Mutex
	got    []*http.Request
	bodies []string
	answer func(w http.ResponseWriter, r *http.Request)
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	l.got, l.bodies = append(l.got, r), append(l.bodies, string(body))
	answer := l.answer
	l.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// calls are the requests that came so far.
func (l *listener) calls() []*http.Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got)
}

func newHouse(t *testing.T, change ...func(*hub.Options)) *house {
	t.Helper()
	h := &house{t: t, clock: clock.NewVirtual(time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)), listener: &listener{}}
	h.listener.Server = httptest.NewServer(h.listener)
	t.Cleanup(h.listener.Close)
	var err error
	h.store, err = store.Open(context.Background(), "sqlite:"+filepath.Join(t.TempDir(), "demarc.db"), store.Options{
		Clock: h.clock, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	})
	h.customers = resource.New(h.store, store.Definition{Kind: id.Kind{Name: "customer", Prefix: "cus"}, Table: "customer"},
		resource.Rules[customer]{Domain: "customerManagement", State: func(v *customer) string { return v.Status }})
	o := hub.Options{
		Key:   []byte("0123456789abcdef0123456789abcdef"),
		Parse: parse,
		Href:  func(kind string, i id.ID) string { return "https://demarc.test/" + kind + "/" + string(i) },
		Guard: hub.PublicOnly{Except: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}},
	}
	for _, c := range change {
		c(&o)
	}
	h.hubs = hub.New(h.store, o)
	if _, err := h.store.Migrate(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	return h
}

// parse knows name=value alone; the façade's parser is tested with the façade.
func parse(query string) ([]store.Filter, error) {
	if query == "" {
		return nil, nil
	}
	name, value, ok := strings.Cut(query, "=")
	if !ok {
		return nil, fault.Invalidf("", "%q is no query", query)
	}
	if name, ok := strings.CutSuffix(name, ".regex"); ok {
		return []store.Filter{{Path: strings.Split(name, "."), Op: store.Regex, Values: []string{value}}}, nil
	}
	return []store.Filter{{Path: strings.Split(name, "."), Op: store.Eq, Values: strings.Split(value, ",")}}, nil
}

func at(spid int) context.Context {
	return scope.With(context.Background(), auth.System(spid, scope.Actor{Subject: "tester"}))
}

func (h *house) subscribe(spid int, members string) id.ID {
	h.t.Helper()
	d, err := h.hubs.Hubs.Create(at(spid), jsontext.Value(`{"callback":"`+h.listener.URL+`/in"`+members+`}`))
	if err != nil {
		h.t.Fatal(err)
	}
	return d.ID
}

func (h *house) customer(spid int, members string) id.ID {
	h.t.Helper()
	d, err := h.customers.Create(at(spid), jsontext.Value(`{`+members+`}`))
	if err != nil {
		h.t.Fatal(err)
	}
	return d.ID
}

// promised are the deliveries that wait at a service provider.
func (h *house) promised(spid int) []job.Job {
	h.t.Helper()
	jobs, _, err := h.store.Jobs(at(spid), hub.JobKind, job.Ready, 0, 100)
	if err != nil {
		h.t.Fatal(err)
	}
	return jobs
}

// deliver runs what is promised, as the worker does, and gives what the handler said.
func (h *house) deliver(spid int) []error {
	h.t.Helper()
	var said []error
	run := h.hubs.Handler()
	for _, j := range h.promised(spid) {
		said = append(said, run(at(spid), j))
	}
	return said
}

func TestAnEventReachesItsSubscriber(t *testing.T) {
	h := newHouse(t)
	sub := h.subscribe(1, "")
	cus := h.customer(1, `"name":"Moon","x":{"deep":[1]}`)
	if said := h.deliver(1); len(said) != 1 || said[0] != nil {
		t.Fatalf("%v", said)
	}
	r, body := h.listener.calls()[0], h.listener.bodies[0]
	if r.Method != http.MethodPost || r.URL.Path != "/in" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
	var got struct {
		EventID       string `json:"eventId"`
		EventTime     string `json:"eventTime"`
		EventType     string `json:"eventType"`
		CorrelationID string `json:"correlationId"`
		Domain        string `json:"domain"`
		TimeOcurred   string `json:"timeOcurred"`
		Priority      string `json:"priority"`
		Event         struct {
			Customer map[string]any `json:"customer"`
		} `json:"event"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.EventType != "CustomerCreateEvent" || got.Domain != "customerManagement" || got.EventTime != "2026-01-31T09:30:00Z" || got.TimeOcurred != got.EventTime {
		t.Errorf("%+v", got)
	}
	c := got.Event.Customer
	if c["id"] != string(cus) || c["href"] != "https://demarc.test/customer/"+string(cus) || c["name"] != "Moon" || c["x"] == nil {
		t.Errorf("%v", c)
	}
	if r.Header.Get("webhook-id") != got.EventID || r.Header.Get("webhook-timestamp") != "1769851800" {
		t.Errorf("%v", r.Header)
	}
	if want := signature(t, h.hubs.Secret(sub), r.Header, body); r.Header.Get("webhook-signature") != want {
		t.Errorf("signature %s, want %s", r.Header.Get("webhook-signature"), want)
	}
}

func TestWhichEventsASubscriberWants(t *testing.T) {
	for _, c := range []struct {
		members string
		want    string
	}{
		{``, "CustomerCreateEvent CustomerStateChangeEvent CustomerAttributeValueChangeEvent CustomerDeleteEvent"},
		{`,"query":"eventType=CustomerCreateEvent,CustomerDeleteEvent"`, "CustomerCreateEvent CustomerDeleteEvent"},
		{`,"query":"event.customer.status=Active"`, "CustomerStateChangeEvent CustomerAttributeValueChangeEvent CustomerDeleteEvent"},
		{`,"query":"eventType=Nothing"`, ""},
		{`,"domain":"customerManagement","query":"eventType=CustomerDeleteEvent"`, "CustomerDeleteEvent"},
		{`,"domain":"partyManagement"`, ""},
	} {
		h := newHouse(t)
		h.subscribe(1, c.members)
		cus := h.customer(1, `"name":"Moon"`)
		for _, change := range []string{`{"name":"Moon","status":"Active"}`, `{"name":"Sun","status":"Active"}`} {
			if _, err := h.customers.Patch(at(1), cus, 0, func(jsontext.Value) (jsontext.Value, error) { return jsontext.Value(change), nil }); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.customers.Delete(at(1), cus, 0); err != nil {
			t.Fatal(err)
		}
		h.deliver(1)
		missing := map[string]bool{}
		for _, typ := range strings.Fields(c.want) {
			missing[typ] = true
		}
		for _, body := range h.listener.bodies {
			var e struct {
				Type string         `json:"eventType"`
				Rest jsontext.Value `json:",embed"`
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatal(err)
			}
			if !missing[e.Type] {
				t.Errorf("%s got %s", c.members, e.Type)
			}
			delete(missing, e.Type)
		}
		if len(missing) > 0 {
			t.Errorf("%s did not get %v", c.members, missing)
		}
	}
}

// A query that is well-formed and cannot be asked of anything would stop every change of the service provider.
func TestQuietKindsReachWhoAsksForThem(t *testing.T) {
	h := newHouse(t)
	buckets := resource.New(h.store, store.Definition{Kind: id.Kind{Name: "bucket", Prefix: "bkt"}, Table: "bucket", Quiet: true},
		resource.Rules[customer]{Domain: "prepayBalanceManagement"})
	add := func(name string) {
		t.Helper()
		if _, _, err := buckets.Add(at(1), &customer{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	add("nobody listens")
	h.subscribe(1, `,"domain":"customerManagement"`)
	h.subscribe(1, `,"query":"eventType=BucketDeleteEvent"`)
	add("nobody wants it")
	h.deliver(1)
	if n := len(h.listener.calls()); n != 0 {
		t.Fatalf("%d deliveries that nobody asked for", n)
	}
	h.subscribe(1, `,"query":"event.bucket.name=a"`)
	h.subscribe(1, `,"query":"eventType=BucketCreateEvent"`)
	add("a")
	add("b")
	h.deliver(1)
	if n := len(h.listener.calls()); n != 3 {
		t.Fatalf("%d deliveries, want 3", n)
	}
}

func TestAQueryThatCannotBeAskedIsRefused(t *testing.T) {
	h := newHouse(t)
	_, err := h.hubs.Hubs.Create(at(1), jsontext.Value(`{"callback":"`+h.listener.URL+`","query":"event.customer.name.regex=("}`))
	if f := fault.From(err); err == nil || f.Kind != fault.Invalid || f.Attribute != "query" {
		t.Errorf("the subscription got %v, want an Invalid fault at query", err)
	}
}

func TestASubscriptionThatCannotBeReadStopsNobody(t *testing.T) {
	readable := true
	h := newHouse(t, func(o *hub.Options) {
		o.Parse = func(query string) ([]store.Filter, error) {
			if !readable && query != "" {
				return nil, fault.Invalidf("", "this release does not speak it")
			}
			return parse(query)
		}
	})
	h.subscribe(1, `,"query":"eventType=CustomerCreateEvent"`)
	all := h.subscribe(1, ``)
	readable = false
	h.customer(1, `"name":"Ann"`)
	if got := h.promised(1); len(got) != 1 || !strings.Contains(string(got[0].Payload), string(all)) {
		t.Errorf("%d deliveries are promised, want the one to %s", len(got), all)
	}
}

func TestSubscribersOfOtherServiceProvidersHearNothing(t *testing.T) {
	h := newHouse(t)
	h.subscribe(2, "")
	h.customer(1, `"name":"Moon"`)
	if n := len(h.promised(1)) + len(h.promised(2)); n != 0 {
		t.Errorf("%d deliveries are promised", n)
	}
}

func TestNothingIsPromisedOfWhatIsRolledBack(t *testing.T) {
	h := newHouse(t)
	h.subscribe(1, "")
	stop := errors.New("stop")
	err := h.store.Write(at(1), func(ctx context.Context) error {
		if _, err := h.customers.Create(ctx, jsontext.Value(`{"name":"Moon"}`)); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	dry := store.WithCall(at(1), store.Call{Operation: "test", DryRun: true})
	if _, err := h.customers.Create(dry, jsontext.Value(`{"name":"Sun"}`)); err != nil {
		t.Fatal(err)
	}
	if n := len(h.promised(1)); n != 0 || len(h.listener.calls()) != 0 {
		t.Errorf("%d deliveries are promised, %d made", n, len(h.listener.calls()))
	}
}

func TestNothingIsDeliveredBeforeTheCommit(t *testing.T) {
	h := newHouse(t)
	h.subscribe(1, "")
	err := h.store.Write(at(1), func(ctx context.Context) error {
		if _, err := h.customers.Create(ctx, jsontext.Value(`{"name":"Moon"}`)); err != nil {
			return err
		}
		if n := len(h.promised(1)); n != 0 { // as another reader sees it
			t.Errorf("%d deliveries can be seen before the commit", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(h.promised(1)); n != 1 {
		t.Errorf("%d deliveries after the commit", n)
	}
}

func TestSubscriptionsThatComeAndGo(t *testing.T) {
	h := newHouse(t)
	h.customer(1, `"name":"before"`) // nobody listens: that is remembered
	sub := h.subscribe(1, "")
	h.customer(1, `"name":"during"`)
	if n := len(h.promised(1)); n != 1 {
		t.Fatalf("%d deliveries for a new subscription", n)
	}
	if err := h.hubs.Hubs.Delete(at(1), sub, 0); err != nil {
		t.Fatal(err)
	}
	h.customer(1, `"name":"after"`)
	if n := len(h.promised(1)); n != 1 {
		t.Errorf("%d deliveries once it is gone", n)
	}
	if said := h.deliver(1); said[0] != nil || len(h.listener.calls()) != 0 {
		t.Errorf("what was promised to it: %v, %d calls", said, len(h.listener.calls()))
	}
}

// A subscription that is taken back in a transaction which also sees other events, and then fails, is still
// there: what the reactor saw in between must not be remembered.
func TestASubscriptionWhoseRemovalIsRolledBack(t *testing.T) {
	h := newHouse(t)
	sub := h.subscribe(1, "")
	h.clock.Advance(time.Hour)
	stop := errors.New("stop")
	err := h.store.Write(at(1), func(ctx context.Context) error {
		if err := h.hubs.Hubs.Delete(ctx, sub, 0); err != nil {
			return err
		}
		if _, err := h.customers.Create(ctx, jsontext.Value(`{"name":"unseen"}`)); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	h.customer(1, `"name":"Moon"`)
	if n := len(h.promised(1)); n != 1 {
		t.Errorf("%d deliveries", n)
	}
}

func TestListenersThatFail(t *testing.T) {
	for _, c := range []struct {
		name      string
		answer    func(w http.ResponseWriter, r *http.Request)
		fails     bool
		permanent bool
	}{
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, false, false},
		{"500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, true, false},
		{"404", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, true, false},
		{"410", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, true, true},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, true, false},
		{"hang-up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, false},
	} {
		h := newHouse(t)
		h.listener.answer = c.answer
		h.subscribe(1, "")
		h.customer(1, `"name":"Moon"`)
		err := h.deliver(1)[0]
		var permanent job.Permanent
		if (err != nil) != c.fails || errors.As(err, &permanent) != c.permanent {
			t.Errorf("%s: %v", c.name, err)
		}
		if n := len(h.listener.calls()); n != 1 {
			t.Errorf("%s: %d calls", c.name, n)
		}
	}
}

func TestAListenerThatNeverAnswers(t *testing.T) {
	h := newHouse(t, func(o *hub.Options) { o.Timeout = 50 * time.Millisecond })
	release := make(chan struct{})
	h.listener.answer = func(http.ResponseWriter, *http.Request) { <-release }
	h.subscribe(1, "")
	h.customer(1, `"name":"Moon"`)
	if err := h.deliver(1)[0]; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	close(release)
}

// Why a delivery failed is logged and kept with the job; a listener's token is neither's business.
func TestAFailureDoesNotTellTheCallbacksQuery(t *testing.T) {
	h := newHouse(t)
	if _, err := h.hubs.Hubs.Create(at(1), jsontext.Value(`{"callback":"`+h.listener.URL+`/in?token=hunter2"}`)); err != nil {
		t.Fatal(err)
	}
	h.customer(1, `"name":"Ann"`)
	h.listener.Close()
	errs := h.deliver(1)
	if len(errs) != 1 || errs[0] == nil || strings.Contains(errs[0].Error(), "hunter2") {
		t.Errorf("the delivery ended with %v", errs)
	}
}

func TestListenerPath(t *testing.T) {
	h := newHouse(t, func(o *hub.Options) { o.Listener = true })
	h.subscribe(1, "")
	h.customer(1, `"name":"Moon"`)
	h.deliver(1)
	if got := h.listener.calls()[0].URL.Path; got != "/in/listener/customerCreateEvent" {
		t.Errorf("called %s", got)
	}
}

func TestCallbacksThatAreRefused(t *testing.T) {
	h := newHouse(t)
	for _, callback := range []string{
		"", "/relative", "ftp://example.com/", "https://", "https://user:pw@example.com/", "https://example.com/#x", "::",
		"http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://0.0.0.0/",
		"http://100.64.0.1/", "http://[fd00::1]/", "http://[64:ff9b::a00:1]/", "http://224.0.0.1/", "https://" + strings.Repeat("x", 3000) + "/",
	} {
		_, err := h.hubs.Hubs.Create(at(1), jsontext.Value(`{"callback":"`+callback+`"}`))
		if f := fault.From(err); f == nil || f.Kind != fault.Invalid || f.Attribute != "callback" {
			t.Errorf("%s: %v", callback, err)
		}
	}
	if _, err := h.hubs.Hubs.Create(at(1), jsontext.Value(`{"callback":"https://example.com/","query":"nonsense"}`)); fault.From(err).Attribute != "query" {
		t.Errorf("a query that cannot be read: %v", err)
	}
}

// gate is a guard that can be shut.
type gate struct{ shut bool }

func (g *gate) Allow(netip.Addr) error {
	if g.shut {
		return errors.New("shut")
	}
	return nil
}

// The guard is asked when the connection is made, so a name that leads elsewhere than it did when it was
// registered gets nowhere.
func TestTheGuardIsAskedAtEveryConnection(t *testing.T) {
	g := &gate{}
	h := newHouse(t, func(o *hub.Options) { o.Guard = g })
	h.subscribe(1, "")
	h.customer(1, `"name":"Moon"`)
	g.shut = true
	if err := h.deliver(1)[0]; err == nil || !strings.Contains(err.Error(), "shut") {
		t.Errorf("%v", err)
	}
	if len(h.listener.calls()) != 0 {
		t.Errorf("%d calls came in", len(h.listener.calls()))
	}
}

func TestShortKeys(t *testing.T) {
	h := newHouse(t, func(o *hub.Options) { o.Key = []byte("short") })
	if _, err := h.hubs.Hubs.Create(at(1), jsontext.Value(`{"callback":"https://example.com/"}`)); fault.KindOf(err) != fault.Internal {
		t.Errorf("a secret would be derived from a key that can be guessed: %v", err)
	}
}

func TestMostSubscriptions(t *testing.T) {
	h := newHouse(t)
	for range hub.Most {
		h.subscribe(1, "")
	}
	_, err := h.hubs.Hubs.Create(at(1), jsontext.Value(`{"callback":"https://example.com/"}`))
	if f := fault.From(err); f == nil || f.Code != hub.CodeTooMany {
		t.Errorf("%v", err)
	}
	h.customer(1, `"name":"Moon"`)
	if _, n, err := h.store.Jobs(at(1), hub.JobKind, job.Ready, 0, 1); err != nil || n != hub.Most {
		t.Errorf("%d deliveries, %v", n, err)
	}
}
