package store

import (
	"context"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"math"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

// ClockJob is the kind of the jobs that move the clocks of sandboxes.
const ClockJob = "clock.advance"

const (
	// CodeNoSandbox is the Conflict of moving a clock that is the machine's.
	CodeNoSandbox fault.Code = "notASandbox"
	// CodeClockMoving is the Conflict of moving a clock that is on its way.
	CodeClockMoving fault.Code = "clockMoving"
)

// How a job keeps time: by the machine's clock or by its sandbox's. Nobody waits for those that are aside.
const (
	byMachine int64 = iota
	bySandbox
	bySandboxAside
)

const (
	// never is when a job is due that waits for the clock of its sandbox.
	never = math.MaxInt64
	// lookAgain is after how long a clock that waits for jobs looks at them unasked, by the machine's clock.
	lookAgain = time.Second
	// stopsAtOnce bounds at how many moments one transaction stops.
	stopsAtOnce = 64
	// mostYears bounds how far a clock is moved at once.
	mostYears = 10
	// mostFailed bounds how many failed jobs are told.
	mostFailed = 20
)

const (
	sqlClock = `SELECT sandbox, at, target, origin, began, stops, job FROM clock WHERE home = 0 AND spid = $1`
	// Who creates a service provider begins its clock: nobody knows of it before.
	sqlBeginClock = `INSERT INTO clock (home, spid, sandbox, at, target, origin, began, stops, job) VALUES (0, $1, $2, $3, 0, $3, $3, 0, '')`
	sqlSetClock   = `UPDATE clock SET at = $1, target = $2, origin = $3, began = $4, stops = $5, job = $6 WHERE home = 0 AND spid = $7`

	sqlNextStop = `SELECT run_at FROM job WHERE spid = $1 AND clock > 0 AND state = 'ready' AND due = 9223372036854775807 AND run_at <= $2
ORDER BY run_at LIMIT 1`
	sqlUnpark = `UPDATE job SET due = $1 WHERE spid = $2 AND clock > 0 AND state = 'ready' AND due = 9223372036854775807 AND run_at <= $3`
	// After three failed runs the clock no longer waits for a job. A run that goes on counts as an attempt already.
	sqlOpenJobs = `SELECT id FROM job WHERE spid = $1 AND clock = 1 AND state IN ('ready', 'running') AND due < 9223372036854775807
AND (state = 'ready' AND attempts < 3 OR state = 'running' AND attempts <= 3) LIMIT 1`
	sqlOpenCount = `SELECT count(*) FROM job WHERE spid = $1 AND clock = 1 AND state IN ('ready', 'running') AND due < 9223372036854775807
AND (state = 'ready' AND attempts < 3 OR state = 'running' AND attempts <= 3)`
	sqlHasten     = `UPDATE job SET due = $1 WHERE home = $2 AND spid = $3 AND id = $4 AND state = 'ready' AND due > $1`
	sqlFailedJobs = ` FROM job WHERE spid = $1 AND clock = 1 AND (state = 'dead' AND due >= $2
OR state = 'ready' AND due < 9223372036854775807 AND attempts >= 3)`
)

// MachineNow is the time by the machine's clock, whatever the service provider: for leases, expiries of what is
// demarc's own, and what other systems check.
func (s *Store) MachineNow() time.Time { return s.clock.Now() }

// BeginClock says how time goes at the scope's service provider, once, in the transaction that creates it: by
// the machine's clock, or, at a sandbox, by one of its own that stands until it is moved. It begins at the
// machine's time.
func (s *Store) BeginClock(ctx context.Context, sandbox bool) error {
	t, err := s.writing(ctx)
	if err != nil {
		return err
	}
	spid, err := spidOf(ctx)
	if err != nil {
		return err
	}
	own := int64(0)
	if sandbox {
		own = 1
	}
	if _, err := t.Exec(ctx, sqlBeginClock, int64(spid), own, engine.Micros(t.machine)); err != nil {
		return dbFault(err)
	}
	t.sandbox = sandbox
	return nil
}

// dial is a row of the clock table; its moments are as they are stored.
type dial struct {
	sandbox, at, target, origin, began, stops int64
	job                                       string
}

func (d *dial) read(ctx context.Context, c engine.Conn, spid int) (found bool, err error) {
	return engine.Row(ctx, c, sqlClock, []any{int64(spid)}, &d.sandbox, &d.at, &d.target, &d.origin, &d.began, &d.stops, &d.job)
}

func (d *dial) save(ctx context.Context, t *tx, spid int) error {
	_, err := t.Exec(ctx, sqlSetClock, d.at, d.target, d.origin, d.began, d.stops, d.job, int64(spid))
	return dbFault(err)
}

// sandboxed reports whether the scope's service provider, if there is one, has a clock of its own. That never
// changes once it is created, so it is remembered; until then it is asked for each time.
func (s *Store) sandboxed(ctx context.Context) (spid int, sandbox bool, err error) {
	sc, err := scope.From(ctx)
	if err != nil {
		return 0, false, nil // work for no service provider goes by the machine's clock
	}
	spid = sc.SPID()
	if known, ok := s.sandboxes.Load(spid); ok {
		return spid, known.(bool), nil
	}
	c, release, err := s.db.Read(ctx)
	if err != nil {
		return spid, false, err
	}
	defer release()
	var d dial
	found, err := d.read(ctx, c, spid)
	if engine.Missing(err) {
		return spid, false, nil // the schema is older than sandboxes, and about to be brought up to date
	}
	if found && err == nil {
		s.sandboxes.Store(spid, d.sandbox != 0)
	}
	return spid, d.sandbox != 0, err
}

// tell sets the transaction's moment: the sandbox's own time, as it stands in the transaction, or the machine's.
func (t *tx) tell(ctx context.Context, spid int, sandbox bool) error {
	t.machine = t.s.clock.Now()
	t.now = t.machine
	if !sandbox {
		return nil
	}
	t.sandbox = true
	var d dial
	if _, err := d.read(ctx, t.Conn, spid); err != nil {
		return err
	}
	t.now = moment(d.at)
	return nil
}

// Now is the moment of the transaction in ctx, the same for everything in it. Outside one it is the time of the
// scope's service provider: its own at a sandbox, else, and without a scope, the machine's.
func (s *Store) Now(ctx context.Context) time.Time {
	if t := s.txFrom(ctx); t != nil {
		return t.now
	}
	if spid, sandbox, err := s.sandboxed(ctx); err == nil && sandbox {
		var d dial
		if c, release, err := s.db.Read(ctx); err == nil {
			defer release()
			if found, err := d.read(ctx, c, spid); err == nil && found {
				return moment(d.at)
			}
		}
	}
	return s.clock.Now()
}

// SandboxClock is how the clock of a sandbox stands.
type SandboxClock struct {
	Now time.Time
	// Moving is set while it is on its way to Target.
	Moving bool
	// From and Target are where the last move set out and where it ends or ended, Stops at how many moments it
	// stopped between because work was due then.
	From, Target time.Time
	Stops        int64
	// Waiting is how many jobs it waits for where it stands.
	Waiting int64
	// Failed are jobs of the last move that are dead, or that it waits for no longer since they failed again and
	// again; at most 20. FailedTotal counts all.
	Failed      []job.Job
	FailedTotal int64
}

func noSandbox() error {
	return fault.Conflictf(CodeNoSandbox, "the service provider is no sandbox: its time is the real one")
}

// Clock reads the clock of the scope's service provider; a Conflict fault (CodeNoSandbox) when it is no sandbox.
func (s *Store) Clock(ctx context.Context) (now SandboxClock, err error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return now, err
	}
	err = s.Snapshot(ctx, func(ctx context.Context) error {
		var d dial
		if _, err := d.read(ctx, s.txFrom(ctx).Conn, spid); err != nil {
			return dbFault(err)
		}
		if d.sandbox == 0 {
			return noSandbox()
		}
		now = SandboxClock{Now: moment(d.at), Moving: d.target != 0, From: moment(d.origin), Target: moment(d.target), Stops: d.stops}
		if !now.Moving {
			now.Target = now.Now
		}
		if _, err := s.readRow(ctx, sqlOpenCount, []any{int64(spid)}, &now.Waiting); err != nil {
			return err
		}
		args := []any{int64(spid), d.began}
		if _, err := s.readRow(ctx, `SELECT count(*)`+sqlFailedJobs, args, &now.FailedTotal); err != nil {
			return err
		}
		b := &builder{}
		return s.readEach(ctx, `SELECT `+jobColumns+sqlFailedJobs+` ORDER BY id`+b.page(0, mostFailed, s.Engine()), args, func(r engine.Rows) error {
			j, err := scanJob(r)
			now.Failed = append(now.Failed, j)
			return err
		})
	})
	return now, err
}

