//go:build messages

// Package messages sends messages to a message centre and a mail server that others wrote: node-smpp and aiosmtpd.
package messages

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	connect "github.com/demarc-bss/demarc/internal/connect/message"
	"github.com/demarc-bss/demarc/internal/connect/message/smpp"
	"github.com/demarc-bss/demarc/internal/message"
)

func tools(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MESSAGES_DIR")
	if dir == "" {
		t.Fatal("MESSAGES_DIR is where the servers are: run `make messages`")
	}
	return dir
}

// foreign runs a server and gives what it says, line by line.
func foreign(t *testing.T, name string, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan map[string]any, 100)
	go func() {
		defer close(said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var v map[string]any
			if json.Unmarshal(lines.Bytes(), &v) == nil {
				said <- v
			}
		}
	}()
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	return &server{said: said}
}

// server is a server with what it said and nobody asked for yet.
type server struct {
	said <-chan map[string]any
	kept []map[string]any
}

// hear waits until a server says something about an attribute.
func hear(t *testing.T, s *server, attribute string) map[string]any {
	t.Helper()
	has := func(v map[string]any) bool { _, is := v[attribute]; return is }
	if n := slices.IndexFunc(s.kept, has); n >= 0 {
		v := s.kept[n]
		s.kept = slices.Delete(s.kept, n, n+1)
		return v
	}
	end := time.After(20 * time.Second)
	for {
		select {
		case v, ok := <-s.said:
			if !ok {
				t.Fatalf("the server ended before it said %s", attribute)
			}
			if has(v) {
				return v
			}
			s.kept = append(s.kept, v)
		case <-end:
			t.Fatalf("the server does not say %s", attribute)
		}
	}
}

func envelope(n int, to, text string) message.Envelope {
	return message.Envelope{
		ID: fmt.Sprintf("msg_%d/0", n), SPID: 1, To: to, FromName: "HappyPhone", Subject: "Grüezi", Text: text, Language: "de", Expires: time.Now().Add(time.Hour),
	}
}

func TestShortMessagesWithNodeSMPP(t *testing.T) {
	said := foreign(t, "node", "centre.cjs", tools(t))
	address := net.JoinHostPort("127.0.0.1", fmt.Sprint(hear(t, said, "port")["port"]))
	reports := make(chan message.Report, 100)
	way := connect.NewSMS(smpp.Options{Address: address, SystemID: "demarc", Password: "secret", Enquire: 200 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)},
		func(_ context.Context, r message.Report) (bool, error) { reports <- r; return true, nil })
	way.Start()
	if v := hear(t, said, "bound"); v["bound"] != true || v["version"] != 52.0 {
		t.Fatalf("%v", v)
	}
	if _, err := way.Send(t.Context(), envelope(1, "41790000001", "hello")); err == nil || !strings.Contains(err.Error(), "slower") {
		t.Errorf("throttled: %v", err)
	}
	for n, c := range []struct {
		to, text string
		parts    int
		coding   float64
		good     bool
	}{
		{"41790000001", "Grüße aus Zürich: 5 € {offen}", 1, 0, true},
		{"41790000009", "unreachable", 1, 0, false},
		{"41790000002", strings.Repeat("Ä lange Nachricht. ", 20), 3, 0, true},
		{"41790000003", "Привет, 😀", 1, 8, true},
		{"41790000003", strings.Repeat("Длинное сообщение ", 10), 3, 8, true},
	} {
		taken, err := way.Send(t.Context(), envelope(10+n, c.to, c.text))
		if err != nil || len(taken.Parts) != c.parts || !taken.Reports {
			t.Fatalf("%q: %+v %v", c.text, taken, err)
		}
		whole := ""
		for part := range c.parts {
			v := hear(t, said, "id")
			whole += v["text"].(string)
			if v["id"] != taken.Parts[part] || v["to"] != c.to || v["from"] != "HappyPhone" || v["fromTON"] != 5.0 || v["coding"] != c.coding || v["validity"] == "" {
				t.Errorf("%v", v)
			}
			if udh, _ := v["part"].([]any); c.parts > 1 && (len(udh) < 3 || udh[len(udh)-1] != float64(part+1) || udh[len(udh)-2] != float64(c.parts)) {
				t.Errorf("part %d says it is %v", part, udh)
			}
		}
		if whole != c.text {
			t.Errorf("%q arrived as %q", c.text, whole)
		}
		for range c.parts {
			if r := <-reports; r.Delivered != c.good || r.Channel != message.SMS || !strings.HasPrefix(r.Part, "n") {
				t.Errorf("%+v", r)
			}
			if v := hear(t, said, "reported"); v["status"] != 0.0 {
				t.Errorf("the report is acknowledged with %v", v)
			}
		}
	}
	hear(t, said, "enquired")
	way.Stop(t.Context())
	hear(t, said, "unbound")

	wrong := connect.NewSMS(smpp.Options{Address: address, SystemID: "demarc", Password: "guess", Logger: slog.New(slog.DiscardHandler)}, nil)
	if _, err := wrong.Send(t.Context(), envelope(99, "41790000001", "hello")); err == nil || !strings.Contains(err.Error(), "refuses to be bound") {
		t.Errorf("a wrong password: %v", err)
	}
	wrong.Stop(t.Context())
}

