package main

import (
	"fmt"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

type apiKeyCommands struct {
	Issue  apiKeyIssueCommand  `cmd:"" help:"Make a key and print it; it is shown once."`
	List   apiKeyListCommand   `cmd:"" help:"List keys. Secrets are not kept and cannot be shown."`
	Rotate apiKeyRotateCommand `cmd:"" help:"Make a successor of a key, which stays good for a while."`
	Revoke apiKeyRevokeCommand `cmd:"" help:"End a key at once."`
}

type apiKeyIssueCommand struct {
	For     string        `help:"OAuth client that the key is issued to." required:"" placeholder:"CLIENT"`
	Name    string        `help:"What the key is for." default:""`
	SPID    []int         `name:"spid" help:"Service provider that it works for; may be given several times." required:""`
	Role    []string      `help:"Role that it grants without a token; without any it only narrows tokens."`
	Scope   []string      `help:"OAuth scope that it grants without a token: obp-apigw:read, obp-apigw:write, obp-apigw:admin."`
	Expires time.Duration `help:"How long it is good; 0 is until it is revoked." default:"0"`
}

// Run prints the key on standard output, and what is known of it on standard error.
func (k apiKeyIssueCommand) Run(c *invocation) error {
	return withKeys(c, k.SPID, func(keys *auth.Keys, by *auth.Principal) error {
		spec := auth.KeySpec{Client: k.For, Name: k.Name, SPIDs: k.SPID, Roles: k.Role, Scopes: k.Scope}
		if k.Expires > 0 {
			spec.Expires = (clock.Real{}).Now().Add(k.Expires)
		}
		text, key, err := keys.Issue(c.ctx, by, spec)
		if err != nil {
			return err
		}
		return showKey(c, text, key)
	})
}

func showKey(c *invocation, text string, key auth.APIKey) error {
	_, _ = fmt.Fprintf(c.stderr, "key %s of %s; send it as X-API-Key. It is not shown again.\n", key.ID, key.Client)
	_, err := fmt.Fprintln(c.stdout, text)
	return err
}

type apiKeyListCommand struct {
	For string `help:"Only keys of this client." placeholder:"CLIENT"`
	At  []int  `name:"spid" help:"Service providers; without any, those of the setting service-provider."`
}

// Run lists keys.
func (k apiKeyListCommand) Run(c *invocation) error {
	return withKeys(c, k.At, func(keys *auth.Keys, by *auth.Principal) error {
		all, err := keys.List(c.ctx, by, k.For)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "ID\tCLIENT\tNAME\tSPIDS\tROLES\tCREATED\tLAST USED\tENDS")
		for _, a := range all {
			ends := day(a.Expires, "never")
			if !a.Revoked.IsZero() {
				ends = "revoked " + day(a.Revoked, "")
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.ID, a.Client, a.Name, strings.Trim(fmt.Sprint(a.SPIDs), "[]"),
				strings.Join(a.Roles, ","), day(a.Created, ""), day(a.LastUsed, "never"), ends)
		}
		return w.Flush()
	})
}

func day(t time.Time, never string) string {
	if t.IsZero() {
		return never
	}
	return t.Format(time.DateOnly)
}

type apiKeyRotateCommand struct {
	ID      string        `arg:"" help:"Key to rotate."`
	Overlap time.Duration `help:"How long the old key stays good." default:"24h"`
	At      []int         `name:"spid" help:"Service providers of the key; without any, those of the setting service-provider."`
}

// Run prints the successor on standard output.
func (k apiKeyRotateCommand) Run(c *invocation) error {
	return withKeys(c, k.At, func(keys *auth.Keys, by *auth.Principal) error {
		text, key, err := keys.Rotate(c.ctx, by, k.ID, k.Overlap)
		if err != nil {
			return err
		}
		return showKey(c, text, key)
	})
}

type apiKeyRevokeCommand struct {
	ID string `arg:"" help:"Key to revoke."`
	At []int  `name:"spid" help:"Service providers of the key; without any, those of the setting service-provider."`
}

// Run revokes a key.
func (k apiKeyRevokeCommand) Run(c *invocation) error {
	return withKeys(c, k.At, func(keys *auth.Keys, by *auth.Principal) error {
		if err := keys.Revoke(c.ctx, by, k.ID); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.stdout, "key %s is revoked\n", k.ID)
		return err
	})
}

// withKeys opens the keys for one command, in the name of whoever has a shell on this machine.
func withKeys(c *invocation, spids []int, do func(keys *auth.Keys, by *auth.Principal) error) error {
	return withHouse(c, func(h *app.House) error {
		if len(spids) == 0 {
			var err error
			if spids, err = h.SPIDs(0); err != nil {
				return err
			}
		}
		name := "operator"
		if u, err := user.Current(); err == nil {
			name = "os:" + u.Username
		}
		keys, err := h.APIKeys()
		if err != nil {
			return err
		}
		return do(keys, auth.Operator(name, spids...))
	})
}
