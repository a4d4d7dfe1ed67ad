package engine

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

// After an error that ends SQLite's transaction, nothing that follows in the group may be committed.
func TestBrokenGroupCommitsNothing(t *testing.T) {
	ctx := context.Background()
	db, err := OpenSQLite(filepath.Join(t.TempDir(), "x.db"), Options{Readers: 1, Group: 8}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	put := func(t *Tx, v string) error {
		_, err := t.Exec(ctx, "INSERT INTO x (v) VALUES ($1)", v)
		return err
	}
	if err := db.Migrate(ctx, "", "", func(c Conn) error { return c.Script(ctx, "CREATE TABLE x (v TEXT)") }); err != nil {
		t.Fatal(err)
	}
	full := errors.New("the disk is full")
	err = db.Write(ctx, "", func(tx *Tx) error {
		if err := put(tx, "before"); err != nil {
			return err
		}
		if err := tx.Conn.Script(ctx, "ROLLBACK"); err != nil { // as SQLite does on its own when the disk is full
			return err
		}
		tx.Conn.(*sqliteConn).broken = full
		_ = put(tx, "after") // a caller that swallows the error
		return nil
	})
	if !errors.Is(err, full) {
		t.Fatal(err)
	}
	if err := db.Write(ctx, "", func(tx *Tx) error { return put(tx, "next") }); err != nil {
		t.Fatal("the writer did not recover:", err)
	}
	var kept []string
	err = db.Snapshot(ctx, func(c Conn) error {
		return Each(ctx, c, "SELECT v FROM x", nil, func(r Rows) error {
			var v string
			err := r.Scan(&v)
			kept = append(kept, v)
			return err
		})
	})
	if err != nil || len(kept) != 1 || kept[0] != "next" {
		t.Fatalf("%v was kept (%v)", kept, err)
	}
}

// What is acknowledged is on the disk, but in a file that is thrown away anyway.
func TestOnlyAFleetingFileIsNotFlushed(t *testing.T) {
	ctx := context.Background()
	for fleeting, want := range map[bool]int{false: 2, true: 0} { // FULL, OFF
		db, err := OpenSQLite(filepath.Join(t.TempDir(), "x.db"), Options{Readers: 1, Group: 8, Fleeting: fleeting}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := -1
		err = db.Write(ctx, "", func(tx *Tx) error {
			return Each(ctx, tx.Conn, "PRAGMA synchronous", nil, func(r Rows) error { return r.Scan(&got) })
		})
		if err := errors.Join(err, db.Close()); err != nil || got != want {
			t.Errorf("fleeting %v: synchronous is %d, want %d (%v)", fleeting, got, want, err)
		}
	}
}

// What a savepoint remembers of a large write goes to a file beside the database: kept in memory, each part of the write
// that ended cost a walk through all of it.
func TestTemporaryFilesStandBesideTheDatabase(t *testing.T) {
	dir := t.TempDir()
	db, err := OpenSQLite(filepath.Join(dir, "a.db"), Options{Readers: 1, Group: 8}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.Write(t.Context(), "", func(x *Tx) error {
		var kept int64
		if _, err := Row(t.Context(), x.Conn, "PRAGMA temp_store", nil, &kept); err != nil || kept != 1 {
			t.Errorf("the writer keeps temporary files by %d: %v", kept, err)
		}
		var at string
		found, err := Row(t.Context(), x.Conn, "PRAGMA temp_store_directory", nil, &at)
		if !found || err != nil {
			t.Errorf("SQLite has no folder for temporary files: %v", err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
