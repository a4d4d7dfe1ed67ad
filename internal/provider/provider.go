// Package provider keeps the service providers (MVNOs, brands) that share a demarc: each is a tenant with a
// number of its own, the SPID, and sees only what is its own.
package provider

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// Kind is the id kind of service providers.
var Kind = id.Kind{Name: "serviceProvider", Prefix: "spr"}

const (
	// CodeExists is a second service provider under one SPID.
	CodeExists fault.Code = "serviceProviderExists"
	// CodeMissing is work that needs the service provider's settings before it was created.
	CodeMissing fault.Code = "serviceProviderMissing"
)

const claim = "serviceProvider"

// ServiceProvider is a tenant and the settings that hold for all it does.
type ServiceProvider struct {
	Type string `json:"@type,omitzero"`
	// SPID is the tenant's number, 1 to 999,999,999; never changed.
	SPID int    `json:"spid"`
	Name string `json:"name,omitzero"`
	// Currency is what its balances and prices are in (ISO 4217).
	Currency money.Currency `json:"currency,omitzero"`
	// TimeZone is where its days begin (IANA name, "UTC" by default).
	TimeZone string `json:"timeZone,omitzero"`
	// Country is where numbers without a country code belong to (ISO 3166-1 alpha-2); may be empty.
	Country string `json:"country,omitzero"`
	// Language is what it speaks to subscribers who chose none (BCP 47, "en" by default).
	Language string `json:"language,omitzero"`
	// Policy is the rules that the service provider chose; what it leaves out has demarc's defaults.
	Policy *Policy `json:"policy,omitzero"`
	// Sandbox gives the service provider a clock of its own that stands until it is moved; never changed.
	Sandbox bool     `json:"sandbox,omitzero"`
	Rest    sid.Rest `json:",embed"`
}

// Location is the service provider's time zone.
func (v ServiceProvider) Location() *time.Location {
	if l, ok := zones.Load(v.TimeZone); ok {
		return l.(*time.Location)
	}
	l, err := time.LoadLocation(v.TimeZone)
	if err != nil {
		return time.UTC
	}
	zones.Store(v.TimeZone, l)
	return l
}

// zones are the time zones that were read, by name: reading one parses a file, and every renewal and usage needs one.
var zones sync.Map

var (
	countryForm  = regexp.MustCompile(`^[A-Z]{2}$`)
	languageForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

func (v *ServiceProvider) begin(spid int) error {
	if v.Type == "" {
		v.Type = "ServiceProvider"
	}
	if v.SPID == 0 {
		v.SPID = spid
	}
	if v.TimeZone == "" {
		v.TimeZone = "UTC"
	}
	if v.Language == "" {
		v.Language = "en"
	}
	return fault.InvalidAll(v.check())
}

func (v ServiceProvider) check() (found []fault.Detail) {
	add := func(bad bool, attribute, message string) {
		if bad {
			found = append(found, fault.Detail{Attribute: attribute, Message: message})
		}
	}
	add(strings.TrimSpace(v.Name) == "", "name", "name is mandatory and must not be blank")
	add(!v.Currency.Valid(), "currency", "currency is mandatory: a code of ISO 4217 such as EUR")
	_, err := time.LoadLocation(v.TimeZone)
	add(err != nil || v.TimeZone == "Local" || v.TimeZone == "", "timeZone", "timeZone is a name of the IANA database such as Europe/Zurich")
	add(v.Country != "" && !countryForm.MatchString(v.Country), "country", "country is a code of ISO 3166-1 such as CH")
	add(!languageForm.MatchString(v.Language), "language", "language is a tag of BCP 47 such as en or de-CH")
	if v.Policy != nil {
		found = append(found, v.Policy.Referral.in(v.Currency)...)
	}
	return append(found, v.Policy.check()...)
}

// follow checks a change.
func (v ServiceProvider) follow(prev *ServiceProvider) error {
	found := v.check()
	if v.Sandbox != prev.Sandbox {
		found = append(found, fault.Detail{Attribute: "sandbox", Message: "a service provider is a sandbox from the beginning, or never"})
	}
	return fault.InvalidAll(found)
}

// Service is the service providers.
type Service struct {
	*resource.Set[ServiceProvider]
	store *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store) *Service {
	p := &Service{store: s}
	p.Set = resource.New(s, store.Definition{Kind: Kind, Table: "service_provider", Indexed: map[string]string{"name": "name"}}, resource.Rules[ServiceProvider]{
		Domain: "serviceProviderManagement",
		Home:   func(*ServiceProvider) (id.Home, bool) { return 0, true },
		Create: p.create,
		Change: func(_ context.Context, prev, v *ServiceProvider, _ time.Time) error { return v.follow(prev) },
		Remove: func(context.Context, *ServiceProvider) error {
			return fault.New(fault.Forbidden, fault.CodeForbidden, "a service provider is never deleted")
		},
		Fixed: []string{"spid"},
	})
	return p
}

// create holds the strict reading of the role "n:serviceProvider:post": it creates service provider n and no
// other, so the caller chooses n as its service provider first.
func (p *Service) create(ctx context.Context, i id.ID, v *ServiceProvider, _ time.Time) error {
	sc, err := scope.From(ctx)
	if err != nil {
		return err
	}
	if err := v.begin(sc.SPID()); err != nil {
		return err
	}
	if v.SPID != sc.SPID() {
		return fault.New(fault.Forbidden, fault.CodeForbidden, "service provider %d is created under its own number: send the header spid: %d", v.SPID, v.SPID).At("spid")
	}
	holder, err := p.store.Claimant(ctx, claim, strconv.Itoa(v.SPID))
	if err != nil {
		return err
	}
	if holder != "" {
		return fault.Conflictf(CodeExists, "service provider %d exists already", v.SPID).At("spid")
	}
	if err := p.store.BeginClock(ctx, v.Sandbox); err != nil {
		return err
	}
	return p.store.Claim(ctx, claim, strconv.Itoa(v.SPID), i)
}

// Find gives the id of the scope's service provider; empty when it was not created yet.
func (p *Service) Find(ctx context.Context) (id.ID, error) {
	sc, err := scope.From(ctx)
	if err != nil {
		return "", err
	}
	return p.store.Claimant(ctx, claim, strconv.Itoa(sc.SPID()))
}

// Current is the scope's service provider; a Conflict fault (CodeMissing) when it was not created yet.
func (p *Service) Current(ctx context.Context) (ServiceProvider, error) {
	i, err := p.Find(ctx)
	if err != nil {
		return ServiceProvider{}, err
	}
	if i == "" {
		return ServiceProvider{}, fault.Conflictf(CodeMissing, "create the service provider first (POST /api/serviceProvider)")
	}
	v, _, err := p.Get(ctx, i)
	return v, err
}
