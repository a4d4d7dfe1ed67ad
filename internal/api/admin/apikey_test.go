package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

const adminKey = `{"client":"obp-apigw","name":"nightly","roles":["1:admin","1:customer:get"],"scopes":["obp-apigw:read","obp-apigw:admin"]}`

func TestAKeyIsShownOnceAndWorksAtOnce(t *testing.T) {
	each(t, func(s *server) {
		made := s.do(s.boss, "POST", "/api/admin/apiKey", adminKey).want(201)
		text, keyID := made.at("key"), made.at("id")
		made.is(map[string]string{
			"client": "obp-apigw", "name": "nightly", "spids": "[1]", "state": "active", "line": keyID, "@type": "ApiKey",
			"created": "2026-03-01T12:00:00Z", "expires": "", "href": "http://demarc.test/api/admin/apiKey/" + keyID,
		})
		if !strings.HasPrefix(text, "dmk_"+keyID+"_") || made.header.Get("Location") != made.at("href") || made.header.Get("Cache-Control") != "no-store" {
			t.Errorf("made %s, %v", made.raw, made.header)
		}
		s.do(text, "GET", "/api/admin/apiKey/"+keyID, "").want(200)
		s.do(text, "POST", "/api/admin/apiKey/"+keyID+"/revoke", "").want(403) // it may read only
		secret := strings.Split(text, "_")[2]
		for _, path := range []string{"/" + keyID, "?client=obp-apigw", "?state=active"} {
			if a := s.do(s.boss, "GET", "/api/admin/apiKey"+path, "").want(200); strings.Contains(a.raw, secret) || !strings.Contains(a.raw, keyID) {
				t.Errorf("%s answers %s", path, a.raw)
			}
		}
	})
}

func TestARotatedKeyWorksToItsEndAndItsSuccessorOn(t *testing.T) {
	each(t, func(s *server) {
		first := s.do(s.boss, "POST", "/api/admin/apiKey", adminKey).want(201)
		at := "/api/admin/apiKey/" + first.at("id")
		next := s.do(s.boss, "POST", at+"/rotate", `{"overlapSeconds":3600}`).want(201).is(map[string]string{
			"line": first.at("id"), "client": "obp-apigw", "name": "nightly", "roles": first.at("roles"), "scopes": first.at("scopes"), "state": "active",
		})
		works := func(key reply, status int) {
			t.Helper()
			s.do(key.at("key"), "GET", "/api/admin/apiKey/"+next.at("id"), "").want(status)
		}
		works(first, 200)
		works(next, 200)
		s.do(s.boss, "POST", at+"/rotate", "").refused(409, auth.CodeKeyRotation)
		s.clock.Advance(time.Hour)
		works(first, 401)
		works(next, 200)
		s.do(s.boss, "GET", at, "").want(200).is(map[string]string{"state": "ended", "expires": "2026-03-01T13:00:00Z"})
		s.do(s.boss, "POST", at+"/rotate", "").refused(409, auth.CodeKeyRotation)

		third := s.do(s.boss, "POST", "/api/admin/apiKey/"+next.at("id")+"/rotate", "").want(201)
		s.clock.Advance(24*time.Hour - time.Second)
		works(next, 200)
		s.clock.Advance(time.Second)
		works(next, 401)
		works(third, 200)
		if n := s.do(s.boss, "GET", "/api/admin/apiKey?client=obp-apigw&state=ended", "").want(200).len(); n != 2 {
			t.Errorf("%d keys have ended", n)
		}
	})
}

