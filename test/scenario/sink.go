package scenario

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// sink is where the events that a scenario listens to arrive.
type sink struct {
	server *http.Server
	url    string
	mu     sync.Mutex
	events []any
}

func newSink() (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{url: "http://" + l.Addr().String()}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}

func (s *sink) close() { _ = s.server.Close() }

// ServeHTTP takes an event, and echoes what a subscription's verification asks for.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var event any
	if err != nil || json.Unmarshal(body, &event) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.events = append(s.events, event)
	s.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
}

func (s *sink) seen() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// listen subscribes the scenario's sink at a hub.
func (r *run) listen(ctx context.Context, step Step) []string {
	if r.sink == nil {
		s, err := newSink()
		if err != nil {
			return []string{err.Error()}
		}
		r.sink = s
	}
	post := Step{
		Post: step.Listen, As: step.As, SPID: step.SPID, Body: map[string]any{"callback": r.sink.url},
		Expect: Expect{Status: http.StatusCreated, Body: map[string]any{"id": "$string", "callback": r.sink.url}},
		Keep:   map[string]string{"hub": "id"},
	}
	return r.step(ctx, post)
}

// events waits until each wanted event has arrived.
func (r *run) events(step Step) []string {
	if r.sink == nil {
		return []string{"no step before this one listens"}
	}
	deadline := time.Now().Add(r.server.Patience)
	for {
		got := r.sink.seen()
		missing := slices.DeleteFunc(slices.Clone(step.Events), func(w any) bool {
			want := r.fill(w)
			return slices.ContainsFunc(got, func(e any) bool { return len(Match(want, e)) == 0 })
		})
		if len(missing) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			var kinds []string
			for _, e := range got {
				kind, _ := Lookup(e, "eventType")
				kinds = append(kinds, fmt.Sprint(kind))
			}
			return []string{fmt.Sprintf("no event like %v among: %s", r.fill(missing[0]), strings.Join(kinds, ", "))}
		}
		time.Sleep(20 * time.Millisecond)
	}
}
