package store

import (
	"cmp"
	"context"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"maps"
	"slices"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// CodeClaimed is the Conflict of a value that another owner holds.
const CodeClaimed fault.Code = "alreadyClaimed"

const (
	sqlClaim    = `INSERT INTO claim (home, spid, kind, value, owner) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (home, spid, kind, value) DO NOTHING`
	sqlUnclaim  = `DELETE FROM claim WHERE home = $1 AND spid = $2 AND kind = $3 AND value = $4`
	sqlClaimant = `SELECT owner FROM claim WHERE home = $1 AND spid = $2 AND kind = $3 AND value = $4`
)

// claimKey is the key of a claim's row: the home follows from the value, so that it is unique across homes.
func claimKey(ctx context.Context, kind, value string) ([]any, error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return nil, err
	}
	return []any{int64(id.HomeOf(kind + "/" + value)), int64(spid), kind, value}, nil
}

// Claim reserves a value that must be unique within the service provider, across all homes (an account
// number, an MSISDN), for its owner. Held by another: a Conflict fault (CodeClaimed). Claiming again what
// one holds does nothing.
func (s *Store) Claim(ctx context.Context, kind, value string, owner id.ID) error {
	t, err := s.writing(ctx)
	if err != nil {
		return err
	}
	key, err := claimKey(ctx, kind, value)
	if err != nil {
		return err
	}
	n, err := t.Exec(ctx, sqlClaim, append(key, string(owner))...)
	if err != nil || n == 1 {
		return dbFault(err)
	}
	var holder string
	if _, err := engine.Row(ctx, t.Conn, sqlClaimant, key, &holder); err != nil {
		return dbFault(err)
	}
	if holder != string(owner) {
		return fault.Conflictf(CodeClaimed, "the %s %s is taken", kind, shorten(value))
	}
	return nil
}

// ClaimAll is Claim of many values of one kind, each for its owner, in a few journeys to the database. Those that
// another owner holds are told with that owner, and the rest are claimed.
func (s *Store) ClaimAll(ctx context.Context, kind string, owners map[string]id.ID) (taken map[string]id.ID, err error) {
	t, err := s.writing(ctx)
	if err != nil {
		return nil, err
	}
	// In one order, so that two who claim the same never wait for each other in a circle: that of the table, so that
	// neighbours are written one after the other.
	lists := make([][]any, 0, len(owners))
	for v, owner := range owners {
		key, err := claimKey(ctx, kind, v)
		if err != nil {
			return nil, err
		}
		lists = append(lists, append(key, string(owner)))
	}
	slices.SortFunc(lists, func(a, b []any) int {
		return cmp.Or(cmp.Compare(a[0].(int64), b[0].(int64)), strings.Compare(a[3].(string), b[3].(string)))
	})
	affected, err := t.Execs(ctx, sqlClaim, lists)
	if err != nil {
		return nil, dbFault(err)
	}
	var held []string
	for n, count := range affected {
		if count == 0 {
			held = append(held, lists[n][3].(string))
		}
	}
	taken, err = s.Claimants(ctx, kind, held...)
	maps.DeleteFunc(taken, func(v string, holder id.ID) bool { return holder == owners[v] })
	return taken, err
}

// Claimants is Claimant of many values in one journey to the database; what nobody holds is not in it.
func (s *Store) Claimants(ctx context.Context, kind string, values ...string) (map[string]id.ID, error) {
	lists := make([][]any, len(values))
	for n, v := range values {
		key, err := claimKey(ctx, kind, v)
		if err != nil {
			return nil, err
		}
		lists[n] = key
	}
	held := map[string]id.ID{}
	err := s.readAll(ctx, sqlClaimant, lists, func(n int, r engine.Rows) error {
		var owner string
		err := r.Scan(&owner)
		held[values[n]] = id.ID(owner)
		return err
	})
	return held, err
}

// Unclaim gives a value back; one that nobody holds is no error.
func (s *Store) Unclaim(ctx context.Context, kind, value string) error {
	t, err := s.writing(ctx)
	if err != nil {
		return err
	}
	key, err := claimKey(ctx, kind, value)
	if err != nil {
		return err
	}
	return dbFault(t.Later(ctx, sqlUnclaim, key...))
}

// Claimant is who holds a value; empty when nobody does.
func (s *Store) Claimant(ctx context.Context, kind, value string) (id.ID, error) {
	key, err := claimKey(ctx, kind, value)
	if err != nil {
		return "", err
	}
	var owner string
	_, err = s.readRow(ctx, sqlClaimant, key, &owner)
	return id.ID(owner), err
}