func TestARevokedKeyIsRefusedAtOnce(t *testing.T) {
	each(t, func(s *server) {
		key := s.do(s.boss, "POST", "/api/admin/apiKey", adminKey).want(201)
		at := "/api/admin/apiKey/" + key.at("id")
		s.do(key.at("key"), "GET", at, "").want(200)
		s.do(s.boss, "POST", at+"/revoke", "").want(200).is(map[string]string{"state": "revoked", "revoked": "2026-03-01T12:00:00Z"})
		s.do(key.at("key"), "GET", at, "").refused(401, fault.CodeUnauthenticated)
		s.clock.Advance(time.Hour)
		s.do(s.boss, "POST", at+"/revoke", "").want(200).is(map[string]string{"revoked": "2026-03-01T12:00:00Z"})
		s.do(s.boss, "POST", at+"/rotate", "").refused(409, auth.CodeKeyRotation)
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
		t.Run(name, func(t *testing.T) { s.do(c.by, "POST", "/api/admin/apiKey", c.body).want(c.status) })
	}
	// A successor can do what its issuer can: the warden lacks what this key opens.
	key := s.do(s.boss, "POST", "/api/admin/apiKey", adminKey).want(201)
	s.do(s.warden, "POST", "/api/admin/apiKey/"+key.at("id")+"/rotate", "").refused(403, fault.CodeForbidden)
	s.do(s.warden, "POST", "/api/admin/apiKey/"+key.at("id")+"/revoke", "").want(200)
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
			first := s.do(c.by, "GET", at, "", "spid: "+c.spid).refused(404, fault.CodeNotFound)
			for _, what := range []string{"/rotate", "/revoke"} {
				s.do(c.by, "POST", at+what, "", "spid: "+c.spid).refused(404, fault.CodeNotFound)
			}
			s.do(c.by, "GET", "/api/admin/audit?entityId="+idOf(c.key), "", "spid: "+c.spid).refused(404, fault.CodeNotFound)
			if a := s.do(c.by, "GET", "/api/admin/apiKey", "", "spid: "+c.spid).want(200); strings.Contains(a.raw, idOf(c.key)) {
				t.Errorf("the list has it: %s", a.raw)
			}
			if want := "there is no API key " + idOf(c.key); first.at("reason") != want {
				t.Errorf("%q tells more than %q", first.at("reason"), want)
			}
		})
	}
	s.do(s.both, "GET", "/api/admin/apiKey/"+idOf(s.other), "", "spid: 2").want(200)
	s.do(s.other, "GET", "/api/admin/apiKey/"+idOf(s.other), "").want(200)
	s.do(s.boss, "GET", "/api/admin/apiKey", "", "spid: 2").refused(403, fault.CodeForbidden)
}

func TestARepeatedIssueMakesOneKeyAndShowsNoSecretAgain(t *testing.T) {
	each(t, func(s *server) {
		first := s.do(s.boss, "POST", "/api/admin/apiKey", adminKey, "Idempotency-Key: k1").want(201)
		again := s.do(s.boss, "POST", "/api/admin/apiKey", adminKey, "Idempotency-Key: k1").refused(409, op.CodeNotKept)
		if again.header.Get("Location") != first.at("href") {
			t.Errorf("it leads to %q", again.header.Get("Location"))
		}
		if n := s.do(s.boss, "GET", "/api/admin/apiKey?client=obp-apigw", "").want(200).len(); n != 1 {
			t.Errorf("%d keys", n)
		}
		rotate := "/api/admin/apiKey/" + first.at("id") + "/rotate"
		s.do(s.boss, "POST", rotate, "", "Idempotency-Key: k2").want(201)
		s.do(s.boss, "POST", rotate, "", "Idempotency-Key: k2").refused(409, op.CodeNotKept)
	})
}

func TestADryRunShowsNoKey(t *testing.T) {
	s := serve(t, "sqlite")
	s.do(s.boss, "POST", "/api/admin/apiKey?dryRun=true", adminKey).want(201).is(map[string]string{"key": "", "client": "obp-apigw"})
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
		if a := s.do(s.boss, "POST", "/api/admin/apiKey", body).want(400); a.at("details.0.attribute") != attribute {
			t.Errorf("%.60s is refused with %s, want %s", body, a.raw, attribute)
		}
	}
	at := "/api/admin/apiKey/" + idOf(s.boss) + "/rotate"
	for _, body := range []string{`{"overlapSeconds":-1}`, `{"overlapSeconds":31536001}`, `{"overlapSeconds":"day"}`} {
		s.do(s.boss, "POST", at, body).want(400)
	}
	for _, query := range []string{"?state=asleep", "?limit=0", "?limit=1001", "?offset=-1", "?offset=x"} {
		s.do(s.boss, "GET", "/api/admin/apiKey"+query, "").want(400)
	}
}

func TestKeysArePaged(t *testing.T) {
	s := serve(t, "sqlite")
	for range 5 {
		s.do(s.boss, "POST", "/api/v1/admin/apiKey", `{"client":"many"}`).want(201)
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
		a := s.do(s.boss, "GET", "/api/admin/apiKey?client=many"+query, "").want(want.status)
		if a.len() != want.n || a.header.Get("X-Total-Count") != "5" || a.header.Get("X-Result-Count") != string(rune('0'+want.n)) {
			t.Errorf("%q: %d keys, %v", query, a.len(), a.header)
		}
		if got := strings.ReplaceAll(a.header.Get("Link"), "http://demarc.test/api/admin/apiKey", "L"); got != want.link {
			t.Errorf("%q: Link %s, want %s", query, got, want.link)
		}
	}
}
