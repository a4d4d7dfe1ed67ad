package subscription

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
)

// JobAccount is the kind of job that has the lines of an account follow its state.
const JobAccount = "subscription.account"

// accountJob is its payload: the account, and the line that was seen last.
type accountJob struct {
	Account id.ID `json:"account"`
	Skip    int   `json:"skip,omitzero"`
}

// linesAtOnce bounds how many lines one job brings to another state.
const linesAtOnce = 50

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{JobAccount: s.follow} }

// accountMoved promises that the lines of an account follow its new state.
func (s *Service) accountMoved(ctx context.Context, e event.Event) error {
	return s.promise(ctx, accountJob{Account: e.Subject}, string(e.ID))
}

func (s *Service) promise(ctx context.Context, p accountJob, key string) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return fault.Internalf(err, "a job cannot be written down")
	}
	home, _ := p.Account.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{Kind: JobAccount, Key: key, Payload: raw})
	return err
}

// follow suspends the lines of an account on which nothing may be ordered, and brings back those that were suspended
// for that once something may.
func (s *Service) follow(ctx context.Context, j job.Job) error {
	var p accountJob
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return job.Permanent{Err: err}
	}
	return s.store.Write(ctx, func(ctx context.Context) error {
		a, _, err := s.accounts.Billing.Get(ctx, p.Account)
		if fault.KindOf(err) == fault.NotFound {
			return nil // the account was deleted: it had no lines
		}
		if err != nil {
			return err
		}
		page, err := s.Lines.Docs(ctx, store.Query{Offset: p.Skip, Limit: linesAtOnce, NoTotal: true, Filters: []store.Filter{{
			Path: []string{"accountId"}, Op: store.Eq, Values: []string{string(p.Account)}, Type: store.Text,
		}}})
		if err != nil {
			return err
		}
		for _, d := range page.Items {
			var v Line
			if err := json.Unmarshal(d.Body, &v); err != nil {
				return fault.Internalf(err, "the stored subscription %s cannot be read", d.ID)
			}
			to := v.State
			switch barred := !a.State.MayOrder(); {
			case barred && v.State.Renews():
				to = Suspended
			case !barred && v.State == Suspended && v.StateReason == BecauseAccount:
				to = Active
			}
			if _, err := s.MoveFor(ctx, d.ID, to, BecauseAccount); err != nil {
				return err
			}
		}
		if len(page.Items) < linesAtOnce {
			return nil
		}
		p.Skip += linesAtOnce
		return s.promise(ctx, p, string(j.ID))
	})
}
