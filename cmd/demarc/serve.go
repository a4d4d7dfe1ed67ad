package main

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/auth/realm"
)

type serveCommand struct{}

// Run serves until it is told to stop.
func (serveCommand) Run(c *invocation) error {
	log := app.NewLogger(c.stderr, &c.settings.Settings)
	for _, w := range c.settings.Warnings {
		log.Warn(w)
	}
	if !c.settings.Dev && len(c.settings.Issuer) == 0 {
		log.Warn("no issuer is configured: only API keys come in; see docs/identity.md")
	}
	a := app.New(&c.settings.Settings, app.Options{Logger: log, Version: versionText()})
	if err := a.Start(c.ctx); err != nil {
		return err
	}
	if c.settings.Dev {
		banner(c.stdout, a)
	} else {
		log.Info("demarc serves", "address", a.Address(), "url", a.URL(), "version", versionText())
	}
	var failed error
	select {
	case <-c.ctx.Done():
	case failed = <-a.Failed():
	}
	log.Info("demarc stops", "grace", c.settings.ShutdownGrace.String())
	// A second signal ends the process at once.
	ctx, cancel := context.WithTimeout(context.Background(), c.settings.ShutdownGrace)
	defer cancel()
	signal.Reset(syscall.SIGINT, syscall.SIGTERM)
	if err := a.Stop(ctx); err != nil {
		return err
	}
	return failed
}

// banner tells a developer how to begin.
func banner(w io.Writer, a *app.App) {
	token := "bin/demarc token"
	if a.URL() != "http://127.0.0.1:8080" {
		token += " --url " + a.URL()
	}
	_, _ = fmt.Fprintf(w, `
  demarc %s serves %s

  reference    %s/docs
  log-ins      %s, %s, %s, %s%s; password %s
  try          curl -s -H "Authorization: Bearer $(%s)" "%s/api/customer?limit=1"

  Development mode: the passwords are public knowledge, so it listens on this machine only. Ctrl-C stops it.

`, versionText(), a.URL(), a.URL(), realm.UserAdmin, realm.UserCSR, realm.UserViewer, realm.UserClerk, administrators(a), realm.DevPassword, token, a.URL())
}

func administrators(a *app.App) (names string) {
	for _, spid := range a.SPIDs() {
		names += ", " + realm.AdminOf(spid)
	}
	return names
}
