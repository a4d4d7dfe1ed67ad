package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// Credentials are what a token is asked for with.
type Credentials struct {
	// URL is the server that issues it, without a path; Realm is "cm" when empty.
	URL, Realm string
	// User logs in through Client. The service account of the client needs no password.
	User, Password string
	Client, Secret string
}

// Login asks an identity provider for an access token: by the password grant, or for a service account by
// client credentials (RFC 6749 §4.3, §4.4).
func Login(ctx context.Context, c Credentials) (string, error) {
	if c.Realm == "" {
		c.Realm = "cm"
	}
	form := url.Values{"client_id": {c.Client}, "client_secret": {c.Secret}, "scope": {"openid"}}
	if c.User == realm.ServiceAccountOf(c.Client) {
		form.Set("grant_type", "client_credentials")
	} else {
		form.Set("grant_type", "password")
		form.Set("username", c.User)
		form.Set("password", c.Password)
	}
	endpoint := strings.TrimRight(c.URL, "/") + "/realms/" + c.Realm + "/protocol/openid-connect/token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := (&http.Client{Timeout: 15 * time.Second}).Do(req)
	if err != nil {
		return "", advise(fmt.Errorf("no identity provider answers at %s: %w", c.URL, err), "start one with `make run`, or name another with --url")
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return "", err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.AccessToken == "" && answer.Error == "" {
		return "", advise(fmt.Errorf("%s does not answer as an identity provider does (status %d)", endpoint, res.StatusCode),
			"is it a demarc in development mode, or a Keycloak with the realm that `demarc realm export` prints?")
	}
	if answer.Error != "" {
		return "", fmt.Errorf("no token for %s: %s: %s", c.User, answer.Error, answer.Description)
	}
	return answer.AccessToken, nil
}

// MintDev makes a token with the development key of the data folder, for a server that is to run at base.
func MintDev(s *config.Settings, base, user, client string) (string, error) {
	dev := *s
	dev.Dev = true
	if err := dev.Check(); err != nil {
		return "", err
	}
	f, err := openFolder(&dev)
	if err != nil || f == "" {
		return "", errors.Join(err, errors.New("there is no data folder"))
	}
	idp, err := devProvider(&dev, f, clock.Real{})
	if err != nil {
		return "", err
	}
	if err := idp.SetBaseURL(base); err != nil {
		return "", err
	}
	return idp.Mint(user, client)
}
