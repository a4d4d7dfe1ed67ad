//go:build bench

package bench

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/demarc-bss/demarc/internal/adjustment"
	"github.com/demarc-bss/demarc/internal/balance"
	sandbox "github.com/demarc-bss/demarc/internal/connect/payment"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// paying is how many lines have a payment token, and known how many have a PIN: each costs a hash.
const (
	paying = 500
	known  = 64
)

// BenchmarkPayments measures what touches money and secrets: charges through the sandbox, which answers at once and keeps
// what it did in memory, adjustments, and PINs.
func BenchmarkPayments(b *testing.B) {
	r := &report{duration: setting("DEMARC_BENCH_TIME", 2*time.Second, time.ParseDuration)}
	only := setting("DEMARC_BENCH_ENGINE", "", func(s string) (string, error) { return s, nil })
	for _, engine := range storetest.Engines {
		if only != "" && only != engine {
			continue
		}
		o := operate(b, engine, paying)
		c := &charging{report: r, b: b, engine: engine, o: o}
		c.charges()
		c.adjustments()
		c.pins()
		if bad, err := o.store.Unbalanced(context.Background()); err != nil || len(bad) > 0 {
			b.Fatal(bad, err)
		}
	}
	r.printPayments()
}

// charges are from the order of a charge to the balance that it is credited to, the gateway's answer included.
func (c *charging) charges() {
	gate, err := sandbox.NewSandbox(sandbox.SandboxOptions{})
	if err != nil {
		c.b.Fatal(err)
	}
	c.o.Payments.Gateway = gate
	accounts, tokens := make([]id.ID, paying), make([]id.ID, paying)
	for n, line := range c.o.lines {
		v, _, err := c.o.Subscriptions.Lines.Get(c.o.ctx, line)
		if err != nil {
			c.b.Fatal(err)
		}
		t, err := c.o.Payments.CreateToken(c.o.ctx, v.AccountID, payment.Secret(fmt.Sprintf("tok_success_%d", n)), payment.Card{})
		if err != nil {
			c.b.Fatal(err)
		}
		accounts[n], tokens[n] = v.AccountID, t.ID
	}
	amount := money.OfMicros(money.Micros, "EUR")
	for _, clients := range clientCounts {
		c.run("charge", clients, 1, func(w int) (func() error, error) {
			n := w * 7919
			return func() error {
				n++
				at := n % paying
				i, _, err := c.o.Payments.Charge(c.o.ctx, payment.Order{
					Key: fmt.Sprint("bench ", serial.Add(1)), Account: accounts[at], Token: tokens[at], Subscription: c.o.lines[at], Amount: amount, Credit: true, Wait: true,
				})
				if err != nil {
					return err
				}
				p, err := c.o.Payments.Settle(c.o.ctx, i)
				if err == nil && !p.Taken() {
					err = fmt.Errorf("the charge is %s: %+v", p.Status, p.Gateway)
				}
				return err
			}, nil
		})
		c.beside("charge", clients, 1)
	}
}

func (c *charging) adjustments() {
	var accounts []id.ID
	for _, line := range c.o.lines {
		v, _, err := c.o.Subscriptions.Lines.Get(c.o.ctx, line)
		if err != nil {
			c.b.Fatal(err)
		}
		accounts = append(accounts, v.AccountID)
	}
	for _, clients := range clientCounts {
		c.run("adjustment", clients, 1, func(w int) (func() error, error) {
			n := w * 7919
			return func() error {
				n++
				at := n % paying
				_, v, _, err := c.o.Adjustments.Request(c.o.ctx, adjustment.Order{
					Account: accounts[at], Line: c.o.lines[at],
					Asked: adjustment.Asked{Amount: balance.Quantity("EUR", 10_000), Reason: "GOODWILL"},
				})
				if err == nil && v.Status != adjustment.Completed {
					err = fmt.Errorf("the adjustment is %s", v.Status)
				}
				return err
			}, nil
		})
		c.beside("adjustment", clients, 1)
	}
}

// pins are checked beside bare hashes of the same cost, of which as many are worked out at a time.
func (c *charging) pins() {
	for n := range known {
		p, err := c.o.Credentials.Choose(c.o.ctx, c.o.lines[n], "pin", "73951")
		if err == nil {
			err = c.o.Credentials.Set(c.o.ctx, c.o.lines[n], p)
		}
		if err != nil {
			c.b.Fatal(err)
		}
	}
	for _, clients := range clientCounts {
		c.run("PIN verify", clients, 1, func(w int) (func() error, error) {
			return func() error {
				refusal, err := c.o.Credentials.Verify(c.o.ctx, c.o.lines[w%known], "73951")
				if err == nil {
					err = refusal
				}
				return err
			}, nil
		})
	}
	slots := make(chan struct{}, 2)
	for _, clients := range clientCounts {
		c.run("its hash alone", clients, 1, func(int) (func() error, error) {
			return func() error {
				slots <- struct{}{}
				runtime.KeepAlive(argon2.IDKey([]byte("73951"), make([]byte, 16), 2, 19*1024, 1, 32))
				<-slots
				return nil
			}, nil
		})
	}
}

func (r *report) printPayments() {
	fmt.Printf("\n%-10s %-16s %8s %10s %8s %12s %10s %10s\n", "engine", "op", "clients", "ops/s", "rows/op", "of raw rows", "p50", "p99")
	for _, l := range r.lines {
		if l.who != "demarc" {
			continue
		}
		share := "-"
		if raw := r.find(l.what, l.op, "raw", l.clients).rate(); raw > 0 {
			share = fmt.Sprintf("%.0f %%", 100*l.rate()*l.rows/raw)
		}
		fmt.Printf("%-10s %-16s %8d %10.0f %8.1f %12s %10s %10s\n", l.what, l.op, l.clients, l.rate(), l.rows, share, l.p50, l.p99)
	}
	for _, engine := range storetest.Engines {
		if verify, hash := r.find(engine, "PIN verify", "demarc", 1), r.find(engine, "its hash alone", "demarc", 1); hash.rate() > 0 {
			fmt.Printf("a PIN on %s takes %s, of which its hash %s\n", engine, verify.p50, hash.p50)
		}
	}
}
