package balance

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
)

// The kinds of this package's jobs.
const (
	topupJob   = "balance.topup"
	releaseJob = "balance.release"
	expireJob  = "balance.expire"
)

// Jobs are the handlers of this package's jobs, by kind. Each does what is due now; one that comes too late, or
// again, does nothing.
func (s *Service) Jobs() map[string]job.Handler {
	return map[string]job.Handler{
		topupJob:   about(s.payAgain),
		releaseJob: about(s.releaseDue),
		expireJob:  about(s.expireDue),
	}
}

// about is the handler of a job whose payload is the id of what it is about.
func about(do func(ctx context.Context, i id.ID) error) job.Handler {
	return func(ctx context.Context, j job.Job) error {
		var i id.ID
		if err := json.Unmarshal(j.Payload, &i); err != nil {
			return job.Permanent{Err: fault.Internalf(err, "the payload of a job cannot be read")}
		}
		return do(ctx, i)
	}
}

// promiseExpiry has a bucket ended at its end, for those that no renewal of the line knows of.
func (s *Service) promiseExpiry(ctx context.Context, h *Held) error {
	end := h.Bucket.end()
	if end == nil {
		return nil
	}
	return s.promise(ctx, job.Job{Kind: expireJob, Key: fmt.Sprintf("%s/%d", h.Bucket.holder(h.ID), end.UnixMicro()), RunAt: *end}, h.Bucket.holder(h.ID))
}

// expireDue ends the buckets of a line that are over now.
func (s *Service) expireDue(ctx context.Context, line id.ID) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		w, err := s.Wallet(ctx, line)
		if err != nil {
			return err
		}
		if err := w.Expire(w.Now); err != nil {
			return err
		}
		return s.Save(ctx, w)
	})
}
