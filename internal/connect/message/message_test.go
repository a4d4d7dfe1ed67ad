package message_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	connect "github.com/demarc-bss/demarc/internal/connect/message"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/webhook"
	"github.com/demarc-bss/demarc/internal/message"
)

var key = []byte("0123456789abcdef0123456789abcdef")

func TestPushIsSignedAndNamed(t *testing.T) {
	status := http.StatusAccepted
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		body = string(raw)
		if err := webhook.Verify(r.Header, key, clock.Real{}.Now(), raw); err != nil || r.Header.Get("Idempotency-Key") != "msg_1/0" {
			t.Errorf("%v, under %q", err, r.Header.Get("Idempotency-Key"))
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	p, err := connect.NewPush(connect.PushOptions{URL: server.URL, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	e := message.Envelope{ID: "msg_1/0", SPID: 1, To: "u1", Subject: "Hi", Text: "There", Language: "en", Expires: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	if taken, err := p.Send(t.Context(), e); err != nil || len(taken.Parts) != 1 || taken.Reports {
		t.Errorf("%+v %v", taken, err)
	}
	if want := `{"id":"msg_1/0","spid":1,"appUserId":"u1","title":"Hi","text":"There","language":"en","expires":"2026-03-01T09:00:00Z"}`; body != want {
		t.Errorf("sent %s", body)
	}
	for answer, final := range map[int]bool{404: true, 410: true, 422: true, 401: false, 429: false, 500: false, 302: false} {
		status = answer
		_, err := p.Send(t.Context(), e)
		if _, refused := errors.AsType[*message.Refused](err); err == nil || refused != final {
			t.Errorf("%d: %v", answer, err)
		}
	}
	server.Close()
	if _, err := p.Send(t.Context(), e); err == nil || strings.Contains(err.Error(), server.URL) {
		t.Errorf("nobody answers: %v", err)
	}
}

func TestWhatIsNoChannel(t *testing.T) {
	for _, o := range []connect.PushOptions{{URL: "push", Key: key}, {URL: "ftp://push.example", Key: key}, {URL: "https://push.example", Key: key[:31]}} {
		if _, err := connect.NewPush(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	for _, o := range []connect.EmailOptions{{Address: "mail", Sender: "a@b.example"}, {Address: "mail:25"}, {Address: "mail:25", Sender: "A <a@b.example>"}} {
		if _, err := connect.NewEmail(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestTheLogHasNoSecret(t *testing.T) {
	var b bytes.Buffer
	l := connect.Log{Logger: slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	taken, err := l.Send(t.Context(), message.Envelope{ID: "msg_1/0", To: "41790000001", Text: "PIN 837102", Shown: "PIN ****"})
	if err != nil || len(taken.Parts) != 1 || strings.Contains(b.String(), "837102") || !strings.Contains(b.String(), "****") {
		t.Errorf("%+v %v: %s", taken, err, b.String())
	}
}
