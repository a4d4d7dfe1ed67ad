// Package webhook signs what demarc sends to others and checks what they send back, as the Standard Webhooks
// specification has it: HMAC-SHA256 over id, time and body.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// The headers of a signed message.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Window is how far the time of a signed message may lie from the present, either way.
const Window = 5 * time.Minute

// Header is the headers of a message; http.Header is one.
type Header interface {
	Get(name string) string
	Set(name, value string)
}

// Sign puts the id, time and signature of a message on its headers.
func Sign(h Header, key []byte, id string, now time.Time, body []byte) {
	at := strconv.FormatInt(now.Unix(), 10)
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, at)
	h.Set(HeaderSignature, "v1,"+base64.StdEncoding.EncodeToString(mac(key, id, at, body)))
}

func mac(key []byte, id, at string, body []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(id + "." + at + "."))
	m.Write(body)
	return m.Sum(nil)
}

// Verify refuses, with an Unauthenticated fault, a message that is not signed with the key, or whose time lies
// outside the Window. The header may hold several signatures with spaces between, as while a key is replaced.
func Verify(h Header, key []byte, now time.Time, body []byte) error {
	id, at := h.Get(HeaderID), h.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" {
		return refused("the message is not signed: it needs " + HeaderID + ", " + HeaderTimestamp + " and " + HeaderSignature)
	}
	want := mac(key, id, at, body)
	for text := range strings.FieldsSeq(h.Get(HeaderSignature)) {
		version, signature, _ := strings.Cut(text, ",")
		got, err := base64.StdEncoding.DecodeString(signature)
		if err != nil || version != "v1" || !hmac.Equal(got, want) {
			continue
		}
		if off := now.Sub(time.Unix(seconds, 0)); off > Window || off < -Window {
			return refused("the message is too old, or a clock is wrong")
		}
		return nil
	}
	return refused("the signature is not that of the message")
}

func refused(why string) error {
	return fault.New(fault.Unauthenticated, fault.CodeUnauthenticated, "%s", why)
}
