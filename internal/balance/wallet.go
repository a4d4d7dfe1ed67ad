package balance

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// Wallet is the buckets that a line may spend, loaded once in a transaction: its own and those that its account
// shares. Its methods decide in memory; Save writes what they did. So a batch of usage costs each bucket one
// write however many records move it.
type Wallet struct {
	// Line and Account are whose buckets they are.
	Line, Account id.ID
	// Held are the buckets in the order in which they are consumed: lower priority, then earlier end, then rollover
	// before personal before group, then older.
	Held []*Held
}

// Held is a bucket in a Wallet.
type Held struct {
	ID     id.ID
	Bucket Bucket
	// Left is what it holds now, less what is reserved, in ledger units. Floor is how far down it may go: 0, or
	// the negative of a credit limit.
	Left, Floor int64
}

// Wallet loads what a line may spend; call it within a Write, and Save before that ends.
func (s *Service) Wallet(_ context.Context, _ id.ID) (*Wallet, error) {
	return nil, fault.Internalf(nil, "not there yet")
}

// Money is the main money bucket; nil when the line has none.
func (w *Wallet) Money() *Held { return nil }

// Open adds a bucket with what it is granted.
func (w *Wallet) Open(_ Grant, _ Cause) (*Held, error) {
	return nil, fault.Internalf(nil, "not there yet")
}

// Move books movements as one posting: all or none. Faults as those of Service.Move.
func (w *Wallet) Move(_ Cause, _ ...Movement) error { return fault.Internalf(nil, "not there yet") }

// Charge takes a price out of a money bucket, as sales and the tax in it; both in micros. usage counts it
// towards the month's spending.
func (w *Wallet) Charge(_ Cause, _ *Held, _, _ int64, _ bool) error {
	return fault.Internalf(nil, "not there yet")
}

// Spent is what was spent on usage in the calendar month of t at loc, in micros.
func (w *Wallet) Spent(_ time.Time, _ *time.Location) int64 { return 0 }

// Save writes postings, balances and buckets. Events tell thresholds that were crossed.
func (s *Service) Save(_ context.Context, _ *Wallet) error {
	return fault.Internalf(nil, "not there yet")
}
