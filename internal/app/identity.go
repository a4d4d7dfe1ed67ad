package app

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/auth/devidp"
	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

// devKeyFile is the development provider's signing key in the data folder; tokens outlive a restart.
const devKeyFile = "dev-signing-key.pem"

// devProvider is the development identity provider of the settings; nil without dev. Its base URL is set
// once the port is known.
func devProvider(s *config.Settings, f folder, c clock.Clock) (*devidp.Provider, error) {
	if !s.Dev {
		return nil, nil
	}
	r, err := devRealm(s)
	if err != nil {
		return nil, err
	}
	o := devidp.Options{Dev: true, Listen: s.Listen, BaseURL: s.PublicURL, Realm: r, Clock: c}
	if f != "" {
		o.KeyFile = f.path(devKeyFile)
	}
	return devidp.New(o)
}

// devRealm is the realm of the file in the settings, or the one that demarc itself would export.
func devRealm(s *config.Settings) (*realm.Realm, error) {
	if s.DevRealm != "" {
		text, err := os.ReadFile(s.DevRealm)
		if err != nil {
			return nil, advise(err, "name a realm file that Keycloak could import with --dev-realm, or leave the setting out")
		}
		return realm.Parse(bytes.NewReader(fillIn(text, os.LookupEnv)))
	}
	o, err := realmOptions(s)
	if err != nil {
		return nil, err
	}
	o.Dev = true
	return realm.Build(o)
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// fillIn puts variables of the environment in the place of their ${NAME}, as Keycloak does when it imports a
// realm. What no variable has stays as it is: Keycloak's own texts look alike.
func fillIn(file []byte, lookup func(string) (string, bool)) []byte {
	return placeholder.ReplaceAllFunc(file, func(found []byte) []byte {
		v, ok := lookup(string(found[2 : len(found)-1]))
		quoted, err := jsontext.AppendQuote(nil, v)
		if !ok || err != nil {
			return found
		}
		return quoted[1 : len(quoted)-1]
	})
}

func realmOptions(s *config.Settings) (realm.Options, error) {
	providers, err := s.Providers()
	var o realm.Options
	for _, p := range providers {
		o.Providers = append(o.Providers, realm.SP{SPID: p.SPID, Name: p.Name})
	}
	return o, err
}

// authenticator honours the issuers of the settings, and the development provider when there is one.
func authenticator(s *config.Settings, idp *devidp.Provider, keys auth.KeyStore, pepper []byte, c clock.Clock) (*auth.Authenticator, error) {
	cfg := auth.Config{Pepper: pepper}
	for i, url := range s.Issuer {
		issuer := auth.Issuer{URL: url, Audiences: s.Audience, AllowedAzp: s.AllowedAzp, RoleClients: s.RoleClient}
		if i < len(s.JWKSURL) {
			issuer.JWKSURL = s.JWKSURL[i]
		}
		cfg.Issuers = append(cfg.Issuers, issuer)
	}
	if idp != nil {
		cfg.Issuers = append(cfg.Issuers, auth.Issuer{
			URL: idp.Issuer(), Keys: idp.KeySet, AllowedAzp: []string{realm.GatewayClient, realm.PortalClient},
		})
	}
	return auth.New(cfg, c, keys)
}

// serverSecret is what API keys are stored under and webhook secrets are derived from.
func serverSecret(s *config.Settings, f folder) ([]byte, error) {
	if s.Secret != "" {
		return []byte(s.Secret), nil
	}
	p, err := f.secret("secret")
	if err != nil {
		return nil, advise(fmt.Errorf("the server's secret cannot be kept: %w", err), "set DEMARC_SECRET, or name a folder that may be written to with --data")
	}
	return p, nil
}

// derive gives a key of its own for one use of the secret.
func derive(secret []byte, use string) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("demarc " + use))
	return m.Sum(nil)
}

// gate lets the authenticator decide who comes in.
type gate struct{ *auth.Authenticator }

// Admit implements op.Gate.
func (g gate) Admit(ctx context.Context, authorization, apiKey, spid string, perms []auth.Permission) (scope.Scope, error) {
	p, err := g.Authenticate(ctx, authorization, apiKey)
	if err != nil {
		return scope.Scope{}, err
	}
	return p.Scope(spid, perms...)
}

// identityOperations declares what the development provider serves.
func identityOperations(idp *devidp.Provider) []op.Operation {
	facade := &op.Facade{Name: "identity", Title: "Development identity provider", Version: "1",
		Description: "OpenID Connect as Keycloak serves it; in development only."}
	var out []op.Operation
	for _, route := range idp.Routes() {
		method, path, _ := strings.Cut(route, " ")
		out = append(out, op.Operation{
			ID: "identity." + operationName(method, path), Facade: facade, Method: method, Path: path, Public: true,
			Tag: "identity", Summary: "Development identity provider: " + method + " " + path, Raw: http.HandlerFunc(idp.ServeHTTP),
		})
	}
	return out
}

// operationName is the last words of a path in camelCase after the method: "postTokenIntrospect".
func operationName(method, path string) string {
	words := strings.FieldsFunc(path, func(r rune) bool { return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9') })
	if len(words) > 2 {
		words = words[len(words)-2:]
	}
	name := strings.ToLower(method)
	for _, w := range words {
		name += strings.ToUpper(w[:1]) + w[1:]
	}
	return name
}
