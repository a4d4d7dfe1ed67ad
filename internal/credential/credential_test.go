package credential_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/credential"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/message/messagetest"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
	"github.com/demarc-bss/demarc/internal/voucher"
)

func set(ctx context.Context, t testing.TB, b *messagetest.Bench, line id.ID, pin string) {
	t.Helper()
	p, err := b.Credentials.Choose(ctx, line, "pin", pin)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Credentials.Set(ctx, line, p); err != nil {
		t.Fatal(err)
	}
}

// said is the code of the answer to a try; empty when it was right.
func said(refusal, err error) fault.Code {
	if err == nil {
		err = refusal
	}
	if err == nil {
		return ""
	}
	return fault.From(err).Code
}

func codeOf(err error) fault.Code { return said(nil, err) }

func TestALineHasAPIN(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		line, s := b.Line(ctx, t), b.Credentials
		if got := said(s.Verify(ctx, line, "8371")); got != credential.CodeWrong {
			t.Errorf("without a PIN: %s", got)
		}
		drawn, err := s.Draw(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Reset(ctx, line, drawn); codeOf(err) != credential.CodeNone {
			t.Errorf("a reset without a PIN: %v", err)
		}
		if _, err := s.Generate(ctx, line, drawn); err != nil {
			t.Fatal(err)
		}
		b.Work(ctx, t)
		e := b.SMS.Last(t)
		pin := digitsOf(e.Text)
		if len(pin) != 6 || e.To != "41790000001" || strings.Contains(e.Shown, pin) {
			t.Errorf("sent %q to %s, shown as %q", e.Text, e.To, e.Shown)
		}
		if got := said(s.Verify(ctx, line, pin)); got != "" {
			t.Errorf("the PIN that was sent: %s", got)
		}
		set(ctx, t, b, line, "8371")
		proof, refusal, err := s.Prove(ctx, line, "oldPin", "8371")
		if refusal != nil || err != nil {
			t.Fatal(refusal, err)
		}
		next, err := s.Choose(ctx, line, "newPin", "2946")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Change(ctx, line, proof, next); err != nil {
			t.Fatal(err)
		}
		if err := s.Change(ctx, line, proof, next); fault.KindOf(err) != fault.Stale {
			t.Errorf("a proof served twice: %v", err)
		}
		if _, refusal, err := s.Prove(ctx, line, "oldPin", "8371"); said(refusal, err) != credential.CodeWrong || fault.From(refusal).Attribute != "oldPin" {
			t.Errorf("the old PIN: %v %v", refusal, err)
		}
		if got := said(s.Verify(ctx, line, "2946")); got != "" {
			t.Errorf("the new PIN: %s", got)
		}
		if err := s.Remove(ctx, line); err != nil {
			t.Fatal(err)
		}
		if got := said(s.Verify(ctx, line, "2946")); got != credential.CodeWrong {
			t.Errorf("a PIN that was removed: %s", got)
		}
		if err := s.Remove(ctx, line); codeOf(err) != credential.CodeNone {
			t.Errorf("removed twice: %v", err)
		}
		if _, err := b.Subscriptions.Move(ctx, line, subscription.Disconnecting); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Subscriptions.Move(ctx, line, subscription.Inactive); err != nil {
			t.Fatal(err)
		}
		if got := said(s.Verify(ctx, line, "2946")); got != credential.CodeEnded {
			t.Errorf("a line that has ended: %s", got)
		}
	})
}

func digitsOf(text string) string {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		return word
	}
	return ""
}

func TestWhatIsNoPIN(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		line := b.Line(ctx, t)
		for pin, want := range map[string]fault.Code{
			"": fault.CodeInvalid, "123": fault.CodeInvalid, "123456789": fault.CodeInvalid, "12a4": fault.CodeInvalid, "١٢٣٤": fault.CodeInvalid,
			"1234": credential.CodeWeak, "4321": credential.CodeWeak, "8901": credential.CodeWeak, "0000": credential.CodeWeak, "1212": credential.CodeWeak,
			"737373": credential.CodeWeak, "0001": credential.CodeWeak, // the end of the number
			"1357": "", "83718371": credential.CodeWeak, "83710492": "",
		} {
			_, err := b.Credentials.Choose(ctx, line, "pin", pin)
			if codeOf(err) != want {
				t.Errorf("%q: %v, want %s", pin, err, want)
			}
			if err != nil && pin != "" && strings.Contains(err.Error(), pin) {
				t.Errorf("the fault repeats the PIN: %v", err)
			}
		}
		least, most := 6, 6
		b.Policy(ctx, t, func(p *provider.Policy) {
			p.Credential = &provider.CredentialPolicy{MinimumLength: &least, MaximumLength: &most}
		})
		if _, err := b.Credentials.Choose(ctx, line, "pin", "1357"); codeOf(err) != fault.CodeInvalid {
			t.Errorf("shorter than the policy has it: %v", err)
		}
	})
}

