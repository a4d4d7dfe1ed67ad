package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/demo"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/simulate"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/worker"
)

// Simulation is a simulation to play.
type Simulation struct {
	simulate.Options
	// Database is the URL of an empty database to play in, which stays; empty is one of its own, which does not.
	Database string
	// From is the day it begins on; zero is the first of 2026.
	From time.Time
}

// Cost is what a simulation took of the machine.
type Cost struct {
	Seconds float64 `json:"seconds"`
	// PeakMiB is the most memory that the process held, DatabaseMiB the size of an embedded database at the end.
	PeakMiB     int64 `json:"peakMemoryMiB"`
	DatabaseMiB int64 `json:"databaseMiB"`
}

// cacheOfSimulation bounds, in bytes, the documents that are kept in memory. It is small, since transactions, in which nearly
// everything is done, read what they touch from the database.
const cacheOfSimulation = 16 << 20

// simulatedProvider is the service provider of simulations.
const simulatedProvider = 1

// Simulate plays a simulation. Nothing of the settings' own database or folder is touched.
func Simulate(ctx context.Context, s *config.Settings, o Simulation) (r simulate.Report, c Cost, err error) {
	if err := o.Check(); err != nil {
		return r, c, advise(err, "see `demarc simulate --help`")
	}
	began := clock.Real{}.Now()
	at, err := os.MkdirTemp("", "demarc-simulation-")
	if err != nil {
		return r, c, err
	}
	defer func() { _ = os.RemoveAll(at) }()
	world, done, err := simulatedWorld(ctx, s, at, &o)
	if err != nil {
		return r, c, err
	}
	defer done()
	ctx = world.house.As(ctx, simulatedProvider)
	if r, err = simulate.Run(ctx, world.World, o.Options); err != nil {
		return r, c, err
	}
	c.Seconds = clock.Real{}.Now().Sub(began).Seconds()
	c.PeakMiB, c.DatabaseMiB = peak(), size(world.house.settings.DB)
	return r, c, nil
}

// played is a world with the house that it is of.
type played struct {
	simulate.World
	house *House
}

// simulatedWorld builds a house on a database and a clock of its own.
func simulatedWorld(ctx context.Context, s *config.Settings, folder string, o *Simulation) (*played, func(), error) {
	own := *s
	own.Data, own.DB, own.Secret, own.Demo, own.NetworkURL, own.PaymentGateway = folder, o.Database, "", true, "", ""
	own.SMSURL, own.EmailURL, own.PushURL = toOff, toOff, toOff // nobody is there to be told
	if own.DB == "" {
		own.DB = "sqlite:" + filepath.Join(folder, "simulation.db")
	}
	if o.From.IsZero() {
		o.From = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	virtual := clock.NewVirtual(o.From)
	release, err := lock(own.DatabaseURL())
	if err != nil {
		return nil, nil, err
	}
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	h, err := open(ctx, &own, own.BaseURL(), store.Options{
		Clock: virtual, Logger: quiet, CacheBytes: cacheOfSimulation, MapBytes: -1, Fleeting: o.Database == "", Readers: 2,
	})
	if err != nil {
		release()
		return nil, nil, err
	}
	done := func() { _ = h.Close(); release() }
	if err := furnish(ctx, h, o); err != nil {
		done()
		return nil, nil, err
	}
	w := worker.New(h.Store, worker.Options{Scope: auth.System, Clock: virtual, Logger: quiet, Runners: 64})
	for kind, do := range h.Jobs() {
		w.Handle(kind, do)
	}
	for kind, do := range h.WaitingJobs() {
		w.Handle(kind, do)
	}
	return &played{World: simulate.World{House: h.House, Clock: virtual, Work: inBatches(h, w)}, house: h}, done, nil
}

// atOnce is how many jobs of a simulation commit together.
const atOnce = 128

// inBatches runs what is due in a few large transactions instead of three small ones a job. Where one of a batch fails they
// are run again, so that its changes alone are undone.
func inBatches(h *House, w *worker.Worker) func(context.Context) (int, error) {
	return func(ctx context.Context) (runs int, err error) {
		for {
			n := 0
			batch := func(ctx context.Context) (err error) {
				n, err = w.DrainSome(ctx, atOnce)
				return err
			}
			err := h.Store.Write(store.AsOne(ctx), batch)
			if err != nil {
				err = h.Store.Write(ctx, batch)
			}
			if err != nil || n == 0 {
				return runs, err
			}
			runs += n
		}
	}
}

// furnish brings the schema up to date and makes the service provider with catalogue and pools.
func furnish(ctx context.Context, h *House, o *Simulation) error {
	if _, err := h.Store.Migrate(ctx, false); err != nil {
		return databaseAdvice(h.settings.DB, err)
	}
	ctx = h.As(ctx, simulatedProvider)
	there, err := h.Providers.Find(ctx)
	if err != nil {
		return err
	}
	if there != "" {
		return advise(fmt.Errorf("the database holds the service provider %d already", simulatedProvider), "name a database without any, or leave --database out")
	}
	d := demo.House{House: h.House}
	for _, p := range demo.Providers(map[int]string{simulatedProvider: "Simulated"}) {
		// Numbers of lines that ended rest, so that there must be one for every line that is ever sold.
		if err := d.Furnish(ctx, p, o.Subscribers+o.Subscribers/10+10); err != nil {
			return err
		}
	}
	return nil
}

// peak is the most memory that the process held, in MiB.
func peak() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Maxrss / 1024
}

// size is how large an embedded database is, in MiB; 0 for another.
func size(url string) int64 {
	path, embedded := strings.CutPrefix(url, "sqlite:")
	if !embedded {
		return 0
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size() >> 20
}
