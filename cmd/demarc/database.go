package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/store"
)

type migrateCommand struct {
	DryRun bool `name:"dry-run" help:"Say what would be done, and do nothing." xor:"what"`
	Status bool `help:"List all steps of the schema and when each was taken." xor:"what"`
}

// Run migrates, or says where the schema stands.
func (k migrateCommand) Run(c *invocation) error {
	log := app.NewLogger(c.stderr, &c.settings.Settings)
	if !k.Status && !k.DryRun {
		h, done, err := app.OpenToMigrate(c.ctx, &c.settings.Settings, log)
		if err != nil {
			return err
		}
		defer done()
		return k.migrate(c, h)
	}
	h, err := app.Open(c.ctx, &c.settings.Settings, log)
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }()
	if k.DryRun {
		return k.migrate(c, h)
	}
	all, err := h.Store.Migrations(c.ctx)
	if err != nil {
		return err
	}
	return listMigrations(c, all)
}

func (k migrateCommand) migrate(c *invocation, h *app.House) error {
	taken, err := h.Store.Migrate(c.ctx, k.DryRun)
	if err != nil {
		return err
	}
	did := "taken"
	if k.DryRun {
		did = "to take"
	}
	for _, m := range taken {
		_, _ = fmt.Fprintf(c.stdout, "%04d %s\n", m.Version, m.Name)
	}
	_, err = fmt.Fprintf(c.stdout, "%d steps %s\n", len(taken), did)
	return err
}

func listMigrations(c *invocation, all []store.Migration) error {
	w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', 0)
	for _, m := range all {
		when := "not yet"
		if !m.Applied.IsZero() {
			when = m.Applied.Format("2006-01-02 15:04:05")
		}
		_, _ = fmt.Fprintf(w, "%04d\t%s\t%s\n", m.Version, m.Name, when)
	}
	return w.Flush()
}

type seedCommand struct {
	Demo    bool   `name:"demonstration" help:"Fill an empty database with demonstration data, as serve --demo does."`
	Plans   string `help:"YAML file of price plans to bring the catalogue to." placeholder:"FILE" type:"existingfile"`
	Numbers string `help:"Mobile numbers to add to the pool, as FIRST+COUNT: 41790000000+100." placeholder:"FIRST+COUNT"`
	Sims    string `help:"SIMs to add to the pool, as ISSUER/NETWORK/FIRST+COUNT: 41001/22801/1+100." placeholder:"SPEC"`
	At      int    `name:"spid" help:"Service provider that plans, numbers and SIMs are for." default:"1"`
}

// Run loads what is asked for.
func (k seedCommand) Run(c *invocation) error {
	return withHouseAlone(c, "send the files to the server: POST /api/bulkupload for numbers and SIMs, POST /tmf-api/productCatalogManagement/v4/importJob for plans",
		func(h *app.House) error { return k.load(c, h) })
}

func (k seedCommand) load(c *invocation, h *app.House) error {
	for _, what := range []struct {
		asked bool
		load  func() (string, error)
	}{
		{k.Demo, func() (string, error) { return h.LoadDemo(c.ctx) }},
		{k.Plans != "", func() (string, error) { return h.LoadPlans(c.ctx, k.At, k.Plans) }},
		{k.Numbers != "", func() (string, error) { return h.LoadNumbers(c.ctx, k.At, k.Numbers) }},
		{k.Sims != "", func() (string, error) { return h.LoadSIMs(c.ctx, k.At, k.Sims) }},
	} {
		if !what.asked {
			continue
		}
		said, err := what.load()
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(c.stdout, said)
	}
	return nil
}

type doctorCommand struct{}

// Run examines and prints a line a finding; it fails when something is wrong.
func (doctorCommand) Run(c *invocation) error {
	wrong := 0
	for _, f := range app.Examine(c.ctx, c.settings) {
		mark := "ok   "
		switch {
		case f.Wrong:
			mark, wrong = "WRONG", wrong+1
		case f.Do != "":
			mark = "note "
		}
		_, _ = fmt.Fprintf(c.stdout, "%s  %-12s %s\n", mark, f.What, f.Text)
		if f.Do != "" {
			_, _ = fmt.Fprintf(c.stdout, "       %-12s %s\n", "", f.Do)
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d things are wrong", wrong)
	}
	return nil
}