// MoveClock sets the clock of the scope's sandbox on its way to a moment that is not before its present one. A
// job (ClockJob) moves it on: it stops at every moment at which a job of the service provider is due, waits
// until that job and all that it makes due are done, and goes on to the next, so that everything happens as and
// when it would have. It survives a crash, and passes by jobs that stay failed. A clock that is on its way is a
// Conflict fault (CodeClockMoving), a service provider that is no sandbox another (CodeNoSandbox).
func (s *Store) MoveClock(ctx context.Context, to time.Time) (SandboxClock, error) {
	var now SandboxClock
	err := s.Write(ctx, func(ctx context.Context) error {
		t, err := s.writing(ctx)
		if err != nil {
			return err
		}
		spid, err := spidOf(ctx)
		if err != nil {
			return err
		}
		var d dial
		if _, err := d.read(ctx, t.Conn, spid); err != nil {
			return dbFault(err)
		}
		switch {
		case d.sandbox == 0:
			return noSandbox()
		case d.target != 0:
			return fault.Conflictf(CodeClockMoving, "the clock is on its way to %s", moment(d.target).Format(time.RFC3339))
		case engine.Micros(to) < d.at:
			return fault.Invalidf("time", "the clock stands at %s and only moves forwards", moment(d.at).Format(time.RFC3339Nano))
		case to.After(moment(d.at).AddDate(mostYears, 0, 0)):
			return fault.Invalidf("time", "the clock moves at most %d years at once", mostYears)
		}
		d.origin, d.began, d.stops, d.target = d.at, engine.Micros(t.machine), 0, engine.Micros(to)
		if err := s.armClock(ctx, t, spid, &d, 0); err != nil {
			return err
		}
		before, err := json.Marshal(map[string]time.Time{"time": moment(d.at)})
		if err != nil {
			return fault.Internalf(err, "the clock cannot be recorded")
		}
		after, err := json.Marshal(map[string]time.Time{"time": moment(d.target)})
		if err != nil {
			return fault.Internalf(err, "the clock cannot be recorded")
		}
		if err := t.audit(ctx, 0, spid, "sandboxClock", d.job, before, after); err != nil {
			return err
		}
		now, err = s.Clock(ctx)
		return err
	})
	return now, err
}

