package store

import (
	"context"

	"github.com/demarc-bss/demarc/internal/store/engine"
)

// sqlOrphans ends every lease: who held one is gone. The attempt that was under way stays counted, so that
// a job which brings its worker down each time ends as a dead letter.
const sqlOrphans = `UPDATE job SET due = $1 WHERE state = 'running' AND due > $1`

// AdoptJobs makes the jobs that a killed process held due at once instead of at the end of their leases. Only
// the one process that owns an embedded database may call it, before its worker starts; on PostgreSQL, where
// other nodes may be at work, it does nothing.
func (s *Store) AdoptJobs(ctx context.Context) error {
	if s.Engine() != "sqlite" {
		return nil
	}
	return s.Write(ctx, func(ctx context.Context) error {
		t, err := s.writing(ctx)
		if err != nil {
			return err
		}
		_, err = t.Exec(ctx, sqlOrphans, engine.Micros(t.machine))
		return dbFault(err)
	})
}
