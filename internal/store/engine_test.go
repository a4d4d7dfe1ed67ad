package store_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func jobOf(kind, key string) job.Job { return job.Job{Kind: kind, Key: key} }

func (h *house) enqueue(j job.Job) id.ID {
	h.t.Helper()
	var i id.ID
	h.must(h.write(func(ctx context.Context) (err error) {
		i, err = h.s.Enqueue(ctx, id.RandomHome(), j)
		return err
	}))
	return i
}

func (h *house) claim(n int) []job.Job {
	h.t.Helper()
	jobs, err := h.s.ClaimJobs(context.Background(), n, time.Minute)
	h.must(err)
	return jobs
}

func TestJobLives(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var nudges atomic.Int64
		h.s.OnJobs(func() { nudges.Add(1) })
		ctx := store.WithCall(h.ctx, store.Call{RequestID: "r1"})
		later := h.s.Now(ctx).Add(time.Hour)
		h.must(h.s.Write(ctx, func(ctx context.Context) error {
			_, err := h.s.Enqueue(ctx, 7, job.Job{Kind: "now", Payload: []byte(`{"a":1}`), MaxAttempts: 3})
			h.must(err)
			_, err = h.s.Enqueue(ctx, 7, job.Job{Kind: "later", RunAt: later})
			return err
		}))
		if nudges.Load() != 1 {
			t.Fatalf("%d nudges", nudges.Load())
		}
		got := h.claim(10)
		if len(got) != 1 || got[0].Kind != "now" || got[0].Attempts != 1 || got[0].State != job.Running || string(got[0].Payload) != `{"a":1}` ||
			got[0].RequestID != "r1" || got[0].Actor.Subject != "tester" || got[0].SPID != 1 || got[0].MaxAttempts != 3 {
			t.Fatalf("claimed %+v", got)
		}
		if len(h.claim(10)) != 0 {
			t.Fatal("leased twice")
		}
		h.must(h.s.FailJob(h.ctx, got[0], later, "bang \x00"))
		h.at.Set(later)
		again := h.claim(10)
		if len(again) != 2 {
			t.Fatalf("%d due", len(again))
		}
		for _, j := range again {
			if j.Kind == "now" && (j.Attempts != 2 || j.LastError != "bang  ") {
				t.Fatalf("%+v", j)
			}
			h.must(h.s.FinishJob(h.ctx, j))
			refused(t, h.s.FinishJob(h.ctx, j), fault.Conflict, store.CodeLeaseLost, "")
		}
		done, total, err := h.s.Jobs(h.ctx, "", job.Done, 0, 1)
		if err != nil || total != 2 || len(done) != 1 {
			t.Fatalf("%v %d %v", done, total, err)
		}
		n, err := h.s.Purge(h.ctx, h.s.Now(h.ctx))
		if err != nil || n != 2 {
			t.Fatalf("purged %d, %v", n, err)
		}
	})
}

func TestJobsOfSomeKindsAreClaimed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, kind := range []string{"call", "step", "call", "call", "other"} {
			h.enqueue(jobOf(kind, ""))
		}
		of := func(k store.Kinds, n int) string {
			jobs, err := h.s.ClaimJobsOf(context.Background(), k, n, time.Minute)
			h.must(err)
			kinds := make([]string, 0, len(jobs))
			for _, j := range jobs {
				kinds = append(kinds, j.Kind)
			}
			return strings.Join(kinds, " ")
		}
		calls := []string{"call"}
		if got := of(store.Kinds{Only: true}, 9); got != "" {
			t.Errorf("of no kind: %s", got)
		}
		if got := of(store.Kinds{Named: calls}, 9); got != "step other" && got != "other step" {
			t.Errorf("all but calls: %s", got)
		}
		if got := of(store.Kinds{Named: calls, Only: true}, 2); got != "call call" {
			t.Errorf("two calls: %s", got)
		}
		if got := of(store.Kinds{}, 9); got != "call" {
			t.Errorf("the rest: %s", got)
		}
	})
}

