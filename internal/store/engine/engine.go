// Package engine is the two databases: connections, transactions that are committed together, and savepoints. It knows
// no table.
package engine

import (
	"errors"

	"github.com/demarc-bss/demarc/internal/store/cache"
)

// Options are what an engine needs beside its URL.
type Options struct {
	// Readers is how many reads may run side by side.
	Readers int
	// Group is how many writes one SQLite fsync may acknowledge.
	Group int
	// Fleeting is for a SQLite file that is thrown away when the process ends: nothing is flushed to the disk.
	Fleeting bool
	// MapBytes is how much of a SQLite file each reader maps into its memory.
	MapBytes int64
}

// Docs is a cache of documents, told of each commit before and after it.
type Docs interface {
	Begin(keys []cache.Key)
	End(keys []cache.Key)
}

// Missing reports whether a table is not there.
func Missing(err error) bool { return postgresMissing(err) || sqliteMissing(err) }

// Away reports whether the database, or the way to it, is what failed, or it is too busy now.
func Away(err error) bool { return errors.Is(err, errClosed) || sqliteBusy(err) || postgresAway(err) }
