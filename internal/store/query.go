package store

import (
	"time"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store/filter"
)

// The vocabulary of filters is package filter's.
type (
	// Op is a comparison of a filter (TMF630 part 1, "Query resources").
	Op = filter.Op
	// Type is what a filter compares as.
	Type = filter.Type
	// Filter keeps the documents in which some value at Path compares so with some value of Values.
	Filter = filter.Filter
	// Sort orders by the value at Path; documents without it come last.
	Sort = filter.Sort
)

// The comparisons. Regex is an RE2 expression that may match anywhere in the value.
const (
	Eq    = filter.Eq
	Ne    = filter.Ne
	Gt    = filter.Gt
	Gte   = filter.Gte
	Lt    = filter.Lt
	Lte   = filter.Lte
	Regex = filter.Regex
)

// The types that values compare as; Any is the stored value's own.
const (
	Any     = filter.Any
	Text    = filter.Text
	Number  = filter.Number
	Boolean = filter.Boolean
	Moment  = filter.Moment
)

// Query asks for a page of a collection. Its zero value asks for everything, oldest first.
type Query struct {
	Filters []Filter
	Sort    []Sort
	// Offset skips that many documents.
	Offset int
	// Limit is the most to return; 0 means no limit.
	Limit int
	// NoTotal spares the count of all matches.
	NoTotal bool
}

// Doc is a document as it stands in the store.
type Doc struct {
	ID      id.ID
	SPID    int
	Version int64
	Created time.Time
	Updated time.Time
	// Body is the JSON object without id and href. It is shared with the cache: never write to it.
	Body jsontext.Value
}

// Page is an answer to a Query.
type Page struct {
	Items []Doc
	// Total is how many documents match in all; -1 when it was not asked for.
	Total int64
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// asText binds a JSON document as text, which SQLite's JSON functions want, without copying it.
func asText(doc []byte) string { return unsafe.String(unsafe.SliceData(doc), len(doc)) }
