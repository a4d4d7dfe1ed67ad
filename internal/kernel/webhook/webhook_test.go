package webhook

import (
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// The example of the Standard Webhooks specification.
func TestSignsAsTheSpecificationDoes(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	Sign(h, key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got := h.Get(HeaderSignature); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("%s", got)
	}
}

func TestWhatIsRefused(t *testing.T) {
	at := time.Unix(1614265330, 0)
	key, body := []byte("0123456789abcdef0123456789abcdef"), []byte(`{"x":1}`)
	for name, c := range map[string]struct {
		change func(h http.Header)
		now    time.Time
		body   string
		ok     bool
	}{
		"as it was signed":         {nil, at, `{"x":1}`, true},
		"at the end of the window": {nil, at.Add(Window), `{"x":1}`, true},
		"of the near future":       {nil, at.Add(-Window), `{"x":1}`, true},
		"too old":                  {nil, at.Add(Window + time.Second), `{"x":1}`, false},
		"of the future":            {nil, at.Add(-Window - time.Second), `{"x":1}`, false},
		"another body":             {nil, at, `{"x":2}`, false},
		"another id":               {func(h http.Header) { h.Set(HeaderID, "other") }, at, `{"x":1}`, false},
		"another time":             {func(h http.Header) { h.Set(HeaderTimestamp, "1614265331") }, at, `{"x":1}`, false},
		"no time":                  {func(h http.Header) { h.Del(HeaderTimestamp) }, at, `{"x":1}`, false},
		"no signature":             {func(h http.Header) { h.Del(HeaderSignature) }, at, `{"x":1}`, false},
		"not of this version":      {func(h http.Header) { h.Set(HeaderSignature, "v2"+h.Get(HeaderSignature)[2:]) }, at, `{"x":1}`, false},
		"beside that of another key": {func(h http.Header) {
			h.Set(HeaderSignature, "v1,c29tZXRoaW5nIGVsc2U= "+h.Get(HeaderSignature))
		}, at, `{"x":1}`, true},
	} {
		h := http.Header{}
		Sign(h, key, "nrq_1", at, body)
		if c.change != nil {
			c.change(h)
		}
		if err := Verify(h, key, c.now, []byte(c.body)); (err == nil) != c.ok || err != nil && fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
	h := http.Header{}
	Sign(h, []byte("another key that is long enough.."), "nrq_1", at, body)
	if Verify(h, key, at, body) == nil {
		t.Error("another key's signature was taken")
	}
}
