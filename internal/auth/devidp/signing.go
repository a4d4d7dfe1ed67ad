package devidp

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"
)

const keyBits = 2048

// signingKey is the RSA key that tokens are signed with (RS256, Keycloak's default). Making one takes up
// to a second, so that is done in the background; who needs it waits.
type signingKey struct {
	ready chan struct{}
	key   *rsa.PrivateKey
	kid   string
	err   error
}

// newSigningKey loads the key of a file, or begins to make one and keeps it there. A file that is not
// such a key is an error; it is never overwritten.
func newSigningKey(file string) (*signingKey, error) {
	s := &signingKey{ready: make(chan struct{})}
	if file != "" {
		raw, err := os.ReadFile(file)
		if err == nil {
			key, err := parseKey(raw)
			if err != nil {
				return nil, fmt.Errorf("devidp: key file %s: %w", file, err)
			}
			s.finish(key, nil)
			return s, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("devidp: %w", err)
		}
	}
	go func() {
		key, err := rsa.GenerateKey(rand.Reader, keyBits)
		if err == nil && file != "" {
			err = saveKey(file, key)
		}
		s.finish(key, err)
	}()
	return s, nil
}

func (s *signingKey) finish(key *rsa.PrivateKey, err error) {
	if s.err = err; err == nil {
		sum := sha256.Sum256(x509.MarshalPKCS1PublicKey(&key.PublicKey))
		s.key, s.kid = key, base64.RawURLEncoding.EncodeToString(sum[:])
	}
	close(s.ready)
}

func parseKey(raw []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("is not PEM")
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("is not a PKCS #8 key")
	}
	key, ok := any.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() < keyBits {
		return nil, fmt.Errorf("is not an RSA key of at least %d bits", keyBits)
	}
	return key, nil
}

// saveKey writes the file whole or not at all, readable by its owner only.
func saveKey(file string, key *rsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".key-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if err := pem.Encode(tmp, &pem.Block{Type: "PRIVATE KEY", Bytes: der}); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

func (s *signingKey) wait(ctx context.Context) error {
	select {
	case <-s.ready:
		if s.err != nil {
			return fmt.Errorf("devidp: signing key: %w", s.err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *signingKey) sign(ctx context.Context, claims map[string]any) (string, error) {
	if err := s.wait(ctx); err != nil {
		return "", err
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(claims))
	t.Header["kid"] = s.kid
	return t.SignedString(s.key)
}

func (s *signingKey) set(ctx context.Context) ([]byte, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return json.Marshal(map[string]any{"keys": []map[string]string{{
		"kid": s.kid, "kty": "RSA", "alg": "RS256", "use": "sig",
		"n": b64(s.key.N.Bytes()), "e": b64(big.NewInt(int64(s.key.E)).Bytes()),
	}}}, json.Deterministic(true))
}
