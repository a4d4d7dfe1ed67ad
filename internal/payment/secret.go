package payment

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// leastSecret is how many bytes a secret has at least.
const leastSecret = 16

// box locks up the values of tokens: AES-256-GCM under a key of the installation's, bound to the token's id. What a value is
// recognised by is HMAC-SHA-256 under another. Neither key is in the database.
type box struct {
	mac  []byte
	aead cipher.AEAD
}

// newBox is nil without a secret.
func newBox(secret []byte) *box {
	if len(secret) < leastSecret {
		return nil
	}
	key := func(use string) []byte {
		m := hmac.New(sha256.New, secret)
		m.Write([]byte("payment " + use))
		return m.Sum(nil)
	}
	block, err := aes.NewCipher(key("token"))
	if err != nil {
		return nil // the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil // AES has blocks of 16 bytes
	}
	return &box{mac: key("recognition"), aead: aead}
}

// of is what a token's value is recognised by at an account.
func (b *box) of(account id.ID, value Secret) string {
	m := hmac.New(sha256.New, b.mac)
	m.Write([]byte(string(account) + "/" + value.Reveal()))
	return hex.EncodeToString(m.Sum(nil))
}

func (b *box) seal(of id.ID, value Secret) string {
	nonce := make([]byte, b.aead.NonceSize())
	_, _ = rand.Read(nonce) // documented never to fail
	return base64.StdEncoding.EncodeToString(b.aead.Seal(nonce, nonce, []byte(value.Reveal()), []byte(of)))
}

func (b *box) open(of id.ID, sealed string) (Secret, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(raw) < b.aead.NonceSize() {
		return "", fault.Internalf(err, "a token cannot be read")
	}
	n := b.aead.NonceSize()
	text, err := b.aead.Open(nil, raw[:n], raw[n:], []byte(of))
	if err != nil {
		return "", fault.New(fault.Unavailable, CodeNoSecret, "the token was kept under another secret of the server").Because(err)
	}
	return Secret(text), nil
}

// sealed is the value of a token, locked up. It is a document of its own: audit and events show tokens, and never this.
type sealed struct {
	Token  id.ID  `json:"tokenId"`
	Sealed string `json:"sealed"`
	// By is what the value is recognised by.
	By string `json:"recognition"`
}

func (s *Service) secrets() (*box, error) {
	if s.box == nil {
		return nil, fault.New(fault.Unavailable, CodeNoSecret, "payment tokens need the server's secret, and it has none")
	}
	return s.box, nil
}

// keep locks up the value of a token and gives the id of where.
func (s *Service) keep(ctx context.Context, token id.ID, value Secret, by string) (id.ID, error) {
	b, err := s.secrets()
	if err != nil {
		return "", err
	}
	home, _ := token.Home()
	i := id.New(vaultKind, home, s.store.Now(ctx))
	_, err = s.vault.Insert(ctx, i, &sealed{Token: token, Sealed: b.seal(token, value), By: by})
	return i, err
}

// forget destroys the value of a token.
func (s *Service) forget(ctx context.Context, at id.ID) error {
	if at == "" {
		return nil
	}
	v, d, err := s.vault.Get(ctx, at)
	if err != nil {
		return err
	}
	if err := s.store.Unclaim(ctx, tokenClaim, v.By); err != nil {
		return err
	}
	return s.vault.Delete(ctx, at, d.Version)
}

// value is what the gateway knows a token by.
func (s *Service) value(ctx context.Context, t Token) (Secret, error) {
	b, err := s.secrets()
	if err != nil {
		return "", err
	}
	v, _, err := s.vault.Get(ctx, t.Vault)
	if err != nil {
		return "", err
	}
	return b.open(v.Token, v.Sealed)
}
