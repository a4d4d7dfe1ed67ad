package auth_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

func withChecksum(body string) string {
	return fmt.Sprintf("%s_%08x", body, crc32.ChecksumIEEE([]byte(body)))
}

// Whatever the parser takes has the one form there is: nothing that looks like another role passes as it.
func FuzzRoleParser(f *testing.F) {
	for _, seed := range []string{"1:*:*", "1:admin", "1:customer:get", "1:approveAdjsutment:*", "csr-all-operations", "01:*:*", "1:*", "*:*:*", "１:*:*", "1:customer:get:", "999999999:*:delete"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		r, ok := auth.ParseRole(name)
		if !ok {
			return
		}
		if r.String() != name {
			t.Fatalf("%q became %q", name, r)
		}
		if strings.HasPrefix(name, "csr-") {
			return
		}
		parts := strings.Split(name, ":")
		if r.SPID() < 1 || fmt.Sprint(r.SPID()) != parts[0] {
			t.Fatalf("%q is of service provider %d", name, r.SPID())
		}
		if len(parts) == 2 && parts[1] != "admin" || len(parts) > 3 || len(parts) < 2 {
			t.Fatalf("%q was taken", name)
		}
		for _, c := range []byte(name) {
			if c <= ' ' || c >= 0x7f {
				t.Fatalf("%q was taken", name)
			}
		}
	})
}

// No header makes the authenticator panic, pass or answer anything but its refusals.
func FuzzAuthorizationHeader(f *testing.F) {
	x := newFixture(f)
	good := x.token(nil)
	for _, seed := range []string{"", "Bearer ", "Bearer a.b.c", "bearer " + good, "Bearer " + good + ".", "Basic " + good, "Bearer " + b64([]byte(`{"alg":"none"}`)) + ".e30.", "DPoP x"} {
		f.Add(seed, "")
	}
	f.Add("", "dmk_0000000000000000_x_00000000")
	f.Fuzz(func(t *testing.T, authorization, key string) {
		p, err := x.auth.Authenticate(context.Background(), authorization, key)
		if err == nil {
			if !strings.HasSuffix(authorization, good) || p == nil || key != "" {
				t.Fatalf("%q passed", authorization)
			}
			return
		}
		if got := fault.KindOf(err); got != fault.Unauthenticated {
			t.Fatalf("%q: %v", authorization, err)
		}
	})
}
