package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/demarc-bss/demarc/internal/api/gateway"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/config"
	connect "github.com/demarc-bss/demarc/internal/connect/payment"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/payment"
)

// sandboxFile is what the sandbox of payments keeps in the data folder.
const sandboxFile = "sandbox-payments.jsonl"

// paymentGateway is the way to the payment gateway of the settings; nil: there is none, and nothing can be charged.
func paymentGateway(s *config.Settings, c clock.Clock) (payment.Gateway, error) {
	at := s.PaymentGateway
	if at == "" && (s.Dev || s.Demo) {
		at = config.GatewaySandbox
	}
	switch {
	case at == "":
		return nil, nil //nolint:nilnil // without a gateway there is no way to one
	case at == config.GatewaySandbox:
		o := connect.SandboxOptions{Clock: c}
		f, err := openFolder(s)
		if err != nil {
			return nil, err
		}
		if f != "" {
			o.File = f.path(sandboxFile)
		}
		return connect.NewSandbox(o)
	}
	url, ok := strings.CutPrefix(at, config.GatewayStripe)
	if !ok {
		return nil, errors.New("setting payment-gateway: there is no such gateway") // config checked it
	}
	g, err := connect.NewStripe(connect.StripeOptions{URL: url, Key: payment.Secret(s.PaymentKey), Timeout: s.PaymentTimeout, Clock: c})
	if err != nil {
		return nil, fmt.Errorf("setting payment-gateway: %w", err)
	}
	return g, nil
}

// asGateway is a context in which the payment gateway acts at a service provider.
func asGateway(ctx context.Context, spid int) context.Context {
	return scope.With(ctx, auth.System(spid, scope.Actor{Subject: "paymentGateway", Client: "paymentGateway"}))
}

// takeSandbox has what the sandbox says unasked taken in the scope of the call that it is about.
func takeSandbox(g payment.Gateway, p *payment.Service) {
	s, ok := g.(*connect.Sandbox)
	if !ok {
		return
	}
	s.OnTold(func(ctx context.Context, t connect.Told) error {
		if t.Refund {
			return p.TellRefund(ctx, t.Key, t.Answer)
		}
		return p.Tell(ctx, t.Key, t.Answer)
	})
}

// gatewayOperations are what payment gateways answer to.
func (a *App) gatewayOperations() []op.Operation {
	return gateway.Operations(gateway.Deps{
		Payments: a.Payments, As: asGateway,
		Read: func(r *op.Request) (gateway.Told, bool, error) {
			spid, t, ok, err := connect.ReadStripe(r.Header, payment.Secret(a.settings.PaymentWebhookSecret), a.o.Clock.Now(), r.Body)
			return gateway.Told{SPID: spid, Key: t.Key, Refund: t.Refund, Answer: t.Answer}, ok, err
		},
	})
}
