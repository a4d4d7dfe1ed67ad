package credential

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// The cost of a hash: 19 MiB, two passes, one lane, the least that OWASP's Password Storage Cheat Sheet has for Argon2id.
const (
	memory  uint32 = 19 * 1024
	passes  uint32 = 2
	lanes   uint8  = 1
	saltLen        = 16
	hashLen        = 32
)

const (
	// atOnce is how many hashes are worked out at a time: each takes its memory.
	atOnce = 2
	// mostWaiting is how many tries wait for that, mostOfOne how many of them at one subject's secret.
	mostWaiting = 64
	mostOfOne   = 8
	leastSecret = 16
)

// hasher works hashes out, few at a time. A secret of a few digits is guessed from its hash however slow that is, so a key
// that is not in the database goes into it.
type hasher struct {
	key     []byte
	slots   chan struct{}
	waiting chan struct{}
	// idle is what the secret of somebody without one is checked by: it takes as long as any other.
	idle string
}

// newHasher is nil without a secret.
func newHasher(secret []byte) *hasher {
	if len(secret) < leastSecret {
		return nil
	}
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("credential"))
	h := &hasher{key: m.Sum(nil), slots: make(chan struct{}, atOnce), waiting: make(chan struct{}, mostWaiting)}
	h.idle = written(memory, passes, lanes, make([]byte, saltLen), make([]byte, hashLen))
	return h
}

func (s *Service) hashes() (*hasher, error) {
	if s.hasher == nil {
		return nil, fault.New(fault.Unavailable, CodeNoSecret, "PINs need the server's secret, and it has none")
	}
	return s.hasher, nil
}

// enter takes a place among those who wait; a Limit fault when there is none.
func (h *hasher) enter() (leave func(), err error) {
	select {
	case h.waiting <- struct{}{}:
		return func() { <-h.waiting }, nil
	default:
		return nil, busy()
	}
}

func busy() error {
	return fault.New(fault.Limit, CodeBusy, "too many PINs are checked at once; try again in a second").After(1e9)
}

// keyed is a secret under the installation's key.
func (h *hasher) keyed(t Type, secret string) []byte {
	m := hmac.New(sha256.New, h.key)
	m.Write([]byte(string(t) + "/" + secret))
	return m.Sum(nil)
}

// of is a new hash of a secret.
func (h *hasher) of(ctx context.Context, t Type, secret string) (string, error) {
	if t == OTP { // minutes and a few tries are all there is to guess it in: the key alone guards it
		return "hmac$" + base64.RawStdEncoding.EncodeToString(h.keyed(t, secret)), nil
	}
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // documented never to fail
	sum, err := h.work(ctx, h.keyed(t, secret), salt, memory, passes, lanes, hashLen)
	return written(memory, passes, lanes, salt, sum), err
}

func (h *hasher) work(ctx context.Context, secret, salt []byte, m, t uint32, p uint8, size int) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.slots }()
	return argon2.IDKey(secret, salt, t, m, p, uint32(size)), nil //nolint:gosec // a few bytes
}

// written is a hash with its parameters, as the reference implementation writes it.
func written(m, t uint32, p uint8, salt, sum []byte) string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, m, t, p, b.EncodeToString(salt), b.EncodeToString(sum))
}

// check compares a secret with a hash; old says that the hash was made at another cost than is usual now.
func (h *hasher) check(ctx context.Context, t Type, secret, hash string) (right, old bool, err error) {
	if sum, ok := strings.CutPrefix(hash, "hmac$"); ok {
		want, err := base64.RawStdEncoding.DecodeString(sum)
		return err == nil && hmac.Equal(want, h.keyed(t, secret)), false, nil
	}
	var v, m, passed uint32
	var p uint8
	fields := strings.Split(hash, "$")
	if len(fields) != 6 || fields[1] != "argon2id" {
		return false, false, fault.Internalf(fmt.Errorf("a stored hash has %d fields", len(fields)), "the PIN cannot be checked")
	}
	if _, err := fmt.Sscanf(fields[2], "v=%d", &v); err != nil || v != argon2.Version {
		return false, false, fault.Internalf(fmt.Errorf("a stored hash of version %d: %w", v, err), "the PIN cannot be checked")
	}
	if _, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &m, &passed, &p); err != nil {
		return false, false, fault.Internalf(err, "the PIN cannot be checked")
	}
	salt, err := base64.RawStdEncoding.DecodeString(fields[4])
	if err != nil {
		return false, false, fault.Internalf(err, "the PIN cannot be checked")
	}
	want, err := base64.RawStdEncoding.DecodeString(fields[5])
	if err != nil {
		return false, false, fault.Internalf(err, "the PIN cannot be checked")
	}
	got, err := h.work(ctx, h.keyed(t, secret), salt, m, passed, p, len(want))
	if err != nil {
		return false, false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, m != memory || passed != passes || p != lanes, nil
}

// draw makes a secret of so many digits.
func draw(digits int) (string, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
	if err != nil {
		return "", fault.Internalf(err, "no PIN can be drawn")
	}
	text := n.String()
	return strings.Repeat("0", digits-len(text)) + text, nil
}

// turns lets the tries at one secret come one after the other in this process. On each node one is counted and not yet
// known to be right at most, so that many right ones at once lock nobody out.
type turns struct {
	mu  sync.Mutex
	all map[string]*turn
}

type turn struct {
	free chan struct{}
	n    int
}

func newTurns() *turns { return &turns{all: map[string]*turn{}} }

// take waits for the turn at a secret; a Limit fault when many wait already.
func (t *turns) take(ctx context.Context, of string) (done func(), err error) {
	t.mu.Lock()
	v := t.all[of]
	if v == nil {
		v = &turn{free: make(chan struct{}, 1)}
		v.free <- struct{}{}
		t.all[of] = v
	}
	if v.n >= mostOfOne {
		t.mu.Unlock()
		return nil, busy()
	}
	v.n++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if v.n--; v.n == 0 {
			delete(t.all, of)
		}
	}
	select {
	case <-v.free:
		return func() { v.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