// armClock saves the clock with a job that moves it on, after a pause by the machine's clock.
func (s *Store) armClock(ctx context.Context, t *tx, spid int, d *dial, after time.Duration) error {
	sc, err := scope.From(ctx)
	if err != nil {
		return err
	}
	i := id.New(job.KindID, 0, t.now)
	// Nothing else moves the clock on: it is tried for ever.
	j := promised(job.Job{Kind: ClockJob, RunAt: t.machine.Add(after), MaxAttempts: math.MaxInt32}, t.machine, sc, CallFrom(ctx))
	if _, err := t.enqueue(ctx, 0, spid, i, j, engine.Micros(j.RunAt), byMachine); err != nil {
		return err
	}
	d.job = string(i)
	return d.save(ctx, t, spid)
}

// Handlers are those of the store's own jobs, by kind; they run in a transaction (worker.HandleInTx).
func (s *Store) Handlers() map[string]job.Handler { return map[string]job.Handler{ClockJob: s.advance} }

// advance moves a clock on to the next moment at which something is due, unless what was due is not done yet.
func (s *Store) advance(ctx context.Context, j job.Job) error {
	t, err := s.writing(ctx)
	if err != nil {
		return err
	}
	var d dial
	if _, err := d.read(ctx, t.Conn, j.SPID); err != nil {
		return dbFault(err)
	}
	if d.target == 0 || d.job != string(j.ID) {
		return nil // another job moves it
	}
	for range stopsAtOnce {
		var open string
		waits, err := engine.Row(ctx, t.Conn, sqlOpenJobs, []any{int64(j.SPID)}, &open)
		if err != nil {
			return dbFault(err)
		}
		if waits {
			return s.armClock(ctx, t, j.SPID, &d, lookAgain)
		}
		var next int64
		more, err := engine.Row(ctx, t.Conn, sqlNextStop, []any{int64(j.SPID), d.target}, &next)
		if err != nil {
			return dbFault(err)
		}
		if !more {
			d.at, d.target, d.job = d.target, 0, ""
			return d.save(ctx, t, j.SPID)
		}
		if d.at < next {
			d.at, d.stops = next, d.stops+1
		}
		if _, err := t.Exec(ctx, sqlUnpark, engine.Micros(t.machine), int64(j.SPID), d.at); err != nil {
			return dbFault(err)
		}
		t.jobs = true
	}
	return s.armClock(ctx, t, j.SPID, &d, 0)
}

// hastenClock has a clock that waits look again: a job of its service provider has ended or failed.
func (s *Store) hastenClock(ctx context.Context, t *tx, spid int) error {
	if known, ok := s.sandboxes.Load(spid); !ok || !known.(bool) {
		return nil
	}
	var d dial
	if _, err := d.read(ctx, t.Conn, spid); err != nil || d.target == 0 {
		return dbFault(err)
	}
	var open string
	if waits, err := engine.Row(ctx, t.Conn, sqlOpenJobs, []any{int64(spid)}, &open); err != nil || waits {
		return dbFault(err)
	}
	n, err := t.Exec(ctx, sqlHasten, engine.Micros(t.machine), int64(0), int64(spid), d.job)
	t.jobs = t.jobs || n > 0
	return dbFault(err)
}

// due is when a job whose moment has come at runAt is due by the machine's clock, and how it keeps time.
func (t *tx) due(j job.Job) (due, clock int64) {
	if !t.sandbox {
		return engine.Micros(j.RunAt), byMachine
	}
	clock = bySandbox
	if j.Aside {
		clock = bySandboxAside
	}
	if j.RunAt.After(t.now) {
		return never, clock
	}
	return engine.Micros(t.machine), clock
}
