package store

import (
	"cmp"
	"context"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

// CodeLeaseLost is the Conflict of a worker that took longer than its lease: another one has the job.
const CodeLeaseLost fault.Code = "jobLeaseLost"

// CodeJobState is the Conflict of retrying or cancelling a job whose state forbids it.
const CodeJobState fault.Code = "jobState"

const (
	jobColumns = `spid, id, kind, job_key, payload, run_at, attempts, max_attempts, state, last_error,
actor_subject, actor_name, actor_client, request_id, created`

	// A job is due at its run_at while ready, and at the end of its lease while running.
	sqlEnqueue = `INSERT INTO job (home, spid, id, kind, job_key, payload, run_at, due, attempts, max_attempts, state, last_error,
actor_subject, actor_name, actor_client, request_id, created, clock)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, 'ready', '', $10, $11, $12, $13, $14, $15)
ON CONFLICT (home, spid, kind, job_key) WHERE job_key <> '' AND state IN ('ready', 'running') DO NOTHING`
	sqlKeyedJob = `SELECT id FROM job WHERE home = $1 AND spid = $2 AND kind = $3 AND job_key = $4
AND job_key <> '' AND state IN ('ready', 'running')`
	sqlDueJobs = `SELECT home, spid, id FROM job WHERE state IN ('ready', 'running') AND due <= `
	// A worker that dies on every run of a job must not run it for ever.
	sqlClaimJob = `UPDATE job SET
state = CASE WHEN state = 'running' AND attempts >= max_attempts THEN 'dead' ELSE 'running' END,
last_error = CASE WHEN state = 'running' AND attempts >= max_attempts THEN 'the worker was lost during the last run' ELSE last_error END,
attempts = CASE WHEN state = 'running' AND attempts >= max_attempts THEN attempts ELSE attempts + 1 END, due = $1
WHERE home = $2 AND spid = $3 AND id = $4 AND state IN ('ready', 'running') AND due <= $5
RETURNING ` + jobColumns
	sqlFinishJob = `UPDATE job SET state = 'done', due = $1 WHERE home = $2 AND spid = $3 AND id = $4 AND state = 'running' AND attempts = $5`
	// What a sandbox's clock has made due is tried again by the machine's; its run_at stays.
	sqlFailJob = `UPDATE job SET state = $1, due = $2, run_at = CASE WHEN clock = 0 THEN $2 ELSE run_at END, last_error = $3
WHERE home = $4 AND spid = $5 AND id = $6 AND state = 'running' AND attempts = $7`
	sqlReleaseJob = `UPDATE job SET state = 'ready', due = CASE WHEN clock = 0 THEN run_at ELSE $1 END, attempts = attempts - 1
WHERE home = $2 AND spid = $3 AND id = $4 AND state = 'running' AND attempts = $5`
	sqlJob      = `SELECT ` + jobColumns + ` FROM job WHERE home = $1 AND spid = $2 AND id = $3`
	sqlJobKey   = `SELECT kind, job_key FROM job WHERE home = $1 AND spid = $2 AND id = $3`
	sqlRetryJob = `UPDATE job SET state = 'ready', due = $1, run_at = CASE WHEN clock = 0 THEN $1 ELSE run_at END, attempts = 0
WHERE home = $2 AND spid = $3 AND id = $4 AND state IN ('dead', 'cancelled')`
	sqlCancelJob = `UPDATE job SET state = 'cancelled', due = $1 WHERE home = $2 AND spid = $3 AND id = $4 AND state = 'ready'`
)

// defaultAttempts is after how many failed runs a job is dead when it does not say.
const defaultAttempts = 12

// maxJobError bounds what is kept of a failure's text.
const maxJobError = 2000

// Enqueue promises a job in the open transaction. A ready or running job of the same kind and key makes it
// do nothing and return that job's id. A job without a key lives at the given home; one with a key at the
// home its key names, since only there can it be unique.
func (s *Store) Enqueue(ctx context.Context, home id.Home, j job.Job) (id.ID, error) {
	t, err := s.writing(ctx)
	if err != nil {
		return "", err
	}
	sc, err := scope.From(ctx)
	if err != nil {
		return "", err
	}
	if j.Key != "" {
		home = id.HomeOf(j.Kind + "/" + j.Key)
	}
	j = promised(j, t.now, sc, CallFrom(ctx))
	i := id.New(job.KindID, home, t.now)
	due, clock := t.due(j)
	n, err := t.enqueue(ctx, home, sc.SPID(), i, j, due, clock)
	if err != nil {
		return "", err
	}
	if n == 0 {
		var same string
		_, err := engine.Row(ctx, t.Conn, sqlKeyedJob, []any{int64(home), int64(sc.SPID()), j.Kind, j.Key}, &same)
		return id.ID(same), dbFault(err)
	}
	return i, nil
}

// enqueue stores a job that is due at a moment of the machine's clock; it is 0 when its key is taken.
func (t *tx) enqueue(ctx context.Context, home id.Home, spid int, i id.ID, j job.Job, due, clock int64) (n int64, err error) {
	n, err = t.Exec(ctx, sqlEnqueue, int64(home), int64(spid), string(i), j.Kind, j.Key, asText(j.Payload), engine.Micros(j.RunAt), due,
		int64(j.MaxAttempts), j.Actor.Subject, j.Actor.Name, j.Actor.Client, j.RequestID, engine.Micros(t.now), clock)
	t.jobs = t.jobs || n > 0
	return n, dbFault(err)
}

// promised fills in what a new job leaves out.
func promised(j job.Job, now time.Time, sc scope.Scope, call Call) job.Job {
	if j.RunAt.IsZero() {
		j.RunAt = now
	}
	if j.MaxAttempts <= 0 {
		j.MaxAttempts = defaultAttempts
	}
	if len(j.Payload) == 0 {
		j.Payload = jsontext.Value("null")
	}
	if j.Actor == (scope.Actor{}) {
		j.Actor = sc.Actor()
	}
	if j.RequestID == "" {
		j.RequestID = call.RequestID
	}
	return j
}

// Kinds are some kinds of jobs: those that are named, or all but those. The zero value is every kind.
type Kinds struct {
	Named []string
	// Only has those that are named, without it all others.
	Only bool
}

// where writes the condition that a job is of the kinds.
func (k Kinds) where(b *builder) string {
	if len(k.Named) == 0 && !k.Only {
		return ""
	}
	places := make([]string, 0, len(k.Named)+1)
	for _, name := range append(slices.Clone(k.Named), "") { // no job has an empty kind
		places = append(places, b.arg(name))
	}
	not := " NOT"
	if k.Only {
		not = ""
	}
	return " AND kind" + not + " IN (" + strings.Join(places, ", ") + ")"
}

// ClaimJobs is ClaimJobsOf for every kind.
func (s *Store) ClaimJobs(ctx context.Context, n int, lease time.Duration) ([]job.Job, error) {
	return s.ClaimJobsOf(ctx, Kinds{}, n, lease)
}

// ClaimJobsOf leases up to n jobs of the kinds whose time has come, of any service provider, for the given
// time. The worker alone calls it. Fewer than n means that no more are due, save those that other workers
// are just taking.
func (s *Store) ClaimJobsOf(ctx context.Context, k Kinds, n int, lease time.Duration) ([]job.Job, error) {
	now := s.clock.Now()
	var claimed []job.Job
	for len(claimed) < n {
		// More than are wanted, so that workers that read at the same time find different ones.
		limit := 2 * n
		due, err := s.dueJobs(ctx, k, now, limit)
		if err != nil || len(due) == 0 {
			return claimed, err
		}
		more, err := s.lease(ctx, due, n-len(claimed), now, lease)
		if err != nil {
			return claimed, err // what was leased in this round waits for its lease to end
		}
		claimed = append(claimed, more...)
		if len(due) < limit {
			break
		}
	}
	return claimed, nil
}

// lease takes up to n of the candidates, the longest due first; on PostgreSQL from any of them, so that
// workers do not all begin with the same one.
func (s *Store) lease(ctx context.Context, due []jobRow, n int, now time.Time, lease time.Duration) (claimed []job.Job, err error) {
	for i := len(due) - 1; i > 0 && s.Engine() == "postgres"; i-- {
		k := engine.Draw(int64(i + 1))
		due[i], due[k] = due[k], due[i]
	}
	err = s.singly(ctx, func(c engine.Conn) error {
		claimed = claimed[:0]
		for _, d := range due {
			if len(claimed) == n {
				return nil
			}
			j, ok, err := claimJob(ctx, c, d, now, lease)
			if err != nil {
				return err
			}
			if ok {
				claimed = append(claimed, j)
			}
		}
		return nil
	})
	slices.SortFunc(claimed, func(a, b job.Job) int {
		return cmp.Or(a.RunAt.Compare(b.RunAt), strings.Compare(string(a.ID), string(b.ID)))
	})
	return claimed, dbFault(err)
}

// singly runs statements that need not commit together, each taking effect on its own where the engine can
// do that without waiting for others.
func (s *Store) singly(ctx context.Context, fn func(c engine.Conn) error) error {
	if t := s.txFrom(ctx); t != nil && t.write {
		if err := t.Mark(ctx); err != nil {
			return err
		}
		return fn(t.Conn)
	}
	return s.db.Singly(ctx, fn)
}

// jobRow is the key of a job's row.
type jobRow struct {
	home, spid int64
	id         string
}

func (s *Store) dueJobs(ctx context.Context, k Kinds, now time.Time, n int) (due []jobRow, err error) {
	b := &builder{}
	sql := sqlDueJobs + b.arg(engine.Micros(now)) + k.where(b) + ` ORDER BY due LIMIT ` + b.arg(int64(n))
	err = s.readEach(ctx, sql, b.args, func(r engine.Rows) error {
		var d jobRow
		if err := r.Scan(&d.home, &d.spid, &d.id); err != nil {
			return err
		}
		due = append(due, d)
		return nil
	})
	return due, err
}

func claimJob(ctx context.Context, c engine.Conn, d jobRow, now time.Time, lease time.Duration) (j job.Job, ok bool, err error) {
	err = engine.Each(ctx, c, sqlClaimJob, []any{engine.Micros(now.Add(lease)), d.home, d.spid, d.id, engine.Micros(now)}, func(r engine.Rows) (err error) {
		j, err = scanJob(r)
		return err
	})
	return j, j.State == job.Running, err // no row: another worker was faster; dead: it was lost too often
}

func scanJob(r engine.Rows) (job.Job, error) {
	var j job.Job
	var i, state string
	var payload []byte
	var runAt, created int64
	err := r.Scan(&j.SPID, &i, &j.Kind, &j.Key, &payload, &runAt, &j.Attempts, &j.MaxAttempts, &state, &j.LastError,
		&j.Actor.Subject, &j.Actor.Name, &j.Actor.Client, &j.RequestID, &created)
	j.ID, j.State, j.RunAt, j.Created = id.ID(i), job.State(state), moment(runAt), moment(created)
	j.Payload = jsontext.Value(payload)
	return j, err
}

// onJob changes a leased job's row, in the open Write or in one of its own.
func (s *Store) onJob(ctx context.Context, j job.Job, sql string, args ...any) error {
	home, ok := j.ID.Home()
	if !ok {
		return fault.NotFoundf("there is no job %s", shorten(string(j.ID)))
	}
	args = append(args, int64(home), int64(j.SPID), string(j.ID), int64(j.Attempts))
	return s.Write(ctx, func(ctx context.Context) error {
		t, err := s.writing(ctx)
		if err != nil {
			return err
		}
		n, err := t.Exec(ctx, sql, args...)
		if err != nil {
			return dbFault(err)
		}
		if n == 0 {
			return fault.Conflictf(CodeLeaseLost, "the job %s is no longer leased to this worker", j.ID)
		}
		return s.hastenClock(ctx, t, j.SPID)
	})
}

// FinishJob marks a leased job done; in an open Write it commits with it. When the lease ran out and
// another worker has the job it is a Conflict fault (CodeLeaseLost), so the Write is undone.
func (s *Store) FinishJob(ctx context.Context, j job.Job) error {
	return s.onJob(ctx, j, sqlFinishJob, engine.Micros(s.clock.Now()))
}

// FailJob hands a leased job back to run at the given time, or makes it dead when at is zero. A lost lease
// is a Conflict fault (CodeLeaseLost).
func (s *Store) FailJob(ctx context.Context, j job.Job, at time.Time, why string) error {
	state := job.Ready
	if at.IsZero() {
		state, at = job.Dead, s.clock.Now()
	}
	why = strings.ToValidUTF8(strings.ReplaceAll(why, "\x00", " "), "�")
	if len(why) > maxJobError {
		why = strings.ToValidUTF8(why[:maxJobError], "") + "…"
	}
	return s.onJob(ctx, j, sqlFailJob, string(state), engine.Micros(at), why)
}

// ReleaseJobs hands leased jobs back at once, their attempt not counted (graceful stop). Those whose lease
// was lost are left alone.
func (s *Store) ReleaseJobs(ctx context.Context, jobs []job.Job) error {
	return s.Write(ctx, func(ctx context.Context) error {
		for _, j := range jobs {
			if err := s.onJob(ctx, j, sqlReleaseJob, engine.Micros(s.clock.Now())); err != nil && fault.From(err).Code != CodeLeaseLost {
				return err
			}
		}
		return nil
	})
}

// Jobs lists jobs of the scope's service provider, newest first, and how many there are in all; empty kind
// or state means any.
func (s *Store) Jobs(ctx context.Context, kind string, state job.State, offset, limit int) ([]job.Job, int64, error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return nil, 0, err
	}
	b := &builder{}
	where := ` FROM job WHERE spid = ` + b.arg(int64(spid))
	if kind != "" {
		where += ` AND kind = ` + b.arg(kind)
	}
	if state != "" {
		where += ` AND state = ` + b.arg(string(state))
	}
	var total int64
	if _, err := s.readRow(ctx, `SELECT count(*)`+where, b.args, &total); err != nil {
		return nil, 0, err
	}
	var all []job.Job
	sql := `SELECT ` + jobColumns + where + ` ORDER BY id DESC` + b.page(offset, limit, s.Engine())
	err = s.readEach(ctx, sql, b.args, func(r engine.Rows) error {
		j, err := scanJob(r)
		all = append(all, j)
		return err
	})
	return all, total, err
}

