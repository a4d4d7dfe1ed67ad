package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/job"
)

// Finding is one line of what the doctor says.
type Finding struct {
	// What was looked at: "database", "ledger" …
	What string
	// Text says what was found; Do what to do about it, empty when nothing.
	Text, Do string
	// Wrong is a finding that keeps demarc from working as it should.
	Wrong bool
}

// Examine looks at everything that demarc stands on and says what it finds, and what to do.
func Examine(ctx context.Context, l *config.Loaded) []Finding {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	found := []Finding{{What: "settings", Text: fmt.Sprintf("%d settings, none contradicts another", len(config.Fields()))}}
	for _, w := range l.Warnings {
		found = append(found, Finding{What: "settings", Text: w, Do: "unset it, or spell it as `demarc config --docs` does"})
	}
	found = append(found, examineIdentity(ctx, &l.Settings)...)
	return append(found, examineDatabase(ctx, &l.Settings)...)
}

func examineIdentity(ctx context.Context, s *config.Settings) (found []Finding) {
	if len(s.Issuer) == 0 && !s.Dev {
		found = append(found, Finding{What: "identity", Text: "no issuer is configured: only API keys come in", Do: "set issuer and allowed-client (or audience), or turn dev on for development"})
	}
	for i, issuer := range s.Issuer {
		keys := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
		if i < len(s.JWKSURL) {
			keys = s.JWKSURL[i]
		}
		found = append(found, examineIssuer(ctx, issuer, keys)...)
	}
	return found
}

// examineIssuer asks for an issuer's keys, and compares its clock with ours: a token is refused when they
// disagree.
func examineIssuer(ctx context.Context, issuer, url string) []Finding {
	bad := func(text string) []Finding {
		return []Finding{{What: "issuer", Text: issuer + ": " + text, Do: "check the URL as tokens name it in `iss`, and that this machine reaches it; set jwks-url when it goes by another name here", Wrong: true}}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return bad(err.Error())
	}
	res, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return bad(err.Error())
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if res.StatusCode != http.StatusOK || !strings.Contains(string(body), "{") {
		return bad(fmt.Sprintf("%s answers with status %d", url, res.StatusCode))
	}
	found := []Finding{{What: "issuer", Text: issuer + " answers"}}
	theirs, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return found
	}
	if off := (clock.Real{}).Now().Sub(theirs); off < -30*time.Second || off > 30*time.Second {
		found = append(found, Finding{What: "clock", Text: fmt.Sprintf("this machine's clock and the issuer's are %s apart", off.Round(time.Second)), Do: "synchronize both (chrony, systemd-timesyncd): tokens are refused beyond 30 s", Wrong: true})
	}
	return found
}

func examineDatabase(ctx context.Context, s *config.Settings) []Finding {
	h, err := Open(ctx, s, slog.New(slog.DiscardHandler))
	if err != nil {
		return []Finding{wrong("database", err)}
	}
	defer func() { _ = h.Close() }()
	found := []Finding{{What: "database", Text: h.Store.Engine() + " answers"}}
	if err := h.Store.Ping(ctx); err != nil {
		f := wrong("schema", err)
		if f.Do == "" {
			f.Do = "run `demarc migrate`, or start `demarc serve`, which does so too"
		}
		return append(found, f)
	}
	found = append(found, Finding{What: "schema", Text: "is the one that this demarc knows"})
	return append(found, h.examineBooks(ctx)...)
}

func wrong(what string, err error) Finding {
	f := Finding{What: what, Text: err.Error(), Wrong: true}
	var a *Advice
	if errors.As(err, &a) {
		f.Do = a.Do
	}
	return f
}

// examineBooks looks at the ledger and at the dead letters.
func (h *House) examineBooks(ctx context.Context) (found []Finding) {
	unbalanced, err := h.Store.Unbalanced(ctx)
	switch {
	case err != nil:
		found = append(found, wrong("ledger", err))
	case len(unbalanced) > 0:
		found = append(found, Finding{What: "ledger", Text: strings.Join(unbalanced, "; "), Do: "stop writing and report this with a copy of the database: money was made or lost", Wrong: true})
	default:
		found = append(found, Finding{What: "ledger", Text: "balances: every unit sums to zero"})
	}
	spids, err := h.SPIDs(0)
	if err != nil {
		return append(found, wrong("jobs", err))
	}
	for _, spid := range spids {
		_, dead, err := h.Store.Jobs(h.As(ctx, spid), "", job.Dead, 0, 1)
		if err != nil {
			return append(found, wrong("jobs", err))
		}
		f := Finding{What: "jobs", Text: fmt.Sprintf("service provider %d has %d dead jobs", spid, dead)}
		if dead > 0 {
			f.Do = fmt.Sprintf("look at them with `demarc jobs list --spid %d --state dead`, mend the cause, then `demarc jobs retry --dead`", spid)
		}
		found = append(found, f)
	}
	return found
}
