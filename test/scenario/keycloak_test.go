//go:build keycloak

package scenario_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/auth/keycloaktest"
	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/test/scenario"
)

// Every scenario runs with a real Keycloak as the issuer, its realm as `demarc realm export` prints it.
func TestScenariosWithKeycloak(t *testing.T) {
	var file bytes.Buffer
	providers := []realm.SP{{SPID: 1, Name: "HappyPhone"}, {SPID: 2, Name: "SadPhone"}}
	if err := realm.Export(&file, realm.Options{Dev: true, Providers: providers}); err != nil {
		t.Fatal(err)
	}
	issuer := keycloaktest.Start(t, file.Bytes())
	all, err := scenario.Load("scenarios")
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, storetest.URL(t, "sqlite"), func(s *config.Settings) {
		s.Dev, s.Issuer, s.AllowedAzp = false, []string{issuer}, []string{realm.GatewayClient}
		s.WebhookAllow = []string{"127.0.0.0/8"}
	})
	base, _, _ := strings.Cut(issuer, "/realms/")
	server.Token = logins(base)
	t.Run("scenarios", func(t *testing.T) { play(t, server, all, "demo") })
}

// logins logs each user in once: Keycloak hashes passwords slowly, on purpose.
func logins(base string) func(context.Context, string) (string, error) {
	var mu sync.Mutex
	tokens := map[string]string{}
	return func(ctx context.Context, user string) (string, error) {
		if user == "" {
			user = realm.UserAdmin
		}
		mu.Lock()
		defer mu.Unlock()
		if tokens[user] != "" {
			return tokens[user], nil
		}
		token, err := app.Login(ctx, app.Credentials{
			URL: base, User: user, Password: realm.DevPassword, Client: realm.GatewayClient, Secret: realm.DevSecret,
		})
		tokens[user] = token
		return token, err
	}
}