// Job reads one job of the scope's service provider; a NotFound fault when there is none.
func (s *Store) Job(ctx context.Context, i id.ID) (found job.Job, err error) {
	key, err := jobKeyOf(ctx, i)
	if err != nil {
		return found, err
	}
	none := true
	err = s.readEach(ctx, sqlJob, []any{key.home, key.spid, key.id}, func(r engine.Rows) (err error) {
		none = false
		found, err = scanJob(r)
		return err
	})
	if err == nil && none {
		err = noJob(i)
	}
	return found, err
}

func noJob(i id.ID) error { return fault.NotFoundf("there is no job %s", shorten(string(i))) }

// jobKeyOf is the key of a job of the scope's service provider; a NotFound fault for what is no id of a job.
func jobKeyOf(ctx context.Context, i id.ID) (jobRow, error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return jobRow{}, err
	}
	home, ok := i.Home()
	if !ok || !i.Is(job.KindID) {
		return jobRow{}, noJob(i)
	}
	return jobRow{int64(home), int64(spid), string(i)}, nil
}

// RetryJob makes a dead or cancelled job ready again, its runs counted from none. Any other state, or
// another ready or running job of its key, is a Conflict fault (CodeJobState). Who did it is in the audit
// trail of the job; so it is with CancelJob.
func (s *Store) RetryJob(ctx context.Context, i id.ID) error {
	return s.byHand(ctx, i, "retried", func(ctx context.Context, t *tx, r jobRow) (int64, error) {
		var kind, key, other string
		if _, err := engine.Row(ctx, t.Conn, sqlJobKey, []any{r.home, r.spid, r.id}, &kind, &key); err != nil {
			return 0, err
		}
		if found, err := engine.Row(ctx, t.Conn, sqlKeyedJob, []any{r.home, r.spid, kind, key}, &other); err != nil || found {
			return 0, err
		}
		t.jobs = true
		return t.Exec(ctx, sqlRetryJob, engine.Micros(t.machine), r.home, r.spid, r.id)
	})
}

