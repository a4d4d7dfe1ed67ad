package auth_test

import (
	"context"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/demarc-bss/demarc/internal/auth"
)

func BenchmarkAuthenticate(b *testing.B) {
	run := func(name string, cache int, token func(*fixture) string) {
		b.Run(name, func(b *testing.B) {
			f := newFixture(b, func(c *auth.Config) { c.CacheSize = cache })
			header := "Bearer " + token(f)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.auth.Authenticate(context.Background(), header, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	rs256 := func(f *fixture) string { return f.token(nil) }
	run("cached", 0, rs256)
	run("RS256", -1, rs256)
	run("ES256", -1, func(f *fixture) string {
		return sign(f, jwt.SigningMethodES256, ecKey(), object{"kid": "ec"}, claims(start, nil))
	})
}

func BenchmarkAllowed(b *testing.B) {
	f := newFixture(b)
	p := f.accept(f.token(object{"realm_access": object{"roles": []string{"1:customer:get", "1:individual:*", "2:*:*", "csr-all-customer-operations"}}}))
	b.ReportAllocs()
	for b.Loop() {
		if !p.Allowed(1, auth.Permission{Entity: "individual", Verb: auth.Patch}) {
			b.Fatal("refused")
		}
	}
}
