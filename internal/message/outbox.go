package message

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

// JobSend is the kind of the jobs that hand a message to a channel, or end the wait for its report.
const JobSend = "message.send"

// attempts is how often a send job may fail for demarc's own reasons. A channel that does not take a message is no failure
// of the job: it promises the next call itself, until the message expires.
const attempts = 1000

const (
	// longestPause is between two calls of a channel.
	longestPause = 15 * time.Minute
	// reportGrace is how long after a message's expiry a delivery report may come.
	reportGrace = time.Hour
)

// partClaim leads from what a channel calls a part to the message that it is of.
const partClaim = "message.part"

// registry is the tenant under which parts are found: a number that no service provider can have, since a delivery report
// does not say whose message it is about.
const registry = 1_000_000_001

// sending is the payload of a send job: the message, which of its receivers, and how many calls were made before. A job
// that another overtook has nothing to do.
type sending struct {
	Message  id.ID `json:"message"`
	Receiver int   `json:"receiver"`
	Calls    int   `json:"calls"`
	// Lapse says that the report was waited for long enough.
	Lapse bool `json:"lapse,omitzero"`
}

func (s *Service) promise(ctx context.Context, i id.ID, receiver, calls int, at time.Time) error {
	return s.enqueue(ctx, sending{Message: i, Receiver: receiver, Calls: calls}, at)
}

func (s *Service) enqueue(ctx context.Context, p sending, at time.Time) error {
	payload, err := json.Marshal(p)
	if err != nil {
		return fault.Internalf(err, "a job cannot be written down")
	}
	key := fmt.Sprintf("%s/%d/%d", p.Message, p.Receiver, p.Calls)
	if p.Lapse {
		key += "/lapse"
	}
	home, _ := p.Message.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{Kind: JobSend, Key: key, Payload: payload, RunAt: at, MaxAttempts: attempts})
	return err
}

// send takes a message to one receiver a call on.
func (s *Service) send(ctx context.Context, j job.Job) error {
	var p sending
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return job.Permanent{Err: err}
	}
	v, d, err := s.due(ctx, p)
	if err != nil || d == nil {
		return err
	}
	if p.Lapse {
		return s.record(ctx, p, func(d *Delivery, now time.Time) { d.end(Delivered, "no report came", now) })
	}
	if !s.store.Now(ctx).Before(*v.Expires) {
		return s.record(ctx, p, func(d *Delivery, now time.Time) {
			d.end(Undone, "it could not be sent in time: "+cmp.Or(d.LastError, "it was too late"), now)
		})
	}
	e, err := s.envelope(ctx, p, v, *d)
	if err != nil {
		return err
	}
	o, done := s.known.get(e.ID)
	if !done {
		o.taken, o.err = s.hand(ctx, e)
		refused, _ := errors.AsType[*Refused](o.err)
		if ctx.Err() != nil && o.err != nil && refused == nil && len(o.taken.Parts) == 0 {
			return o.err // the worker stops, or the lease ends: the job is handed back as it is
		}
		s.known.put(e.ID, o)
	}
	if err := s.took(context.WithoutCancel(ctx), p, o); err != nil {
		return err
	}
	s.known.drop(e.ID)
	return nil
}

// due is the message and delivery that a job is about; the delivery is nil when there is nothing left to do.
func (s *Service) due(ctx context.Context, p sending) (v Message, d *Delivery, err error) {
	v, _, err = s.Messages.Get(ctx, p.Message)
	if fault.KindOf(err) == fault.NotFound {
		return v, nil, nil // it was deleted
	}
	if err != nil || p.Receiver >= len(v.Deliveries) {
		return v, nil, err
	}
	d = &v.Deliveries[p.Receiver]
	if v.State == Cancelled || !d.open(p) {
		d = nil
	}
	return v, d, nil
}

// open reports whether a delivery is where a job left it.
func (d *Delivery) open(p sending) bool {
	if p.Lapse {
		return d.State == Sent
	}
	return d.State == Waiting && d.Attempts == p.Calls
}