// CancelJob takes back a ready job. Any other state is a Conflict fault (CodeJobState).
func (s *Store) CancelJob(ctx context.Context, i id.ID) error {
	return s.byHand(ctx, i, "cancelled", func(ctx context.Context, t *tx, r jobRow) (int64, error) {
		return t.Exec(ctx, sqlCancelJob, engine.Micros(t.machine), r.home, r.spid, r.id)
	})
}

func (s *Store) byHand(ctx context.Context, i id.ID, what string, change func(context.Context, *tx, jobRow) (int64, error)) error {
	key, err := jobKeyOf(ctx, i)
	if err != nil {
		return err
	}
	return s.Write(ctx, func(ctx context.Context) error {
		t, err := s.writing(ctx)
		if err != nil {
			return err
		}
		before, err := s.Job(ctx, i)
		if err != nil {
			return err
		}
		n, err := change(ctx, t, key)
		if err != nil {
			return dbFault(err)
		}
		if n == 0 {
			return fault.Conflictf(CodeJobState, "the job's state does not allow that it is %s", what)
		}
		after, err := s.Job(ctx, i)
		if err != nil {
			return err
		}
		if err := s.hastenClock(ctx, t, int(key.spid)); err != nil {
			return err
		}
		return s.auditJob(ctx, key, before, after)
	})
}

// auditJob records what a person did to a job. The payload is left out: it does not change.
func (s *Store) auditJob(ctx context.Context, key jobRow, before, after job.Job) error {
	show := func(j job.Job) ([]byte, error) {
		return json.Marshal(map[string]any{"kind": j.Kind, "state": j.State, "attempts": j.Attempts}, json.Deterministic(true))
	}
	was, err := show(before)
	if err != nil {
		return fault.Internalf(err, "the job cannot be recorded")
	}
	is, err := show(after)
	if err != nil {
		return fault.Internalf(err, "the job cannot be recorded")
	}
	t, err := s.writing(ctx)
	if err != nil {
		return err
	}
	return t.audit(ctx, id.Home(key.home), int(key.spid), job.KindID.Name, key.id, was, is)
}
