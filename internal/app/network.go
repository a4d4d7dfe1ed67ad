package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	networkapi "github.com/demarc-bss/demarc/internal/api/network"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/config"
	connect "github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/network"
)

const simulator = "simulator:"

// connector is the way to the network of the settings; nil: there is none, and requests wait.
func connector(s *config.Settings, base string, c clock.Clock) (network.Connector, error) {
	at := s.NetworkURL
	if at == "" && (s.Dev || s.Demo) {
		at = simulator
	}
	if at == "" {
		return nil, nil //nolint:nilnil // without a network there is no way to one
	}
	if query, ok := strings.CutPrefix(at, simulator); ok {
		o, err := simulated(query)
		if err != nil {
			return nil, advise(fmt.Errorf("setting network-url: %w", err), "write it as simulator:?later=0.2&delay=2s&fail=0.1&seed=1")
		}
		o.Clock = c
		return connect.NewSimulator(o), nil
	}
	h, err := connect.NewHTTP(connect.HTTPOptions{
		URL: at, Key: []byte(s.NetworkKey), Timeout: s.NetworkTimeout, Clock: c,
		Callback: func() string { return strings.TrimSuffix(base, "/") + networkapi.CallbackPath },
	})
	if err != nil {
		return nil, fmt.Errorf("setting network-url: %w", err)
	}
	return h, nil
}

// simulated reads how a simulator behaves: the chance of each fault, delay and seed, as a query.
func simulated(query string) (o connect.SimulatorOptions, err error) {
	values, err := url.ParseQuery(strings.TrimPrefix(query, "?"))
	if err != nil {
		return o, errors.New("what follows simulator: is a query")
	}
	o.Chances = map[connect.Fault]float64{}
	for name := range values {
		text := values.Get(name)
		switch name {
		case "delay":
			if o.Delay, err = time.ParseDuration(text); err != nil || o.Delay < 0 {
				return o, fmt.Errorf("delay=%s is not a duration such as 2s", text)
			}
		case "seed":
			if o.Seed, err = strconv.ParseUint(text, 10, 64); err != nil {
				return o, fmt.Errorf("seed=%s is not a number", text)
			}
		default:
			chance, err := strconv.ParseFloat(text, 64)
			if err != nil || !(chance >= 0 && chance <= 1) || !connect.Fault(name).Known() {
				return o, fmt.Errorf("%s=%s is no fault with a chance from 0 to 1; there are %v", name, text, connect.Faults)
			}
			o.Chances[connect.Fault(name)] = chance
		}
	}
	return o, nil
}

// networkOperations are what networks answer to.
func (a *App) networkOperations() []op.Operation {
	return networkapi.Operations(networkapi.Deps{
		Network: a.Network, Key: []byte(a.settings.NetworkKey), Clock: a.o.Clock,
		As: func(ctx context.Context, spid int) context.Context {
			return scope.With(ctx, auth.System(spid, scope.Actor{Subject: "network", Client: "network"}))
		},
	})
}