func TestEmailsWithAiosmtpd(t *testing.T) {
	certificate, key, roots := certificateOf(t)
	said := foreign(t, filepath.Join(tools(t), "venv", "bin", "python3"), "mail.py", certificate, key, freePort(t))
	address := net.JoinHostPort("127.0.0.1", fmt.Sprint(hear(t, said, "port")["port"]))
	options := connect.EmailOptions{
		Address: address, User: "demarc", Password: "secret", Sender: "info@happy.example",
		Config: &tls.Config{ServerName: "127.0.0.1", RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	way, err := connect.NewEmail(options)
	if err != nil {
		t.Fatal(err)
	}
	e := envelope(1, "jane@example.com", "Grüezi Jane.\n.\nEin Punkt allein, ein Gleich = und 5 €. "+strings.Repeat("lang ", 40))
	taken, err := way.Send(t.Context(), e)
	if err != nil || len(taken.Parts) != 1 || taken.Reports {
		t.Fatalf("%+v %v", taken, err)
	}
	v := hear(t, said, "sender")
	text := strings.TrimRight(strings.ReplaceAll(v["text"].(string), "\r\n", "\n"), "\n")
	if v["sender"] != "info@happy.example" || v["name"] != "HappyPhone" || v["subject"] != "Grüezi" || text != e.Text || v["tls"] != true || v["user"] != "demarc" ||
		v["id"] != "<"+taken.Parts[0]+">" || v["language"] != "de" {
		t.Errorf("%v", v)
	}
	_, err = way.Send(t.Context(), envelope(2, "nobody@example.com", "x"))
	if _, refused := errors.AsType[*message.Refused](err); !refused {
		t.Errorf("no such mailbox: %v", err)
	}
	_, err = way.Send(t.Context(), envelope(3, "busy@example.com", "x"))
	if _, refused := errors.AsType[*message.Refused](err); refused || err == nil {
		t.Errorf("not now: %v", err)
	}
	for name, change := range map[string]func(*connect.EmailOptions){
		"a wrong password": func(o *connect.EmailOptions) { o.Password = "guess" },
		"nobody logs in":   func(o *connect.EmailOptions) { o.User = "" },
		"without TLS":      func(o *connect.EmailOptions) { o.Security = connect.Plain },
		"somebody in its place": func(o *connect.EmailOptions) {
			o.Config = &tls.Config{ServerName: "127.0.0.1", RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		},
	} {
		o := options
		change(&o)
		way, err := connect.NewEmail(o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = way.Send(t.Context(), e)
		if _, refused := errors.AsType[*message.Refused](err); refused || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// certificateOf makes a certificate for the loopback.
func certificateOf(t *testing.T) (certificate, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, content := range map[string][]byte{certificate: public, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	return certificate, key, roots
}
