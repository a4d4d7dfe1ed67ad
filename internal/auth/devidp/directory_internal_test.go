package devidp

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

func newTestDirectory(t *testing.T) (*directory, *clock.Virtual) {
	t.Helper()
	clk := clock.NewVirtual(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	r, err := realm.Build(realm.Options{Dev: true, Providers: []realm.SP{{SPID: 1, Name: "HappyPhone"}}})
	if err != nil {
		t.Fatal(err)
	}
	off := realm.User{Username: "off", Credentials: []realm.Credential{{Type: "password", Value: realm.DevPassword}}}
	r.Users = append(r.Users, off, realm.User{Username: "nopassword", Enabled: true})
	d, err := newDirectory(r, clk)
	if err != nil {
		t.Fatal(err)
	}
	return d, clk
}

// Every try costs one hash, whoever it names and however it ends: time tells nothing of user names.
func TestEveryTryCostsOneHash(t *testing.T) {
	d, _ := newTestDirectory(t)
	hashes := 0
	inner := d.derive
	d.derive = func(u *user, password string) []byte { hashes++; return inner(u, password) }
	for _, c := range []struct {
		name, user, password string
		good                 bool
	}{
		{"good", realm.UserAdmin, realm.DevPassword, true},
		{"wrong password", realm.UserAdmin, "wrong", false},
		{"no such user", "nobody", realm.DevPassword, false},
		{"no user name", "", "", false},
		{"disabled", "off", realm.DevPassword, false},
		{"without a password", "nopassword", "", false},
		{"a service account", "service-account-obp-apigw", "", false},
	} {
		hashes = 0
		u, err := d.login(context.Background(), c.user, c.password)
		if err != nil || (u != nil) != c.good || hashes != 1 {
			t.Errorf("%s: user %v, %v, %d hashes", c.name, u != nil, err, hashes)
		}
	}
	for range 6 {
		_, _ = d.login(context.Background(), realm.UserCSR, "wrong")
	}
	hashes = 0
	if u, _ := d.login(context.Background(), realm.UserCSR, realm.DevPassword); u != nil || hashes != 1 {
		t.Errorf("locked: user %v, %d hashes", u != nil, hashes)
	}
}

func TestLockout(t *testing.T) {
	d, clk := newTestDirectory(t)
	try := func(user, password string) bool {
		u, err := d.login(context.Background(), user, password)
		if err != nil {
			t.Fatal(err)
		}
		return u != nil
	}
	for range 4 {
		try(realm.UserAdmin, "wrong")
	}
	if !try(realm.UserAdmin, realm.DevPassword) {
		t.Fatal("locked after four tries")
	}
	for range 5 {
		try("ADMIN", "wrong") // the count is the user's, however the name is written
	}
	if try(realm.UserAdmin, realm.DevPassword) || try("admin@example.com", realm.DevPassword) {
		t.Error("not locked after five tries in a row")
	}
	if !try(realm.UserViewer, realm.DevPassword) {
		t.Error("another user is locked")
	}
	clk.Advance(time.Minute)
	if !try(realm.UserAdmin, realm.DevPassword) {
		t.Error("locked for more than a minute")
	}
}

// A flood of logins waits in line: no more passwords are hashed at a time than there are slots.
func TestHashingIsBounded(t *testing.T) {
	d, _ := newTestDirectory(t)
	var mu sync.Mutex
	now, most := 0, 0
	inner := d.derive
	d.derive = func(u *user, password string) []byte {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		defer func() { mu.Lock(); now--; mu.Unlock() }()
		return inner(u, password)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { _, _ = d.login(context.Background(), "nobody", "x") })
	}
	wg.Wait()
	if most > cap(d.slots) {
		t.Errorf("%d at a time, %d slots", most, cap(d.slots))
	}
	for range cap(d.slots) {
		d.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.login(ctx, realm.UserAdmin, realm.DevPassword); err == nil {
		t.Error("a login that was given up went on")
	}
}

func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		pattern, redirect string
		want              bool
	}{
		{"https://app.example/cb", "https://app.example/cb", true},
		{"https://app.example/cb", "https://app.example/cb/", false},
		{"https://app.example/cb", "https://app.example/cb?x=1", false},
		{"https://app.example/cb", "https://app.example/CB", false},
		{"https://app.example/cb", "http://app.example/cb", false},
		{"https://app.example/cb", "https://app.example:444/cb", false},
		{"https://app.example/*", "https://app.example/any/where?x=1", true},
		{"https://app.example/*", "https://app.example", true},
		{"https://app.example/a/*", "https://app.example/a/../b", false},
		{"https://app.example/a/*", "https://app.example/a/%2e%2e/b", false},
		{"https://app.example/*", "https://app.example.evil/", false},
		{"https://app.example/*", "https://app.example@evil.example/", false},
		{"https://app.example/*", `https://app.example\@evil.example/`, false},
		{"https://app.example/*", "https://evil.example/https://app.example/", false},
		{"https://app.example/*", "https://app.example/#x", false},
		{"https://app.example/*", "//app.example/", false},
		{"https://app.example/*", "/", false},
		{"https://app.example/*", "", false},
		{"https://app.example*", "https://app.example.evil/", false},
		{"https://*", "https://evil.example/", false},
		{"http://localhost/*", "http://localhost:3000/cb", true},
		{"http://127.0.0.1/cb", "http://127.0.0.1:41231/cb", true},
		{"http://127.0.0.1:8080/*", "http://127.0.0.1:8081/cb", false},
		{"http://localhost/*", "http://localhost.evil:80/cb", false},
		{"http://localhost/*", "https://localhost:3000/cb", false},
		{"*", "http://localhost:3000/cb", true},
		{"*", "http://[::1]:3000/cb", true},
		{"*", "https://evil.example/", false},
		{"*", "javascript:alert(1)", false},
		{"*", "data:text/html,x", false},
		{"com.example.app:/cb", "com.example.app:/cb", true},
	} {
		if got := matches([]string{c.pattern}, c.redirect); got != c.want {
			t.Errorf("%s with %s: %v", c.pattern, c.redirect, got)
		}
	}
}
