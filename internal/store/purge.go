package store

import (
	"context"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"time"
)

const (
	sqlPurgeAnswers = `DELETE FROM idempotency WHERE expires <= $1`
	sqlPurgeJobs    = `DELETE FROM job WHERE state IN ('done', 'cancelled') AND due <= $1`
)

// Purge removes, over all service providers, the answers whose idempotency keys had expired, and the jobs
// that were done or cancelled, at the given moment. It says how many rows went. Audit records, events and
// the ledger stay.
func (s *Store) Purge(ctx context.Context, before time.Time) (int64, error) {
	var n int64
	err := s.Write(ctx, func(ctx context.Context) error {
		t, err := s.writing(ctx)
		if err != nil {
			return err
		}
		n = 0
		for _, sql := range []string{sqlPurgeAnswers, sqlPurgeJobs} {
			gone, err := t.Exec(ctx, sql, engine.Micros(before))
			if err != nil {
				return dbFault(err)
			}
			n += gone
		}
		return nil
	})
	return n, err
}
