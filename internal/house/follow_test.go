package house_test

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/network"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

func TestTheNetworkFollowsALine(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		h, ctx := ordertest.New(s), storetest.Context(1)
		h.Furnish(ctx, t, 3)
		i, _, err := h.Orders.Place(ctx, h.Order(ctx, t, h.Account(ctx, t), "start"))
		if err != nil {
			t.Fatal(err)
		}
		h.Work(ctx, t)
		o, _, err := h.Orders.Orders.Get(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		line := id.ID(o.Items[0].Product.ID)
		asked := func() int { return len(h.Net.Requests()) }
		if at := h.Net.Line(line); !at.Connected || at.Activations != 1 || asked() != 1 {
			t.Fatalf("after the order the network has %+v, asked %d times", at, asked())
		}
		for n, c := range []struct {
			to                subscription.State
			connected, barred bool
		}{
			{subscription.Suspended, true, true}, {subscription.Locked, true, true}, {subscription.Active, true, false}, {subscription.Dormant, true, false},
			{subscription.Expired, true, true}, {subscription.Active, true, false}, {subscription.Disconnecting, true, false}, {subscription.Inactive, false, false},
		} {
			before := asked()
			if _, err := h.Subscriptions.Move(ctx, line, c.to); err != nil {
				t.Fatal(err)
			}
			h.Work(ctx, t)
			at := h.Net.Line(line)
			if at.Connected != c.connected || at.Barred != c.barred {
				t.Errorf("%d: a line that is %s is %+v in the network", n, c.to, at)
			}
			if asked()-before > 1 {
				t.Errorf("%d: %s was asked for %d times", n, c.to, asked()-before)
			}
		}
		if asked() != 6 { // activate, suspend, resume, suspend, resume, deactivate
			t.Errorf("asked %d times", asked())
		}
		if d := h.Net.Doubled(); len(d) > 0 {
			t.Errorf("provisioned twice: %v", d)
		}
		if _, err := h.Balances.Openings().Create(ctx, jsontext.Value(`{"usageType":"data","product":[{"id":"`+string(line)+`"}]}`)); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a bucket of a line that has ended: %v", err)
		}
		if at, err := h.Network.Standing(ctx, line); at != network.Absent || err != nil {
			t.Errorf("%s %v", at, err)
		}
	})
}

func TestALineIsSentAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		h, ctx := ordertest.New(s), storetest.Context(1)
		h.Furnish(ctx, t, 3)
		line, _, err := h.Subscriptions.Lines.Add(ctx, &subscription.Line{AccountID: h.Account(ctx, t), MSISDN: "41790000000", ICCID: "8941001000000000015"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Refresh(ctx, line); err == nil {
			t.Error("a line that is pending has something to refresh")
		}
		for _, c := range []struct {
			to     subscription.State
			barred bool
		}{{subscription.Active, false}, {subscription.Suspended, true}} {
			if _, err := h.Subscriptions.Move(ctx, line, c.to); err != nil {
				t.Fatal(err)
			}
			h.Work(ctx, t)
			before := len(h.Net.Requests())
			if _, err := h.Refresh(ctx, line); err != nil {
				t.Fatal(err)
			}
			h.Work(ctx, t)
			if at := h.Net.Line(line); !at.Connected || at.Barred != c.barred || len(h.Net.Requests()) == before {
				t.Errorf("%s: %+v", c.to, at)
			}
		}
	})
}
