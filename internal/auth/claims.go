package auth

import (
	"errors"
	"math"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// claims are the members of an access token that demarc reads, as Keycloak 26 writes them. Names match
// by case, and the decoder refuses a member that comes twice anywhere in the token.
type claims struct {
	Issuer    string      `json:"iss"`
	Subject   string      `json:"sub"`
	Audience  oneOrMany   `json:"aud"`
	Expires   unixSeconds `json:"exp"`
	NotBefore unixSeconds `json:"nbf"`
	IssuedAt  unixSeconds `json:"iat"`
	Type      string      `json:"typ"`
	Azp       string      `json:"azp"`
	ClientID  string      `json:"client_id"`
	Scope     string      `json:"scope"`
	Session   string      `json:"sid"`
	Username  string      `json:"preferred_username"`

	RealmAccess    roleList            `json:"realm_access"`
	ResourceAccess map[string]roleList `json:"resource_access"`

	AvailableSPIDs     oneOrMany `json:"availableSpids"`
	ManageMonthlyLimit looseBool `json:"allowCsrToManageMonthlySpendLimit"`
	ManageCreditLimit  looseBool `json:"allowCsrToManageCreditLimit"`

	// Marks of tokens that are not plain access tokens.
	Confirmation jsontext.Value `json:"cnf"`
	Events       jsontext.Value `json:"events"`
	Nonce        jsontext.Value `json:"nonce"`
	AtHash       jsontext.Value `json:"at_hash"`
	CHash        jsontext.Value `json:"c_hash"`
}

type roleList struct {
	Roles []string `json:"roles"`
}

// oneOrMany is a claim that is written as a string when there is one value and as a list otherwise.
type oneOrMany []string

var errClaim = errors.New("claim of the wrong type")

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (o *oneOrMany) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case '"':
		var s string
		if err := json.UnmarshalDecode(d, &s); err != nil {
			return err
		}
		*o = oneOrMany{s}
		return nil
	case '[':
		return json.UnmarshalDecode(d, (*[]string)(o))
	}
	return errClaim
}

// unixSeconds is a NumericDate: seconds since 1970, possibly with a fraction.
type unixSeconds struct{ t time.Time }

// farthest is the largest date that is believed, about the year 5138; more would overflow a Duration.
const farthest = 1e11

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (u *unixSeconds) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '0' {
		return errClaim
	}
	var f float64
	if err := json.UnmarshalDecode(d, &f); err != nil {
		return err
	}
	if math.IsNaN(f) || f < 0 || f > farthest {
		return errClaim
	}
	whole, part := math.Modf(f)
	u.t = time.Unix(int64(whole), int64(part*1e9)).UTC()
	return nil
}

// looseBool reads true, "True" and "true" alike: the guide writes the attribute as True or False, and a
// mapper may pass it as text or as a boolean. Anything else is false.
type looseBool bool

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (b *looseBool) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case 't', 'f':
		return json.UnmarshalDecode(d, (*bool)(b))
	case '"':
		var s string
		if err := json.UnmarshalDecode(d, &s); err != nil {
			return err
		}
		*b = looseBool(strings.EqualFold(s, "true"))
		return nil
	}
	*b = false
	return d.SkipValue()
}

// parseSPIDs reads availableSpids, each "number:name". Entries of another form are left out, and the
// first of two with the same number stands.
func parseSPIDs(values []string) []SPID {
	out := make([]SPID, 0, len(values))
	seen := make(map[int]bool, len(values))
	for _, v := range values {
		number, name, _ := strings.Cut(v, ":")
		n, ok := parseSPID(number)
		if !ok || seen[n] {
			continue
		}
		seen[n] = true
		out = append(out, SPID{ID: n, Name: name})
	}
	return out
}
