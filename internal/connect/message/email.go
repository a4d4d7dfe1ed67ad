package message

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/message"
)

// Security is how a mail server is spoken to in private.
type Security string

// StartTLS is needed unless the connection is TLS from the beginning; Plain is for servers on the same machine or network.
const (
	StartTLS Security = "starttls"
	TLS      Security = "tls"
	Plain    Security = "no"
)

// EmailOptions say where mail goes. The zero value of a field means its default, except Address and Sender.
type EmailOptions struct {
	// Address is host:port of a mail server that takes messages in (RFC 6409).
	Address string
	// User and Password; without them nobody logs in.
	User, Password string
	Security       Security
	// Config is that of TLS; the host's name by default.
	Config *tls.Config
	// Sender is the address that mail comes from where the service provider has none.
	Sender string
	// Timeout bounds one delivery (default 30 s).
	Timeout time.Duration
	Clock   clock.Clock
}

// Email sends messages by SMTP (RFC 5321).
type Email struct {
	o    EmailOptions
	host string
}

// NewEmail makes the channel; an address or sender that is none is an error.
func NewEmail(o EmailOptions) (*Email, error) {
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil || host == "" {
		return nil, errors.New("the mail server is host:port")
	}
	if a, err := mail.ParseAddress(o.Sender); err != nil || a.Address != o.Sender {
		return nil, errors.New("mail needs a sender: an address such as info@example.com")
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Security == "" {
		o.Security = StartTLS
	}
	if o.Config == nil {
		o.Config = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	return &Email{o, host}, nil
}

// Send implements message.Connector.
func (m *Email) Send(ctx context.Context, e message.Envelope) (message.Taken, error) {
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	c, err := m.open(ctx)
	if err != nil {
		return message.Taken{}, fmt.Errorf("the mail server cannot be reached: %w", err)
	}
	defer func() { _ = c.Close() }()
	id, err := m.deliver(c, e)
	if err != nil {
		return message.Taken{}, err
	}
	_ = c.Quit() // the server has the message: what it says of the farewell does not matter
	return message.Taken{Parts: []string{id}}, nil
}

func (m *Email) open(ctx context.Context) (*smtp.Client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", m.o.Address)
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	if m.o.Security == TLS {
		conn = tls.Client(conn, m.o.Config)
	}
	c, err := smtp.NewClient(conn, m.host)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if err := m.greet(c); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (m *Email) greet(c *smtp.Client) error {
	if err := c.Hello("demarc"); err != nil {
		return err
	}
	if m.o.Security == StartTLS {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errors.New("the mail server does not offer STARTTLS")
		}
		if err := c.StartTLS(m.o.Config); err != nil {
			return err
		}
	}
	if m.o.User == "" {
		return nil
	}
	return c.Auth(login{user: m.o.User, password: m.o.Password, plain: m.o.Security == Plain})
}

// login is PLAIN (RFC 4616), else LOGIN, as the server offers. A password goes over a connection without TLS only where that
// was chosen.
type login struct {
	user, password string
	plain          bool
}

// Start implements smtp.Auth.
func (l login) Start(s *smtp.ServerInfo) (string, []byte, error) {
	if !s.TLS && !l.plain {
		return "", nil, errors.New("a password is not sent in clear")
	}
	for _, offered := range s.Auth {
		if strings.EqualFold(offered, "PLAIN") {
			return "PLAIN", []byte("\x00" + l.user + "\x00" + l.password), nil
		}
	}
	return "LOGIN", nil, nil
}

// Next implements smtp.Auth.
func (l login) Next(asked []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	switch strings.ToLower(strings.TrimSuffix(string(asked), ":")) {
	case "username":
		return []byte(l.user), nil
	case "password":
		return []byte(l.password), nil
	}
	return nil, errors.New("the mail server asks for something else than name and password")
}

// deliver hands the message over and gives its Message-ID.
func (m *Email) deliver(c *smtp.Client, e message.Envelope) (id string, err error) {
	from := e.From
	if from == "" {
		from = m.o.Sender
	}
	_, at, _ := strings.Cut(from, "@")
	id = strings.ReplaceAll(e.ID, "/", ".") + "@" + at
	if err := c.Mail(from); err != nil {
		return "", fmt.Errorf("the mail server refuses the sender: %w", words(err))
	}
	if err := c.Rcpt(e.To); err != nil {
		return "", final(err, "the mail server refuses the address")
	}
	w, err := c.Data()
	if err != nil {
		return "", fmt.Errorf("the mail server takes no message: %w", words(err))
	}
	if _, err := w.Write(m.text(e, from, id)); err != nil {
		_ = w.Close()
		return "", fmt.Errorf("the mail server broke off: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", final(err, "the mail server refuses the message")
	}
	return id, nil
}

// final tells a refusal for good (5yz) from one for now (RFC 5321, 4.2.1).
func final(err error, what string) error {
	if p, ok := errors.AsType[*textproto.Error](err); ok && p.Code/100 == 5 {
		return &message.Refused{Reason: fmt.Sprintf("%s (%d)", what, p.Code)}
	}
	return fmt.Errorf("%s: %w", what, words(err))
}

// words are the code alone of what a server answers: its text may repeat the address.
func words(err error) error {
	if p, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Errorf("code %d", p.Code)
	}
	return err
}

// text is the message as it is sent (RFC 5322, RFC 2045).
func (m *Email) text(e message.Envelope, from, id string) []byte {
	var b bytes.Buffer
	head := func(name, value string) {
		b.WriteString(name + ": " + strings.NewReplacer("\r", "", "\n", " ").Replace(value) + "\r\n")
	}
	head("From", (&mail.Address{Name: e.FromName, Address: from}).String())
	head("To", (&mail.Address{Address: e.To}).String())
	if e.ReplyTo != "" {
		head("Reply-To", (&mail.Address{Address: e.ReplyTo}).String())
	}
	head("Subject", mime.QEncoding.Encode("utf-8", e.Subject))
	head("Date", m.o.Clock.Now().Format(time.RFC1123Z))
	head("Message-ID", "<"+id+">")
	if e.Language != "" {
		head("Content-Language", e.Language)
	}
	head("Auto-Submitted", "auto-generated")
	head("MIME-Version", "1.0")
	head("Content-Type", "text/plain; charset=utf-8")
	head("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	_, _ = q.Write([]byte(strings.ReplaceAll(strings.ReplaceAll(e.Text, "\r\n", "\n"), "\n", "\r\n"))) // a buffer never fails
	_ = q.Close()
	b.WriteString("\r\n")
	return b.Bytes()
}
