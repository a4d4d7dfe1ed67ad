package store

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// InsertEncoded is Insert of a document that its owner has encoded itself, a JSON object.
func (c *Collection[T]) InsertEncoded(ctx context.Context, i id.ID, body jsontext.Value) (Doc, error) {
	ch, err := c.change(ctx, i)
	if err != nil {
		return Doc{}, err
	}
	return ch.insert(ctx, body)
}

// UpdateEncoded is Update with a document that its owner has encoded itself, a JSON object.
func (c *Collection[T]) UpdateEncoded(ctx context.Context, i id.ID, version int64, body jsontext.Value) (Doc, error) {
	ch, err := c.change(ctx, i)
	if err != nil {
		return Doc{}, err
	}
	return ch.update(ctx, version, body)
}
