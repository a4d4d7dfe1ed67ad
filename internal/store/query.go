package store

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// Op is a comparison of a filter (TMF630 part 1, "Query resources").
type Op string

// The comparisons. Regex is an RE2 expression that may match anywhere in the value.
const (
	Eq    Op = "eq"
	Ne    Op = "ne"
	Gt    Op = "gt"
	Gte   Op = "gte"
	Lt    Op = "lt"
	Lte   Op = "lte"
	Regex Op = "regex"
)

// Type is what a filter compares as.
type Type string

// Any compares as the stored value's own type: a number with a number, a moment (RFC 3339) with a moment,
// true and false with a boolean, everything else as text.
const (
	Any     Type = ""
	Text    Type = "text"
	Number  Type = "number"
	Boolean Type = "boolean"
	Moment  Type = "moment"
)

// Filter keeps the documents in which some value at Path compares so with some value of Values. Ne keeps
// those in which no value at Path equals any of Values (a document without the attribute is kept).
type Filter struct {
	// Path leads to the value from the document's root; arrays on the way are looked into element by
	// element. "id" and the row's own moments are paths too.
	Path   []string
	Op     Op
	Values []string
	Type   Type
}

// Sort orders by the value at Path; documents without it come last. Equal ones stand in the order of
// their ids, so paging is stable.
type Sort struct {
	Path []string
	Desc bool
	Type Type
}

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
