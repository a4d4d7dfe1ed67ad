package app_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/auth/realm"
)

func TestTheDevelopmentProviderLoadsARealmFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "realm.json")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	err = realm.Export(out, realm.Options{Name: "shop", Dev: true, Providers: []realm.SP{{SPID: 7, Name: "SevenPhone"}}})
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := settings(t)
	s.DevRealm = file
	a := start(t, s)
	defer stop(t, a)
	res, err := http.PostForm(a.URL()+"/realms/shop/protocol/openid-connect/token", url.Values{
		"grant_type": {"password"}, "client_id": {realm.GatewayClient}, "client_secret": {realm.DevSecret},
		"username": {realm.AdminOf(7)}, "password": {realm.DevPassword},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || !strings.Contains(string(text), `"access_token"`) {
		t.Errorf("%d %s (%v)", res.StatusCode, text, err)
	}
}

func TestARealmFileThatIsNone(t *testing.T) {
	s := settings(t)
	s.DevRealm = filepath.Join(t.TempDir(), "missing.json")
	a := app.New(s, app.Options{})
	if err := a.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "missing.json") {
		t.Errorf("%v", err)
	}
}
