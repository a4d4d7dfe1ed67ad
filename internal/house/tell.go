package house

import (
	"context"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/message"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// teller tells customers what became of their orders.
type teller struct{ *House }

// Notify implements order.Notifier.
func (t teller) Notify(ctx context.Context, m order.Message) error {
	return t.Messages.Tell(ctx, message.Order{Template: "order." + m.Process, Key: "order/" + m.ID, Line: m.Line})
}

// warn tells the holder of a line that a balance is low or used up, in the transaction in which it became so.
func (h *House) warn(ctx context.Context, e event.Event) error {
	var b balance.Bucket
	if err := json.Unmarshal(e.Document, &b); err != nil {
		return fault.Internalf(err, "the balance %s cannot be read", e.Subject)
	}
	if !b.SubscriptionID.Is(subscription.Kind) {
		return nil
	}
	o := message.Order{Template: "balance.low", Line: b.SubscriptionID, Data: map[string]string{"bucket": b.Name}}
	left, some := inWords(b)
	if o.Data["left"] = left; !some {
		o.Template = "balance.empty"
	}
	return h.Messages.Tell(ctx, o)
}

// inWords is what a balance has left, for people; some is false when it is nothing.
func inWords(b balance.Bucket) (text string, some bool) {
	n, err := balance.Count(b.Unit, b.Remaining)
	if err != nil || n <= 0 {
		return "", false
	}
	switch b.UsageType {
	case balance.Data:
		return strconv.FormatInt((n+999_999)/1_000_000, 10) + " MB", true
	case balance.Voice:
		return strconv.FormatInt((n+59)/60, 10) + " min", true
	case balance.SMS:
		return strconv.FormatInt(n, 10) + " SMS", true
	}
	return balance.Decimal(b.Unit, n) + " " + b.Unit, true
}
