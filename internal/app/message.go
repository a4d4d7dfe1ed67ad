package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/config"
	connect "github.com/demarc-bss/demarc/internal/connect/message"
	"github.com/demarc-bss/demarc/internal/connect/message/smpp"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/message"
)

// What a setting of a channel may be beside a URL: a log in its place, or nothing, also for development.
const (
	toLog = "log:"
	toOff = "off"
)

// channels are the ways that messages go, by the settings. With dev or demo on, a channel that is not set goes to the log.
// reports takes what is reported of them.
func channels(s *config.Settings, c clock.Clock, log *slog.Logger, reports connect.Reports) (map[message.Channel]message.Connector, error) {
	out := map[message.Channel]message.Connector{}
	for _, way := range []struct {
		channel message.Channel
		setting string
		at      string
		open    func(at string) (message.Connector, error)
	}{
		{message.SMS, "sms-url", s.SMSURL, func(at string) (message.Connector, error) { return shortMessages(at, c, log, reports) }},
		{message.Email, "email-url", s.EmailURL, func(at string) (message.Connector, error) { return mail(at, s.EmailSender, c) }},
		{message.Push, "push-url", s.PushURL, func(at string) (message.Connector, error) {
			return connect.NewPush(connect.PushOptions{URL: at, Key: []byte(s.PushKey), Clock: c})
		}},
	} {
		switch {
		case way.at == toOff, way.at == "" && !s.Dev && !s.Demo:
		case way.at == toLog, way.at == "":
			out[way.channel] = connect.Log{Logger: log}
		default:
			v, err := way.open(way.at)
			if err != nil {
				return nil, advise(fmt.Errorf("setting %s: %w", way.setting, err), "docs/messages.md says how it is written")
			}
			out[way.channel] = v
		}
	}
	return out, nil
}

// shortMessages is the message centre at a URL: smpp://SYSTEM-ID:PASSWORD@HOST:PORT?type=…&window=…&rate=….
func shortMessages(at string, c clock.Clock, log *slog.Logger, reports connect.Reports) (message.Connector, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "smpp" && u.Scheme != "smpps" || u.Hostname() == "" {
		return nil, errors.New("it is a URL such as smpp://SYSTEM-ID:PASSWORD@smsc.example.com:2775")
	}
	o := smpp.Options{Address: hostPort(u, "2775"), SystemID: u.User.Username(), Clock: c, Logger: log}
	o.Password, _ = u.User.Password()
	if u.Scheme == "smpps" {
		o.TLS = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	for name, values := range u.Query() {
		switch name {
		case "type":
			o.SystemType = values[0]
		case "window":
			o.Window, err = within(name, values[0], 1, 1000)
		case "rate":
			o.Rate, err = within(name, values[0], 0, 10_000)
		default:
			err = fmt.Errorf("there is no %s: there are type, window and rate", name)
		}
		if err != nil {
			return nil, err
		}
	}
	return connect.NewSMS(o, reports), nil
}

func within(name, text string, low, high int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%s is %d to %d", name, low, high)
	}
	return n, nil
}

// mail is the mail server at a URL: smtp://USER:PASSWORD@HOST:PORT?tls=no, or smtps://.
func mail(at, sender string, c clock.Clock) (message.Connector, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" {
		return nil, errors.New("it is a URL such as smtp://USER:PASSWORD@mail.example.com:587")
	}
	o := connect.EmailOptions{Address: hostPort(u, "587"), User: u.User.Username(), Sender: sender, Clock: c}
	o.Password, _ = u.User.Password()
	switch asked := u.Query().Get("tls"); {
	case u.Scheme == "smtps":
		o.Address, o.Security = hostPort(u, "465"), connect.TLS
	case asked == string(connect.Plain):
		o.Security = connect.Plain
	case asked != "" && asked != string(connect.StartTLS):
		return nil, errors.New("tls is starttls or no; smtps:// is TLS from the beginning")
	}
	return connect.NewEmail(o)
}

func hostPort(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// asMessenger is a context in which delivery reports are taken at a service provider.
func asMessenger(ctx context.Context, spid int) context.Context {
	return scope.With(ctx, auth.System(spid, scope.Actor{Subject: "messages", Client: "messages"}))
}

// listenToReports keeps the ways open that reports come in by.
func (a *App) listenToReports() {
	for _, c := range a.Messages.Connectors {
		if s, ok := c.(interface {
			Start()
			Stop(ctx context.Context)
		}); ok {
			s.Start()
			a.onStop(func(ctx context.Context) error { s.Stop(ctx); return nil })
		}
	}
}
