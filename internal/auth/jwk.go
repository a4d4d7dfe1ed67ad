package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"
)

// verifyKey is a public key with the one algorithm that it may be used with.
type verifyKey struct {
	method jwt.SigningMethod
	public crypto.PublicKey
}

type jwk struct {
	Kty string `json:"kty"`
	Use string `json:"use"`
	Kid string `json:"kid"`
	Alg string `json:"alg"`
	Crv string `json:"crv"`
	N   string `json:"n"`
	E   string `json:"e"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

// maxKeys bounds a key set; issuers have two or three.
const maxKeys = 64

// parseKeySet reads a JWK set. Keys for anything but signatures and keys that demarc does not speak are
// left out; so are all that share one kid, since none of them can be told to be the right one.
func parseKeySet(raw []byte) (map[string]verifyKey, error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("key set has %d keys", len(set.Keys))
	}
	keys, seen := make(map[string]verifyKey), make(map[string]int)
	for _, k := range set.Keys {
		if k.Use != "sig" || k.Kid == "" {
			continue
		}
		if seen[k.Kid]++; seen[k.Kid] > 1 {
			delete(keys, k.Kid)
			continue
		}
		if v, err := k.verifyKey(); err == nil {
			keys[k.Kid] = v
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("key set has no usable signing key")
	}
	return keys, nil
}

var errKey = errors.New("unsupported key")

func (k jwk) verifyKey() (verifyKey, error) {
	switch k.Kty {
	case "RSA":
		return k.rsa()
	case "EC":
		return k.ec()
	case "OKP":
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil || k.Crv != "Ed25519" || len(x) != ed25519.PublicKeySize || (k.Alg != "" && k.Alg != "EdDSA" && k.Alg != "Ed25519") {
			return verifyKey{}, errKey
		}
		return verifyKey{jwt.SigningMethodEdDSA, ed25519.PublicKey(x)}, nil
	}
	return verifyKey{}, errKey
}

func (k jwk) rsa() (verifyKey, error) {
	alg := k.Alg
	if alg == "" {
		alg = "RS256"
	}
	methods := map[string]jwt.SigningMethod{
		"RS256": jwt.SigningMethodRS256, "RS384": jwt.SigningMethodRS384, "RS512": jwt.SigningMethodRS512,
		"PS256": jwt.SigningMethodPS256, "PS384": jwt.SigningMethodPS384, "PS512": jwt.SigningMethodPS512,
	}
	n, err1 := base64.RawURLEncoding.DecodeString(k.N)
	e, err2 := base64.RawURLEncoding.DecodeString(k.E)
	if methods[alg] == nil || err1 != nil || err2 != nil || len(e) == 0 || len(e) > 4 {
		return verifyKey{}, errKey
	}
	pub := &rsa.PublicKey{N: new(big.Int).SetBytes(n)}
	for _, b := range e {
		pub.E = pub.E<<8 | int(b)
	}
	// Short moduli can be factored; long ones make every forged token an expensive one.
	if bits := pub.N.BitLen(); bits < 2048 || bits > 8192 || pub.E < 3 || pub.E&1 == 0 {
		return verifyKey{}, errKey
	}
	return verifyKey{methods[alg], pub}, nil
}

func (k jwk) ec() (verifyKey, error) {
	var (
		curve  elliptic.Curve
		method jwt.SigningMethod
	)
	switch k.Crv {
	case "P-256":
		curve, method = elliptic.P256(), jwt.SigningMethodES256
	case "P-384":
		curve, method = elliptic.P384(), jwt.SigningMethodES384
	case "P-521":
		curve, method = elliptic.P521(), jwt.SigningMethodES512
	default:
		return verifyKey{}, errKey
	}
	x, err1 := base64.RawURLEncoding.DecodeString(k.X)
	y, err2 := base64.RawURLEncoding.DecodeString(k.Y)
	size := (curve.Params().BitSize + 7) / 8
	if err1 != nil || err2 != nil || len(x) != size || len(y) != size || (k.Alg != "" && k.Alg != method.Alg()) {
		return verifyKey{}, errKey
	}
	// ParseUncompressedPublicKey refuses points that are not on the curve.
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		return verifyKey{}, errKey
	}
	return verifyKey{method, pub}, nil
}
