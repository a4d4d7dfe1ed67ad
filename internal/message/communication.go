package message

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// State is where a message stands (TMF681 CommunicationMessageStateType).
type State string

// A message is Initial until it was first handed to a channel, InProgress while a channel is asked again or a delivery
// report is to come, and the rest for good.
const (
	Initial    State = "initial"
	InProgress State = "inProgress"
	Completed  State = "completed"
	Cancelled  State = "cancelled"
	Failed     State = "failed"
)

// Final reports whether nothing follows.
func (s State) Final() bool { return s == Completed || s == Cancelled || s == Failed }

// Message is a message to one or more receivers (TMF681 CommunicationMessage).
type Message struct {
	Type  string `json:"@type,omitzero"`
	State State  `json:"state,omitzero"`
	// MessageType is how it is sent: "SMS", "Email", "Push" or another spelling of these.
	MessageType string `json:"messageType"`
	// Subject and Content are what it says; secrets in them are masked.
	Subject           string     `json:"subject,omitzero"`
	Content           string     `json:"content"`
	ScheduledSendTime *time.Time `json:"scheduledSendTime,omitzero"`
	// SendTime is when a channel first took it, SendTimeComplete when it came to its last state.
	SendTime         *time.Time `json:"sendTime,omitzero"`
	SendTimeComplete *time.Time `json:"sendTimeComplete,omitzero"`
	// TryTimes is how often it is sent again; nil: until it expires.
	TryTimes *int       `json:"tryTimes,omitzero"`
	Receiver []Receiver `json:"receiver"`
	Sender   Sender     `json:"sender"`

	// What follows is demarc's own.

	// StatusReason says why it failed, or what else is to be said.
	StatusReason string `json:"statusReason,omitzero"`
	// Template names the words, Language those of the customer; without a template a client wrote it.
	Template       string     `json:"template,omitzero"`
	Language       string     `json:"language,omitzero"`
	SubscriptionID id.ID      `json:"subscriptionId,omitzero"`
	AccountID      id.ID      `json:"accountId,omitzero"`
	Expires        *time.Time `json:"expires,omitzero"`
	Deliveries     []Delivery `json:"delivery,omitzero"`
	Rest           sid.Rest   `json:",embed"`

	// own says that demarc makes or changes it, not a client.
	own bool
}

// Receiver is one that a message is for (TMF681 Receiver).
type Receiver struct {
	ID          string   `json:"id,omitzero"`
	AppUserID   string   `json:"appUserId,omitzero"`
	Email       string   `json:"email,omitzero"`
	Name        string   `json:"name,omitzero"`
	PhoneNumber string   `json:"phoneNumber,omitzero"`
	Party       *sid.Ref `json:"party,omitzero"`
	Rest        sid.Rest `json:",embed"`
}

// Sender is whom a message is from (TMF681 Sender). Messages leave under the service provider's own sender; an e-mail is
// answered to the one named here.
type Sender struct {
	ID          string   `json:"id,omitzero"`
	Email       string   `json:"email,omitzero"`
	Name        string   `json:"name,omitzero"`
	PhoneNumber string   `json:"phoneNumber,omitzero"`
	Rest        sid.Rest `json:",embed"`
}

// Progress is where the delivery to one receiver stands.
type Progress string

// A delivery waits until its channel takes it, is taken until it is reported on, and delivered or failed for good.
const (
	Waiting   Progress = "waiting"
	Sent      Progress = "sent"
	Delivered Progress = "delivered"
	Undone    Progress = "failed"
)

// Delivery is the way of a message to one receiver.
type Delivery struct {
	Channel Channel  `json:"channel,omitzero"`
	To      string   `json:"to,omitzero"`
	State   Progress `json:"state"`
	// Attempts counts the calls of the channel, and LastError says what came of the last one that failed.
	Attempts  int    `json:"attempts,omitzero"`
	LastError string `json:"lastError,omitzero"`
	// Parts are what the channel calls the parts that it took, Reported those of them that were delivered.
	Parts    []string   `json:"part,omitzero"`
	Reported []string   `json:"reported,omitzero"`
	Reason   string     `json:"reason,omitzero"`
	Ended    *time.Time `json:"ended,omitzero"`
}

