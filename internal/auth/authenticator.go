package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Authenticator finds out who sends a request. It is safe for use by many goroutines.
type Authenticator struct {
	clock    clock.Clock
	skew     time.Duration
	issuers  map[string]*issuer
	verified *tokenCache
	keys     *Keys
}

// Keys is the service of API keys; nil when New got no KeyStore.
func (a *Authenticator) Keys() *Keys { return a.keys }

// Authenticate finds out who sends a request from its Authorization and X-API-Key headers; an empty
// string is a header that is not there. Either is enough. When both come, both must be good and belong
// to the same client, and the key's service providers narrow the token's.
//
// Faults: Unauthenticated for a missing, malformed, expired, forged or foreign credential, always with
// the same words; Unavailable when the issuer's keys or the key store cannot be reached, so that the
// credential cannot be judged.
func (a *Authenticator) Authenticate(ctx context.Context, authorization, apiKey string) (*Principal, error) {
	if authorization == "" && apiKey == "" {
		return nil, fault.New(fault.Unauthenticated, fault.CodeUnauthenticated, "send a bearer token or an API key")
	}
	var p *Principal
	if authorization != "" {
		token, err := bearer(authorization)
		if err != nil {
			return nil, unauthenticated(err)
		}
		if p, err = a.token(ctx, token); err != nil {
			return nil, err
		}
	}
	if apiKey == "" {
		return p, nil
	}
	if a.keys == nil {
		return nil, unauthenticated(errors.New("API keys are not configured"))
	}
	k, err := a.keys.verify(ctx, apiKey)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return k.principal(), nil
	}
	if p.actor.Client != k.Client {
		return nil, unauthenticated(errors.New("token and API key belong to different clients"))
	}
	return p.narrow(k.ID, k.SPIDs), nil
}

// AuthenticateHeader is Authenticate on the headers of a request. A header that comes twice is refused:
// what stands before demarc may have looked at the other one.
func (a *Authenticator) AuthenticateHeader(ctx context.Context, h http.Header) (*Principal, error) {
	if len(h.Values("Authorization")) > 1 || len(h.Values("X-Api-Key")) > 1 {
		return nil, unauthenticated(errors.New("repeated header"))
	}
	return a.Authenticate(ctx, h.Get("Authorization"), h.Get("X-Api-Key"))
}

func (a *Authenticator) token(ctx context.Context, token string) (*Principal, error) {
	sum := sha256.Sum256([]byte(token))
	now := a.clock.Now()
	if p := a.verified.get(sum, now); p != nil {
		return p, nil
	}
	p, err := a.verify(ctx, token)
	if errors.Is(err, errKeysUnavailable) {
		return nil, fault.New(fault.Unavailable, fault.CodeUnavailable, "the identity provider does not answer").After(refetchEvery).Because(err)
	}
	if err != nil {
		return nil, unauthenticated(err)
	}
	a.verified.put(sum, p, now)
	return p, nil
}

func unauthenticated(cause error) error {
	return fault.New(fault.Unauthenticated, fault.CodeUnauthenticated, "the credential is not valid").Because(cause)
}

// bearer takes the token from an Authorization header: the scheme in any case, one or more spaces, and
// a token68 (RFC 6750 section 2.1, RFC 9110 section 11.4).
func bearer(authorization string) (string, error) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", errors.New("authorization scheme is not Bearer")
	}
	token = strings.TrimLeft(token, " ")
	if token == "" {
		return "", errors.New("empty token")
	}
	for i := range len(token) {
		c := token[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~+/=", c) >= 0) {
			return "", errors.New("token has a character that none has")
		}
	}
	return token, nil
}
