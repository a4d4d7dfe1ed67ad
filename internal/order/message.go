package order

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
)

// JobNotify is the kind of job that tells a customer what became of an item.
const JobNotify = "order.notify"

// Message is what a customer is told: what became of an item of an order.
type Message struct {
	// ID names the message: it is the same when it is sent again.
	ID      string
	Order   id.ID
	Process string
	// Line and Number are the subscription that it is about.
	Line   id.ID
	Number msisdn.Number
	// Text says it for people.
	Text string
}

// Notifier tells customers. An error has it tried again. Implementations: connect/message.
type Notifier interface {
	Notify(ctx context.Context, m Message) error
}

// texts are what is said of items that were carried out, by process.
var texts = map[string]string{
	newLine: "Welcome: your subscription is active.", portIn: "Welcome: your number has moved to us and is active.",
	addProduct: "What you ordered was added to your subscription.", removeProduct: "What you cancelled was taken off your subscription.",
	changePlan: "Your price plan was changed.", modifyLine: "Your subscription was changed.",
	block: "Your SIM is blocked.", unblock: "Your subscription is active again.", cease: "Your subscription has ended.",
}

// promiseMessage has the customer told.
func (s *Service) promiseMessage(ctx context.Context, w *Work) error {
	if s.Notifier == nil {
		return nil
	}
	return s.promise(ctx, job.Job{Kind: JobNotify, Key: w.Key}, w.ID, move{Order: w.ID, Item: w.Item.ID})
}

func (s *Service) notify(ctx context.Context, j job.Job) error {
	var m move
	if err := json.Unmarshal(j.Payload, &m); err != nil {
		return job.Permanent{Err: err}
	}
	v, _, err := s.Orders.Get(ctx, m.Order)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		return err
	}
	it := v.item(m.Item)
	if it == nil || s.Notifier == nil {
		return nil
	}
	w := &Work{ID: m.Order, Order: &v, Item: it}
	line, _, err := s.Subscriptions.Lines.Get(ctx, w.line())
	if err != nil {
		return err
	}
	return s.Notifier.Notify(ctx, Message{
		ID: string(m.Order) + "/" + m.Item, Order: m.Order, Process: it.Process, Line: w.line(), Number: line.MSISDN, Text: texts[it.Process],
	})
}
