package message

import (
	"context"
	"errors"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/demarc-bss/demarc/internal/connect/message/smpp"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/message"
)

// SMS sends short messages over SMPP.
type SMS struct {
	client *smpp.Client
	clock  clock.Clock
}

// Reports takes what is reported of a part; known is false when nobody here has sent it (message.Service.Report).
type Reports func(ctx context.Context, r message.Report) (known bool, err error)

// NewSMS makes the channel; reports are told to the one given.
func NewSMS(o smpp.Options, reports Reports) *SMS {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	return &SMS{clock: o.Clock, client: smpp.New(o, func(ctx context.Context, r smpp.Receipt) (bool, error) {
		return reports(ctx, message.Report{Channel: message.SMS, Part: r.ID, Delivered: r.Delivered, Reason: r.Reason})
	})}
}

// Start keeps the connection open, for reports.
func (s *SMS) Start() { s.client.Start() }

// Stop takes leave of the message centre.
func (s *SMS) Stop(ctx context.Context) { s.client.Close(ctx) }

// Send implements message.Connector.
func (s *SMS) Send(ctx context.Context, e message.Envelope) (message.Taken, error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(e.ID))                          // never fails
	parts, err := smpp.Split(e.Text, byte(h.Sum32()%256)) // the same when it is sent again, so that parts of both fit together
	if err != nil {
		return message.Taken{}, &message.Refused{Reason: err.Error()}
	}
	out := message.Taken{Reports: true}
	for n := len(e.Before); n < len(parts); n++ {
		id, err := s.client.Submit(ctx, smpp.Message{
			Key: e.ID + "/" + strconv.Itoa(n), From: sender(e), To: e.To, Part: parts[n], Life: e.Expires.Sub(s.clock.Now()),
		})
		if err != nil {
			if status, ok := errors.AsType[smpp.Status](err); ok && status.Permanent() {
				err = &message.Refused{Reason: status.Error()}
			}
			return out, err
		}
		out.Parts = append(out.Parts, id)
	}
	return out, nil
}

// mostLetters is how many letters a sender has at most (3GPP TS 23.040, 9.1.2.5).
const mostLetters = 11

// sender is whom a message is from: as the service provider has it, else its name as far as it fits.
func sender(e message.Envelope) string {
	if e.From != "" {
		return e.From
	}
	name := strings.Map(func(r rune) rune {
		if r == ' ' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, e.FromName)
	return strings.TrimSpace(name[:min(len(name), mostLetters)])
}
