package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

const adminKey = `{"client":"obp-apigw","name":"nightly","roles":["1:admin","1:customer:get"],"scopes":["obp-apigw:read","obp-apigw:admin"]}`

func TestAKeyIsShownOnceAndWorksAtOnce(t *testing.T) {
	each(t, func(s *server) {
		made := s.do(s.boss, "POST", "/api/admin/apiKey", adminKey).Want(201)
		text, keyID := made.At("key"), made.At("id")
		made.Is(map[string]string{
			"client": "obp-apigw", "name": "nightly", "spids": "[1]", "state": "active", "line": keyID, "@type": "ApiKey",
			"created": "2026-03-01T12:00:00Z", "expires": "", "href": "http://demarc.test/api/admin/apiKey/" + keyID,
		})
		if !strings.HasPrefix(text, "dmk_"+keyID+"_") || made.Header.Get("Location") != made.At("href") || made.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("made %s, %v", made.Raw, made.Header)
		}
		s.do(text, "GET", "/api/admin/apiKey/"+keyID, "").Want(200)
		s.do(text, "POST", "/api/admin/apiKey/"+keyID+"/revoke", "").Want(403) // it may read only
		secret := strings.Split(text, "_")[2]
		for _, path := range []string{"/" + keyID, "?client=obp-apigw", "?state=active"} {
			if a := s.do(s.boss, "GET", "/api/admin/apiKey"+path, "").Want(200); strings.Contains(a.Raw, secret) || !strings.Contains(a.Raw, keyID) {
				t.Errorf("%s answers %s", path, a.Raw)
			}
		}
	})
}

func TestARotatedKeyWorksToItsEndAndItsSuccessorOn(t *testing.T) {
	each(t, func(s *server) {
		first := s.do(s.boss, "POST", "/api/admin/apiKey", adminKey).Want(201)
		at := "/api/admin/apiKey/" + first.At("id")
		next := s.do(s.boss, "POST", at+"/rotate", `{"overlapSeconds":3600}`).Want(201).Is(map[string]string{
			"line": first.At("id"), "client": "obp-apigw", "name": "nightly", "roles": first.At("roles"), "scopes": first.At("scopes"), "state": "active",
		})
		works := func(key optest.Reply, status int) {
			t.Helper()
			s.do(key.At("key"), "GET", "/api/admin/apiKey/"+next.At("id"), "").Want(status)
		}
		works(first, 200)
		works(next, 200)
		s.do(s.boss, "POST", at+"/rotate", "").Refused(409, auth.CodeKeyRotation)
		s.clock.Advance(time.Hour)
		works(first, 401)
		works(next, 200)
		s.do(s.boss, "GET", at, "").Want(200).Is(map[string]string{"state": "ended", "expires": "2026-03-01T13:00:00Z"})
		s.do(s.boss, "POST", at+"/rotate", "").Refused(409, auth.CodeKeyRotation)

		third := s.do(s.boss, "POST", "/api/admin/apiKey/"+next.At("id")+"/rotate", "").Want(201)
		s.clock.Advance(24*time.Hour - time.Second)
		works(next, 200)
		s.clock.Advance(time.Second)
		works(next, 401)
		works(third, 200)
		if n := s.do(s.boss, "GET", "/api/admin/apiKey?client=obp-apigw&state=ended", "").Want(200).Len(); n != 2 {
			t.Errorf("%d keys have ended", n)
		}
	})
}

func TestARevokedKeyIsRefusedAtOnce(t *testing.T) {
	each(t, func(s *server) {
		key := s.do(s.boss, "POST", "/api/admin/apiKey", adminKey).Want(201)
		at := "/api/admin/apiKey/" + key.At("id")
		s.do(key.At("key"), "GET", at, "").Want(200)
		s.do(s.boss, "POST", at+"/revoke", "").Want(200).Is(map[string]string{"state": "revoked", "revoked": "2026-03-01T12:00:00Z"})
		s.do(key.At("key"), "GET", at, "").Refused(401, fault.CodeUnauthenticated)
		s.clock.Advance(time.Hour)
		s.do(s.boss, "POST", at+"/revoke", "").Want(200).Is(map[string]string{"revoked": "2026-03-01T12:00:00Z"})
		s.do(s.boss, "POST", at+"/rotate", "").Refused(409, auth.CodeKeyRotation)
	})
}

