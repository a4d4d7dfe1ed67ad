package auth_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

type keyFixture struct {
	*fixture
	store *auth.MemoryKeys
	keys  *auth.Keys
	by    *auth.Principal
}

var pepper = []byte("a pepper of at least thirty-two bytes")

func newKeyFixture(t *testing.T) *keyFixture {
	t.Helper()
	f := &keyFixture{store: new(auth.MemoryKeys), by: auth.Operator("root", 1, 2)}
	f.fixture = newFixture(t)
	var err error
	f.auth, err = auth.New(auth.Config{Pepper: pepper, Issuers: []auth.Issuer{{URL: issuerURL, Keys: f.issuer.fetch, Audiences: []string{audience}}}}, f.clock, f.store)
	if err != nil {
		t.Fatal(err)
	}
	f.keys = f.auth.Keys()
	return f
}

func (f *keyFixture) issue(spec auth.KeySpec) (string, auth.APIKey) {
	f.Helper()
	text, k, err := f.keys.Issue(context.Background(), f.by, spec)
	if err != nil {
		f.Fatal(err)
	}
	return text, k
}

func (f *keyFixture) kind(authorization, key string) fault.Kind {
	_, err := f.auth.Authenticate(context.Background(), authorization, key)
	if err == nil {
		return 255
	}
	return fault.KindOf(err)
}

const passed fault.Kind = 255

var readerSpec = auth.KeySpec{Client: "obp-apigw", Name: "till", SPIDs: []int{2, 1}, Roles: []string{"1:customer:get", "2:customer:get"}, Scopes: []string{auth.ScopeRead}}

func TestAPIKeyAlone(t *testing.T) {
	f := newKeyFixture(t)
	text, k := f.issue(readerSpec)
	if parts := strings.Split(text, "_"); len(parts) != 4 || parts[0] != "dmk" || parts[1] != k.ID || len(parts[2]) != 52 || len(parts[3]) != 8 {
		t.Fatalf("form %q", text)
	}
	p, err := f.auth.Authenticate(t.Context(), "", text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Scope("", auth.Permission{Entity: "customer", Verb: auth.Get})
	if err != nil || s.SPID() != 2 || s.Actor().Client != "obp-apigw" || s.Actor().Subject != "apikey:"+k.ID || p.KeyID() != k.ID {
		t.Errorf("scope %+v, %v", s, err)
	}
	if p.Allowed(1, auth.Permission{Entity: "customer", Verb: auth.Patch}) || p.Allowed(3, auth.Permission{Entity: "customer", Verb: auth.Get}) {
		t.Error("the key opens more than it grants")
	}
}

func TestStoredKeyHoldsNoSecret(t *testing.T) {
	f := newKeyFixture(t)
	text, k := f.issue(readerSpec)
	stored, err := f.store.Get(t.Context(), k.ID)
	if err != nil {
		t.Fatal(err)
	}
	if secret := strings.Split(text, "_")[2]; strings.Contains(string(stored.MAC), secret) || len(stored.MAC) != 32 {
		t.Error("the secret is stored")
	}
	// Without the pepper the store is of no use.
	other, err := auth.New(auth.Config{Pepper: slices.Concat(pepper, []byte("x"))}, f.clock, f.store)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Authenticate(t.Context(), "", text); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("passed under another pepper: %v", err)
	}
}

func TestAttacksOnAPIKeys(t *testing.T) {
	f := newKeyFixture(t)
	text, _ := f.issue(readerSpec)
	other, _ := f.issue(readerSpec)
	a, b := strings.Split(text, "_"), strings.Split(other, "_")
	for name, key := range map[string]string{
		"mistyped": text[:30] + "0" + text[31:], "cut": text[:len(text)-1], "longer": text + "0", "upper case": strings.ToUpper(text), "space": text + " ",
		"empty parts": "___", "no parts": "dmk", "another prefix": "sk" + text[3:], "10 KB": strings.Repeat("a", 10<<10),
		"id of another": withChecksum("dmk_" + b[1] + "_" + a[2]), "unknown id": withChecksum("dmk_0000000000000000_" + a[2]),
		"no secret": withChecksum("dmk_" + a[1] + "_"), "id is SQL": withChecksum("dmk_' OR 1=1--    ._" + a[2]),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.auth.Authenticate(t.Context(), "", key)
			if got := fault.From(err); got == nil || got.Kind != fault.Unauthenticated || got.Message != "the credential is not valid" || strings.Contains(err.Error(), a[2]) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("keys are not configured", func(t *testing.T) {
		if _, err := newFixture(t).auth.Authenticate(t.Context(), "", text); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("got %v", err)
		}
	})
}