func (d *Delivery) end(to Progress, why string, now time.Time) {
	d.State, d.Reason, d.Ended = to, clip(why), &now
}

// envelope is a message to one receiver with all that its channel needs.
func (s *Service) envelope(ctx context.Context, p sending, v Message, d Delivery) (e Envelope, err error) {
	sc, err := scope.From(ctx)
	if err != nil {
		return e, err
	}
	rules, err := s.Providers.Rules(ctx)
	if err != nil {
		return e, err
	}
	e = Envelope{
		ID: fmt.Sprintf("%s/%d", p.Message, p.Receiver), SPID: sc.SPID(), Channel: d.Channel, To: d.To, FromName: rules.Name, Language: v.Language,
		Subject: v.Subject, Text: v.Content, Shown: v.Content, Expires: *v.Expires, Before: slices.Clone(d.Parts),
	}
	if v.Template == "" {
		e.ReplyTo, _ = mailbox(v.Sender.Email)
	}
	if m := rules.Policy.Message; m != nil {
		e.From = map[Channel]string{SMS: m.SMSSender, Email: m.EmailSender}[d.Channel]
	}
	w, sealed, err := s.unseal(ctx, p.Message)
	if sealed {
		e.Subject, e.Text = w.Subject, w.Content
	}
	return e, err
}

func (s *Service) hand(ctx context.Context, e Envelope) (Taken, error) {
	way := s.Connectors[e.Channel]
	if way == nil {
		return Taken{}, fmt.Errorf("there is no way to send %s", wireName(e.Channel))
	}
	return way.Send(ctx, e)
}

// took records what came of a call.
func (s *Service) took(ctx context.Context, p sending, o outcome) error {
	return s.record(ctx, p, func(d *Delivery, now time.Time) {
		d.Attempts++
		d.Parts = append(d.Parts, o.taken.Parts...)
		refused, no := errors.AsType[*Refused](o.err)
		switch {
		case no:
			d.end(Undone, refused.Reason, now)
		case o.err != nil:
			d.LastError = clip(o.err.Error())
		case o.taken.Reports:
			d.State, d.LastError = Sent, ""
		default:
			d.LastError = ""
			d.end(Delivered, "", now)
		}
	})
}

// errAsItWas ends a change that has nothing to change.
var errAsItWas = fault.New(fault.Conflict, "nothingToChange", "it is as it should be")

