package op

import (
	"context"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// accessBuffer is how many bytes of log wait before they are written at once.
const accessBuffer = 64 << 10

// AccessLog writes one line of JSON a request. Lines are gathered and written together: Run writes them
// every second, Flush at once.
type AccessLog struct {
	mu    sync.Mutex
	w     io.Writer
	lines []byte
}

// NewAccessLog writes to w. Give its Log to Options.AccessLog and have Run run.
func NewAccessLog(w io.Writer) *AccessLog { return &AccessLog{w: w} }

// Log adds a request to the log.
func (l *AccessLog) Log(a *Access) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = a.appendJSON(l.lines)
	if len(l.lines) >= accessBuffer {
		_ = l.flush() // there is nobody to tell: the log is what failed
	}
}

// Run writes what is gathered every second, until ctx ends, and then the rest.
func (l *AccessLog) Run(ctx context.Context, c clock.Clock) error {
	for {
		select {
		case <-ctx.Done():
			return l.Flush()
		case <-c.After(time.Second):
			if err := l.Flush(); err != nil {
				return err
			}
		}
	}
}

// Flush writes what is gathered.
func (l *AccessLog) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flush()
}

func (l *AccessLog) flush() error {
	if len(l.lines) == 0 {
		return nil
	}
	_, err := l.w.Write(l.lines)
	l.lines = l.lines[:0]
	return err
}

func (a *Access) appendJSON(b []byte) []byte {
	b = append(b, `{"time":"`...)
	b = a.Time.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, `","level":"INFO","msg":"request"`...)
	text := func(name, value string) {
		if value == "" {
			return
		}
		b = append(append(append(b, `,"`...), name...), `":`...)
		b, _ = jsontext.AppendQuote(b, value) // invalid UTF-8 is replaced, and that is all it can complain of
	}
	number := func(name string, value int64) {
		b = append(append(append(b, `,"`...), name...), `":`...)
		b = strconv.AppendInt(b, value, 10)
	}
	text("requestId", a.RequestID)
	text("traceId", a.TraceID)
	text("operation", a.Operation)
	text("method", a.Method)
	text("path", a.Path)
	number("status", int64(a.Status))
	number("durationMicros", a.Duration.Microseconds())
	number("bytes", a.Bytes)
	if a.SPID > 0 {
		number("spid", int64(a.SPID))
	}
	text("subject", a.Subject)
	text("client", a.Client)
	text("code", a.Code)
	text("cause", a.Cause)
	return append(b, '}', '\n')
}
