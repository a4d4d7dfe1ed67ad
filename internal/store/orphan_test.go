package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestJobsOfAKilledProcessAreDueAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := storetest.Context(1)
		err := s.Write(ctx, func(in context.Context) error {
			_, err := s.Enqueue(in, id.RandomHome(), job.Job{Kind: "order.step", MaxAttempts: 2})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		claim := func() int {
			t.Helper()
			jobs, err := s.ClaimJobs(ctx, 10, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			return len(jobs)
		}
		if n := claim(); n != 1 {
			t.Fatalf("%d jobs were claimed", n)
		}
		if n := claim(); n != 0 {
			t.Fatalf("%d leased jobs were claimed again", n)
		}
		if err := s.AdoptJobs(ctx); err != nil {
			t.Fatal(err)
		}
		want := map[string]int{"sqlite": 1, "postgres": 0}[s.Engine()] // another node may hold the lease
		if n := claim(); n != want {
			t.Errorf("%d jobs were adopted, want %d", n, want)
		}
		if s.Engine() != "sqlite" {
			return
		}
		if err := s.AdoptJobs(ctx); err != nil {
			t.Fatal(err)
		}
		claim()
		if _, dead, err := s.Jobs(ctx, "", job.Dead, 0, 10); err != nil || dead != 1 {
			t.Errorf("a job that brought its worker down twice is not dead (%d, %v)", dead, err)
		}
	})
}
