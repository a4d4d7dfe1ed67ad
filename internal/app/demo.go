package app

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/demarc-bss/demarc/internal/auth"
	connect "github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/demo"
	"github.com/demarc-bss/demarc/internal/worker"
)

// LoadDemo fills the database with demonstration data, unless it has customers, and says what it did.
func (h *House) LoadDemo(ctx context.Context) (string, error) {
	if h.Network.Connector == nil { // demonstration data needs no network, and its lines would wait for one
		h.Network.Connector = connect.NewSimulator(connect.SimulatorOptions{})
	}
	configured, err := h.settings.Providers()
	if err != nil {
		return "", err
	}
	names := map[int]string{}
	for _, p := range configured {
		names[p.SPID] = p.Name
	}
	// Orders are carried out in the transaction that places them: a few large transactions instead of
	// thousands. Nothing else is due in a database without customers.
	w := worker.New(h.Store, worker.Options{Scope: auth.System, Logger: slog.New(slog.DiscardHandler)})
	for kind, do := range h.Jobs() {
		w.Handle(kind, do)
	}
	for kind, do := range h.WaitingJobs() {
		w.Handle(kind, do)
	}
	d := demo.House{
		House: h.House,
		Work:  func(ctx context.Context) error { _, err := w.Drain(ctx); return err },
	}
	total := 0
	for _, p := range demo.Providers(names) {
		made, err := d.Load(h.As(ctx, p.SPID), p, h.settings.DemoCustomers)
		if err != nil {
			return "", fmt.Errorf("service provider %d: %w", p.SPID, err)
		}
		total += made
	}
	if total == 0 {
		return "there was demonstration data, or data of your own: nothing was added", nil
	}
	return fmt.Sprintf("%d demonstration customers were made", total), nil
}
