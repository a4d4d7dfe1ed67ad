package store

import (
	"context"
	"errors"
	"fmt"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/store/cache"
)

// Store is an open database.
type Store struct {
	db    engine.Engine
	clock clock.Clock
	log   *slog.Logger
	docs  *cache.Cache[Doc] // nil: none
	hosts []string

	mu sync.RWMutex
	// kinds are the registered collections by the prefix of their ids; misuse is what was wrong with a
	// registration, told at Migrate and Ping.
	kinds    map[string]*definition
	misuse   []error
	reactors []reactor
	nudges   []func()

	// written counts rows that were changed.
	written atomic.Int64
	// sandboxes remembers which service providers have a clock of their own, and which have not.
	sandboxes sync.Map

	closing sync.Once
	closed  error
}

// Open connects to "sqlite:PATH" or "postgres://…" and brings nothing up to date: call Migrate. A
// PostgreSQL URL may name several hosts; the one that takes writes is used.
//
// Only one process at a time may keep a SQLite file open for writing with a read cache: the cache knows of
// its own writes only. Another may read it, or copy it.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	s := &Store{kinds: map[string]*definition{}, hosts: o.Hosts, clock: o.Clock, log: o.Logger}
	if s.clock == nil {
		s.clock = clock.Real{}
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	var err error
	switch scheme, rest, _ := strings.Cut(url, ":"); scheme {
	case "sqlite":
		o = o.sqliteDefaults()
		var docs engine.Docs
		if o.CacheBytes > 0 {
			s.docs = cache.New[Doc](o.CacheBytes)
			docs = s.docs
		}
		s.db, err = engine.OpenSQLite(engine.SQLitePath(rest), engine.Options{Readers: o.Readers, Group: o.Group, Fleeting: o.Fleeting, MapBytes: o.MapBytes}, docs)
	case "postgres", "postgresql":
		s.db, err = engine.OpenPostgres(ctx, url, engine.Options{Readers: o.Readers})
	default:
		err = fmt.Errorf("store: the URL must begin with sqlite: or postgres://, not %q", scheme)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (o Options) sqliteDefaults() Options {
	if o.Readers <= 0 {
		o.Readers = 4
	}
	if o.MapBytes == 0 {
		o.MapBytes = 2 << 30
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 16 << 20
	}
	if o.Group <= 0 {
		o.Group = 64
	}
	return o
}

// Close waits for the running writes and lets go of the database.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closed = s.db.Close() })
	return s.closed
}

// Engine is "sqlite" or "postgres".
func (s *Store) Engine() string { return s.db.Name() }

// Ping asks whether the database answers and its schema is the one this binary knows.
func (s *Store) Ping(ctx context.Context) error {
	done, err := s.Migrations(ctx)
	if err != nil {
		return err
	}
	for _, m := range done {
		if m.Applied.IsZero() {
			return fault.New(fault.Unavailable, fault.CodeUnavailable, "the database schema is not up to date").
				Because(fmt.Errorf("store: migration %d (%s) was not applied", m.Version, m.Name))
		}
	}
	return s.checkDefinitions(ctx)
}

// checkDefinitions holds that every registered collection has its table and its indexed columns.
func (s *Store) checkDefinitions(ctx context.Context) error {
	s.mu.RLock()
	errs := append([]error(nil), s.misuse...)
	var todo []*definition
	for _, d := range s.kinds {
		if !d.verified.Load() {
			todo = append(todo, d)
		}
	}
	s.mu.RUnlock()
	for _, d := range todo {
		if err := s.checkDefinition(ctx, d); err != nil {
			errs = append(errs, err)
			continue
		}
		d.verified.Store(true)
	}
	if len(errs) > 0 {
		return fault.Internalf(errors.Join(errs...), "the database schema does not fit this program")
	}
	return nil
}

func (s *Store) checkDefinition(ctx context.Context, d *definition) error {
	for _, col := range append([]string{"id"}, d.columns()...) {
		err := s.readEach(ctx, "SELECT "+col+" FROM "+d.Table+" LIMIT 0", nil, func(engine.Rows) error { return nil })
		if err != nil {
			return fmt.Errorf("store: collection %s needs column %s of table %s: %w", d.Kind.Name, col, d.Table, err)
		}
	}
	return nil
}

// OnJobs registers what is called after a commit that enqueued jobs: it may wake a worker of this process
// and must not block. Call it before the store is used.
func (s *Store) OnJobs(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nudges = append(s.nudges, fn)
}

func (s *Store) nudge() {
	s.mu.RLock()
	fns := s.nudges
	s.mu.RUnlock()
	for _, fn := range fns {
		fn()
	}
}

// slow is from when on a statement is worth a line in the log.
const slow = time.Second

// logSlow tells of a query that took long by the machine's clock.
func (s *Store) logSlow(ctx context.Context, what string, began time.Time) {
	if took := (clock.Real{}).Now().Sub(began); took >= slow {
		s.log.LogAttrs(ctx, slog.LevelWarn, "slow query", slog.String("query", what), slog.Duration("took", took))
	}
}
