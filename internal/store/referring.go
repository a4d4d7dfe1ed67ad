package store

import (
	"context"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store/engine"
)

const sqlReferring = `SELECT DISTINCT from_id FROM ref WHERE home = $1 AND spid = $2 AND to_id = $3 AND from_id > $4 AND from_id < $5 ORDER BY from_id`

// Referring are the documents of a kind that refer to another, the oldest first: the accounts of a customer. References
// that need not lead anywhere are not known. It costs a look-up, however many documents there are.
func (s *Store) Referring(ctx context.Context, to id.ID, k id.Kind) (ids []id.ID, err error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return nil, err
	}
	home, ok := to.Home()
	if !ok {
		return nil, fault.NotFoundf("there is no %s", shorten(string(to)))
	}
	// The prefix and its line come before every id of the kind, and the character after the line after all of them.
	args := []any{int64(home), int64(spid), string(to), k.Prefix + "_", k.Prefix + "`"}
	err = s.readEach(ctx, sqlReferring, args, func(r engine.Rows) error {
		var from string
		err := r.Scan(&from)
		ids = append(ids, id.ID(from))
		return err
	})
	return ids, err
}