func TestLostWorkersJobIsTakenOver(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enqueue(job.Job{Kind: "k", MaxAttempts: 2})
		first := h.claim(1)[0]
		h.at.Advance(2 * time.Minute)
		second := h.claim(1)[0]
		if second.Attempts != 2 {
			t.Fatalf("%+v", second)
		}
		err := h.write(func(ctx context.Context) error {
			h.must(h.add(ctx, "work of the lost one"))
			return h.s.FinishJob(ctx, first)
		})
		refused(t, err, fault.Conflict, store.CodeLeaseLost, "")
		if h.count() != 0 {
			t.Fatal("the work of a lost lease was kept")
		}
		h.at.Advance(2 * time.Minute)
		if got := h.claim(1); len(got) != 0 {
			t.Fatalf("it ran a third time: %+v", got)
		}
		dead, total, err := h.s.Jobs(h.ctx, "k", job.Dead, 0, 10)
		if err != nil || total != 1 || dead[0].LastError == "" {
			t.Fatalf("%+v %v", dead, err)
		}
		h.must(h.s.RetryJob(h.ctx, dead[0].ID))
		if got := h.claim(1); len(got) != 1 || got[0].Attempts != 1 {
			t.Fatalf("%+v", got)
		}
	})
}

func TestJobsByHand(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		i := h.enqueue(jobOf("k", "one"))
		if same := h.enqueue(jobOf("k", "one")); same != i {
			t.Fatal("the key did not hold")
		}
		if other := h.enqueue(jobOf("other", "one")); other == i {
			t.Fatal("kinds share keys")
		}
		refused(t, h.s.RetryJob(h.ctx, i), fault.Conflict, store.CodeJobState, "")
		h.must(h.s.CancelJob(h.ctx, i))
		trail, err := h.s.Audit(h.ctx, i)
		if err != nil || len(trail) != 1 || trail[0].Subject == "" || trail[0].Entity != "job" ||
			!strings.Contains(string(trail[0].Before), `"ready"`) || !strings.Contains(string(trail[0].After), `"cancelled"`) {
			t.Fatalf("who took the job back is not recorded: %+v %v", trail, err)
		}
		if j, err := h.s.Job(h.ctx, i); err != nil || j.State != job.Cancelled || j.Kind != "k" {
			t.Fatalf("%+v %v", j, err)
		}
		if _, err := h.s.Job(storetest.Context(2), i); fault.KindOf(err) != fault.NotFound {
			t.Fatalf("another's job: %v", err)
		}
		refused(t, h.s.CancelJob(h.ctx, i), fault.Conflict, store.CodeJobState, "")
		refused(t, h.s.CancelJob(storetest.Context(2), i), fault.NotFound, fault.CodeNotFound, "")
		refused(t, h.s.CancelJob(h.ctx, "job_nonsense"), fault.NotFound, fault.CodeNotFound, "")
		next := h.enqueue(jobOf("k", "one"))
		if next == i {
			t.Fatal("a cancelled job holds its key")
		}
		refused(t, h.s.RetryJob(h.ctx, i), fault.Conflict, store.CodeJobState, "")
		jobs := h.claim(5)
		h.must(h.s.ReleaseJobs(h.ctx, jobs))
		for _, j := range h.claim(5) {
			if j.Attempts != 1 {
				t.Fatalf("a released run was counted: %+v", j)
			}
			h.must(h.s.FailJob(h.ctx, j, time.Time{}, "for good"))
		}
		h.must(h.s.RetryJob(h.ctx, next))
	})
}

func TestEachJobIsClaimedOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.must(h.write(func(ctx context.Context) error {
			for range 60 {
				if _, err := h.s.Enqueue(ctx, id.RandomHome(), jobOf("k", "")); err != nil {
					return err
				}
			}
			return nil
		}))
		var mu sync.Mutex
		seen := map[id.ID]int{}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				for {
					jobs, err := h.s.ClaimJobs(context.Background(), 7, time.Minute)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					for _, j := range jobs {
						seen[j.ID]++
					}
					n := len(seen)
					mu.Unlock()
					if n == 60 || err != nil {
						return
					}
					if len(jobs) == 0 { // fewer than asked for means that no more are due
						return
					}
				}
			})
		}
		wg.Wait()
		if len(seen) != 60 {
			t.Errorf("%d of 60 were claimed", len(seen))
		}
		for i, n := range seen {
			if n != 1 {
				t.Errorf("%s was claimed %d times", i, n)
			}
		}
	})
}

