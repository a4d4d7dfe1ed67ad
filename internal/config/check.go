package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Check says what is wrong with the settings taken together, and what would be right.
func (s *Settings) Check() error {
	for _, check := range []func() error{s.checkListen, s.checkDB, s.checkIdentity, s.checkNetwork, s.checkPayment, s.checkRanges} {
		if err := check(); err != nil {
			return err
		}
	}
	if _, err := s.CallbackBlocks(); err != nil {
		return err
	}
	_, err := s.Providers()
	return err
}

func (s *Settings) checkListen() error {
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return fmt.Errorf("setting listen: %q is not host:port, as in 127.0.0.1:8080 or :8080", s.Listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("setting listen: %q is not a port number", port)
	}
	if s.Dev && !loopback(host) {
		return fmt.Errorf("setting listen: with dev on, passwords are public knowledge, so demarc listens on loopback only (127.0.0.1, ::1 or localhost), not on %q; turn dev off and set issuer", s.Listen)
	}
	if s.PublicURL == "" {
		return nil
	}
	if u, err := url.Parse(s.PublicURL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("setting public-url: %q is not a URL such as https://api.example.com", s.PublicURL)
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (s *Settings) checkDB() error {
	if s.DB == "" && s.Data == "" {
		return fmt.Errorf("setting data: a folder is needed when db is not set")
	}
	for _, scheme := range []string{"sqlite:", "postgres://", "postgresql://"} {
		if strings.HasPrefix(s.DB, scheme) {
			return nil
		}
	}
	if s.DB == "" {
		return nil
	}
	return fmt.Errorf("setting db: a URL begins with sqlite: or postgres://, as in sqlite:/var/lib/demarc/demarc.db or postgres://demarc@127.0.0.1/demarc")
}

func (s *Settings) checkNetwork() error {
	if s.NetworkTimeout <= 0 || s.NetworkPatience <= 0 {
		return fmt.Errorf("setting network-timeout, network-patience: they are longer than nothing, as in 10s and 24h")
	}
	if s.NetworkURL == "" || strings.HasPrefix(s.NetworkURL, "simulator:") {
		return nil
	}
	if u, err := url.Parse(s.NetworkURL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("setting network-url: %q is not a URL such as https://provisioning.example.com/v1, nor simulator:", s.NetworkURL)
	}
	if len(s.NetworkKey) < 32 {
		return fmt.Errorf("setting network-key: at least 32 bytes are needed, as `openssl rand -hex 32` gives")
	}
	return nil
}

// What payment-gateway may begin with.
const (
	GatewaySandbox = "sandbox:"
	GatewayStripe  = "stripe:"
)

func (s *Settings) checkPayment() error {
	if s.PaymentTimeout <= 0 || s.PaymentTimeout > 20*time.Second {
		return fmt.Errorf("setting payment-timeout: it is longer than nothing and at most 20s")
	}
	if s.PaymentGateway == "" || s.PaymentGateway == GatewaySandbox {
		return nil
	}
	at, ok := strings.CutPrefix(s.PaymentGateway, GatewayStripe)
	if u, err := url.Parse(at); !ok || at != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "") {
		return fmt.Errorf("setting payment-gateway: %q is not stripe:, stripe: with a URL behind it, nor sandbox:", s.PaymentGateway)
	}
	if s.PaymentKey == "" {
		return fmt.Errorf("setting payment-key: the key of the account at the gateway is missing")
	}
	return nil
}

func (s *Settings) checkIdentity() error {
	if len(s.JWKSURL) > len(s.Issuer) {
		return fmt.Errorf("setting jwks-url: there are more of them than issuers")
	}
	if len(s.Issuer) > 0 && len(s.Audience) == 0 && len(s.AllowedAzp) == 0 {
		return fmt.Errorf("setting audience: an issuer needs audience or allowed-client; without either a token for any application would do")
	}
	if s.Secret != "" && len(s.Secret) < 32 {
		return fmt.Errorf("setting secret: at least 32 bytes are needed, as `openssl rand -hex 32` gives")
	}
	return nil
}

func (s *Settings) checkRanges() error {
	for _, r := range []struct {
		name       string
		value      float64
		least, top float64
	}{
		{"workers", float64(s.Workers), 0, 1000},
		{"db-readers", float64(s.Readers), 0, 1000},
		{"db-group", float64(s.GroupWrite), 1, 10_000},
		{"cache-mb", float64(s.CacheMB), 0, 1 << 20},
		{"max-requests", float64(s.MaxRequests), 0, 1e6},
		{"trace-ratio", s.TraceRatio, 0.000001, 1},
		{"demo-customers", float64(s.DemoCustomers), 1, 100_000},
		{"job-lease", s.JobLease.Seconds(), 1, 86_400},
		{"job-poll", s.JobPoll.Seconds(), 0.01, 3_600},
		{"shutdown-grace", s.ShutdownGrace.Seconds(), 0, 3_600},
	} {
		if r.value < r.least || r.value > r.top {
			return fmt.Errorf("setting %s: %v lies outside %v to %v", r.name, r.value, r.least, r.top)
		}
	}
	return nil
}

// DatabaseURL is the database in force.
func (s *Settings) DatabaseURL() string {
	if s.DB != "" {
		return s.DB
	}
	return "sqlite:" + filepath.Join(s.Data, "demarc.db")
}

// BaseURL is how clients reach the server, without a trailing slash.
func (s *Settings) BaseURL() string {
	if s.PublicURL != "" {
		return strings.TrimRight(s.PublicURL, "/")
	}
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return "http://" + s.Listen
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// CallbackBlocks are the blocks of addresses that event subscriptions may call beside the public internet.
func (s *Settings) CallbackBlocks() (out []netip.Prefix, err error) {
	texts := s.WebhookAllow
	if s.Dev {
		texts = append([]string{"127.0.0.0/8", "::1/128"}, texts...)
	}
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("setting webhook-allow: %q is not a block of addresses such as 10.1.0.0/16", text)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// Provider is a service provider by number and name.
type Provider struct {
	SPID int
	Name string
}

// Providers reads the setting service-provider.
func (s *Settings) Providers() ([]Provider, error) {
	var out []Provider
	seen := map[int]bool{}
	for _, text := range s.ServiceProviders {
		number, name, _ := strings.Cut(text, ":")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > 999_999_999 || strconv.Itoa(n) != number || name == "" || seen[n] {
			return nil, fmt.Errorf("setting service-provider: %q is not NUMBER:NAME, as in 1:HappyPhone, each number once", text)
		}
		seen[n] = true
		out = append(out, Provider{n, name})
	}
	if s.Dev && len(out) == 0 {
		return nil, fmt.Errorf("setting service-provider: with dev on at least one is needed, as in 1:HappyPhone")
	}
	return out, nil
}
