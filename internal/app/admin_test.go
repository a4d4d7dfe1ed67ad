package app_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// with asks for customers with an API key and gives the status.
func with(t *testing.T, a *app.App, key string) int {
	t.Helper()
	status, _ := ask(t, a, "GET", "/api/customer", "", "X-API-Key", key)
	return status
}

// post sends a request as the administrator, under an idempotency key of its own.
func post(t *testing.T, a *app.App, path, body string) (int, string) {
	t.Helper()
	token, err := a.Mint(realm.UserAdmin, realm.GatewayClient)
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, a, "POST", path, body, "Authorization", "Bearer "+token, "Idempotency-Key", rand.Text())
}

// ask sends a request with headers, name and value, and gives the status and the body.
func ask(t *testing.T, a *app.App, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, a.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// issue makes a key that reads customers, or replaces one, and gives its text and id.
func issue(t *testing.T, a *app.App, path, body string) (text, id string) {
	t.Helper()
	status, answer := post(t, a, path, body)
	if status != http.StatusCreated {
		t.Fatalf("status %d: %s", status, answer)
	}
	var made struct{ Key, ID string }
	if err := json.Unmarshal([]byte(answer), &made, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	return made.Key, made.ID
}

const customerReader = `{"client":"obp-apigw","roles":["1:customer:get"],"scopes":["obp-apigw:read"]}`

func TestAKeyLivesFromItsIssueToItsEnd(t *testing.T) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			s := settings(t)
			s.DB = storetest.URL(t, engine)
			a := start(t, s)
			first, at := issue(t, a, "/api/admin/apiKey", customerReader)
			works := func(key string, want int) {
				t.Helper()
				if status := with(t, a, key); status != want {
					t.Errorf("status %d, want %d", status, want)
				}
			}
			works(first, 200)
			next, _ := issue(t, a, "/api/admin/apiKey/"+at+"/rotate", "{}")
			works(first, 200)
			works(next, 200)
			stop(t, a)
			a = start(t, s)
			defer func() { stop(t, a) }()
			works(next, 200)
			if status, body := post(t, a, "/api/admin/apiKey/"+at+"/revoke", ""); status != 200 {
				t.Fatalf("status %d: %s", status, body)
			}
			works(first, 401)
			works(next, 200)
			dry, _ := issue(t, a, "/api/admin/apiKey?dryRun=true", customerReader)
			if _, body := send(t, a, "GET", "/api/admin/apiKey?client=obp-apigw", nil); dry != "" || strings.Count(body, `"id"`) != 2 {
				t.Errorf("after a dry run, %q and the keys %s", dry, body)
			}
		})
	}
}

// The database holds no secret, and the trail of a key not even what the secret is checked by.
func TestNeitherTheDatabaseNorTheTrailHoldsASecret(t *testing.T) {
	s := settings(t)
	a := start(t, s)
	defer stop(t, a)
	text, at := issue(t, a, "/api/admin/apiKey", customerReader)
	status, hub := post(t, a, "/tmf-api/party/v4/hub", `{"callback":"http://127.0.0.1:9/"}`)
	if status != 201 {
		t.Fatalf("status %d: %s", status, hub)
	}
	if with(t, a, text) != 200 {
		t.Fatal("the key does not work")
	}
	if status, body := post(t, a, "/api/admin/apiKey/"+at+"/revoke", ""); status != 200 {
		t.Fatalf("status %d: %s", status, body)
	}
	_, trail := send(t, a, "GET", "/api/admin/audit?entityId="+at, nil)
	for _, operation := range []string{"admin.apiKey.issue", "apiKey.use", "admin.apiKey.revoke"} {
		if !strings.Contains(trail, `"operation":"`+operation+`"`) {
			t.Errorf("%s is not in the trail: %s", operation, trail)
		}
	}
	held, err := a.MAC(t.Context(), at)
	if err != nil || len(held) != 32 {
		t.Fatalf("the key has the MAC %x, %v", held, err)
	}
	for _, form := range []string{hex.EncodeToString(held), base64.StdEncoding.EncodeToString(held)} {
		if strings.Contains(trail, form) {
			t.Errorf("the trail holds the MAC: %s", trail)
		}
	}
	var made struct{ Secret string }
	if err := json.Unmarshal([]byte(hub), &made, json.MatchCaseInsensitiveNames(true)); err != nil || !strings.HasPrefix(made.Secret, "whsec_") {
		t.Fatalf("%v in %s", err, hub)
	}
	for name, secret := range map[string]string{"API key": strings.Split(text, "_")[2], "webhook": strings.TrimPrefix(made.Secret, "whsec_")} {
		if where := found(t, s.Data, secret); len(where) > 0 {
			t.Errorf("the secret of the %s stands in %v", name, where)
		}
	}
	if len(found(t, s.Data, at)) == 0 {
		t.Error("the key's id was not found either: the search does not work")
	}
}

// found lists the files of the data folder that hold a text.
func found(t *testing.T, folder, text string) (where []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "demarc.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database in %s: %v", folder, err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte(text)) {
			where = append(where, filepath.Base(name))
		}
	}
	return where
}
