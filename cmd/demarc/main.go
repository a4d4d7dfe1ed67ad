// Command demarc is the customer side of a telecom operator: it serves the APIs, and looks after its
// database, keys, jobs and settings. `demarc --help` lists what it does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
	_ "time/tzdata" // service providers name their time zones; the machine may have no database of them

	"github.com/alecthomas/kong"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// version is set by the linker (-X main.version=…); a plain build says what Go recorded.
var version string

// commands is the command line: the settings, and what can be done.
type commands struct {
	config.Settings `embed:""`

	Serve   serveCommand   `cmd:"" help:"Serve the APIs. This is what runs in production."`
	Migrate migrateCommand `cmd:"" help:"Bring the database schema up to date (serve does so too)."`
	Seed    seedCommand    `cmd:"" help:"Load demonstration data, price plans, numbers or SIMs."`
	Import  importCommand  `cmd:"" help:"Take in a file of SIMs, numbers or subscribers."`
	Token   tokenCommand   `cmd:"" help:"Print one bearer token of the development identity provider."`
	Realm   struct {
		Export realmExportCommand `cmd:"" help:"Print the realm file for Keycloak."`
	} `cmd:"" help:"The Keycloak realm that demarc needs."`

	APIKey    apiKeyCommands    `cmd:"" name:"apikey" help:"Issue, list, rotate and revoke API keys."`
	Catalogue catalogueCommands `cmd:"" help:"Check a catalogue file, or load it."`
	Simulate  simulateCommand   `cmd:"" help:"Play an operator's year in a database of its own, and report what came of it."`
	Jobs      jobsCommands      `cmd:"" help:"Look at jobs and dead letters, retry and cancel them."`
	Ingest    ingestCommand     `cmd:"" help:"Take files of usage records in, and watch folders for them."`
	Doctor    doctorCommand     `cmd:"" help:"Check settings, database, schema, clock, issuers and ledger, and say what to do."`
	Show      configCommand     `cmd:"" name:"config" help:"Print the settings in force and where each comes from."`
	Print     versionCommand    `cmd:"" name:"version" help:"Print the version."`
}

// invocation is what every command works with.
type invocation struct {
	ctx            context.Context
	settings       *config.Loaded
	stdout, stderr io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: it gives the exit code, 0 for success, 1 for a failure and 2 for a
// command line that makes no sense.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	var c commands
	exit := -1
	parser, err := kong.New(&c, kong.Name("demarc"), kong.Writers(stdout, stderr), kong.Exit(func(code int) { exit = code }),
		kong.Description("The customer side of a telecom operator in one binary. See docs/ for settings and operation."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Groups(groups()))
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "demarc:", err)
		return 2
	}
	kctx, err := parse(parser, args)
	if exit >= 0 {
		return exit // --help was asked for
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "demarc: %v\nTo mend it: see `demarc --help`.\n", err)
		return 2
	}
	loaded, err := config.Load(config.Input{Flags: &c.Settings, Given: given(kctx), Env: environ, Ignore: []string{"DEMARC_URL"}})
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "demarc: %v\nTo mend it: `demarc config --docs` tells what each setting means.\n", err)
		return 2
	}
	if err := kctx.Run(&invocation{ctx: ctx, settings: loaded, stdout: stdout, stderr: stderr}); err != nil {
		complain(stderr, err)
		return 1
	}
	return 0
}

// parse parses the arguments; without any it asks for help.
func parse(p *kong.Kong, args []string) (*kong.Context, error) {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	return p.Parse(args)
}

func groups() map[string]string {
	out := map[string]string{}
	for _, f := range config.Fields() {
		out[f.Group] = f.Group + ":"
	}
	return out
}

// given names the settings that stand on the command line.
func given(kctx *kong.Context) (names []string) {
	known := config.Fields()
	for _, p := range kctx.Path {
		if p.Flag == nil {
			continue
		}
		if slices.ContainsFunc(known, func(f config.Field) bool { return f.Name == p.Flag.Name }) {
			names = append(names, p.Flag.Name)
		}
	}
	return names
}

// complain tells a person what went wrong and what to do.
func complain(w io.Writer, err error) {
	text := err.Error()
	var f *fault.Error
	// Whoever runs a command may see the cause of a failure, as the log does.
	if errors.As(err, &f) && f.Kind != fault.Internal && f.Kind != fault.Unavailable {
		text = f.Message
		if f.Attribute != "" {
			text = f.Attribute + ": " + text
		}
		for _, d := range f.Details {
			text += fmt.Sprintf("\n  %s: %s", d.Attribute, d.Message)
		}
	}
	_, _ = fmt.Fprintln(w, "demarc:", text)
	var a *app.Advice
	if errors.As(err, &a) {
		_, _ = fmt.Fprintln(w, "To mend it:", a.Do)
	}
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "0.0.0+" + s.Value[:12]
			}
		}
	}
	return "0.0.0"
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(c *invocation) error {
	_, err := fmt.Fprintln(c.stdout, "demarc", versionText())
	return err
}

type configCommand struct {
	Docs bool `help:"Print the documentation of all settings (docs/configuration.md) instead."`
}

// Run prints settings.
func (k configCommand) Run(c *invocation) error {
	if k.Docs {
		return config.Docs(c.stdout)
	}
	if err := c.settings.Show(c.stdout); err != nil {
		return err
	}
	for _, w := range c.settings.Warnings {
		_, _ = fmt.Fprintln(c.stderr, "demarc: warning:", w)
	}
	return nil
}
