package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"syscall"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/auth/realm"
)

type tokenCommand struct {
	URL      string `help:"Server that issues the token: a demarc in development, or Keycloak with the exported realm. Without it, the server of the settings." env:"DEMARC_URL" placeholder:"URL"`
	User     string `help:"User to log in: admin, csr, viewer, clerk, admin-1 …; service-account-CLIENT logs the client itself in." default:"admin"`
	Client   string `help:"OAuth client to log in through." default:"obp-apigw"`
	Password string `help:"Password of the user; by default that of development." placeholder:"TEXT"`
	Secret   string `name:"client-secret" help:"Secret of the client; by default that of development." placeholder:"TEXT"`
}

// Run prints the token and nothing else on standard output.
func (k tokenCommand) Run(c *invocation) error {
	base := cmp.Or(k.URL, c.settings.BaseURL())
	if u, err := url.Parse(base); err != nil || u.Host == "" {
		return fmt.Errorf("%q is not the URL of a server", base)
	}
	token, err := app.Login(c.ctx, app.Credentials{
		URL: base, User: k.User, Client: k.Client,
		Password: cmp.Or(k.Password, realm.DevPassword), Secret: cmp.Or(k.Secret, realm.DevSecret),
	})
	if errors.Is(err, syscall.ECONNREFUSED) {
		// Nobody listens there: a token by the key in the data folder is good once the server runs.
		var minted error
		if token, minted = app.MintDev(&c.settings.Settings, base, k.User, k.Client); minted == nil {
			_, _ = fmt.Fprintf(c.stderr, "demarc: nothing answers at %s; the token is made with the key in the data folder\n", base)
			err = nil
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.stdout, token)
	return err
}

type realmExportCommand struct {
	Name        string   `help:"Name of the realm." default:"cm"`
	Development bool     `help:"With the passwords and secrets of development, for a Keycloak on this machine."`
	Gateway     string   `help:"Root URL of the API gateway, the client obp-apigw." placeholder:"URL"`
	Portal      []string `help:"Root URL of a portal." placeholder:"URL"`
}

// Run prints the realm as JSON.
func (k realmExportCommand) Run(c *invocation) error {
	providers, err := c.settings.Providers()
	if err != nil {
		return err
	}
	o := realm.Options{Name: k.Name, Dev: k.Development, GatewayURL: k.Gateway, PortalURLs: k.Portal}
	for _, p := range providers {
		o.Providers = append(o.Providers, realm.SP{SPID: p.SPID, Name: p.Name})
	}
	return realm.Export(c.stdout, o)
}
