// Package message tells customers things: by short message, e-mail or push, in their language, in the words of their
// service provider (TMF681 CommunicationMessage).
//
// A message is recorded in the transaction that wants it sent. A job hands it to a channel until the channel has taken it
// or its time is over, and what the channel reports later brings it to its last state.
package message

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// The id kinds of this package.
var (
	Kind         = id.Kind{Name: "communicationMessage", Prefix: "msg"}
	TemplateKind = id.Kind{Name: "messageTemplate", Prefix: "mtp"}
)

// Channel is a way to people.
type Channel string

// The channels.
const (
	SMS   Channel = "sms"
	Email Channel = "email"
	Push  Channel = "push"
)

// Channels are all of them, in the order in which a customer is reached who can be reached by several.
var Channels = []Channel{SMS, Email, Push}

const (
	// CodeNoAddress is a customer who cannot be reached: neither a line nor a contact gives an address.
	CodeNoAddress fault.Code = "noAddress"
	// CodeNoChannel is a channel that the installation does not have.
	CodeNoChannel fault.Code = "noChannel"
	// CodeState is a change that the state of a message forbids.
	CodeState fault.Code = "messageState"
	// CodeTemplate is a second template of one name, language and channel.
	CodeTemplate fault.Code = "templateExists"
	// CodeNoSecret is an installation without a secret to seal what a message must not show.
	CodeNoSecret fault.Code = "noMessageSecret"
)

// Order is a message that is asked for.
type Order struct {
	// Template names the words ("pin.generated"); see Templates.
	Template string
	// Key makes it one message: asking again under it is asking for the same. Empty: each is its own.
	Key string
	// Line, Account or To say whom it is for: the holder of a line, that of an account, or a mobile number or e-mail
	// address alone.
	Line    id.ID
	Account id.ID
	To      string
	// Channel is how it is to be sent; empty: as the service provider prefers, and as the customer can be reached.
	Channel Channel
	// Language is a tag of BCP 47; empty: the customer's, else the service provider's.
	Language string
	// Data are the values of the template's placeholders. Secret are those that nothing keeps in clear: what is stored
	// shows them masked, and they are sealed until the message is sent, then gone.
	Data   map[string]string
	Secret map[string]string
}

// Envelope is a message to one receiver as a channel sends it.
type Envelope struct {
	// ID names it: it is the same when it is sent again.
	ID      string
	SPID    int
	Channel Channel
	// To is a mobile number in digits, an e-mail address or what an app's user is known by.
	To string
	// From is a sender of the service provider's, FromName its name; either may be empty. ReplyTo is an e-mail address.
	From, FromName, ReplyTo string
	Subject                 string
	// Text is what is sent. Shown is the same with its secrets masked: logs have nothing else.
	Text, Shown string
	Language    string
	// Expires is the moment from which on it is of no use.
	Expires time.Time
	// Before are the parts that the channel took already, by what it calls them: they are not sent again.
	Before []string
}

// Taken is what a channel says of an envelope.
type Taken struct {
	// Parts are what the channel calls the parts that it took now, in their order.
	Parts []string
	// Reports says that delivery reports follow; without them, taken is delivered.
	Reports bool
}

// Refused is the error of a channel that never takes an envelope, for whatever is wrong with it. Any other error is a call
// that is made again. Reason is for people and holds nothing of the text.
type Refused struct{ Reason string }

// Error implements error.
func (r *Refused) Error() string { return r.Reason }

// Connector is the way of a channel. Parts may have been taken when there is an error, too. Implementations:
// connect/message.
type Connector interface {
	Send(ctx context.Context, e Envelope) (Taken, error)
}

// Parts are the domains that messages span, and the ways out.
type Parts struct {
	Providers     *provider.Service
	Parties       *party.Service
	Customers     *customer.Service
	Accounts      *account.Service
	Subscriptions *subscription.Service
	// Connectors are the ways of the channels that there are.
	Connectors map[Channel]Connector
	// As is a context in which demarc itself acts at a service provider: delivery reports do not say whose message they
	// are about. Without it none are taken.
	As func(ctx context.Context, spid int) context.Context
	// Secret is the installation's, at least 16 bytes; without it no message may hold a secret.
	Secret []byte
}

// Service is all messages.
type Service struct {
	Parts
	// Messages are the messages (TMF681 CommunicationMessage), those that were sent too.
	Messages *resource.Set[Message]
	// Templates are the words of service providers' own.
	Templates *resource.Set[Template]

	store *store.Store
	box   *box
	// known remembers what a channel took and is not recorded yet.
	known *memory
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service {
	v := &Service{Parts: p, store: s, box: newBox(p.Secret), known: newMemory()}
	v.Messages = resource.New(s, store.Definition{
		Kind: Kind, Table: "communication_message", Quiet: true, // a message is its own trail
		Indexed: map[string]string{"state": "state", "messageType": "message_type", "subscriptionId": "subscription_id"},
		Loose:   []string{"receiver", "sender", "attachment", "characteristic"},
	}, v.rules())
	v.Templates = resource.New(s, store.Definition{
		Kind: TemplateKind, Table: "message_template", Indexed: map[string]string{"name": "name", "language": "language"},
	}, v.templateRules())
	return v
}

// Jobs are the handlers of this package's jobs, by kind; they wait for other systems.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{JobSend: s.send} }

// keyClaim leads from what asked for a message to it.
const keyClaim = "message.key"

// Send records a message and promises that it is sent, in the transaction in ctx or in its own. Faults: Invalid for a
// template that is none, or values that its words lack; Conflict when the customer cannot be reached (CodeNoAddress);
// Unavailable when the installation has no channel that could (CodeNoChannel), or no secret to seal what is secret
// (CodeNoSecret).
func (s *Service) Send(ctx context.Context, o Order) (i id.ID, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if o.Key != "" {
			if i, err = s.store.Claimant(ctx, keyClaim, o.Key); err != nil || i != "" {
				return err
			}
		}
		i, err = s.compose(ctx, o)
		if err != nil || o.Key == "" {
			return err
		}
		return s.store.Claim(ctx, keyClaim, o.Key, i)
	})
	return i, err
}

// Tell is Send where a message is a courtesy: who cannot be reached, or whose service provider wants nothing said of it, is
// not told. Its error is one of the database's, or a mistake in the order.
func (s *Service) Tell(ctx context.Context, o Order) error {
	if len(s.Connectors) == 0 {
		return nil
	}
	silent, err := s.silent(ctx, o.Template)
	if err != nil || silent {
		return err
	}
	_, err = s.Send(ctx, o)
	if f := fault.From(err); err != nil && (f.Code == CodeNoAddress || f.Code == CodeNoChannel) {
		return nil
	}
	return err
}

// silent reports whether the service provider wants nothing said of something.
func (s *Service) silent(ctx context.Context, template string) (bool, error) {
	rules, err := s.Providers.Rules(ctx)
	return rules.Policy.Message.Silences(template), err
}
