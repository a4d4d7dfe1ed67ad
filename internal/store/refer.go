package store

import (
	"context"
	"fmt"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"net/url"
	"slices"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

const (
	sqlRefer         = `INSERT INTO ref (home, spid, to_id, from_id, attribute) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (home, spid, to_id, from_id, attribute) DO NOTHING`
	sqlUnrefer       = `DELETE FROM ref WHERE home = $1 AND spid = $2 AND to_id = $3 AND from_id = $4 AND attribute = $5`
	sqlReferrers     = `SELECT from_id, attribute FROM ref WHERE home = $1 AND spid = $2 AND to_id = $3 ORDER BY from_id, attribute LIMIT 3`
	sqlReferrerCount = `SELECT count(*) FROM ref WHERE home = $1 AND spid = $2 AND to_id = $3`
)

// refer keeps the ref table in step with a change of the document from the references before to those
// after; new ones must lead somewhere.
func (ch *change) refer(ctx context.Context, before, after []reference) error {
	before, after = ch.binding(before), ch.binding(after)
	for _, r := range after {
		if contains(before, r) {
			continue
		}
		if err := ch.exists(ctx, r); err != nil {
			return err
		}
	}
	return ch.store(ctx, before, after)
}

// store writes what has changed among the references of a document.
func (ch *change) store(ctx context.Context, before, after []reference) error {
	for _, r := range after {
		if contains(before, r) {
			continue
		}
		if err := ch.t.Later(ctx, sqlRefer, int64(r.home), int64(ch.spid), string(r.to), string(ch.id), r.at); err != nil {
			return dbFault(err)
		}
	}
	for _, r := range before {
		if contains(after, r) {
			continue
		}
		if err := ch.t.Later(ctx, sqlUnrefer, int64(r.home), int64(ch.spid), string(r.to), string(ch.id), r.at); err != nil {
			return dbFault(err)
		}
	}
	return nil
}

func contains(refs []reference, r reference) bool {
	return slices.ContainsFunc(refs, func(o reference) bool { return o.to == r.to && o.at == r.at })
}

// binding leaves out the references that need not hold: loose ones, those to the document itself, and those
// to another server.
func (ch *change) binding(refs []reference) []reference {
	return slices.DeleteFunc(refs, func(r reference) bool {
		return r.to == ch.id || ch.d.loose(r.dotted) || ch.s.foreign(r.href)
	})
}

func (d *definition) loose(dotted string) bool {
	for _, l := range d.Loose {
		l = strings.TrimSuffix(l, ".id")
		if dotted == l || strings.HasPrefix(dotted, l) && dotted[len(l)] == '.' {
			return true
		}
	}
	return false
}

// foreign reports whether an href is absolute and on another server.
func (s *Store) foreign(href string) bool {
	if !strings.Contains(href, "://") {
		return false
	}
	u, err := url.Parse(href)
	return err == nil && u.Host != "" && !slices.Contains(s.hosts, u.Host) && !slices.Contains(s.hosts, u.Hostname())
}

func (ch *change) exists(ctx context.Context, r reference) error {
	if target := ch.s.kind(r.prefix); target != nil {
		var one int64
		found, err := engine.Row(ctx, ch.t.Conn, target.sql.exists, []any{int64(r.home), int64(ch.spid), string(r.to)}, &one)
		if err != nil {
			return dbFault(err)
		}
		if found {
			return nil
		}
	}
	return fault.Invalidf(r.at, "%s does not exist", r.to)
}

// unreferred refuses when something refers to the document.
func (ch *change) unreferred(ctx context.Context) error {
	args := []any{int64(ch.home), int64(ch.spid), string(ch.id)}
	var by []string
	err := engine.Each(ctx, ch.t.Conn, sqlReferrers, args, func(r engine.Rows) error {
		var from, attribute string
		if err := r.Scan(&from, &attribute); err != nil {
			return err
		}
		by = append(by, fmt.Sprintf("%s %s (%s)", ch.s.kindName(from), from, attribute))
		return nil
	})
	if err != nil || len(by) == 0 {
		return dbFault(err)
	}
	var n int64
	if _, err := engine.Row(ctx, ch.t.Conn, sqlReferrerCount, args, &n); err != nil {
		return dbFault(err)
	}
	text := strings.Join(by, ", ")
	if more := n - int64(len(by)); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fault.Conflictf(fault.CodeStillReferred, "the %s is still referred to by %s", ch.d.Kind.Name, text)
}

// kindName is the wire name of what an id identifies.
func (s *Store) kindName(i string) string {
	prefix, _, _ := id.Parse(i)
	if d := s.kind(prefix); d != nil {
		return d.Kind.Name
	}
	return "resource"
}