func TestAPIKeyAndToken(t *testing.T) {
	f := newKeyFixture(t)
	spec := readerSpec
	spec.SPIDs, spec.Roles = []int{1}, nil
	mine, k := f.issue(spec)
	spec.Client = "somebody-else"
	theirs, _ := f.issue(spec)
	token := "Bearer " + f.token(object{"realm_access": object{"roles": []string{"1:customer:*", "2:customer:*"}}})

	p, err := f.auth.Authenticate(t.Context(), token, mine)
	if err != nil {
		t.Fatal(err)
	}
	get := auth.Permission{Entity: "customer", Verb: auth.Get}
	if !p.Allowed(1, get) || p.Allowed(2, get) || p.KeyID() != k.ID || p.Actor().Name != "ann" || len(p.SPIDs()) != 1 {
		t.Errorf("the key does not narrow the token: %+v", p)
	}
	if s, err := p.Scope("1", get); err != nil || !slices.Equal(s.Claims().SPIDs, []int{1}) {
		t.Errorf("claims %+v, %v", s.Claims(), err)
	}
	if again, err := f.auth.Authenticate(t.Context(), token, ""); err != nil || !again.Allowed(2, get) {
		t.Errorf("the narrowed token was remembered: %v", err)
	}
	for name, got := range map[string]fault.Kind{
		"of another client":       f.kind(token, theirs),
		"bad key, good token":     f.kind(token, "dmk_x"),
		"good key, bad token":     f.kind("Bearer x", mine),
		"good key, another token": f.kind("Bearer "+f.token(object{"azp": "cm-portal"}), mine),
	} {
		if got != fault.Unauthenticated {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAPIKeyLife(t *testing.T) {
	f := newKeyFixture(t)
	spec := readerSpec
	spec.Expires = start.Add(30 * 24 * time.Hour)
	first, k := f.issue(spec)

	f.clock.Advance(time.Minute)
	second, k2, err := f.keys.Rotate(t.Context(), f.by, k.ID, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if k2.Line != k.ID || k2.ID == k.ID || !k2.Expires.Equal(spec.Expires.Add(time.Minute)) || f.kind("", first) != passed || f.kind("", second) != passed {
		t.Fatalf("two keys are not good at a time: %+v", k2)
	}
	if _, _, err := f.keys.Rotate(t.Context(), f.by, k2.ID, time.Hour); fault.From(err).Code != auth.CodeKeyRotation {
		t.Errorf("a third active key: %v", err)
	}
	f.clock.Advance(24*time.Hour - time.Second)
	if f.kind("", first) != passed {
		t.Error("the overlap ends too soon")
	}
	f.clock.Advance(time.Second)
	if f.kind("", first) != fault.Unauthenticated || f.kind("", second) != passed {
		t.Error("the overlap does not end")
	}
	if _, _, err := f.keys.Rotate(t.Context(), f.by, k.ID, time.Hour); fault.From(err).Code != auth.CodeKeyRotation {
		t.Errorf("rotated a key that has ended: %v", err)
	}
	if listed, err := f.keys.List(t.Context(), f.by, "obp-apigw"); err != nil || len(listed) != 2 || listed[0].ID != k.ID || !listed[1].LastUsed.Equal(f.clock.Now()) {
		t.Errorf("list %+v, %v", listed, err)
	}
	for range 2 {
		if err := f.keys.Revoke(t.Context(), f.by, k2.ID); err != nil {
			t.Fatal(err)
		}
	}
	if f.kind("", second) != fault.Unauthenticated {
		t.Error("a revoked key passed")
	}
	third, _ := f.issue(spec)
	f.clock.Set(spec.Expires)
	if f.kind("", third) != fault.Unauthenticated {
		t.Error("a key passed at its end")
	}
}

func TestNobodyIssuesMoreThanHeHas(t *testing.T) {
	f := newKeyFixture(t)
	person := func(roles ...string) *auth.Principal {
		return f.accept(f.token(object{"realm_access": object{"roles": roles}}))
	}
	spec := func(change func(*auth.KeySpec)) auth.KeySpec {
		s := auth.KeySpec{Client: "c", SPIDs: []int{1}, Roles: []string{"1:customer:get"}, Scopes: []string{auth.ScopeRead}}
		change(&s)
		return s
	}
	same := func(*auth.KeySpec) {}
	for _, c := range []struct {
		name string
		by   *auth.Principal
		spec auth.KeySpec
		want fault.Kind
		at   string
	}{
		{"administrator with the permission", person("1:admin", "1:customer:*"), spec(same), passed, ""},
		{"administrator without the permission", person("1:admin"), spec(same), fault.Forbidden, ""},
		{"no administrator", person("1:*:*"), spec(same), fault.Forbidden, ""},
		{"administrator of another", person("2:admin", "2:*:*"), spec(same), fault.Forbidden, ""},
		{"of one of two", person("1:admin", "1:*:*", "2:*:*"), spec(func(s *auth.KeySpec) { s.SPIDs = []int{1, 2} }), fault.Forbidden, ""},
		{"nobody", nil, spec(same), fault.Forbidden, ""},
		{"no client", f.by, spec(func(s *auth.KeySpec) { s.Client = "" }), fault.Invalid, "client"},
		{"no service provider", f.by, spec(func(s *auth.KeySpec) { s.SPIDs = nil }), fault.Invalid, "spids"},
		{"one twice", f.by, spec(func(s *auth.KeySpec) { s.SPIDs = []int{1, 1} }), fault.Invalid, "spids[1]"},
		{"role of another", f.by, spec(func(s *auth.KeySpec) { s.Roles = []string{"2:customer:get"} }), fault.Invalid, "roles[0]"},
		{"unknown role", f.by, spec(func(s *auth.KeySpec) { s.Roles = []string{"1:*"} }), fault.Invalid, "roles[0]"},
		{"unknown scope", f.by, spec(func(s *auth.KeySpec) { s.Scopes = []string{"openid"} }), fault.Invalid, "scopes[0]"},
		{"ends in the past", f.by, spec(func(s *auth.KeySpec) { s.Expires = start }), fault.Invalid, "expires"},
		{"long name", f.by, spec(func(s *auth.KeySpec) { s.Name = strings.Repeat("a", 256) }), fault.Invalid, "name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, _, err := f.keys.Issue(t.Context(), c.by, c.spec)
			if c.want == passed {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if got := fault.From(err); got == nil || got.Kind != c.want || got.Attribute != c.at || text != "" {
				t.Errorf("got %q, %v", text, err)
			}
		})
	}
	t.Run("another's keys are not there", func(t *testing.T) {
		_, k := f.issue(readerSpec)
		stranger := person("1:admin", "1:*:*") // the key works for service provider 2 as well
		if err := f.keys.Revoke(t.Context(), stranger, k.ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("revoke: %v", err)
		}
		if _, _, err := f.keys.Rotate(t.Context(), stranger, k.ID, 0); fault.KindOf(err) != fault.NotFound {
			t.Errorf("rotate: %v", err)
		}
		if err := f.keys.Revoke(t.Context(), stranger, "nothing"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("revoke nothing: %v", err)
		}
		if listed, err := f.keys.List(t.Context(), stranger, "obp-apigw"); err != nil || len(listed) != 0 {
			t.Errorf("list: %v, %v", listed, err)
		}
	})
}

// brokenKeys is a store that does not answer.
type brokenKeys struct{ auth.MemoryKeys }

func (*brokenKeys) Get(context.Context, string) (auth.APIKey, error) {
	return auth.APIKey{}, errors.New("disk on fire")
}

func TestKeyStoreDown(t *testing.T) {
	f := newKeyFixture(t)
	text, _ := f.issue(readerSpec)
	a, err := auth.New(auth.Config{Pepper: pepper}, clock.NewVirtual(start), new(brokenKeys))
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Authenticate(t.Context(), "", text)
	if got := fault.From(err); got.Kind != fault.Unavailable || strings.Contains(got.Message, "disk") {
		t.Errorf("got %v", err)
	}
}

func TestSystem(t *testing.T) {
	s := auth.System(7, newFixture(t).accept(newFixture(t).token(nil)).Actor())
	if s.SPID() != 7 || s.Actor().Name != "ann" || !s.Claims().ManageCreditLimit {
		t.Errorf("%+v", s)
	}
}
