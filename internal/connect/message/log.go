// Package message sends messages: short messages over SMPP, e-mails over SMTP, push messages over HTTP, or to a log.
package message

import (
	"context"
	"log/slog"

	"github.com/demarc-bss/demarc/internal/message"
)

// Log writes messages to a log instead of sending them: for development and demonstrations. Of what is secret it shows that
// it is there, and the address is left out.
type Log struct{ Logger *slog.Logger }

// Send implements message.Connector.
func (l Log) Send(ctx context.Context, e message.Envelope) (message.Taken, error) {
	l.Logger.DebugContext(ctx, "a customer is told", "message", e.ID, "channel", e.Channel, "language", e.Language, "text", e.Shown)
	return message.Taken{Parts: []string{e.ID}}, nil
}
