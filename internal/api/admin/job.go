package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

const jobPath = base + "/job"

func (a *api) jobs() []op.Operation {
	const tag = "Jobs"
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "admin.job.list", Method: http.MethodGet, Path: jobPath, Tag: tag,
			Summary: "List jobs",
			Description: "What demarc promised to do later (steps of orders, deliveries of events), the newest first. `state=dead` lists the dead letters: " +
				"jobs that failed for good. Payloads are shown one job at a time. A week after they are done or cancelled, jobs are removed.",
		}, a.listJobs),
		op.Handle(op.Operation{
			ID: "admin.job.get", Method: http.MethodGet, Path: jobPath + "/{id}", Tag: tag,
			Summary: "Read a job", Description: "With its payload, which may hold personal data, and what the last failed run said.",
			Errors: []fault.Kind{fault.NotFound},
		}, a.getJob),
		op.Handle(op.Operation{
			ID: "admin.job.retry", Method: http.MethodPost, Path: jobPath + "/{id}/retry", Tag: tag,
			Summary: "Make a job ready again",
			Description: "Runs a dead or cancelled job again, its runs counted from none; mend what made it fail first. " +
				"Refused with 409 in any other state, and while another job of its kind and key is ready or running.",
			Writes: true, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
		}, a.retryJob),
		op.Handle(op.Operation{
			ID: "admin.job.cancel", Method: http.MethodPost, Path: jobPath + "/{id}/cancel", Tag: tag,
			Summary: "Take a job back", Description: "A ready job will not run; it can be made ready again. Refused with 409 in any other state.",
			Writes: true, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
		}, a.cancelJob),
	}
}

type jobView struct {
	ID          id.ID          `json:"id"`
	Href        string         `json:"href"`
	Kind        string         `json:"kind" example:"hub.deliver"`
	Key         string         `json:"key,omitzero" doc:"Unique among the ready and running jobs of its kind."`
	State       job.State      `json:"state" enum:"ready,running,done,dead,cancelled"`
	RunAt       time.Time      `json:"runAt" doc:"The earliest moment of the next run; of the last one when there is none to come."`
	Attempts    int            `json:"attempts" doc:"How many runs were begun."`
	MaxAttempts int            `json:"maxAttempts" doc:"After how many failed runs it is dead."`
	LastError   string         `json:"lastError,omitzero" doc:"What the last failed run said."`
	Actor       scope.Actor    `json:"actor" doc:"Who caused the work."`
	RequestID   string         `json:"requestId,omitzero" doc:"The request that caused it."`
	Created     time.Time      `json:"created"`
	Payload     jsontext.Value `json:"payload,omitzero" doc:"The input of the work; in the answer for one job only."`
	Type        string         `json:"@type"`
}

func show(r *op.Request, j job.Job) jobView {
	return jobView{
		ID: j.ID, Href: r.BaseURL + jobPath + "/" + string(j.ID), Kind: j.Kind, Key: j.Key, State: j.State, RunAt: j.RunAt,
		Attempts: j.Attempts, MaxAttempts: j.MaxAttempts, LastError: j.LastError, Actor: j.Actor, RequestID: j.RequestID, Created: j.Created, Type: "Job",
	}
}

type listJobsIn struct {
	pageIn
	Kind  string `query:"kind" doc:"Only jobs of this kind." example:"hub.deliver"`
	State string `query:"state" enum:"ready,running,done,dead,cancelled" doc:"Only jobs in this state."`
}

type listJobsOut struct {
	pageOut
	Body []jobView
}

func (a *api) listJobs(ctx context.Context, in *listJobsIn) (*listJobsOut, error) {
	jobs, total, err := a.Store.Jobs(ctx, in.Kind, job.State(in.State), in.Offset, in.Limit)
	if err != nil {
		return nil, err
	}
	views := []jobView{}
	for _, j := range jobs {
		views = append(views, show(in.Request, j))
	}
	return &listJobsOut{Body: views, pageOut: in.out(jobPath, len(views), total)}, nil
}

type jobIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id of the job."`
}

type jobOut struct{ Body jobView }

func (a *api) getJob(ctx context.Context, in *jobIn) (*jobOut, error) {
	j, err := a.Store.Job(ctx, id.ID(in.ID))
	if err != nil {
		return nil, err
	}
	v := show(in.Request, j)
	v.Payload = j.Payload
	return &jobOut{Body: v}, nil
}

func (a *api) retryJob(ctx context.Context, in *jobIn) (*jobOut, error) {
	if err := a.Store.RetryJob(ctx, id.ID(in.ID)); err != nil {
		return nil, err
	}
	return a.getJob(ctx, in)
}

func (a *api) cancelJob(ctx context.Context, in *jobIn) (*jobOut, error) {
	if err := a.Store.CancelJob(ctx, id.ID(in.ID)); err != nil {
		return nil, err
	}
	return a.getJob(ctx, in)
}