func TestAPINExpires(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		days := 30
		b.Policy(ctx, t, func(p *provider.Policy) { p.Credential = &provider.CredentialPolicy{ExpiryDays: &days} })
		line := b.Line(ctx, t)
		set(ctx, t, b, line, "8371")
		b.Clock.Advance(30 * 24 * time.Hour)
		if got := said(b.Credentials.Verify(ctx, line, "8371")); got != credential.CodeExpired {
			t.Errorf("%s", got)
		}
		proof, refusal, err := b.Credentials.Prove(ctx, line, "oldPin", "8371")
		if refusal != nil || err != nil {
			t.Fatalf("an expired PIN cannot be changed: %v %v", refusal, err)
		}
		next, err := b.Credentials.Choose(ctx, line, "newPin", "2946")
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Credentials.Change(ctx, line, proof, next); err != nil {
			t.Fatal(err)
		}
		if got := said(b.Credentials.Verify(ctx, line, "2946")); got != "" {
			t.Errorf("after the change: %s", got)
		}
	})
}

func TestAPINIsNotSentAllTheTime(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		line := b.Line(ctx, t)
		p, err := b.Credentials.Draw(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 6 {
			_, err = b.Credentials.Generate(ctx, line, p)
			if n < 5 && err != nil {
				t.Fatal(err)
			}
		}
		if codeOf(err) != credential.CodeIssued || fault.From(err).RetryAfter != time.Hour {
			t.Errorf("%v", err)
		}
		if _, err := b.Credentials.Reset(ctx, line, p); codeOf(err) != credential.CodeIssued {
			t.Errorf("a reset is another way round: %v", err)
		}
		b.Clock.Advance(time.Hour)
		if _, err := b.Credentials.Generate(ctx, line, p); err != nil {
			t.Error(err)
		}
	})
}

// somebody else, by another application.
func as(ctx context.Context, subject, client string) context.Context {
	return scope.With(ctx, scope.Grant(1, scope.Actor{Subject: subject, Client: client}, scope.Claims{}))
}

