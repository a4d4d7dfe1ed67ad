package store

import (
	"context"

	"github.com/demarc-bss/demarc/internal/store/engine"
)

// Total is the sum of all entries of one kind of account, unit and kind of cause.
type Total struct {
	// Account is a system account; empty stands for all others.
	Account         string
	Unit, CauseKind string
	Amount, Entries int64
}

const sqlTotals = `SELECT CASE WHEN substr(e.account, 1, 4) = 'sys:' THEN e.account ELSE '' END AS kept, e.unit, p.cause_kind,
CAST(sum(e.amount) AS BIGINT), count(*)
FROM ledger_entry e JOIN ledger_posting p ON p.home = e.home AND p.spid = e.spid AND p.id = e.posting
WHERE e.spid = $1 GROUP BY 1, e.unit, p.cause_kind ORDER BY 1, 2, 3`

// Totals sums a service provider's whole ledger by account, unit and kind of cause. It reads every entry: it is for
// reports that nobody waits for.
func (s *Store) Totals(ctx context.Context) (all []Total, err error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return nil, err
	}
	err = s.readEach(ctx, sqlTotals, []any{int64(spid)}, func(r engine.Rows) error {
		var t Total
		err := r.Scan(&t.Account, &t.Unit, &t.CauseKind, &t.Amount, &t.Entries)
		all = append(all, t)
		return err
	})
	return all, err
}
