package devidp

import (
	"net/url"
	"slices"
	"strings"

	"github.com/demarc-bss/demarc/internal/auth/realm"
)

// matches reports whether a redirect URI is one of a client's patterns, as Keycloak reads them: exactly,
// or by a pattern that ends in "*", or, for a pattern on the local machine without a port, at any port.
//
// The pattern "*" stands for anywhere in Keycloak; here, for anywhere on the local machine.
func matches(patterns []string, redirect string) bool {
	u, err := url.Parse(redirect)
	if err != nil || u.Scheme == "" || u.Fragment != "" || strings.Contains(redirect, "#") || u.User != nil || u.Opaque != "" {
		return false
	}
	// Browsers read a backslash as a slash, and dots that climb leave the pattern's folder.
	if strings.ContainsAny(redirect, "\\\r\n\t ") || climbs(u) {
		return false
	}
	local := (u.Scheme == "http" || u.Scheme == "https") && loopback(u.Hostname())
	for _, pattern := range patterns {
		if pattern == "*" {
			if local {
				return true
			}
			continue
		}
		if fits(pattern, redirect) {
			return true
		}
		if p, err := url.Parse(strings.TrimSuffix(pattern, "*")); err == nil && local && p.Port() == "" && loopback(p.Hostname()) && u.Port() != "" {
			portless := *u
			portless.Host = strings.TrimSuffix(u.Host, ":"+u.Port())
			if fits(pattern, portless.String()) {
				return true
			}
		}
	}
	return false
}

func fits(pattern, redirect string) bool {
	prefix, wild := strings.CutSuffix(pattern, "*")
	if !wild {
		return redirect == pattern
	}
	// The prefix must reach past the host, or "http://localhost*" would cover "http://localhost.evil".
	p, err := url.Parse(prefix)
	if err != nil || p.Host == "" || p.Path == "" {
		return false
	}
	beforeQuery, _, _ := strings.Cut(redirect, "?")
	return strings.HasPrefix(beforeQuery, prefix) || beforeQuery == strings.TrimSuffix(prefix, "/")
}

func climbs(u *url.URL) bool {
	return slices.Contains(strings.Split(u.Path, "/"), "..") || strings.Contains(strings.ToLower(u.RawPath), "%2e")
}

// afterLogout are the patterns of where a client may be sent after a logout; "+" stands for its redirects.
func afterLogout(c *realm.Client) []string {
	var out []string
	for _, one := range strings.Split(c.Attributes["post.logout.redirect.uris"], "##") {
		switch one {
		case "", "-":
		case "+":
			out = append(out, c.RedirectURIs...)
		default:
			out = append(out, one)
		}
	}
	return out
}
