package config_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/config"
)

// file stands in for the file system: one file, demarc.yaml.
func file(text string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if text == "" || name != config.DefaultFile {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	}
}

func TestFlagWinsOverEnvironmentOverFileOverDefault(t *testing.T) {
	l, err := config.Load(config.Input{
		Flags: &config.Settings{Listen: "127.0.0.1:1"}, Given: []string{"listen"},
		Env:      []string{"DEMARC_LISTEN=127.0.0.1:2", "DEMARC_WORKERS=7"},
		ReadFile: file("listen: 127.0.0.1:3\nworkers: 8\njob-poll: 250ms\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if l.Listen != "127.0.0.1:1" || l.Workers != 7 || l.JobPoll != 250*time.Millisecond || l.JobLease != time.Minute {
		t.Errorf("in force: %+v", l.Settings)
	}
	for name, want := range map[string]string{"listen": "flag", "workers": "environment", "job-poll": "file demarc.yaml", "job-lease": "default"} {
		if l.From[name] != want {
			t.Errorf("%s comes from %q, want %q", name, l.From[name], want)
		}
	}
}

func TestListsAreCommasOrYAMLLists(t *testing.T) {
	for _, text := range []string{"issuer: https://a.example,https://b.example\naudience: x", "issuer:\n  - https://a.example\n  - https://b.example\naudience: [x]"} {
		l, err := config.Load(config.Input{ReadFile: file(text)})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(l.Issuer, " "); got != "https://a.example https://b.example" {
			t.Errorf("issuers %q", got)
		}
	}
}

func TestWrongSettingsAreRefusedAndSayWhatWouldBeRight(t *testing.T) {
	for _, c := range []struct {
		name string
		env  []string
		file string
		want string
	}{
		{"unknown key", nil, "lisen: x", `"lisen" is no setting (did you mean listen?)`},
		{"not a map", nil, "- a", "not a YAML map"},
		{"nested", nil, "db: {url: x}", "not a map"},
		{"type in the file", nil, "workers: many", `setting workers, given by demarc.yaml: "many" is not a whole number`},
		{"type in the environment", []string{"DEMARC_JOB_LEASE=60"}, "", `DEMARC_JOB_LEASE: "60" is not a duration such as "30s" or "5m"`},
		{"enum", []string{"DEMARC_LOG_LEVEL=loud"}, "", "not one of debug, info, warn, error"},
		{"listen", []string{"DEMARC_LISTEN=8080"}, "", "is not host:port"},
		{"dev in public", []string{"DEMARC_DEV=true", "DEMARC_LISTEN=0.0.0.0:8080"}, "", "loopback only"},
		{"dev on every address", []string{"DEMARC_DEV=true", "DEMARC_LISTEN=:8080"}, "", "loopback only"},
		{"database", []string{"DEMARC_DB=mysql://x"}, "", "begins with sqlite: or postgres://"},
		{"issuer for everybody", []string{"DEMARC_ISSUER=https://id.example"}, "", "needs audience or allowed-client"},
		{"keys without issuer", []string{"DEMARC_JWKS_URL=https://id.example"}, "", "more of them than issuers"},
		{"short pepper", []string{"DEMARC_SECRET=secret"}, "", "at least 32 bytes"},
		{"service provider", []string{"DEMARC_SERVICE_PROVIDER=01:Happy"}, "", "is not NUMBER:NAME"},
		{"service provider twice", []string{"DEMARC_SERVICE_PROVIDER=1:A,1:B"}, "", "each number once"},
		{"range", []string{"DEMARC_TRACE_RATIO=2"}, "", "lies outside 1e-06 to 1"},
		{"network", []string{"DEMARC_NETWORK_URL=ftp://hlr.example"}, "", "nor simulator:"},
		{"network without a key", []string{"DEMARC_NETWORK_URL=https://hlr.example"}, "", "setting network-key: at least 32 bytes"},
		{"network without patience", []string{"DEMARC_NETWORK_PATIENCE=0s"}, "", "longer than nothing"},
		{"callback block", []string{"DEMARC_WEBHOOK_ALLOW=10.0.0.1"}, "", "not a block of addresses"},
		{"public url", []string{"DEMARC_PUBLIC_URL=api.example.com"}, "", "is not a URL such as"},
		{"named file missing", []string{"DEMARC_CONFIG=/nowhere.yaml"}, "", "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := config.Load(config.Input{Env: c.env, ReadFile: file(c.file)})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
}

func TestUnknownVariablesAreWarnedOf(t *testing.T) {
	l, err := config.Load(config.Input{
		Env: []string{"DEMARC_LISTN=x", "DEMARC_URL=y", "PATH=z"}, Ignore: []string{"DEMARC_URL"}, ReadFile: file(""),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], "DEMARC_LISTN is no setting (did you mean DEMARC_LISTEN?)") {
		t.Errorf("warnings %q", l.Warnings)
	}
}

func TestShowHidesSecrets(t *testing.T) {
	l, err := config.Load(config.Input{
		Env:      []string{"DEMARC_DB=postgres://demarc:hunter2@db/demarc?sslmode=require&sslpassword=hunter3", "DEMARC_SECRET=0123456789abcdef0123456789abcdef"},
		ReadFile: file(""),
	})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := l.Show(&b); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", "hunter3", "0123456789abcdef"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("the secret %q is shown", secret)
		}
	}
	if !regexp.MustCompile(`(?m)^db +postgres://demarc:xxxxx@db/demarc\?sslmode=require&sslpassword=xxxxx +environment$`).MatchString(b.String()) {
		t.Errorf("shown:\n%s", b.String())
	}
}

func TestEveryFieldIsDocumentedAndItsDefaultIsValid(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range config.Fields() {
		if f.Group == "" || !strings.HasSuffix(f.Help, ".") {
			t.Errorf("%s: group %q, help %q", f.Name, f.Group, f.Help)
		}
		if want := "DEMARC_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")); f.Env != want {
			t.Errorf("%s: environment %q, want %q", f.Name, f.Env, want)
		}
		if seen[f.Name] {
			t.Errorf("%s: twice", f.Name)
		}
		seen[f.Name] = true
	}
	if _, err := config.Default(); err != nil {
		t.Error(err)
	}
}

func TestBaseURL(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", ":80": "http://127.0.0.1:80",
		"0.0.0.0:8080": "http://127.0.0.1:8080", "[::1]:9": "http://[::1]:9",
	} {
		if got := (&config.Settings{Listen: listen}).BaseURL(); got != want {
			t.Errorf("listen %s is reached by %s, want %s", listen, got, want)
		}
	}
	if got := (&config.Settings{PublicURL: "https://api.example/x/"}).BaseURL(); got != "https://api.example/x" {
		t.Errorf("public URL %s", got)
	}
}

// The page of documentation is generated and committed; `make gen` writes it.
func TestDocumentationIsUpToDate(t *testing.T) {
	var b bytes.Buffer
	if err := config.Docs(&b); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(filepath.Join("..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Error(`docs/configuration.md is not what internal/config says: run "make gen"`)
	}
}