func TestNobodyIssuesAKeyThatMayDoMoreThanHimself(t *testing.T) {
	s := serve(t, "sqlite")
	for name, c := range map[string]struct {
		by, body string
		status   int
	}{
		"a role he has not":                    {s.warden, `{"client":"c","roles":["1:customer:get"],"scopes":["obp-apigw:read"]}`, 403},
		"the role, but no scope to use it":     {s.warden, `{"client":"c","roles":["1:customer:get"]}`, 201},
		"a key that only narrows tokens":       {s.warden, `{"client":"c"}`, 201},
		"admin tasks by who has them":          {s.warden, `{"client":"c","roles":["1:admin"],"scopes":["obp-apigw:read","obp-apigw:admin"]}`, 201},
		"anything by who has no admin tasks":   {s.viewer, `{"client":"c"}`, 403},
		"a key for another service provider":   {s.boss, `{"client":"c","spids":[1,2]}`, 403},
		"a key for two, by who has both":       {s.both, `{"client":"c","spids":[2,1],"roles":["2:customer:get"],"scopes":["obp-apigw:read"]}`, 201},
		"a key for one that is not the chosen": {s.both, `{"client":"c","spids":[2]}`, 400},
	} {
		t.Run(name, func(t *testing.T) { s.do(c.by, "POST", "/api/admin/apiKey", c.body).Want(c.status) })
	}
	// A successor can do what its issuer can: the warden lacks what this key opens.
	key := s.do(s.boss, "POST", "/api/admin/apiKey", adminKey).Want(201)
	s.do(s.warden, "POST", "/api/admin/apiKey/"+key.At("id")+"/rotate", "").Refused(403, fault.CodeForbidden)
	s.do(s.warden, "POST", "/api/admin/apiKey/"+key.At("id")+"/revoke", "").Want(200)
}

func TestKeysOfAnotherServiceProviderDoNotExist(t *testing.T) {
	s := serve(t, "sqlite")
	for name, c := range map[string]struct{ by, spid, key string }{
		"another's":                         {s.boss, "1", s.other},
		"one for another as well":           {s.boss, "1", s.both},
		"another's, by an administrator of": {s.both, "1", s.other}, // he has to choose it
		"one that never was":                {s.boss, "1", "dmk_0000000000000000_x"},
	} {
		t.Run(name, func(t *testing.T) {
			at := "/api/admin/apiKey/" + idOf(c.key)
			first := s.do(c.by, "GET", at, "", "spid: "+c.spid).Refused(404, fault.CodeNotFound)
			for _, what := range []string{"/rotate", "/revoke"} {
				s.do(c.by, "POST", at+what, "", "spid: "+c.spid).Refused(404, fault.CodeNotFound)
			}
			s.do(c.by, "GET", "/api/admin/audit?entityId="+idOf(c.key), "", "spid: "+c.spid).Refused(404, fault.CodeNotFound)
			if a := s.do(c.by, "GET", "/api/admin/apiKey", "", "spid: "+c.spid).Want(200); strings.Contains(a.Raw, idOf(c.key)) {
				t.Errorf("the list has it: %s", a.Raw)
			}
			if want := "there is no API key " + idOf(c.key); first.At("reason") != want {
				t.Errorf("%q tells more than %q", first.At("reason"), want)
			}
		})
	}
	s.do(s.both, "GET", "/api/admin/apiKey/"+idOf(s.other), "", "spid: 2").Want(200)
	s.do(s.other, "GET", "/api/admin/apiKey/"+idOf(s.other), "").Want(200)
	s.do(s.boss, "GET", "/api/admin/apiKey", "", "spid: 2").Refused(403, fault.CodeForbidden)
}

func TestARepeatedIssueMakesOneKeyAndShowsNoSecretAgain(t *testing.T) {
	each(t, func(s *server) {
		first := s.do(s.boss, "POST", "/api/admin/apiKey", adminKey, "Idempotency-Key: k1").Want(201)
		again := s.do(s.boss, "POST", "/api/admin/apiKey", adminKey, "Idempotency-Key: k1").Refused(409, op.CodeNotKept)
		if again.Header.Get("Location") != first.At("href") {
			t.Errorf("it leads to %q", again.Header.Get("Location"))
		}
		if n := s.do(s.boss, "GET", "/api/admin/apiKey?client=obp-apigw", "").Want(200).Len(); n != 1 {
			t.Errorf("%d keys", n)
		}
		rotate := "/api/admin/apiKey/" + first.At("id") + "/rotate"
		s.do(s.boss, "POST", rotate, "", "Idempotency-Key: k2").Want(201)
		s.do(s.boss, "POST", rotate, "", "Idempotency-Key: k2").Refused(409, op.CodeNotKept)
	})
}