const (
	mostReceivers = 100
	mostContent   = 20_000
	mostTries     = 100
	mostReason    = 300
	domain        = "communicationManagement"
)

// channelOf is the channel that a client's words mean; empty when there is none such.
func channelOf(messageType string) Channel {
	plain := strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(messageType))
	switch plain {
	case "sms", "shortmessage", "text", "textmessage":
		return SMS
	case "email", "mail":
		return Email
	case "push", "pushnotification", "mobileapppushnotification", "mobileapppush", "mobileappnotification", "apppush":
		return Push
	}
	return ""
}

// wireName is what a channel is called on the wire.
func wireName(c Channel) string {
	return map[Channel]string{SMS: "SMS", Email: "Email", Push: "Push"}[c]
}

func (s *Service) rules() resource.Rules[Message] {
	return resource.Rules[Message]{
		Domain: domain,
		Home:   (*Message).home,
		Create: s.create,
		Change: s.change,
		Remove: func(_ context.Context, v *Message) error {
			if v.State == InProgress {
				return fault.Conflictf(CodeState, "the message is on its way")
			}
			return nil
		},
		After: s.after,
		State: func(v *Message) string { return string(v.State) },
		Fixed: []string{"delivery", "template", "language", "subscriptionId", "accountId", "expires", "statusReason", "sendTime", "sendTimeComplete"},
	}
}

func (v *Message) home() (id.Home, bool) {
	if h, ok := v.SubscriptionID.Home(); ok {
		return h, true
	}
	return v.AccountID.Home()
}

// create completes a message. That it cannot be sent is recorded as its failure.
func (s *Service) create(ctx context.Context, _ id.ID, v *Message, now time.Time) error {
	if v.Type == "" {
		v.Type = "CommunicationMessage"
	}
	if !v.own {
		v.Template, v.Language, v.SubscriptionID, v.AccountID = "", "", "", ""
	}
	v.StatusReason, v.SendTime, v.SendTimeComplete = "", nil, nil
	if err := v.check(); err != nil {
		return err
	}
	return s.plan(ctx, v, now)
}

func (v *Message) check() error {
	var found fault.Several
	if strings.TrimSpace(v.Content) == "" || len(v.Content) > mostContent {
		found.Invalidf("content", "content is mandatory and has at most %d bytes", mostContent)
	}
	if strings.TrimSpace(v.MessageType) == "" {
		found.Invalidf("messageType", "messageType is mandatory: SMS, Email or Push")
	}
	if len(v.Receiver) == 0 || len(v.Receiver) > mostReceivers {
		found.Invalidf("receiver", "a message has 1 to %d receivers", mostReceivers)
	}
	if v.TryTimes != nil && (*v.TryTimes < 0 || *v.TryTimes > mostTries) {
		found.Invalidf("tryTimes", "tryTimes is 0 to %d", mostTries)
	}
	if strings.ContainsAny(v.Subject, "\r\n") {
		found.Invalidf("subject", "a subject is one line")
	}
	return found.Err()
}

// plan says how each receiver is reached, and until when that is tried.
func (s *Service) plan(ctx context.Context, v *Message, now time.Time) error {
	begin := now
	if v.ScheduledSendTime != nil && v.ScheduledSendTime.After(now) {
		begin = *v.ScheduledSendTime
	}
	if v.Expires == nil || !v.own {
		life, err := s.life(ctx)
		if err != nil {
			return err
		}
		end := begin.Add(life)
		v.Expires = &end
	}
	v.State = Initial
	if !v.own || len(v.Deliveries) == 0 {
		v.Deliveries = make([]Delivery, len(v.Receiver))
		c := channelOf(v.MessageType)
		for n, r := range v.Receiver {
			to, why, err := s.address(ctx, c, v.MessageType, r)
			if err != nil {
				return err
			}
			v.Deliveries[n] = Delivery{Channel: c, To: to, State: Waiting}
			if why != "" {
				v.Deliveries[n] = Delivery{Channel: c, To: to, State: Undone, Reason: why, Ended: &now}
			}
		}
	}
	v.settle(now)
	return nil
}

