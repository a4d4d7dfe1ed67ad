// Package message tells customers what became of their orders.
package message

import (
	"context"
	"log/slog"

	"github.com/demarc-bss/demarc/internal/order"
)

// Log writes messages to a log instead of sending them: for development, and where nobody is told. The number that a
// message is for is left out of it.
type Log struct{ Logger *slog.Logger }

// Notify implements order.Notifier.
func (l Log) Notify(ctx context.Context, m order.Message) error {
	l.Logger.DebugContext(ctx, "a customer is told", "message", m.ID, "subscription", m.Line, "text", m.Text)
	return nil
}
