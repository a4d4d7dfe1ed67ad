package store

import (
	"context"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// Leads reports whether a reference leads to something that the scope's service provider has, of whatever kind. One whose
// id is not of demarc's form, or whose href is on another server, is not looked for: it is taken to.
func (s *Store) Leads(ctx context.Context, to, href string) (bool, error) {
	prefix, _, own := id.Parse(to)
	if !own || s.foreign(href) {
		return true, nil
	}
	d := s.kind(prefix)
	if d == nil {
		return false, nil
	}
	_, err := s.doc(ctx, d, id.ID(to))
	if fault.KindOf(err) == fault.NotFound {
		return false, nil
	}
	return err == nil, err
}
