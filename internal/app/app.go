// Package app wires demarc together: it builds everything from the settings, starts it in order and stops
// it in reverse. Nothing else knows how the parts are joined.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/auth/devidp"
	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/hub"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/worker"
)

// Options are what an App needs beside its settings. The zero value of a field means its default.
type Options struct {
	// Clock tells the time; clock.Real by default.
	Clock clock.Clock
	// Logger gets what happens; slog.Default by default.
	Logger *slog.Logger
	// Version is what this build calls itself.
	Version string
	// AccessLog gets the access log instead of what the settings name.
	AccessLog io.Writer
}

// App is a demarc that serves. Its life is New, Start, Stop; each once and in this order.
//
// Start listens first, so that a port in use is told before anything changes; then it locks and opens the
// database, brings the schema up to date, loads demonstration data if asked, serves, and runs jobs. When it
// fails, what it had begun is undone. Stop goes backwards: not ready, no new requests, requests in hand end,
// jobs in hand end or are handed back, the database closes.
type App struct {
	*House
	settings *config.Settings
	o        Options

	folder   folder
	listener net.Listener
	url      string
	idp      *devidp.Provider
	auth     *auth.Authenticator
	// digestKey is what the digests of requests are keyed by.
	digestKey []byte
	metrics   *prometheus.Registry
	server    *http.Server
	hub       *hub.Service
	worker    *worker.Worker
	ready     atomic.Bool
	failed    chan error
	// undo holds what Stop does, in the order of Start.
	undo []func(ctx context.Context) error
}

// New makes an App; it does nothing yet. The settings must not change any more.
func New(s *config.Settings, o Options) *App {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &App{settings: s, o: o, metrics: prometheus.NewRegistry(), failed: make(chan error, 1)}
}

// Address is where it listens, once started.
func (a *App) Address() string { return a.listener.Addr().String() }

// URL is how clients reach it, without a slash at the end.
func (a *App) URL() string { return a.url }

// SPIDs are the service providers of the development realm.
func (a *App) SPIDs() []int {
	out, _ := a.House.SPIDs(0) // config checked the setting
	return out
}

// Failed delivers when serving fails after Start.
func (a *App) Failed() <-chan error { return a.failed }

// Mint makes an access token of a development user.
func (a *App) Mint(user, client string) (string, error) {
	if a.idp == nil {
		return "", errors.New("only a development provider mints tokens")
	}
	return a.idp.Mint(user, client)
}

// Start starts everything; see App. ctx bounds starting, not running.
func (a *App) Start(ctx context.Context) error {
	for _, step := range []func(context.Context) error{a.listen, a.openDatabase, a.identify, a.migrate, a.prepareServer, a.begin} {
		if err := step(ctx); err != nil {
			_ = a.Stop(ctx)
			return err
		}
	}
	return nil
}

// Stop stops everything, in reverse. ctx bounds how long requests and jobs in hand may take.
func (a *App) Stop(ctx context.Context) error {
	a.ready.Store(false)
	var errs []error
	for len(a.undo) > 0 {
		last := a.undo[len(a.undo)-1]
		a.undo = a.undo[:len(a.undo)-1]
		errs = append(errs, last(ctx))
	}
	return errors.Join(errs...)
}

func (a *App) onStop(do func(ctx context.Context) error) { a.undo = append(a.undo, do) }

func (a *App) listen(ctx context.Context) error {
	var err error
	if a.folder, err = openFolder(a.settings); err != nil {
		return err
	}
	var config net.ListenConfig
	if a.listener, err = config.Listen(ctx, "tcp", a.settings.Listen); err != nil {
		return listenAdvice(a.settings.Listen, err)
	}
	a.onStop(func(context.Context) error {
		if err := a.listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil // the server closed it
	})
	a.url = a.settings.BaseURL()
	if _, port, _ := net.SplitHostPort(a.settings.Listen); port == "0" && a.settings.PublicURL == "" {
		at := *a.settings
		at.Listen = a.listener.Addr().String()
		a.url = at.BaseURL()
	}
	return nil
}

func (a *App) openDatabase(ctx context.Context) error {
	release, err := lock(a.settings.DatabaseURL())
	if err != nil {
		return err
	}
	a.onStop(func(context.Context) error { release(); return nil })
	cache := int64(a.settings.CacheMB) << 20
	if cache == 0 {
		cache = -1
	}
	if a.House, err = open(ctx, a.settings, a.url, store.Options{Clock: a.o.Clock, Logger: a.o.Logger, CacheBytes: cache}); err != nil {
		return err
	}
	a.onStop(func(context.Context) error { return a.Store.Close() })
	return nil
}

// migrate comes when every collection is registered: it checks that each has its table.
func (a *App) migrate(ctx context.Context) error {
	if _, err := a.Store.Migrate(ctx, false); err != nil {
		return databaseAdvice(a.settings.DatabaseURL(), fmt.Errorf("the schema cannot be brought up to date: %w", err))
	}
	return nil
}

func (a *App) identify(context.Context) error {
	secret, err := serverSecret(a.settings, a.folder)
	if err != nil {
		return err
	}
	a.digestKey = derive(secret, "requests")
	if err := a.newHub(secret); err != nil {
		return err
	}
	if a.idp, err = devProvider(a.settings, a.folder, a.o.Clock); err != nil {
		return err
	}
	if a.idp != nil {
		if err := a.idp.SetBaseURL(a.url); err != nil {
			return err
		}
	}
	a.auth, err = authenticator(a.settings, a.idp, a.keyring, derive(secret, keyUse), a.o.Clock)
	return err
}

func (a *App) prepareServer(context.Context) error {
	tracer, flush, err := tracing(a.settings, a.o.Version)
	if err != nil {
		return err
	}
	a.onStop(func(ctx context.Context) error {
		if err := flush(ctx); err != nil {
			a.o.Logger.Warn("the last traces could not be sent", "error", err)
		}
		return nil
	})
	handler, err := a.handler(tracer)
	if err != nil {
		return err
	}
	a.server = &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(a.o.Logger.Handler(), slog.LevelDebug),
		// A client that sends or reads a byte now and then must not hold a connection for ever.
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	a.worker = worker.New(a.Store, worker.Options{
		Scope: auth.System, Clock: a.o.Clock, Logger: a.o.Logger, Metrics: a.metrics,
		Runners: a.settings.Workers, Lease: a.settings.JobLease, Poll: a.settings.JobPoll,
	})
	a.handleJobs()
	a.Store.OnJobs(a.worker.Wake)
	return nil
}

// begin serves and runs jobs. Demonstration data is there before the first request is answered.
func (a *App) begin(ctx context.Context) error {
	if a.settings.Demo {
		said, err := a.LoadDemo(ctx)
		if err != nil {
			return fmt.Errorf("the demonstration data cannot be loaded: %w", err)
		}
		a.o.Logger.Debug(said)
	}
	if a.settings.Workers > 0 {
		if err := a.Store.AdoptJobs(ctx); err != nil {
			return fmt.Errorf("the jobs of the last run cannot be taken over: %w", err)
		}
		a.listenToReports()
		a.worker.Start()
		a.onStop(func(ctx context.Context) error { a.worker.Stop(ctx); return nil })
	}
	go func() {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- fmt.Errorf("serving failed: %w", err)
		}
	}()
	a.onStop(func(ctx context.Context) error {
		err := a.server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			a.o.Logger.Warn("requests still in hand are broken off")
			return a.server.Close()
		}
		return err
	})
	a.tidy()
	a.ready.Store(true)
	return nil
}