func TestEventsAndReactors(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.s.React(func(ctx context.Context, e event.Event) error {
			if e.Title == "refuse" {
				return errWanted
			}
			_, err := h.s.Enqueue(ctx, 1, jobOf("event.deliver", string(e.ID)))
			return err
		})
		c := h.customer(`{"name":"a"}`)
		ctx := store.WithCall(h.ctx, store.Call{RequestID: "r9"})
		e := event.Event{Type: event.TypeOf("customer", event.Create), Resource: "customer", Subject: c.ID, Document: c.Body, Domain: "d"}
		h.must(h.s.Write(ctx, func(ctx context.Context) error { return h.s.Emit(ctx, e) }))
		jobs := h.claim(1)
		if len(jobs) != 1 {
			t.Fatal("the reactor's job is missing")
		}
		got, err := h.s.Event(h.ctx, id.ID(jobs[0].Key))
		h.must(err)
		if got.Type != "CustomerCreateEvent" || got.CorrelationID != "r9" || got.Subject != c.ID || string(got.Document) != string(c.Body) ||
			got.SPID != 1 || !got.Time.Equal(h.s.Now(h.ctx)) || got.Resource != "customer" || got.Domain != "d" {
			t.Fatalf("%+v", got)
		}
		if want, _ := c.ID.Home(); func() id.Home { home, _ := got.ID.Home(); return home }() != want {
			t.Error("the event is not at its subject's home")
		}
		_, err = h.s.Event(storetest.Context(2), got.ID)
		refused(t, err, fault.NotFound, fault.CodeNotFound, "")
		e.Title = "refuse"
		if err := h.write(func(ctx context.Context) error { return h.s.Emit(ctx, e) }); err == nil {
			t.Error("a reactor's error was swallowed")
		}
	})
}

func TestClaims(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.customer(`{}`).ID, h.customer(`{}`).ID
		claim := func(ctx context.Context, owner id.ID) error {
			return h.s.Write(ctx, func(ctx context.Context) error { return h.s.Claim(ctx, "msisdn", "27832000000", owner) })
		}
		h.must(claim(h.ctx, a))
		h.must(claim(h.ctx, a))
		refused(t, claim(h.ctx, b), fault.Conflict, store.CodeClaimed, "")
		h.must(claim(storetest.Context(2), b))
		who, err := h.s.Claimant(h.ctx, "msisdn", "27832000000")
		if err != nil || who != a {
			t.Fatal(who, err)
		}
		h.must(h.write(func(ctx context.Context) error { return h.s.Unclaim(ctx, "msisdn", "27832000000") }))
		if who, err := h.s.Claimant(h.ctx, "msisdn", "27832000000"); err != nil || who != "" {
			t.Fatal(who, err)
		}
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				owner := id.New(customerKind, id.RandomHome(), h.s.Now(h.ctx))
				switch err := claim(h.ctx, owner); {
				case err == nil:
					won.Add(1)
				case fault.From(err).Code != store.CodeClaimed:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d hold it", won.Load())
		}
	})
}

func TestOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := store.Key{Client: "portal", Value: "k1", Digest: [32]byte{1}}
		var runs atomic.Int64
		call := func(k store.Key, status int) (store.Answer, bool, error) {
			return h.s.Once(h.ctx, k, func(ctx context.Context) (store.Answer, error) {
				runs.Add(1)
				if status == 0 {
					return store.Answer{}, errWanted
				}
				return store.Answer{Status: status, Header: map[string]string{"Location": "/x"}, Body: []byte("b\x00")}, h.add(ctx, "once")
			})
		}
		if _, _, err := call(k, 0); err == nil {
			t.Fatal("no error")
		}
		a, replayed, err := call(k, 201)
		if err != nil || replayed || a.Status != 201 {
			t.Fatal(a, replayed, err)
		}
		a, replayed, err = call(k, 500)
		if err != nil || !replayed || a.Status != 201 || a.Header["Location"] != "/x" || string(a.Body) != "b\x00" {
			t.Fatal(a, replayed, err)
		}
		other := k
		other.Digest[0] = 2
		_, _, err = call(other, 201)
		refused(t, err, fault.Conflict, store.CodeKeyReused, "")
		other.Client = "app"
		if _, replayed, err := call(other, 202); err != nil || replayed {
			t.Fatal("clients share keys", err)
		}
		h.at.Advance(store.KeepAnswers)
		if a, replayed, err = call(k, 203); err != nil || replayed || a.Status != 203 {
			t.Fatal("an old key was remembered", a, err)
		}
		_, _, err = call(store.Key{}, 200)
		refused(t, err, fault.Invalid, fault.CodeInvalid, "Idempotency-Key")
		if runs.Load() != 4 || h.count() != 3 {
			t.Fatalf("%d runs, %d customers", runs.Load(), h.count())
		}
		h.at.Advance(2 * store.KeepAnswers)
		if n, err := h.s.Purge(h.ctx, h.s.Now(h.ctx)); err != nil || n != 2 {
			t.Fatalf("purged %d, %v", n, err)
		}
	})
}

