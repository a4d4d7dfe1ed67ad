package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
)

type jobsCommands struct {
	List   jobsListCommand   `cmd:"" help:"List jobs, newest first."`
	Retry  jobsRetryCommand  `cmd:"" help:"Make dead or cancelled jobs ready again."`
	Cancel jobsCancelCommand `cmd:"" help:"Take ready jobs back."`
}

type jobsListCommand struct {
	At    int    `name:"spid" help:"Service provider; 0 lists those of the setting service-provider." default:"0"`
	State string `help:"Only jobs in this state: ready, running, done, dead or cancelled." enum:",ready,running,done,dead,cancelled" default:""`
	Kind  string `help:"Only jobs of this kind." default:""`
	Limit int    `help:"How many to list at most." default:"50"`
}

// Run lists jobs.
func (k jobsListCommand) Run(c *invocation) error {
	return withHouse(c, func(h *app.House) error {
		spids, err := h.SPIDs(k.At)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "ID\tSPID\tKIND\tSTATE\tRUNS\tNEXT RUN\tLAST ERROR")
		for _, spid := range spids {
			jobs, _, err := h.Store.Jobs(h.As(c.ctx, spid), k.Kind, job.State(k.State), 0, k.Limit)
			if err != nil {
				return err
			}
			for _, j := range jobs {
				_, _ = fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%s\t%.120q\n", j.ID, j.SPID, j.Kind, j.State, j.Attempts, j.RunAt.Format("2006-01-02 15:04:05"), j.LastError)
			}
		}
		return w.Flush()
	})
}

type jobsRetryCommand struct {
	ID   []string `arg:"" optional:"" help:"Jobs to make ready again."`
	Dead bool     `help:"All dead jobs."`
	At   int      `name:"spid" help:"Service provider of the jobs; 0 tries those of the setting service-provider." default:"0"`
}

// Run makes jobs ready again.
func (k jobsRetryCommand) Run(c *invocation) error {
	return withHouseAlone(c, "POST /api/admin/job/{id}/retry does the same at the server", func(h *app.House) error {
		ids := k.ID
		if k.Dead {
			dead, err := deadJobs(c, h, k.At)
			if err != nil {
				return err
			}
			ids = append(ids, dead...)
		} else if len(ids) == 0 {
			return fmt.Errorf("name the jobs to retry, or say --dead")
		}
		for _, i := range ids {
			if err := h.ForJob(c.ctx, k.At, id.ID(i), h.Store.RetryJob); err != nil {
				return fmt.Errorf("job %s: %w", i, err)
			}
		}
		_, err := fmt.Fprintf(c.stdout, "%d jobs are ready again\n", len(ids))
		return err
	})
}

func deadJobs(c *invocation, h *app.House, at int) (ids []string, err error) {
	spids, err := h.SPIDs(at)
	if err != nil {
		return nil, err
	}
	for _, spid := range spids {
		jobs, _, err := h.Store.Jobs(h.As(c.ctx, spid), "", job.Dead, 0, 10_000)
		if err != nil {
			return nil, err
		}
		for _, j := range jobs {
			ids = append(ids, string(j.ID))
		}
	}
	return ids, nil
}

type jobsCancelCommand struct {
	ID []string `arg:"" help:"Jobs to take back."`
	At int      `name:"spid" help:"Service provider of the jobs; 0 tries those of the setting service-provider." default:"0"`
}

// Run takes jobs back.
func (k jobsCancelCommand) Run(c *invocation) error {
	return withHouseAlone(c, "POST /api/admin/job/{id}/cancel does the same at the server", func(h *app.House) error {
		for _, i := range k.ID {
			if err := h.ForJob(c.ctx, k.At, id.ID(i), h.Store.CancelJob); err != nil {
				return fmt.Errorf("job %s: %w", i, err)
			}
		}
		_, err := fmt.Fprintf(c.stdout, "%d jobs are cancelled\n", len(k.ID))
		return err
	})
}

// withHouseAlone opens the database for a command that no server may stand beside; instead says what to do with one that
// runs.
func withHouseAlone(c *invocation, instead string, do func(h *app.House) error) error {
	h, done, err := app.OpenAlone(c.ctx, &c.settings.Settings, app.NewLogger(c.stderr, &c.settings.Settings), instead)
	if err != nil {
		return err
	}
	defer done()
	return do(h)
}

// withHouse opens the database for a command that may stand beside a server.
func withHouse(c *invocation, do func(h *app.House) error) error {
	h, err := app.OpenCurrent(c.ctx, &c.settings.Settings, app.NewLogger(c.stderr, &c.settings.Settings))
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }()
	return do(h)
}
