package scope_test

import (
	"context"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

func TestWithoutAScopeNothingIsSeen(t *testing.T) {
	for name, ctx := range map[string]context.Context{
		"no scope":   context.Background(),
		"zero scope": scope.With(context.Background(), scope.Scope{}),
		"spid 0":     scope.With(context.Background(), scope.Grant(0, scope.Actor{Subject: "x"}, scope.Claims{})),
	} {
		if s, err := scope.From(ctx); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: got %+v (%v)", name, s, err)
		}
	}
}

func TestAScopeTravels(t *testing.T) {
	want := scope.Grant(2, scope.Actor{Subject: "u", Name: "ann", Client: "portal"}, scope.Claims{ManageCreditLimit: true})
	got, err := scope.From(scope.With(context.Background(), want))
	if err != nil || got.SPID() != 2 || got.Actor() != want.Actor() || !got.Claims().ManageCreditLimit {
		t.Errorf("got %+v (%v)", got, err)
	}
}

func TestAScopeMovesOnlyToWhatIsOpen(t *testing.T) {
	s := scope.Grant(2, scope.Actor{Subject: "u"}, scope.Claims{SPIDs: []int{2, 5}})
	if at, ok := s.At(5); !ok || at.SPID() != 5 || at.Actor() != s.Actor() {
		t.Errorf("at 5: %+v %v", at, ok)
	}
	if at, ok := s.At(3); ok || at.SPID() != 0 {
		t.Errorf("at 3: %+v %v", at, ok)
	}
	job := scope.Grant(4, scope.Actor{Subject: "system"}, scope.Claims{})
	if at, ok := job.At(4); !ok || at.SPID() != 4 {
		t.Errorf("a scope is not open to itself: %+v %v", at, ok)
	}
	if _, ok := (scope.Scope{}).At(0); ok {
		t.Error("no scope is open to nobody")
	}
}

func TestWhoMayBeOnePerson(t *testing.T) {
	ann := scope.Actor{Subject: "1", Name: "ann", Client: "portal"}
	for name, c := range map[string]struct {
		a, b scope.Actor
		want bool
	}{
		"herself":                        {ann, ann, true},
		"another client":                 {ann, scope.Actor{Subject: "1", Client: "gateway"}, true},
		"another identity provider":      {ann, scope.Actor{Subject: "7", Name: "Ann", Client: "other"}, true},
		"another":                        {ann, scope.Actor{Subject: "2", Name: "bob", Client: "portal"}, false},
		"nobody has a name":              {scope.Actor{Subject: "1"}, scope.Actor{Subject: "2"}, false},
		"a key of her client":            {ann, scope.Actor{Subject: "apikey:x", Name: "key", Client: "portal"}, true},
		"a key of another client":        {ann, scope.Actor{Subject: "apikey:x", Name: "key", Client: "gateway"}, false},
		"two keys of a client":           {scope.Actor{Subject: "apikey:y", Client: "gateway"}, scope.Actor{Subject: "apikey:x", Client: "gateway"}, true},
		"the service account of hers":    {scope.Actor{Subject: "9", Name: "service-account-portal", Client: "portal"}, ann, true},
		"the service account of another": {scope.Actor{Subject: "9", Name: "service-account-gateway", Client: "gateway"}, ann, false},
	} {
		if c.a.MayBe(c.b) != c.want || c.b.MayBe(c.a) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}