func TestOnceWhileItRuns(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := store.Key{Client: "c", Value: "v"}
		var fresh atomic.Int64
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				a, replayed, err := h.s.Once(h.ctx, k, func(ctx context.Context) (store.Answer, error) {
					time.Sleep(5 * time.Millisecond)
					return store.Answer{Status: 201, Body: []byte("the same")}, h.add(ctx, "x")
				})
				if err != nil || string(a.Body) != "the same" {
					t.Error(a, err)
				}
				if !replayed {
					fresh.Add(1)
				}
			})
		}
		wg.Wait()
		if fresh.Load() != 1 || h.count() != 1 {
			t.Fatalf("%d ran, %d customers", fresh.Load(), h.count())
		}
	})
}

func TestLedgerRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		post := func(entries ...store.Entry) error {
			return h.write(func(ctx context.Context) error {
				return h.s.Post(ctx, 3, store.Posting{CauseKind: "test", Entries: entries})
			})
		}
		h.must(post(store.Entry{Account: "a", Unit: "EUR", Amount: math.MaxInt64}, store.Entry{Account: "cash", Unit: "EUR", Amount: -math.MaxInt64}))
		refused(t, post(store.Entry{Account: "a", Unit: "EUR", Amount: 1}, store.Entry{Account: "b", Unit: "EUR", Amount: -1}),
			fault.Limit, store.CodeBalanceRange, "")
		refused(t, post(store.Entry{Account: "a", Unit: "EUR", Amount: 1}, store.Entry{Account: "b", Unit: "USD", Amount: -1}),
			fault.Internal, fault.CodeInternal, "")
		refused(t, post(), fault.Internal, fault.CodeInternal, "")
		refused(t, post(store.Entry{Account: "a", Unit: "x", Amount: math.MaxInt64}, store.Entry{Account: "a", Unit: "x", Amount: math.MaxInt64},
			store.Entry{Account: "a", Unit: "x", Amount: 2}), fault.Internal, fault.CodeInternal, "")
		if n, err := h.s.Balance(h.ctx, 3, "a", "EUR"); err != nil || n != math.MaxInt64 {
			t.Fatal(n, err)
		}
		if n, err := h.s.Balance(storetest.Context(2), 3, "a", "EUR"); err != nil || n != 0 {
			t.Fatal(n, err)
		}
	})
}

func TestLedgerSumsToZeroWhateverComesTogether(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var wg sync.WaitGroup
		for w := range 6 {
			wg.Go(func() {
				for i := range 12 {
					err := h.write(func(ctx context.Context) error {
						n := int64(w*100 + i + 1)
						err := h.s.Post(ctx, 3, store.Posting{CauseKind: "test", Cause: fmt.Sprint(w), Text: "t", Entries: []store.Entry{
							{Account: fmt.Sprint("acc", (w+i)%3), Unit: "EUR", Amount: n}, {Account: "cash", Unit: "EUR", Amount: -n - 1}, {Account: "fee", Unit: "EUR", Amount: 1},
						}})
						if i%5 == 4 && err == nil {
							return errWanted
						}
						return err
					})
					if (err != nil) != (i%5 == 4) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		bad, err := h.s.Unbalanced(context.Background())
		if err != nil || len(bad) != 0 {
			t.Fatal(bad, err)
		}
		fees, err := h.s.Balance(h.ctx, 3, "fee", "EUR")
		if err != nil || fees != 60 {
			t.Fatal(fees, err)
		}
		list, err := h.s.Postings(h.ctx, 3, store.History{Account: "fee", Unit: "EUR", Limit: 10})
		h.must(err)
		if len(list) != 10 || len(list[0].Entries) != 3 || list[0].CauseKind != "test" || list[0].Entries[1].Account != "cash" {
			t.Fatalf("%+v", list)
		}
	})
}
