package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os/user"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/config"
	connect "github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/connect/npg"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/message"
	"github.com/demarc-bss/demarc/internal/store"
)

// House is the domains on one database, without anything that serves or runs.
type House struct {
	*house.House

	keyring  *keyring
	settings *config.Settings
}

// Open opens the database of the settings for one command, whatever its schema: migrate and doctor look at
// it. It keeps no cache, so that it may stand beside a server.
func Open(ctx context.Context, s *config.Settings, log *slog.Logger) (*House, error) {
	if _, err := openFolder(s); err != nil {
		return nil, err
	}
	return open(ctx, s, s.BaseURL(), store.Options{Clock: clock.Real{}, Logger: log, CacheBytes: -1})
}

// OpenCurrent is Open for commands that need the schema that this demarc knows.
func OpenCurrent(ctx context.Context, s *config.Settings, log *slog.Logger) (*House, error) {
	h, err := Open(ctx, s, log)
	if err != nil {
		return nil, err
	}
	if err := h.Store.Ping(ctx); err != nil {
		_ = h.Close()
		if fault.KindOf(err) == fault.Unavailable {
			err = advise(err, "run `demarc migrate` first")
		}
		return nil, err
	}
	return h, nil
}

// OpenAlone is OpenCurrent for commands that change what a server keeps in its cache: on SQLite none may have the database
// open meanwhile. instead says how the same is done with a server that runs. Call done at the end.
func OpenAlone(ctx context.Context, s *config.Settings, log *slog.Logger, instead string) (h *House, done func(), err error) {
	if h, err = OpenCurrent(ctx, s, log); err != nil {
		return nil, nil, err
	}
	return alone(s, h, instead+"; or stop the server for the time, or move to PostgreSQL, which many may use")
}

// OpenToMigrate is OpenAlone of a database of any age.
func OpenToMigrate(ctx context.Context, s *config.Settings, log *slog.Logger) (h *House, done func(), err error) {
	if h, err = Open(ctx, s, log); err != nil {
		return nil, nil, err
	}
	return alone(s, h, "stop the server first; it brings its database up to date when it starts")
}

// alone locks an embedded database that was opened.
func alone(s *config.Settings, h *House, advice string) (*House, func(), error) {
	release, err := lock(s.DatabaseURL())
	if err != nil {
		_ = h.Close()
		return nil, nil, advise(err, advice)
	}
	return h, func() { _ = h.Close(); release() }, nil
}

// open opens the database with what the settings say beside the options given; base is how clients reach the server.
func open(ctx context.Context, s *config.Settings, base string, o store.Options) (*House, error) {
	at := s.DatabaseURL()
	o.Readers, o.Group, o.Hosts = cmp.Or(o.Readers, s.Readers), s.GroupWrite, hosts(base)
	db, err := store.Open(ctx, at, o)
	if err != nil {
		return nil, databaseAdvice(at, fmt.Errorf("the database cannot be opened: %w", err))
	}
	h, err := build(db, s, base, o.Clock, o.Logger, voucherSecret(s))
	if err != nil {
		_ = db.Close()
	}
	return h, err
}

// voucherSecret is what PINs of vouchers are kept by; nil where the server's secret cannot be had, which the server
// says at its start, and commands that touch no voucher need not know.
func voucherSecret(s *config.Settings) []byte {
	f, err := openFolder(s)
	if err != nil {
		return nil
	}
	secret, err := serverSecret(s, f)
	if err != nil {
		return nil
	}
	return derive(secret, "vouchers")
}

// hosts are the names under which references to this server's resources come: its own, and on the loopback
// all that mean the same machine.
func hosts(base string) []string {
	u, err := url.Parse(base)
	if err != nil {
		return nil
	}
	out := []string{u.Host}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip.IsLoopback() {
		for _, same := range []string{"localhost", "127.0.0.1", "::1"} {
			out = append(out, net.JoinHostPort(same, u.Port()))
		}
	}
	return out
}

// build puts the domains on a store.
func build(db *store.Store, s *config.Settings, base string, c clock.Clock, log *slog.Logger, secret []byte) (*House, error) {
	way, err := connector(s, base, c)
	if err != nil {
		return nil, err
	}
	outside := house.Outside{Network: way, NetworkPatience: s.NetworkPatience, Secret: secret, As: asMessenger}
	h := &House{settings: s}
	outside.Channels, err = channels(s, c, log, func(ctx context.Context, r message.Report) (bool, error) { return h.Messages.Report(ctx, r) })
	if err != nil {
		return nil, err
	}
	if outside.Payments, err = paymentGateway(s, c); err != nil {
		return nil, err
	}
	if s.Dev || s.Demo {
		outside.Ports = npg.NewSimulator(npg.Options{Now: db.Now})
	}
	h.House = house.New(db, outside)
	if sim, ok := way.(*connect.Simulator); ok {
		sim.OnCallback(h.Network.Tell)
	}
	takeSandbox(outside.Payments, h.Payments)
	h.keyring = newKeyring(db)
	return h, nil
}

// Close lets go of the database.
func (h *House) Close() error { return h.Store.Close() }

// As is a context in which demarc itself acts at a service provider, in the name of whoever runs the
// command.
func (h *House) As(ctx context.Context, spid int) context.Context {
	a := scope.Actor{Client: "demarc"}
	if u, err := user.Current(); err == nil {
		a.Subject, a.Name = "os:"+u.Username, u.Name
	}
	return scope.With(ctx, auth.System(spid, a))
}

// SPIDs are the service providers that a command is for: one, or with 0 those of the settings.
func (h *House) SPIDs(one int) ([]int, error) {
	if one > 0 {
		return []int{one}, nil
	}
	all, err := h.settings.Providers()
	var out []int
	for _, p := range all {
		out = append(out, p.SPID)
	}
	return out, err
}

// ForJob does something to a job at the service provider that it belongs to.
func (h *House) ForJob(ctx context.Context, spid int, i id.ID, do func(context.Context, id.ID) error) error {
	spids, err := h.SPIDs(spid)
	if err != nil {
		return err
	}
	for _, spid := range spids {
		if err = do(h.As(ctx, spid), i); err == nil || fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return err
}
