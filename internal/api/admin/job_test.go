package admin_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
)

func (s *server) enqueue(spid int, j job.Job) (i id.ID) {
	s.t.Helper()
	s.write(spid, func(ctx context.Context) (err error) {
		i, err = s.store.Enqueue(ctx, id.RandomHome(), j)
		return err
	})
	return i
}

// die makes a job at service provider 1 a dead letter.
func (s *server) die(j job.Job) id.ID {
	s.t.Helper()
	i := s.enqueue(1, j)
	leased, err := s.store.ClaimJobs(s.t.Context(), 1, time.Minute)
	if err != nil || len(leased) != 1 || leased[0].ID != i {
		s.t.Fatalf("leased %v, %v", leased, err)
	}
	if err := s.store.FailJob(s.at(1), leased[0], time.Time{}, "no such number"); err != nil {
		s.t.Fatal(err)
	}
	return i
}

func TestADeadLetterIsLookedAtAndRetried(t *testing.T) {
	each(t, func(s *server) {
		i := s.die(job.Job{Kind: "order.step", Key: "o1", Payload: []byte(`{"name":"Jane"}`), MaxAttempts: 3})
		listed := s.do(s.boss, "GET", "/api/admin/job?state=dead&kind=order.step", "").Want(200).Is(map[string]string{
			"0.id": string(i), "0.state": "dead", "0.lastError": "no such number", "0.attempts": "1", "0.maxAttempts": "3", "0.key": "o1",
			"0.actor.subject": "tester", "0.requestId": "r1", "0.@type": "Job", "0.href": "http://demarc.test/api/admin/job/" + string(i),
		})
		if strings.Contains(listed.Raw, "Jane") {
			t.Errorf("a list shows payloads: %s", listed.Raw)
		}
		at := "/api/admin/job/" + string(i)
		s.do(s.boss, "GET", at, "").Want(200).Is(map[string]string{"payload": `{"name":"Jane"}`, "state": "dead"})
		s.do(s.boss, "POST", at+"/cancel", "").Refused(409, store.CodeJobState)
		s.do(s.boss, "POST", at+"/retry?dryRun=true", "").Want(200).Is(map[string]string{"state": "ready"})
		s.do(s.boss, "POST", at+"/retry", "").Want(200).Is(map[string]string{"state": "ready", "attempts": "0"})
		s.do(s.boss, "POST", at+"/retry", "").Refused(409, store.CodeJobState)
		s.do(s.boss, "POST", at+"/cancel", "").Want(200).Is(map[string]string{"state": "cancelled"})
		if a := s.do(s.boss, "GET", "/api/admin/job?state=dead", "").Want(200); a.Raw != "[]" {
			t.Errorf("dead letters: %s", a.Raw)
		}
		s.do(s.boss, "POST", at+"/retry", "").Want(200).Is(map[string]string{"state": "ready"})
	})
}

func TestEveryJobIsFoundAmongMany(t *testing.T) {
	each(t, func(s *server) {
		var ids []id.ID
		for n := range 9 {
			ids = append(ids, s.enqueue(1, job.Job{Kind: []string{"a", "b"}[n%2]}))
			s.clock.Advance(time.Millisecond)
		}
		for _, i := range ids {
			s.do(s.boss, "GET", "/api/admin/job/"+string(i), "").Want(200).Is(map[string]string{"id": string(i)})
		}
		newest := ids[8]
		a := s.do(s.boss, "GET", "/api/admin/job?kind=a&limit=2", "").Want(206).Is(map[string]string{"0.id": string(newest), "1.id": string(ids[6])})
		if a.Header.Get("X-Total-Count") != "5" || a.Header.Get("X-Result-Count") != "2" || !strings.Contains(a.Header.Get("Link"), `/api/admin/job?kind=a&limit=2&offset=2>; rel="next"`) {
			t.Errorf("%v", a.Header)
		}
	})
}

func TestWhatIsAnotherServiceProvidersDoesNotExist(t *testing.T) {
	each(t, func(s *server) {
		their := s.enqueue(2, job.Job{Kind: "k"})
		s.enqueue(1, job.Job{Kind: "k"})
		made, told := s.happen(2)
		for _, path := range []string{"/job/" + string(their), "/job/job_nonsense", "/event/" + string(told), "/event/x", "/audit?entityId=" + string(made), "/audit?entityId=ind_nonsense"} {
			s.do(s.boss, "GET", "/api/admin"+path, "").Refused(404, fault.CodeNotFound)
		}
		for _, what := range []string{"/retry", "/cancel"} {
			s.do(s.boss, "POST", "/api/admin/job/"+string(their)+what, "").Refused(404, fault.CodeNotFound)
		}
		if a := s.do(s.boss, "GET", "/api/admin/job", "").Want(200); a.Len() != 1 || strings.Contains(a.Raw, string(their)) {
			t.Errorf("listed %s", a.Raw)
		}
		s.do(s.both, "GET", "/api/admin/job/"+string(their), "", "spid: 2").Want(200)
	})
}