func TestADryRunShowsNoKey(t *testing.T) {
	s := serve(t, "sqlite")
	s.do(s.boss, "POST", "/api/admin/apiKey?dryRun=true", adminKey).Want(201).Is(map[string]string{"key": "", "client": "obp-apigw"})
}

func TestWhatIsWrongWithAKeyIsSaidWhereItIs(t *testing.T) {
	s := serve(t, "sqlite")
	for body, attribute := range map[string]string{
		`{}`:                                                       "client",
		`{"client":""}`:                                            "client",
		`{"client":"c","spids":[]}`:                                "spids",
		`{"client":"c","spids":[1,1]}`:                             "spids[1]",
		`{"client":"c","spids":[2]}`:                               "spids",
		`{"client":"c","roles":["1:moon:get"]}`:                    "roles[0]",
		`{"client":"c","roles":["2:customer:get"]}`:                "roles[0]",
		`{"client":"c","scopes":["openid"]}`:                       "scopes[0]",
		`{"client":"c","expires":"2020-01-01T00:00:00Z"}`:          "expires",
		`{"client":"c","expires":"tomorrow"}`:                      "expires",
		`{"client":"` + strings.Repeat("c", 256) + `"}`:            "client",
		`{"client":"c","name":"` + strings.Repeat("n", 256) + `"}`: "name",
	} {
		if a := s.do(s.boss, "POST", "/api/admin/apiKey", body).Want(400); a.At("details.0.attribute") != attribute {
			t.Errorf("%.60s is refused with %s, want %s", body, a.Raw, attribute)
		}
	}
	at := "/api/admin/apiKey/" + idOf(s.boss) + "/rotate"
	for _, body := range []string{`{"overlapSeconds":-1}`, `{"overlapSeconds":31536001}`, `{"overlapSeconds":"day"}`} {
		s.do(s.boss, "POST", at, body).Want(400)
	}
	for _, query := range []string{"?state=asleep", "?limit=0", "?limit=1001", "?offset=-1", "?offset=x"} {
		s.do(s.boss, "GET", "/api/admin/apiKey"+query, "").Want(400)
	}
}

func TestKeysArePaged(t *testing.T) {
	s := serve(t, "sqlite")
	for range 5 {
		s.do(s.boss, "POST", "/api/v1/admin/apiKey", `{"client":"many"}`).Want(201)
		s.clock.Advance(time.Second)
	}
	for query, want := range map[string]struct {
		status, n int
		link      string
	}{
		"":                   {200, 5, `<L?client=many&limit=100&offset=0>; rel="self"`},
		"&limit=5":           {200, 5, `<L?client=many&limit=5&offset=0>; rel="self"`},
		"&limit=2":           {206, 2, `<L?client=many&limit=2&offset=0>; rel="self", <L?client=many&limit=2&offset=2>; rel="next"`},
		"&limit=2&offset=3":  {206, 2, `<L?client=many&limit=2&offset=3>; rel="self", <L?client=many&limit=2&offset=1>; rel="prev"`},
		"&offset=9223372036": {206, 0, `<L?client=many&limit=100&offset=9223372036>; rel="self", <L?client=many&limit=100&offset=9223371936>; rel="prev"`},
	} {
		a := s.do(s.boss, "GET", "/api/admin/apiKey?client=many"+query, "").Want(want.status)
		if a.Len() != want.n || a.Header.Get("X-Total-Count") != "5" || a.Header.Get("X-Result-Count") != string(rune('0'+want.n)) {
			t.Errorf("%q: %d keys, %v", query, a.Len(), a.Header)
		}
		if got := strings.ReplaceAll(a.Header.Get("Link"), "http://demarc.test/api/admin/apiKey", "L"); got != want.link {
			t.Errorf("%q: Link %s, want %s", query, got, want.link)
		}
	}
}
