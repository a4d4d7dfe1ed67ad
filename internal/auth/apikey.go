package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

// An API key reads prefix_keyid_secret_crc:
//
//	prefix  "dmk", so that scanners of leaked secrets find it
//	keyid   16 characters of lower-case base 32, names the key in the store, in logs and to people
//	secret  52 characters, 32 random bytes, shown once
//	crc     8 hex digits, CRC-32 of all before it, so that a mistyped key costs no lookup
const keyPrefix = "dmk"

const (
	keyIDBytes  = 10
	secretBytes = 32
)

var keyEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// APIKey is what is stored of an API key. The secret is not in it.
type APIKey struct {
	// ID names the key; it is not secret.
	ID string `json:"id"`
	// Line is what a key and those that it was rotated into share: the ID of the first.
	Line string `json:"line"`
	// Client is who the key was issued to, in the terms of the identity provider (`azp`).
	Client string `json:"client"`
	// Name says what it is for; people choose it.
	Name string `json:"name,omitzero"`
	// SPIDs are the service providers that it works for, the first being the default.
	SPIDs []int `json:"spids"`
	// Roles and Scopes are what it grants when it comes without a token. They are names as a token has
	// them; without any, the key only ever narrows a token.
	Roles  []string `json:"roles,omitzero"`
	Scopes []string `json:"scopes,omitzero"`
	// MAC is HMAC-SHA256 of the id and the secret under the server's pepper.
	MAC []byte `json:"mac"`
	// Created, Expires, LastUsed and Revoked are moments in UTC. A zero Expires never comes; LastUsed is
	// kept to the minute; a zero Revoked has not happened.
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"`
	LastUsed time.Time `json:"lastUsed,omitzero"`
	Revoked  time.Time `json:"revoked,omitzero"`
}

// Active reports whether the key is good at now.
func (k *APIKey) Active(now time.Time) bool {
	return k.Revoked.IsZero() && (k.Expires.IsZero() || now.Before(k.Expires))
}

// principal is the caller that the key alone makes.
func (k *APIKey) principal() *Principal {
	p := &Principal{
		actor:   scope.Actor{Subject: scope.KeySubject + k.ID, Name: k.Name, Client: k.Client},
		claims:  scope.Claims{SPIDs: slices.Clone(k.SPIDs)},
		names:   slices.Clone(k.Roles),
		roles:   compile(k.Roles),
		expires: k.Expires,
		keyID:   k.ID,
	}
	for _, spid := range k.SPIDs {
		p.spids = append(p.spids, SPID{ID: spid})
	}
	p.limitToScopes(k.Scopes)
	return p
}

// KeyStore keeps API keys. Implementations are safe for use by many goroutines.
type KeyStore interface {
	// Get is the key with an id; a NotFound fault when there is none.
	Get(ctx context.Context, keyID string) (APIKey, error)
	// Put stores a key, new or changed.
	Put(ctx context.Context, k APIKey) error
	// List is every key of a client, oldest first; every key there is when client is empty.
	List(ctx context.Context, client string) ([]APIKey, error)
	// Touch sets when a key was last used. It may be called often and may lose a write.
	Touch(ctx context.Context, keyID string, at time.Time) error
}

// newSecret makes the text of a new key and the id and secret in it.
func newSecret() (text, keyID, secret string, err error) {
	var b [keyIDBytes + secretBytes]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", "", "", fmt.Errorf("random: %w", err)
	}
	keyID, secret = keyEncoding.EncodeToString(b[:keyIDBytes]), keyEncoding.EncodeToString(b[keyIDBytes:])
	body := keyPrefix + "_" + keyID + "_" + secret
	return body + "_" + checksum(body), keyID, secret, nil
}

func checksum(body string) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body)))
}

var errKeyForm = errors.New("not an API key")

// splitKey takes the id and the secret out of a key's text. It does not copy the text into the error.
func splitKey(text string) (keyID, secret string, err error) {
	if len(text) > 128 {
		return "", "", errKeyForm
	}
	body, crc, ok := cutLast(text, '_')
	if !ok || crc != checksum(body) {
		return "", "", errKeyForm
	}
	parts := strings.Split(body, "_")
	if len(parts) != 3 || parts[0] != keyPrefix ||
		len(parts[1]) != keyEncoding.EncodedLen(keyIDBytes) || len(parts[2]) != keyEncoding.EncodedLen(secretBytes) {
		return "", "", errKeyForm
	}
	return parts[1], parts[2], nil
}

// mac binds the secret to its id, so that rows of the store cannot be exchanged.
func mac(pepper []byte, keyID, secret string) []byte {
	h := hmac.New(sha256.New, pepper)
	h.Write([]byte(keyID + "_" + secret))
	return h.Sum(nil)
}
