package network

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
)

// JobSend is the kind of the jobs that call the network: to send a request, or to ask for the answer to one that
// was accepted.
const JobSend = "network.send"

// attempts is how often a send job may fail for demarc's own reasons. A call that the network does not answer is
// no failure of the job: it promises the next one itself, until the deadline.
const attempts = 1000

// The pauses between calls.
const (
	longestPause   = 5 * time.Minute
	longestSilence = 15 * time.Minute
)

// Jobs are the handlers of this package's jobs, by kind; they wait for another system.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{JobSend: s.send} }

// sending is the payload of a send job: the request, and how many calls were made for it before. A job that
// another overtook has nothing to do.
type sending struct {
	Request id.ID `json:"request"`
	Calls   int   `json:"calls"`
}

// promise has the network called at a moment, calls calls after the first.
func (s *Service) promise(ctx context.Context, i id.ID, calls int, at time.Time) error {
	payload, err := json.Marshal(sending{Request: i, Calls: calls})
	if err != nil {
		return fault.Internalf(err, "a job cannot be written down")
	}
	home, _ := i.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{
		Kind: JobSend, Key: string(i) + "/" + strconv.Itoa(calls), Payload: payload, RunAt: at, MaxAttempts: attempts,
	})
	return err
}

// send takes a request one call on.
func (s *Service) send(ctx context.Context, j job.Job) error {
	var p sending
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return job.Permanent{Err: err}
	}
	v, _, err := s.Requests.Get(ctx, p.Request)
	if err != nil || v.State.Final() || v.calls() != p.Calls {
		return err
	}
	if !s.store.Now(ctx).Before(v.Deadline) {
		return s.record(ctx, p.Request, Answer{Result: Refused, Reason: "the network did not answer in time", Silent: true})
	}
	o := v.Order
	o.ID = p.Request
	a, err := s.call(ctx, v.State, o)
	switch {
	case err == nil && a.Result.told():
		return s.answered(ctx, p.Request, a)
	case err == nil && v.State == StateAccepted: // Unknown: it is lost there, and sent again
		return s.unanswered(ctx, p.Request, StateSent, "the network does not know the request that it accepted")
	case err == nil:
		return s.unanswered(ctx, p.Request, StateSent, "the network gave no answer")
	case ctx.Err() != nil:
		return err // the worker stops, or the lease ends: the job is handed back as it is
	}
	state := StateSent
	if v.State == StateAccepted {
		state = StateAccepted
	}
	return s.unanswered(ctx, p.Request, state, err.Error())
}

func (s *Service) call(ctx context.Context, state State, o Order) (Answer, error) {
	switch {
	case s.Connector == nil:
		return Answer{}, errors.New("there is no way to a network: no connector is set")
	case state == StateAccepted:
		return s.Connector.Status(ctx, o.ID)
	}
	return s.Connector.Submit(ctx, o)
}

// answered records what a call was answered; an accepted request is asked about later.
func (s *Service) answered(ctx context.Context, i id.ID, a Answer) error {
	if a.Result != Accepted {
		return s.record(ctx, i, a)
	}
	return s.store.Write(ctx, func(ctx context.Context) error {
		return s.wait(ctx, i, func(v *ProvisioningRequest, now time.Time) time.Time {
			v.State, v.LastError = StateAccepted, ""
			v.Asked++
			return now.Add(min(s.Silence<<min(v.Asked-1, 10), longestSilence))
		})
	})
}

// unanswered records a call that came to nothing and promises the next.
func (s *Service) unanswered(ctx context.Context, i id.ID, state State, why string) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		return s.wait(ctx, i, func(v *ProvisioningRequest, now time.Time) time.Time {
			v.State, v.LastError = state, clip(why)
			v.Attempts++
			return now.Add(min(job.Backoff(v.Attempts), longestPause))
		})
	})
}

// wait changes a request that has no last answer and promises the next call, at the deadline at the latest.
func (s *Service) wait(ctx context.Context, i id.ID, change func(v *ProvisioningRequest, now time.Time) time.Time) error {
	var at time.Time
	now := s.store.Now(ctx)
	v, err := s.Requests.Change(ctx, i, func(v *ProvisioningRequest) error {
		if v.State.Final() {
			return errAsItWas
		}
		at = change(v, now)
		return nil
	})
	if err != nil {
		return asItWas(err)
	}
	return s.promise(ctx, i, v.calls(), earlier(at, v.Deadline))
}

// calls is how many calls were made for the request.
func (v *ProvisioningRequest) calls() int { return v.Attempts + v.Asked }

// record keeps an answer and does what follows from the last one: the next request for the line is sent, and who
// asked is told.
func (s *Service) record(ctx context.Context, i id.ID, a Answer) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		now := s.store.Now(ctx)
		v, err := s.Requests.Change(ctx, i, func(v *ProvisioningRequest) error {
			if !v.take(a, now) {
				return errAsItWas
			}
			if a.Result == Accepted {
				v.Asked++
			}
			return nil
		})
		if err != nil {
			return asItWas(err)
		}
		if !v.State.Final() { // accepted, says a callback: the call's own answer was lost
			return s.promise(ctx, i, v.calls(), earlier(now.Add(s.Silence), v.Deadline))
		}
		if err := s.release(ctx, v.Next, now); err != nil {
			return err
		}
		if s.Ended == nil {
			return nil
		}
		return s.Ended(ctx, Outcome{Request: i, For: v.For, Line: v.Line, Action: v.Action, Answer: a, At: now})
	})
}

// release sends the request that waited for one that has ended; its time runs from now.
func (s *Service) release(ctx context.Context, i id.ID, now time.Time) error {
	if i == "" {
		return nil
	}
	if _, err := s.Requests.Change(ctx, i, func(v *ProvisioningRequest) error {
		v.Deadline = now.Add(s.Patience)
		return nil
	}); err != nil {
		return err
	}
	return s.promise(ctx, i, 0, now)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