// happen makes and changes a party, and tells of it.
func (s *server) happen(spid int) (made, told id.ID) {
	s.t.Helper()
	s.write(spid, func(ctx context.Context) error {
		made = id.New(partyKind, 3, s.store.Now(ctx))
		told = id.New(event.Kind, 3, s.store.Now(ctx))
		d, err := s.parties.Insert(ctx, made, &party{Name: "Ann"})
		if err != nil {
			return err
		}
		if _, err := s.parties.Update(ctx, made, d.Version, &party{Name: "Anna"}); err != nil {
			return err
		}
		return s.store.Emit(ctx, event.Event{
			ID: told, Type: "IndividualCreateEvent", Domain: "party", Title: "An individual was made", Resource: "individual", Subject: made, Document: d.Body,
		})
	})
	return made, told
}

func TestTheTrailOfAThing(t *testing.T) {
	each(t, func(s *server) {
		made, told := s.happen(1)
		trail := "/api/admin/audit?entityId=" + string(made)
		s.do(s.boss, "GET", trail, "").Want(200).Is(map[string]string{
			"0.entity": "individual", "0.entityId": string(made), "0.operation": "test", "0.subject": "tester", "0.client": "test-1", "0.requestId": "r1",
			"0.reason": "why not", "0.date": "2026-03-01T12:00:00Z", "0.before": "", "0.after": `{"name":"Ann"}`,
			"1.before": `{"name":"Ann"}`, "1.after": `{"name":"Anna"}`, "1.@type": "AuditRecord",
		})
		a := s.do(s.boss, "GET", trail+"&offset=1&limit=1", "").Want(206).Is(map[string]string{"0.after": `{"name":"Anna"}`, "1": ""})
		if a.Header.Get("X-Total-Count") != "2" {
			t.Errorf("%v", a.Header)
		}
		s.do(s.boss, "GET", "/api/admin/event/"+string(told), "").Want(200).Is(map[string]string{
			"eventId": string(told), "eventType": "IndividualCreateEvent", "eventTime": "2026-03-01T12:00:00Z", "domain": "party", "correlationId": "r1",
			"entityId": string(made), "event": `{"individual":{"name":"Ann"}}`, "@type": "Event",
		})
		s.do(s.boss, "GET", "/api/admin/audit", "").Want(400)
		s.do(s.boss, "GET", "/api/admin/audit?entityId="+idOf(s.boss), "").Want(200).Is(map[string]string{"0.operation": "admin.apiKey.issue", "0.entityId": idOf(s.boss)})
	})
}

func TestOnlyAdministratorsComeIn(t *testing.T) {
	s := serve(t, "sqlite")
	their := map[string]string{"job": string(s.enqueue(2, job.Job{Kind: "k"})), "apiKey": idOf(s.other), "event": "evt_x"}
	optest.Walk(t, optest.House{
		Table: s.table, Handler: s.handler, Powerless: "Key " + s.clerk, Powerful: "Key " + s.boss,
		Foreign: func(o *op.Operation, param string) (string, bool) {
			return their[strings.Split(o.ID, ".")[1]], param == "id"
		},
	})
	for _, o := range s.table.Operations() {
		if strings.HasPrefix(o.ID, "admin.") {
			s.do(s.viewer, o.Method, strings.ReplaceAll(o.Path, "{id}", "x"), "").Refused(403, fault.CodeForbidden)
		}
	}
	s.do(s.nobody, "GET", "/api/admin/job", "").Refused(403, fault.CodeForbidden)
	optest.Documents(t, s.table)
}

func TestUnknownPathsAnswerInTheShapeOfTheFacade(t *testing.T) {
	s := serve(t, "sqlite")
	s.do(s.boss, "GET", "/api/admin/nothing", "").Refused(404, op.CodeNoRoute)
	s.do(s.boss, "DELETE", "/api/v1/admin/job", "").Refused(405, op.CodeMethod)
}
