package payment

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/payment"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func sandbox(t *testing.T, file string, c clock.Clock) *Sandbox {
	t.Helper()
	s, err := NewSandbox(SandboxOptions{File: file, Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func charge(key, token string) payment.Instruction {
	return payment.Instruction{Key: id.ID("pay_" + strings.Repeat("0", 20) + key), Token: payment.Secret(token), Amount: money.OfMicros(20_000_000, "CHF")}
}

func TestTheSandboxBehavesAsTokensSay(t *testing.T) {
	const failed payment.Outcome = "error"
	c := clock.NewVirtual(start)
	for token, want := range map[string]struct {
		first, found, again payment.Outcome
		code                string
	}{
		"tok_success":                   {payment.Succeeded, payment.Succeeded, payment.Succeeded, ""},
		"tok_success_4711":              {payment.Succeeded, payment.Succeeded, payment.Succeeded, ""},
		"tok_twice":                     {payment.Succeeded, payment.Succeeded, payment.Succeeded, ""},
		"tok_decline":                   {payment.Declined, payment.Declined, payment.Declined, "card_declined"},
		"tok_decline_secret":            {payment.Declined, payment.Declined, payment.Declined, "card_declined"},
		"tok_decline_expired_card_4711": {payment.Declined, payment.Declined, payment.Declined, "expired_card"},
		"4711":                          {payment.Declined, payment.Declined, payment.Declined, "no_such_token"},
		"tok_magic":                     {payment.Declined, payment.Declined, payment.Declined, "no_such_token"},
		"tok_timeout":                   {failed, payment.Unknown, payment.Succeeded, ""},
		"tok_lost":                      {failed, payment.Succeeded, payment.Succeeded, ""},
		"tok_late":                      {payment.Accepted, payment.Accepted, payment.Accepted, ""},
	} {
		s := sandbox(t, "", c)
		o := charge("001", token)
		got := func(a payment.Answer, err error) payment.Outcome {
			if err != nil {
				return failed
			}
			if a.Outcome == payment.Declined && a.Code != want.code {
				t.Errorf("%s is declined for %s", token, a.Code)
			}
			return a.Outcome
		}
		first, found, again := got(s.Charge(t.Context(), o)), got(s.Find(t.Context(), o)), got(s.Charge(t.Context(), o))
		if first != want.first || found != want.found || again != want.again {
			t.Errorf("%s: %s, %s, %s", token, first, found, again)
		}
		c.Advance(3 * time.Second)
		if a, err := s.Find(t.Context(), o); err != nil || want.code == "" && a.Outcome != payment.Succeeded {
			t.Errorf("%s after a while: %+v %v", token, a, err)
		}
		s.Wait()
	}
}

func TestTheSandboxForgetsNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.jsonl")
	c := clock.NewVirtual(start)
	one, two := sandbox(t, file, c), sandbox(t, file, c)
	o := charge("001", "tok_lost")
	if _, err := one.Charge(t.Context(), o); err == nil {
		t.Fatal("the answer was not lost")
	}
	for name, s := range map[string]*Sandbox{"another process": two, "a restart": sandbox(t, file, c)} {
		if a, err := s.Charge(t.Context(), o); err != nil || a.Outcome != payment.Succeeded {
			t.Errorf("%s: %+v %v", name, a, err)
		}
		if n, err := s.Taken(); err != nil || n != 20_000_000 {
			t.Errorf("%s took %d, %v", name, n, err)
		}
	}
	// Whoever is killed while it writes leaves half a line, of which nobody was told.
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"key":"pay_`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if a, err := two.Charge(t.Context(), charge("002", "tok_success")); err != nil || a.Outcome != payment.Succeeded {
		t.Errorf("%+v %v", a, err)
	}
	if n, err := sandbox(t, file, c).Taken(); err != nil || n != 40_000_000 {
		t.Errorf("took %d, %v", n, err)
	}
	if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), "tok_") {
		t.Errorf("the file has tokens: %s %v", text, err)
	}
	other := charge("001", "tok_lost")
	other.Amount = money.OfMicros(1, "CHF")
	if _, err := one.Charge(t.Context(), other); err == nil {
		t.Error("a key with another amount was taken")
	}
}

func TestTheSandboxGivesBackWhatItTook(t *testing.T) {
	s := sandbox(t, "", clock.NewVirtual(start))
	for token, want := range map[string][]payment.Outcome{
		"tok_success": {payment.Succeeded, payment.Succeeded, payment.Declined}, "tok_norefund": {payment.Declined, payment.Declined, payment.Declined},
		"tok_decline": {payment.Declined, payment.Declined, payment.Declined},
	} {
		o := charge(token[len(token)-3:], token)
		a, err := s.Charge(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for n, outcome := range want {
			r := payment.Reversal{Key: o.Key + id.ID("r"+string(rune('0'+n))), Reference: a.Reference, Amount: money.OfMicros(10_000_000, "CHF")}
			got, err := s.Refund(t.Context(), r)
			if err != nil || got.Outcome != outcome {
				t.Errorf("%s, refund %d: %+v %v", token, n, got, err)
			}
			if found, err := s.FindRefund(t.Context(), r); err != nil || found.Outcome != outcome {
				t.Errorf("%s, refund %d: found %+v %v", token, n, found, err)
			}
		}
	}
	if n, err := s.Taken(); err != nil || n != 20_000_000 {
		t.Errorf("it keeps %d, %v", n, err)
	}
}

func TestTheSandboxSpeaksUnasked(t *testing.T) {
	c := clock.NewVirtual(start)
	s := sandbox(t, "", c)
	var mu sync.Mutex
	said := map[id.ID][]payment.Outcome{}
	s.OnTold(func(_ context.Context, told Told) error {
		mu.Lock()
		defer mu.Unlock()
		said[told.Key] = append(said[told.Key], told.Answer.Outcome)
		return nil
	})
	late, twice := charge("001", "tok_late"), charge("002", "tok_twice")
	for _, o := range []payment.Instruction{late, twice} {
		if _, err := s.Charge(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 { // until who speaks late has begun to wait
		c.Advance(10 * time.Millisecond)
	}
	done := make(chan struct{})
	go func() { s.Wait(); close(done) }()
	for waiting := true; waiting; {
		select {
		case <-done:
			waiting = false
		default:
			c.Advance(time.Second)
		}
	}
	if len(said[late.Key]) != 1 || len(said[twice.Key]) != 2 || said[late.Key][0] != payment.Succeeded {
		t.Errorf("%v", said)
	}
}