// TestNoWayRoundTheThrottle guesses a PIN in every way that there is: by either operation, as other people, by other
// applications, as a dry run, many at once, on a second node or after a restart. However it is done, no more guesses are
// looked at than the policy allows.
func TestNoWayRoundTheThrottle(t *testing.T) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine)
			c := clock.NewVirtual(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
			ctx := storetest.Context(1)
			var nodes []*messagetest.Bench
			open := func() (*messagetest.Bench, func()) {
				s, err := store.Open(ctx, url, store.Options{Clock: c, Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				b := messagetest.On(s, c)
				if _, err := s.Migrate(ctx, false); err != nil {
					t.Fatal(err)
				}
				return b, sync.OnceFunc(func() {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			b, stop := open()
			defer stop()
			b.Found(ctx, t)
			line := b.Line(ctx, t)
			set(ctx, t, b, line, "8371")
			nodes = append(nodes, b)
			if engine == "postgres" { // SQLite has one process
				second, stop := open()
				defer stop()
				nodes = append(nodes, second)
			}
			ways := []func(ctx context.Context, b *messagetest.Bench, pin string) fault.Code{
				func(ctx context.Context, b *messagetest.Bench, pin string) fault.Code {
					return said(b.Credentials.Verify(ctx, line, pin))
				},
				func(ctx context.Context, b *messagetest.Bench, pin string) fault.Code {
					_, refusal, err := b.Credentials.Prove(ctx, line, "oldPin", pin)
					return said(refusal, err)
				},
				func(ctx context.Context, b *messagetest.Bench, pin string) fault.Code {
					return said(b.Credentials.Verify(store.WithCall(ctx, store.Call{DryRun: true}), line, pin))
				},
				func(ctx context.Context, b *messagetest.Bench, pin string) fault.Code {
					return said(b.Credentials.Verify(as(ctx, "mallory", "kiosk"), line, pin))
				},
				func(ctx context.Context, b *messagetest.Bench, pin string) fault.Code {
					gone, cancel := context.WithCancel(ctx)
					defer cancel()
					return said(b.Credentials.Verify(gone, line, pin))
				},
			}
			guess := func(nodes []*messagetest.Bench, n int) map[fault.Code]int {
				out := map[fault.Code]int{}
				var mu sync.Mutex
				var all sync.WaitGroup
				for i := range n {
					all.Go(func() {
						code := ways[i%len(ways)](ctx, nodes[i%len(nodes)], "9"+string(rune('0'+i%9))+"05")
						mu.Lock()
						out[code]++
						mu.Unlock()
					})
				}
				all.Wait()
				return out
			}
			looked := 0
			for range 4 {
				out := guess(nodes, 40)
				looked += out[credential.CodeWrong]
				for code := range out {
					if code != credential.CodeWrong && code != credential.CodeLocked && code != credential.CodeBusy {
						t.Errorf("a guess was answered %q", code)
					}
				}
			}
			if looked != 5 {
				t.Errorf("%d guesses were looked at, the policy has 5", looked)
			}
			if got := said(b.Credentials.Verify(ctx, line, "8371")); got != credential.CodeLocked {
				t.Errorf("the right PIN while it is locked: %q", got)
			}
			p, err := b.Credentials.Draw(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Credentials.Generate(ctx, line, p); codeOf(err) != credential.CodeLocked {
				t.Errorf("another PIN while it is locked: %v", err)
			}
			stop()
			again, stopAgain := open()
			defer stopAgain()
			if out := guess([]*messagetest.Bench{again}, 10); out[credential.CodeWrong] != 0 {
				t.Errorf("after a restart: %v", out)
			}
			c.Advance(61 * time.Minute)
			if out := guess([]*messagetest.Bench{again}, 40); out[credential.CodeWrong] > 5 {
				t.Errorf("after the lock: %v", out)
			}
			c.Advance(61 * time.Minute)
			for range 4 {
				if got := said(again.Credentials.Verify(ctx, line, "9999")); got != credential.CodeWrong {
					t.Errorf("%q", got)
				}
			}
			if got := said(again.Credentials.Verify(ctx, line, "8371")); got != "" {
				t.Errorf("the right PIN at the last try: %q", got)
			}
			if v, err := again.Credentials.Standing(ctx, line); err != nil || v.Tries != 0 || v.Locked {
				t.Errorf("after the right PIN: %+v %v", v, err)
			}
		})
	}
}

func TestALockIsEndedByAPerson(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		never, line, s := 0, b.Line(ctx, t), b.Credentials
		b.Policy(ctx, t, func(p *provider.Policy) { p.Credential = &provider.CredentialPolicy{LockMinutes: &never} })
		set(ctx, t, b, line, "8371")
		lock := func() {
			t.Helper()
			for range 5 {
				if got := said(s.Verify(ctx, line, "9999")); got != credential.CodeWrong {
					t.Fatalf("%q", got)
				}
			}
			b.Work(ctx, t)
			if e := b.SMS.Last(t); !strings.Contains(e.Text, "locked") {
				t.Errorf("the customer is told %q", e.Text)
			}
			b.Clock.Advance(1000 * time.Hour)
			if got := said(s.Verify(ctx, line, "8371")); got != credential.CodeLocked {
				t.Fatalf("%q", got)
			}
		}
		lock()
		if err := s.Unlock(ctx, line); err != nil {
			t.Fatal(err)
		}
		if got := said(s.Verify(ctx, line, "8371")); got != "" {
			t.Errorf("unlocked: %q", got)
		}
		lock()
		p, err := s.Draw(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Reset(ctx, line, p); err != nil {
			t.Fatal(err)
		}
		b.Work(ctx, t)
		if got := said(s.Verify(ctx, line, digitsOf(b.SMS.Last(t).Text))); got != "" {
			t.Errorf("after a reset: %q", got)
		}
	})
}

func TestACodeIsGoodOnceAndForMinutes(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		line, s := b.Line(ctx, t), b.Credentials
		issue := func() string {
			t.Helper()
			if _, err := s.Issue(ctx, line); err != nil {
				t.Fatal(err)
			}
			b.Work(ctx, t)
			return digitsOf(b.SMS.Last(t).Text)
		}
		code := issue()
		var mu sync.Mutex
		var all sync.WaitGroup
		right := 0
		for range 4 {
			all.Go(func() {
				if said(s.Redeem(ctx, line, code)) == "" {
					mu.Lock()
					right++
					mu.Unlock()
				}
			})
		}
		if all.Wait(); right != 1 {
			t.Errorf("a code let %d in", right)
		}
		b.Clock.Advance(2 * time.Hour)
		code = issue()
		b.Clock.Advance(5 * time.Minute)
		if got := said(s.Redeem(ctx, line, code)); got != credential.CodeWrong {
			t.Errorf("an old code: %q", got)
		}
		// Tries are counted over all codes that are sent.
		b.Clock.Advance(2 * time.Hour)
		looked := 0
		for n := range 5 {
			if _, err := s.Issue(ctx, line); err != nil && codeOf(err) != credential.CodeLocked && codeOf(err) != credential.CodeIssued {
				t.Fatalf("%d: %v", n, err)
			}
			for range 2 {
				if said(s.Redeem(ctx, line, "000")) == credential.CodeWrong {
					looked++
				}
			}
		}
		if looked > 5 {
			t.Errorf("%d guesses at codes were looked at", looked)
		}
	})
}

func TestVouchersAreGuessedAtNoMoreThanPINs(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		line := b.Line(ctx, t)
		var mu sync.Mutex
		var all sync.WaitGroup
		looked := 0
		for n := range 30 {
			all.Go(func() {
				err := b.Vouchers.Admit(store.WithCall(ctx, store.Call{DryRun: n%2 == 0}), line, "12345678901234")
				if codeOf(err) == voucher.Unavailable {
					mu.Lock()
					looked++
					mu.Unlock()
				}
			})
		}
		if all.Wait(); looked != 5 {
			t.Errorf("%d codes were looked at, the policy has 5", looked)
		}
	})
}
