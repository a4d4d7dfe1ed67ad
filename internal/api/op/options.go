package op

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
)

// What an operation gets that declares no limit of its own.
const (
	// DefaultBodyLimit is the largest body, in bytes.
	DefaultBodyLimit = 1 << 20
	// DefaultTimeout is the longest run.
	DefaultTimeout = 30 * time.Second
)

// Gate decides who comes in.
type Gate interface {
	// Admit gives the scope of the caller that the Authorization, X-API-Key and spid headers name, if it has
	// all permissions. Faults: Unauthenticated without a valid credential; Forbidden without a permission or
	// access to the service provider; Invalid for an spid that is no number.
	Admit(ctx context.Context, authorization, apiKey, spid string, perms []auth.Permission) (scope.Scope, error)
}

// Transactions opens the transactions of operations that write; *store.Store is one.
type Transactions interface {
	Write(ctx context.Context, fn func(ctx context.Context) error) error
	Once(ctx context.Context, k store.Key, fn func(ctx context.Context) (store.Answer, error)) (store.Answer, bool, error)
}

// Options are what the table's handler needs. Store and Gate are required unless no operation asks for
// them.
type Options struct {
	Store Transactions
	Gate  Gate
	// Clock tells the time; clock.Real by default.
	Clock clock.Clock
	// Logger gets failures with their causes; slog.Default by default.
	Logger *slog.Logger
	// AccessLog gets every request once it is answered; nil keeps none. See NewAccessLog.
	AccessLog func(a *Access)
	// BaseURL is how the server is reached from outside, without a slash at the end; by default what the
	// request says.
	BaseURL func() string
	// Tracer makes spans; nil makes none.
	Tracer trace.TracerProvider
	// Metrics is where the metrics are registered and /metrics reads them; a registry of its own by default.
	Metrics *prometheus.Registry
	// Secret is what the digests are keyed by that tell whether an idempotency key came with the same request: a request
	// may hold what can be guessed, such as the code of a voucher.
	Secret []byte
	// MaxInFlight is how many requests may be worked on at once, beside those of the system operations; more
	// are answered 503 with Retry-After. 0 means no limit.
	MaxInFlight int64
	// IssuerURL is the OpenID Connect issuer, for the documents; empty when there is none to tell.
	IssuerURL string
}

// Access is what is known of a request once it is answered. It holds no query values, no credentials and no
// bodies.
type Access struct {
	Time      time.Time
	RequestID string
	TraceID   string
	// Operation is the operation's id; empty when none is declared there.
	Operation string
	Method    string
	Path      string
	Status    int
	Duration  time.Duration
	Bytes     int64
	SPID      int
	Subject   string
	Client    string
	// Code and Cause say why a request was refused or failed; Cause only for status 500 and above.
	Code  string
	Cause string
}
