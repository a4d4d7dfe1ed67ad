package main

import (
	"errors"
	"fmt"

	"github.com/demarc-bss/demarc/internal/app"
)

type catalogueCommands struct {
	Check catalogueCheckCommand `cmd:"" help:"Say what is wrong with a catalogue file, each mistake with its line."`
	Load  catalogueLoadCommand  `cmd:"" help:"Bring a service provider's catalogue to what a file says. Loading twice changes nothing."`
}

type catalogueCheckCommand struct {
	File string `arg:"" help:"YAML catalogue, or a JSON array of TMF620 resources." type:"existingfile"`
}

// Run prints what the file holds, or every mistake in it.
func (k catalogueCheckCommand) Run(c *invocation) error {
	said, err := checkCatalogue(c, k.File)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.stdout, said)
	return err
}

// checkCatalogue prints the mistakes of a file, and fails when there are any.
func checkCatalogue(c *invocation, file string) (string, error) {
	said, mistakes, err := app.CheckCatalogue(file)
	if err != nil {
		return "", err
	}
	for _, m := range mistakes {
		_, _ = fmt.Fprintln(c.stdout, m)
	}
	if len(mistakes) > 0 {
		return "", errors.New(said)
	}
	return said, nil
}

type catalogueLoadCommand struct {
	File string `arg:"" help:"YAML catalogue, or a JSON array of TMF620 resources." type:"existingfile"`
	At   int    `name:"spid" help:"Service provider that it is for." default:"1"`
}

// Run loads the file.
func (k catalogueLoadCommand) Run(c *invocation) error {
	if _, err := checkCatalogue(c, k.File); err != nil {
		return err
	}
	return withHouseAlone(c, "POST /tmf-api/productCatalogManagement/v4/importJob loads a catalogue into the server", func(h *app.House) error {
		said, err := h.LoadPlans(c.ctx, k.At, k.File)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.stdout, said)
		return err
	})
}
