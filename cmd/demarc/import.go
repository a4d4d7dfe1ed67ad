package main

import (
	"fmt"

	"github.com/demarc-bss/demarc/internal/app"
)

type importCommand struct {
	What      string `arg:"" enum:"sims,numbers,subscribers" help:"What the file holds: sims, numbers or subscribers."`
	File      string `arg:"" type:"existingfile" help:"CSV file whose first line names its columns (docs/inventory.md)."`
	At        int    `name:"spid" help:"Service provider that the file is for." default:"1"`
	Batch     string `help:"Name of the SIMs' batch, which is made."`
	ICCIDForm string `name:"iccid-form" enum:",withCheckDigit,withoutCheckDigit" default:"" help:"How the ICCIDs are written: withCheckDigit or withoutCheckDigit."`
	SIMType   string `name:"sim-type" help:"Kind of SIM of rows that do not say."`
	Group     string `help:"MSISDN group of numbers whose rows do not say."`
	Again     bool   `help:"Take a file in that came before."`
}

// Run takes the file in, from where an earlier run stopped. It fails when rows were bad.
func (k importCommand) Run(c *invocation) error {
	bar := newProgress(c.stderr)
	done, err := app.Import(c.ctx, &c.settings.Settings, app.NewLogger(c.stderr, &c.settings.Settings), app.File{
		Of: k.What, Path: k.File, SPID: k.At, Batch: k.Batch, ICCIDForm: k.ICCIDForm, SIMType: k.SIMType, Group: k.Group, Again: k.Again,
		Progress: func(bytes, size int64, rows int) { bar.show(bytes, size, fmt.Sprintf("%d rows", rows)) },
	})
	bar.end()
	if err != nil {
		return err
	}
	for n, e := range done.Errors {
		if n == mostRowsShown {
			_, _ = fmt.Fprintf(c.stdout, "… and %d more\n", done.Upload.Bad-n)
			break
		}
		_, _ = fmt.Fprintf(c.stdout, "line %d: %s: %s\n", e.Row, e.Value, e.Reason)
	}
	_, _ = fmt.Fprintf(c.stdout, "upload %s is %s: of %d rows %d were added and %d were not\n", done.ID, done.Upload.Status, done.Upload.Rows, done.Upload.Added, done.Upload.Bad)
	switch {
	case done.Upload.Message != "":
		return fmt.Errorf("the file cannot be read: %s", done.Upload.Message)
	case done.Upload.Bad > 0:
		return fmt.Errorf("%d rows were not taken", done.Upload.Bad)
	}
	return nil
}

// mostRowsShown is how many bad rows are printed; GET /api/bulkupload/fileUploadStatus/{id}/errors gives all.
const mostRowsShown = 50