// settle brings the state of a message in line with its deliveries.
func (v *Message) settle(now time.Time) {
	var waiting, sent, done, undone int
	why := ""
	for _, d := range v.Deliveries {
		switch d.State {
		case Waiting:
			waiting++
			if d.Attempts > 0 {
				sent++
			}
		case Sent:
			sent++
		case Delivered:
			done++
			if d.Reason != "" {
				why = d.Reason
			}
		case Undone:
			undone++
			why = d.Reason
		}
	}
	switch {
	case sent > 0 || waiting > 0 && done > 0:
		v.State = InProgress
		return
	case waiting > 0:
		v.State = Initial
		return
	case done > 0:
		v.State = Completed
	default:
		v.State = Failed
	}
	v.StatusReason = why
	if undone > 0 && len(v.Deliveries) > 1 {
		v.StatusReason = fmt.Sprintf("%d of %d receivers were not reached: %s", undone, len(v.Deliveries), why)
	}
	v.SendTimeComplete = &now
}

// change checks what a client changes: a message that nobody has begun to send may still say something else.
func (s *Service) change(ctx context.Context, prev, next *Message, now time.Time) error {
	if next.own {
		return nil
	}
	if !same(prev.SendTime, next.SendTime) || !same(prev.SendTimeComplete, next.SendTimeComplete) {
		return fault.Invalidf("sendTime", "when a message was sent nobody but demarc says")
	}
	was, err := prev.said()
	if err != nil {
		return err
	}
	is, err := next.said()
	if err != nil {
		return err
	}
	switch {
	case prev.State == next.State && was == is:
		return nil
	case prev.State != Initial:
		return fault.Conflictf(CodeState, "a message that is %s says and does what it did", prev.State).At("state")
	case next.State == Cancelled && was == is:
		next.SendTimeComplete = &now
		return nil
	case next.State != Initial:
		return fault.Conflictf(CodeState, "a message that is %s cannot become %s", prev.State, next.State).At("state")
	case prev.Template != "":
		return fault.Conflictf(CodeState, "what is said in the words of a template is not changed: cancel it").At("content")
	}
	if err := next.check(); err != nil {
		return err
	}
	return s.plan(ctx, next, now)
}

// said is what decides on what is sent, to whom and when.
func (v *Message) said() (string, error) {
	body, err := json.Marshal(Message{
		MessageType: v.MessageType, Subject: v.Subject, Content: v.Content, ScheduledSendTime: v.ScheduledSendTime, TryTimes: v.TryTimes,
		Receiver: v.Receiver, Sender: v.Sender,
	}, json.Deterministic(true))
	text := jsontext.Value(body)
	if err == nil {
		err = text.Canonicalize()
	}
	if err != nil {
		return "", fault.Internalf(err, "a message cannot be written")
	}
	return string(text), nil
}

func same(a, b *time.Time) bool { return a == nil && b == nil || a != nil && b != nil && a.Equal(*b) }

// after promises what a new or changed message needs, and forgets what one that ended does not need any more.
func (s *Service) after(ctx context.Context, i id.ID, prev, next *Message) error {
	if next == nil || next.State.Final() {
		if next == nil {
			next = prev
		}
		return s.forget(ctx, i, next)
	}
	if prev != nil && next.own {
		return nil // who changed it promises what follows
	}
	at := s.store.Now(ctx)
	if next.ScheduledSendTime != nil && next.ScheduledSendTime.After(at) {
		at = *next.ScheduledSendTime
	}
	for n, d := range next.Deliveries {
		if d.State != Waiting {
			continue
		}
		if err := s.promise(ctx, i, n, d.Attempts, at); err != nil {
			return err
		}
	}
	return nil
}

// life is for how long messages of the service provider are tried.
func (s *Service) life(ctx context.Context) (time.Duration, error) {
	rules, err := s.Providers.Rules(ctx)
	if err != nil {
		return 0, err
	}
	hours := defaultHours
	if m := rules.Policy.Message; m != nil && m.ExpiryHours != nil {
		hours = *m.ExpiryHours
	}
	return time.Duration(hours) * time.Hour, nil
}

// defaultHours is after how many hours a message that could not be sent is given up.
const defaultHours = 48

func clip(text string) string {
	if len(text) <= mostReason {
		return text
	}
	cut := mostReason
	for cut > 0 && text[cut]&0xc0 == 0x80 { // not in the middle of a character
		cut--
	}
	return text[:cut] + "…"
}
