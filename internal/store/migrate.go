package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// The steps of the schema, a folder a dialect, with the same numbers: NNNN_name.sql. A released step is
// never changed.
//
//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrationFiles embed.FS

// Migration is one step of the schema.
type Migration struct {
	Version int64
	Name    string
	Applied time.Time // zero: not yet
}

type step struct {
	Migration
	sql string
}

func steps(engine string) ([]step, error) {
	dir := "migrations/" + engine
	files, err := fs.ReadDir(migrationFiles, dir)
	if err != nil {
		return nil, err
	}
	var all []step
	for _, f := range files { // in the order of their names, that is of their numbers
		number, name, ok := strings.Cut(strings.TrimSuffix(f.Name(), ".sql"), "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("store: migration %s is not named NNNN_name.sql", f.Name())
		}
		text, err := fs.ReadFile(migrationFiles, path.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, step{Migration{Version: v, Name: name}, string(text)})
	}
	return all, nil
}

const (
	// home and spid are constants: this table is the same for everyone, but every key has the two.
	sqlMigrationTable = `CREATE TABLE IF NOT EXISTS migration (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, version BIGINT NOT NULL, name TEXT NOT NULL, applied BIGINT NOT NULL,
	PRIMARY KEY (home, spid, version))`
	sqlMigrationLock = `LOCK TABLE migration IN ACCESS EXCLUSIVE MODE`
	sqlMigrations    = `SELECT version, applied FROM migration WHERE home = 0 AND spid = 0 ORDER BY version`
	sqlMigrationDone = `INSERT INTO migration (home, spid, version, name, applied) VALUES (0, 0, $1, $2, $3)`
)

// errDryRun rolls a migration back that was only to be looked at.
var errDryRun = fmt.Errorf("store: dry run")

// Migrate brings the schema up to date; nodes that start together wait for each other. It lists the steps
// it took; with dryRun it only says which it would take. All steps are taken, or none. A database that a
// newer program migrated is a Conflict fault.
func (s *Store) Migrate(ctx context.Context, dryRun bool) ([]Migration, error) {
	var taken []Migration
	err := s.db.Migrate(ctx, sqlMigrationTable, sqlMigrationLock, func(c engine.Conn) error {
		taken = nil
		pending, err := s.pending(ctx, c)
		if err != nil {
			return err
		}
		for _, st := range pending {
			if !dryRun {
				st.Applied = s.clock.Now()
				if err := apply(ctx, c, st); err != nil {
					return err
				}
				s.log.LogAttrs(ctx, slog.LevelInfo, "migrated", slog.Int64("version", st.Version), slog.String("name", st.Name))
			}
			taken = append(taken, st.Migration)
		}
		if dryRun {
			return errDryRun
		}
		return nil
	})
	if dryRun && errors.Is(err, errDryRun) {
		return taken, nil
	}
	if err != nil {
		return nil, dbFault(err)
	}
	return taken, s.checkDefinitions(ctx)
}

// pending are the steps not yet taken.
func (s *Store) pending(ctx context.Context, c engine.Conn) ([]step, error) {
	if _, err := c.Exec(ctx, sqlMigrationTable); err != nil {
		return nil, err
	}
	all, err := s.merge(ctx, c)
	if err != nil {
		return nil, err
	}
	rest := all[:0]
	for _, st := range all {
		if st.Applied.IsZero() {
			rest = append(rest, st)
		}
	}
	return rest, nil
}

// merge joins the steps this program knows with those that the database has taken.
func (s *Store) merge(ctx context.Context, c engine.Conn) ([]step, error) {
	all, err := steps(s.db.Name())
	if err != nil {
		return nil, err
	}
	at := map[int64]int{}
	for i, st := range all {
		at[st.Version] = i
	}
	err = engine.Each(ctx, c, sqlMigrations, nil, func(r engine.Rows) error {
		var version, applied int64
		if err := r.Scan(&version, &applied); err != nil {
			return err
		}
		i, ok := at[version]
		if !ok {
			return fault.Conflictf("schemaTooNew", "the database was migrated by a newer version of this program (step %d)", version)
		}
		all[i].Applied = moment(applied)
		return nil
	})
	return all, err
}

func apply(ctx context.Context, c engine.Conn, st step) error {
	if err := c.Script(ctx, st.sql); err != nil {
		return fmt.Errorf("store: migration %04d_%s: %w", st.Version, st.Name, err)
	}
	_, err := c.Exec(ctx, sqlMigrationDone, st.Version, st.Name, engine.Micros(st.Applied))
	return err
}

// Migrations lists all steps and when each was applied.
func (s *Store) Migrations(ctx context.Context) ([]Migration, error) {
	c, release, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	all, err := s.merge(ctx, c)
	if engine.Missing(err) {
		all, err = steps(s.db.Name())
	}
	if err != nil {
		return nil, dbFault(err)
	}
	list := make([]Migration, len(all))
	for i, st := range all {
		list[i] = st.Migration
	}
	return list, nil
}
