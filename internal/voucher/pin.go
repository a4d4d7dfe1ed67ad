package voucher

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"strconv"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// PINs of generated vouchers have 14 to 16 digits; imported ones may have other lengths.
const (
	shortestPIN, longestPIN   = 14, 16
	shortestTaken, longestOne = 10, 20
)

// pins draws PINs, and gives what they are found and kept by.
//
// A voucher is found by its PIN alone, so what stands in the database must follow from the PIN: there is no place
// for a salt, and a memory-hard hash would have to be the same for everybody. It would also be the wrong tool: it
// slows down who guesses against a stolen database, but a PIN of 14 digits drawn at random stands behind a secret
// key that is not in the database, so there is nothing to guess against. Guessing over the API is bounded by the
// lock after bad tries. So it is HMAC-SHA-256 under a key of the installation's (RFC 2104).
type pins struct {
	mac []byte
	box cipher.AEAD
}

// leastSecret is how many bytes a secret has at least.
const leastSecret = 16

// newPINs is nil without a secret.
func newPINs(secret []byte) *pins {
	if len(secret) < leastSecret {
		return nil
	}
	key := func(use string) []byte {
		m := hmac.New(sha256.New, secret)
		m.Write([]byte("voucher " + use))
		return m.Sum(nil)
	}
	block, err := aes.NewCipher(key("sheet"))
	if err != nil {
		return nil // the key has 32 bytes
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		return nil // AES has blocks of 16 bytes
	}
	return &pins{mac: key("PIN"), box: box}
}

func (s *Service) secrets() (*pins, error) {
	if s.pins == nil {
		return nil, fault.New(fault.Unavailable, CodeNoSecret, "vouchers need the server's secret, and it has none")
	}
	return s.pins, nil
}

// draw makes a PIN of so many digits.
func draw(digits int) (string, error) {
	top := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	n, err := rand.Int(rand.Reader, top)
	if err != nil {
		return "", fault.Internalf(err, "no PIN can be drawn")
	}
	text := n.String()
	return strings.Repeat("0", digits-len(text)) + text, nil
}

// of is what a PIN is found by.
func (p *pins) of(pin string) string {
	m := hmac.New(sha256.New, p.mac)
	m.Write([]byte(pin))
	return hex.EncodeToString(m.Sum(nil))
}

// seal locks a text up for the batch that it belongs to.
func (p *pins) seal(batch, text string) string {
	nonce := make([]byte, p.box.NonceSize())
	_, _ = rand.Read(nonce) // documented never to fail
	return base64.StdEncoding.EncodeToString(p.box.Seal(nonce, nonce, []byte(text), []byte(batch)))
}

func (p *pins) open(batch, sealed string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(raw) < p.box.NonceSize() {
		return "", fault.Internalf(err, "a sheet of PINs cannot be read")
	}
	n := p.box.NonceSize()
	text, err := p.box.Open(nil, raw[:n], raw[n:], []byte(batch))
	if err != nil {
		return "", fault.New(fault.Unavailable, CodeNoSecret, "the file was written under another secret of the server").Because(err)
	}
	return string(text), nil
}

// Normal is a PIN as people type it, less what they put between its digits; an Invalid fault at voucherCode for what
// is no PIN. The fault does not repeat it.
func Normal(typed string) (string, error) {
	pin := strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(typed)
	if !digits(pin) || len(pin) < shortestTaken || len(pin) > longestOne {
		return "", fault.Invalidf("voucherCode", "a voucher's code has %d to %d digits", shortestTaken, longestOne)
	}
	return pin, nil
}

func digits(text string) bool {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return text != ""
}

// serial writes a serial number: the prefix and the number with at least seven digits.
func serial(prefix string, n int) string {
	text := strconv.Itoa(n)
	return prefix + strings.Repeat("0", max(0, 7-len(text))) + text
}
