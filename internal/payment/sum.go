package payment

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/money"
)

// Sum is an amount that a client may have left empty: TMF676 lets an amount be an object without attributes.
type Sum struct{ money.Amount }

// sum is an amount as it stands in a document.
func sum(a money.Amount) *Sum { return &Sum{a} }

// IsZero reports whether there is no Sum at all. That of no money is one.
func (s *Sum) IsZero() bool { return s == nil }

// amount is what was said; ok is false when nothing was.
func (s *Sum) amount() (a money.Amount, ok bool) {
	if s == nil || s.Currency() == "" {
		return a, false
	}
	return s.Amount, true
}

// MarshalJSONTo writes an empty object for an amount that was not said.
func (s Sum) MarshalJSONTo(enc *jsontext.Encoder) error {
	if s.Currency() == "" {
		return enc.WriteValue(jsontext.Value(`{}`))
	}
	return s.Amount.MarshalJSONTo(enc)
}

// UnmarshalJSONFrom reads an amount, or an empty object.
func (s *Sum) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var said map[string]jsontext.Value
	if json.Unmarshal(raw, &said) == nil && len(said) == 0 {
		*s = Sum{}
		return nil
	}
	return json.Unmarshal(raw, &s.Amount)
}