// record changes a delivery that is where a job left it, and promises what follows.
func (s *Service) record(ctx context.Context, p sending, change func(d *Delivery, now time.Time)) error {
	err := s.store.Write(ctx, func(ctx context.Context) error {
		now := s.store.Now(ctx)
		before := 0
		v, err := s.Messages.Change(ctx, p.Message, func(v *Message) error {
			d := &v.Deliveries[p.Receiver]
			if !d.open(p) {
				return errAsItWas
			}
			before = len(d.Parts)
			change(d, now)
			if d.State == Waiting && v.TryTimes != nil && d.Attempts > *v.TryTimes {
				d.end(Undone, "it was tried often enough: "+d.LastError, now)
			}
			v.moved(now)
			return nil
		})
		if err != nil {
			return err
		}
		return s.follow(ctx, p, v, before, now)
	})
	if errors.Is(err, errAsItWas) || fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// moved settles a message after one of its deliveries went on.
func (v *Message) moved(now time.Time) {
	v.own = true
	if v.SendTime == nil && slices.ContainsFunc(v.Deliveries, func(d Delivery) bool { return len(d.Parts) > 0 || d.State == Sent || d.State == Delivered }) {
		v.SendTime = &now
	}
	v.settle(now)
}

// follow promises the next call of a delivery that waits, and the end of the wait for the report of one that was sent. The
// parts from before on are new: they are found by what the channel calls them.
func (s *Service) follow(ctx context.Context, p sending, v Message, before int, now time.Time) error {
	d := v.Deliveries[p.Receiver]
	for _, part := range d.Parts[min(before, len(d.Parts)):] {
		if d.State != Sent && d.State != Waiting {
			break
		}
		if err := s.register(ctx, p, d.Channel, part); err != nil {
			return err
		}
	}
	switch d.State {
	case Waiting:
		at := now.Add(min(job.Backoff(d.Attempts), longestPause))
		if v.Expires.Before(at) {
			at = *v.Expires
		}
		return s.promise(ctx, p.Message, p.Receiver, d.Attempts, at)
	case Sent:
		if err := s.store.Unclaim(ctx, sealClaim, string(p.Message)); err != nil { // what has secrets has one receiver
			return err
		}
		return s.enqueue(ctx, sending{Message: p.Message, Receiver: p.Receiver, Calls: d.Attempts, Lapse: true}, v.Expires.Add(reportGrace))
	}
	return nil
}

// register has a part found by what its channel calls it. Channels begin anew with their names: the newest holds.
func (s *Service) register(ctx context.Context, p sending, c Channel, part string) error {
	if s.As == nil || part == "" {
		return nil
	}
	sc, err := scope.From(ctx)
	if err != nil {
		return err
	}
	at := s.As(ctx, registry)
	value := string(c) + "/" + part
	if err := s.store.Unclaim(at, partClaim, value); err != nil {
		return err
	}
	return s.store.Claim(at, partClaim, value, id.ID(fmt.Sprintf("%d/%s/%d", sc.SPID(), p.Message, p.Receiver)))
}

// forgetParts takes the parts of a message off the registry.
func (s *Service) forgetParts(ctx context.Context, v *Message) error {
	if s.As == nil {
		return nil
	}
	at := s.As(ctx, registry)
	for _, d := range v.Deliveries {
		for _, part := range d.Parts {
			if err := s.store.Unclaim(at, partClaim, string(d.Channel)+"/"+part); err != nil {
				return err
			}
		}
	}
	return nil
}

// Report is what a channel says of a part that it took before.
type Report struct {
	Channel Channel
	Part    string
	// Delivered or, with a reason, not.
	Delivered bool
	Reason    string
}

// Report takes a delivery report; known is false for a part that nobody here has sent, or whose sending is not recorded
// yet. The same report again changes nothing.
func (s *Service) Report(ctx context.Context, r Report) (known bool, err error) {
	if s.As == nil {
		return false, nil
	}
	of, err := s.store.Claimant(s.As(ctx, registry), partClaim, string(r.Channel)+"/"+r.Part)
	if err != nil || of == "" {
		return false, err
	}
	parts := strings.Split(string(of), "/")
	if len(parts) != 3 {
		return false, fault.Internalf(fmt.Errorf("a part is registered as %q", of), "the report cannot be taken")
	}
	spid, err := strconv.Atoi(parts[0])
	if err != nil {
		return false, fault.Internalf(err, "the report cannot be taken")
	}
	receiver, err := strconv.Atoi(parts[2])
	if err != nil {
		return false, fault.Internalf(err, "the report cannot be taken")
	}
	return true, s.reported(s.As(ctx, spid), id.ID(parts[1]), receiver, r)
}

func (s *Service) reported(ctx context.Context, i id.ID, receiver int, r Report) error {
	err := s.store.Write(ctx, func(ctx context.Context) error {
		now := s.store.Now(ctx)
		_, err := s.Messages.Change(ctx, i, func(v *Message) error {
			if receiver >= len(v.Deliveries) {
				return errAsItWas
			}
			if !v.Deliveries[receiver].report(r, now) {
				return errAsItWas
			}
			v.moved(now)
			return nil
		})
		return err
	})
	if errors.Is(err, errAsItWas) || fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// report applies a report; it is false when that changes nothing.
func (d *Delivery) report(r Report, now time.Time) bool {
	if d.State != Sent && d.State != Waiting || slices.Contains(d.Reported, r.Part) {
		return false
	}
	if !r.Delivered {
		d.end(Undone, cmp.Or(r.Reason, "it was not delivered"), now)
		return true
	}
	d.Reported = append(slices.Clone(d.Reported), r.Part)
	if d.State == Sent && len(d.Reported) >= len(d.Parts) {
		d.end(Delivered, "", now)
	}
	return true
}
