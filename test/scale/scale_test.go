//go:build scale

package scale

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/usage"
)

const (
	small = 1000
	// promised is how much more an operation may cost among many subscriptions than among few.
	promised = 1.5
	rounds   = 15
	// A batch is so many records of so many lines.
	batchRecords, batchLines = 500, 100
	// used is how many lines of the large operator are used: more than any cache holds the pages of, few enough that
	// their first usage, which costs more than the others, is out of the way in reasonable time.
	used = 10_000
)

// measured is an operation; each round does it so often.
type measured struct {
	name  string
	times int
	do    func(o *operator) error
}

var operations = []measured{
	{"balance query", 300, func(o *operator) error {
		return o.get("/api/subscription/balanceQuery?entries=1&mobileNumber=" + number(o.someone()))
	}},
	{"rating, single", 40, func(o *operator) error { return o.take([]usage.Record{o.record(o.someone())}) }},
	{"rating, batch", 1, func(o *operator) error {
		lines, records := make([]int, batchLines), make([]usage.Record, batchRecords)
		for n := range lines {
			lines[n] = o.someone()
		}
		for n := range records {
			records[n] = o.record(lines[n%batchLines])
		}
		return o.take(records)
	}},
}

func TestCostAmongMany(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("DEMARC_SCALE_N"))
	if err != nil || n < small {
		t.Fatalf("DEMARC_SCALE_N is how many subscriptions the large operator has, at least %d", small)
	}
	engine := os.Getenv("DEMARC_SCALE_ENGINE")
	few, many := open(t, engine, small), open(t, engine, n)

	ratios, costs := map[string][]float64{}, map[string][2][]time.Duration{}
	for round := range rounds {
		for _, m := range operations {
			var took [2]time.Duration
			for turn := range 2 {
				side := (round + turn) % 2 // each begins every other time
				if took[side], err = m.run([]*operator{few, many}[side]); err != nil {
					t.Fatalf("%s: %v", m.name, err)
				}
			}
			ratios[m.name] = append(ratios[m.name], float64(took[1])/float64(took[0]))
			all := costs[m.name]
			all[0], all[1] = append(all[0], took[0]), append(all[1], took[1])
			costs[m.name] = all
		}
	}
	fmt.Printf("\n%s, medians of %d rounds\n%-16s %14s %14s %8s\n", engine, rounds, "operation", fmt.Sprint("among ", small), fmt.Sprint("among ", n), "ratio")
	for _, m := range operations {
		r := median(ratios[m.name])
		fmt.Printf("%-16s %14s %14s %8.2f\n", m.name, median(costs[m.name][0]), median(costs[m.name][1]), r)
		if r > promised {
			t.Errorf("%s costs %.2f times as much among %d subscriptions as among %d; promised is %.1f: %.2f", m.name, r, n, small, promised, ratios[m.name])
		}
	}
}

// run does an operation so often, and says what one took.
func (m measured) run(o *operator) (time.Duration, error) {
	began := time.Now()
	for range m.times {
		if err := m.do(o); err != nil {
			return 0, err
		}
	}
	return time.Since(began) / time.Duration(m.times), nil
}

func median[T float64 | time.Duration](all []T) T {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[len(all)/2]
}
