package app

import (
	"context"
	"log/slog"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/config"
	connect "github.com/demarc-bss/demarc/internal/connect/message"
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
func channels(s *config.Settings, _ clock.Clock, log *slog.Logger) (map[message.Channel]message.Connector, error) {
	out := map[message.Channel]message.Connector{}
	for c, at := range map[message.Channel]string{message.SMS: s.SMSURL, message.Email: s.EmailURL, message.Push: s.PushURL} {
		if at == "" && (s.Dev || s.Demo) {
			at = toLog
		}
		if at == toLog {
			out[c] = connect.Log{Logger: log}
		}
	}
	return out, nil
}

// asMessenger is a context in which delivery reports are taken at a service provider.
func asMessenger(ctx context.Context, spid int) context.Context {
	return scope.With(ctx, auth.System(spid, scope.Actor{Subject: "messages", Client: "messages"}))
}
