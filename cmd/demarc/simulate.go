package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/simulate"
)

type simulateCommand struct {
	Subscribers int       `default:"1000" help:"How many lines are sold."`
	Days        int       `default:"30" help:"How many days are played."`
	Seed        uint64    `default:"1" help:"What people do follows from it: the same seed plays the same days."`
	From        time.Time `format:"2006-01-02" default:"2026-01-01" placeholder:"DATE" help:"The first day."`
	Database    string    `placeholder:"URL" help:"Empty database to play in (sqlite:PATH or postgres://…), which stays. Without it a temporary one is used and removed."`
	JSON        bool      `name:"json" help:"Print the report as JSON."`
}

var errUnproven = errors.New("the ledger is wrong: see the report")

// Run plays a simulation and reports.
func (k simulateCommand) Run(c *invocation) error {
	bar := newProgress(c.stderr)
	r, cost, err := app.Simulate(c.ctx, &c.settings.Settings, app.Simulation{
		Database: k.Database, From: k.From,
		Options: simulate.Options{Subscribers: k.Subscribers, Days: k.Days, Seed: k.Seed, Progress: func(p simulate.Progress) {
			bar.show(int64(p.Day), int64(p.Days), fmt.Sprintf("day %d: %d lines sold, %d in use, %d usage records", p.Day, p.Sold, p.Active, p.Usage))
		}},
	})
	bar.end()
	if err != nil {
		return err
	}
	if k.JSON {
		out := struct {
			simulate.Report
			Proven bool     `json:"proven"`
			Cost   app.Cost `json:"cost"`
		}{r, r.Proven(), cost}
		if err := json.MarshalWrite(c.stdout, out, json.Deterministic(true), jsontext.WithIndent("  ")); err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.stdout)
	} else {
		if err := r.Write(c.stdout); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "\n%.1f s, %d MiB of memory at most, %d MiB of database\n", cost.Seconds, cost.PeakMiB, cost.DatabaseMiB)
	}
	if err == nil && !r.Proven() {
		return errUnproven
	}
	return err
}
