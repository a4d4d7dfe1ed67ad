package message

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// sealClaim is the kind of claim that holds the sealed words of a message until they are sent: claims stand neither in the
// audit trail nor in events, and a document that a façade shows does.
const sealClaim = "message.sealed"

// leastSecret is how many bytes a secret has at least.
const leastSecret = 16

// words are what a message says, as it is sent.
type words struct {
	Subject string `json:"subject,omitzero"`
	Content string `json:"content"`
}

// box locks up words with secrets in them.
type box struct{ aead cipher.AEAD }

// newBox is nil without a secret.
func newBox(secret []byte) *box {
	if len(secret) < leastSecret {
		return nil
	}
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("message"))
	block, err := aes.NewCipher(m.Sum(nil))
	if err != nil {
		return nil // the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil // AES has blocks of 16 bytes
	}
	return &box{aead}
}

// seal keeps the words of a message until it is sent.
func (s *Service) seal(ctx context.Context, i id.ID, w words) error {
	if s.box == nil {
		return fault.New(fault.Unavailable, CodeNoSecret, "messages with secrets need the server's secret, and it has none")
	}
	text, err := json.Marshal(w)
	if err != nil {
		return fault.Internalf(err, "a message cannot be written")
	}
	nonce := make([]byte, s.box.aead.NonceSize())
	_, _ = rand.Read(nonce) // documented never to fail
	sealed := s.box.aead.Seal(nonce, nonce, text, []byte(i))
	return s.store.Claim(ctx, sealClaim, string(i), id.ID(base64.StdEncoding.EncodeToString(sealed)))
}

// unseal gives the words of a message; ok is false when nothing of it was sealed.
func (s *Service) unseal(ctx context.Context, i id.ID) (w words, ok bool, err error) {
	text, err := s.store.Claimant(ctx, sealClaim, string(i))
	if err != nil || text == "" {
		return w, false, err
	}
	if s.box == nil {
		return w, false, fault.New(fault.Unavailable, CodeNoSecret, "the message was sealed and the server has no secret")
	}
	raw, err := base64.StdEncoding.DecodeString(string(text))
	n := s.box.aead.NonceSize()
	if err != nil || len(raw) < n {
		return w, false, fault.Internalf(err, "a sealed message cannot be read")
	}
	plain, err := s.box.aead.Open(nil, raw[:n], raw[n:], []byte(i))
	if err != nil {
		return w, false, fault.New(fault.Unavailable, CodeNoSecret, "the message was sealed under another secret of the server").Because(err)
	}
	if err := json.Unmarshal(plain, &w); err != nil {
		return w, false, fault.Internalf(err, "a sealed message cannot be read")
	}
	return w, true, nil
}

// forget drops what was kept for a message that comes to its end.
func (s *Service) forget(ctx context.Context, i id.ID, v *Message) error {
	if err := s.store.Unclaim(ctx, sealClaim, string(i)); err != nil {
		return err
	}
	return s.forgetParts(ctx, v)
}

// memory keeps what channels took until it is recorded: when the record fails, what was taken is not sent again.
type memory struct {
	mu  sync.Mutex
	all map[string]outcome
}

// outcome is what came of handing an envelope over.
type outcome struct {
	taken Taken
	err   error
}

func newMemory() *memory { return &memory{all: map[string]outcome{}} }

func (m *memory) put(envelope string, o outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all[envelope] = o
}

func (m *memory) get(envelope string) (outcome, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.all[envelope]
	return o, ok
}

func (m *memory) drop(envelope string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, envelope)
}
