//go:build binary

package scenario_test

import (
	"context"
	"errors"
	"flag"
	"os/exec"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/test/binary"
	"github.com/demarc-bss/demarc/test/scenario"
)

var (
	remoteURL   = flag.String("url", "", "run the scenarios against the server at this URL instead of one of their own")
	remoteToken = flag.String("token", "bin/demarc token --user {user}", "command that prints a bearer token of {user}")
	remoteKind  = flag.String("traits", "demo", "what the server is, separated by commas: demo (it has demonstration data), empty (it has nothing, and may serve 1)")
)

// Every scenario runs against the real binary, on both engines; with -url, against that server.
func TestScenariosAgainstTheBinary(t *testing.T) {
	all, err := scenario.Load("scenarios")
	if err != nil {
		t.Fatal(err)
	}
	if *remoteURL != "" {
		play(t, scenario.Server{URL: *remoteURL, Token: byCommand}, all, strings.Split(*remoteKind, ",")...)
		return
	}
	bin := binary.Build(t)
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			s := binary.Start(t, binary.Options{Bin: bin, Args: []string{"--dev", "--demo", "--demo-customers", "20", "--access-log", "none", "--db", storetest.URL(t, engine)}})
			play(t, scenario.Server{URL: s.URL, Token: s.Token}, all, "demo")
			empty := binary.Start(t, binary.Options{Bin: bin, Args: []string{"--dev", "--service-provider", "1:Sandbox", "--service-provider", "2:Topped", "--access-log", "none", "--db", storetest.URL(t, engine)}})
			play(t, scenario.Server{URL: empty.URL, Token: empty.Token}, needing(all, "empty"), "empty")
		})
	}
}

func byCommand(ctx context.Context, user string) (string, error) {
	if user == "" {
		user = "admin"
	}
	out, err := exec.CommandContext(ctx, "sh", "-c", strings.ReplaceAll(*remoteToken, "{user}", user)).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", errors.New(string(exit.Stderr))
	}
	return strings.TrimSpace(string(out)), err
}
