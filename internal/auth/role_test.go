package auth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"pgregory.net/rapid"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// can is every permission that a set of roles opens at a service provider, as "entity:verb".
func (f *fixture) can(spid int, roles ...string) []string {
	f.Helper()
	// An elliptic-curve signature is cheap to make, and there are thousands here.
	p := f.accept(sign(f, jwt.SigningMethodES256, ecKey(), object{"kid": "ec"}, claims(f.clock.Now(), object{"realm_access": object{"roles": roles}})))
	var out []string
	for _, e := range auth.Entities() {
		for _, v := range []auth.Verb{auth.Get, auth.Post, auth.Patch, auth.Delete} {
			if perm := (auth.Permission{Entity: e.Name, Verb: v}); p.Allowed(spid, perm) {
				out = append(out, perm.String())
			}
		}
	}
	admin := 0
	for _, v := range []auth.Verb{auth.Get, auth.Post, auth.Patch, auth.Delete} {
		if p.Allowed(spid, auth.Permission{Entity: auth.AdminEntity, Verb: v}) {
			admin++
		}
	}
	if admin == 4 {
		out = append(out, "admin")
	} else if admin != 0 {
		f.Errorf("admin with %d verbs", admin)
	}
	return out
}

// everything is every permission that any role opens, save admin tasks.
func everything(verbs auth.Verb, dashboards bool) []string {
	var out []string
	for _, e := range auth.Entities() {
		for _, v := range []auth.Verb{auth.Get, auth.Post, auth.Patch, auth.Delete} {
			if e.Verbs&v != 0 && verbs&v != 0 && (!e.Derived || dashboards || e.Name == auth.Adjustment) {
				out = append(out, auth.Permission{Entity: e.Name, Verb: v}.String())
			}
		}
	}
	return out
}

const all = auth.Get | auth.Post | auth.Patch | auth.Delete

// The contract of the 27 roles of the Keycloak guide: what each opens, and that it opens nothing else, of
// every entity and verb there is.
func TestTheGuidesRoles(t *testing.T) {
	const dashboard = auth.IndividualDashboard + ":get"
	for _, c := range []struct {
		role string
		one  []string // at service provider 1
		two  []string // at service provider 2
	}{
		{"1:*:*", everything(all, true), nil},
		{"1:admin", []string{"admin"}, nil},
		{"1:approveAdjsutment:*", []string{"approveAdjustment:patch", "adjustment:get", "adjustment:patch"}, nil},
		{"1:billingAccount:get", []string{"billingAccount:get"}, nil},
		{"1:billingAccount:patch", []string{"billingAccount:patch"}, nil},
		{"1:billingAccount:post", []string{"billingAccount:post"}, nil},
		{"1:billingAccount:delete", []string{"billingAccount:delete"}, nil},
		{"1:billingAccount:*", []string{"billingAccount:get", "billingAccount:post", "billingAccount:patch", "billingAccount:delete"}, nil},
		{"1:individual:get", []string{"individual:get"}, nil},
		{"1:individual:patch", []string{"individual:patch"}, nil},
		{"1:individual:post", []string{"individual:post"}, nil},
		{"1:individual:delete", []string{"individual:delete"}, nil},
		{"1:individual:*", []string{"individual:get", "individual:post", "individual:patch", "individual:delete", dashboard}, nil},
		{"1:customer:get", []string{"customer:get"}, nil},
		{"1:customer:patch", []string{"customer:patch"}, nil},
		{"1:customer:post", []string{"customer:post"}, nil},
		{"1:customer:delete", []string{"customer:delete"}, nil},
		{"1:customer:*", []string{"customer:get", "customer:post", "customer:patch", "customer:delete"}, nil},
		{"1:serviceProvider:get", []string{"serviceProvider:get"}, nil},
		{"1:serviceProvider:patch", []string{"serviceProvider:patch"}, nil},
		{"1:serviceProvider:post", []string{"serviceProvider:post"}, nil},
		{"1:allEntity:get", []string{"allEntity:get"}, nil},
		{"1:dashboard:get", []string{"dashboard:get"}, nil},
		{"1:exportData:*", []string{"exportData:get"}, nil},
		{"csr-all-customer-operations", []string{"customer:get", "customer:post", "customer:delete"}, []string{"customer:get", "customer:post", "customer:delete"}},
		{"csr-spid2-admin", nil, everything(all, true)},
		{"csr-all-operations", everything(all&^auth.Patch, true), everything(all&^auth.Patch, true)},
	} {
		t.Run(c.role, func(t *testing.T) {
			f := newFixture(t)
			for spid, want := range map[int][]string{1: c.one, 2: c.two, 3: nil, 0: nil, -1: nil, 10: nil, 12: nil} {
				if got := f.can(spid, c.role); !slices.Equal(got, want) {
					t.Errorf("at service provider %d\n got %v\nwant %v", spid, got, want)
				}
			}
		})
	}
}

func TestReadings(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		name  string
		roles []string
		want  []string
	}{
		{"A1: the right spelling as well", []string{"1:approveAdjustment:*"}, []string{"approveAdjustment:patch", "adjustment:get", "adjustment:patch"}},
		{"A4: four verbs are not the wildcard", []string{"1:individual:get", "1:individual:post", "1:individual:patch", "1:individual:delete"},
			[]string{"individual:get", "individual:post", "individual:patch", "individual:delete"}},
		{"A6: nobody deletes a service provider", []string{"1:serviceProvider:delete"}, nil},
		{"A6: the wildcard is the three", []string{"1:serviceProvider:*"}, []string{"serviceProvider:get", "serviceProvider:post", "serviceProvider:patch"}},
		{"wildcard entity", []string{"1:*:get"}, everything(auth.Get, false)},
		{"an entity without roles of the guide", []string{"1:subscription:post"}, []string{"subscription:post"}},
		{"a composite and its parts", []string{"csr-all-customer-operations", "1:customer:get", "1:customer:post", "1:customer:delete"}, []string{"customer:get", "customer:post", "customer:delete"}},
		{"roles add up", []string{"1:customer:get", "1:admin", "2:customer:post"}, []string{"customer:get", "admin"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := (&fixture{t, f.clock, f.issuer, f.auth}).can(1, c.roles...); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Roles that an attacker would try, and those that an identity provider adds by itself: none grants.
func TestRolesThatGrantNothing(t *testing.T) {
	f := newFixture(t)
	for _, role := range []string{
		"", ":", "::", "*", "*:*:*", "*:admin", "1", "1:", "1:*", "10:", "1::", "1:*:", "1::*", "01:*:*", "0:*:*", "-1:*:*", "+1:*:*", "1.0:*:*",
		"１:*:*", "1：*：*", "1:*:＊", " 1:*:*", "1:*:* ", "1: *:*", "1:*:*\n", "\n1:*:*", "1:*:*\x00", "1:*:*:*", "1:customer:get:get", "1:customer:get:",
		"1:Customer:get", "1:customer:GET", "1:customer:put", "1:customer:head", "1:customer:get,post", "1:cust*:get", "1:customer:g*", "1:nothing:get",
		"1:admin:*", "1:admin:get", "1:Admin", "1:*:admin", "1:dashboard:post", "1:allEntity:delete",
		"1:individualDashboard:get", "1:serviceProviderDashboard:get", "1:individualDashboard:*",
		"csr-spid1-admin", "csr-spid3-admin", "CSR-all-operations", "csr-all-operations ", "csr-all-operations:1",
		"9999999999:*:*", "18446744073709551617:*:*", "default-roles-cm", "offline_access", "uma_authorization", "admin", "create-realm",
	} {
		t.Run(fmt.Sprintf("%q", role), func(t *testing.T) {
			f := &fixture{t, f.clock, f.issuer, f.auth}
			for _, spid := range []int{0, 1, 2} {
				if got := f.can(spid, role); got != nil {
					t.Errorf("at service provider %d: %v", spid, got)
				}
			}
		})
	}
}

func TestUnknownPermissionIsNeverGranted(t *testing.T) {
	p := newFixture(t).accept(newFixture(t).token(nil))
	for _, perm := range []auth.Permission{{}, {Entity: "nothing", Verb: auth.Get}, {Entity: "customer"}, {Entity: "*", Verb: auth.Get}, {Entity: "", Verb: auth.Get}, {Entity: auth.AdminEntity}, {Entity: "customer", Verb: 1 << 6}} {
		if p.Allowed(1, perm) || perm.Known() {
			t.Errorf("%+v is granted or known", perm)
		}
	}
	if !(auth.Permission{Entity: "customer", Verb: auth.Get}).Known() || (auth.Permission{Entity: "serviceProvider", Verb: auth.Delete}).Known() {
		t.Error("Known is wrong")
	}
}

func TestVerbs(t *testing.T) {
	for method, want := range map[string]auth.Verb{"GET": auth.Get, "HEAD": auth.Get, "POST": auth.Post, "PUT": auth.Patch, "PATCH": auth.Patch, "DELETE": auth.Delete, "get": 0, "OPTIONS": 0} {
		if got, ok := auth.VerbOf(method); got != want || ok != (want != 0) {
			t.Errorf("%s: %v", method, got)
		}
	}
	if s := (auth.Get | auth.Delete).String(); s != "get|delete" {
		t.Error(s)
	}
}

// More roles never open less, and no set of roles of one service provider opens anything at another.
func TestRolesOnlyAdd(t *testing.T) {
	f := newFixture(t)
	names := []string{"csr-all-customer-operations", "csr-all-operations"}
	for _, e := range append(auth.Entities(), auth.Entity{Name: "*"}, auth.Entity{Name: "approveAdjsutment"}) {
		for _, v := range []string{"get", "post", "patch", "delete", "*"} {
			names = append(names, "1:"+e.Name+":"+v)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		roles := rapid.SliceOfN(rapid.SampledFrom(names), 0, 6).Draw(rt, "roles")
		more := append(slices.Clone(roles), rapid.SampledFrom(names).Draw(rt, "more"))
		wider := f.can(1, more...)
		for _, perm := range f.can(1, roles...) {
			if !slices.Contains(wider, perm) {
				rt.Fatalf("%v opens %s, %v does not", roles, perm, more)
			}
		}
		if !strings.Contains(strings.Join(roles, " "), "csr-") && f.can(2, roles...) != nil {
			rt.Fatalf("%v opens something at service provider 2", roles)
		}
	})
}

func TestScope(t *testing.T) {
	read, write := auth.Permission{Entity: "customer", Verb: auth.Get}, auth.Permission{Entity: "customer", Verb: auth.Patch}
	admin := auth.Permission{Entity: auth.AdminEntity, Verb: auth.Post}
	f := newFixture(t)
	for _, c := range []struct {
		name   string
		claims object
		spid   string
		perms  []auth.Permission
		want   int // 0: refused with kind
		kind   fault.Kind
	}{
		{"implied by the only one", object{"availableSpids": "1:HappyPhone"}, "", []auth.Permission{read}, 1, 0},
		{"the first of several", object{"availableSpids": []string{"2:SadPhone", "1:HappyPhone"}, "realm_access": object{"roles": []string{"2:customer:get"}}}, "", []auth.Permission{read}, 2, 0},
		{"chosen by the header", nil, "1", []auth.Permission{read, write, admin}, 1, 0},
		{"chosen without a role", nil, "2", []auth.Permission{read}, 0, fault.Forbidden},
		{"nothing asked", nil, "2", nil, 2, 0},
		{"not available, with a role", object{"realm_access": object{"roles": []string{"3:*:*"}}}, "3", []auth.Permission{read}, 0, fault.Forbidden},
		{"not available, with a general role", object{"realm_access": object{"roles": []string{"csr-all-operations"}}}, "3", []auth.Permission{read}, 0, fault.Forbidden},
		{"none available", object{"availableSpids": nil}, "1", []auth.Permission{read}, 0, fault.Forbidden},
		{"none available, no header", object{"availableSpids": nil}, "", nil, 0, fault.Forbidden},
		{"malformed entries are left out", object{"availableSpids": []string{"01:A", "x", ":B", "0:C", "1:HappyPhone", "1:Twice"}}, "", []auth.Permission{read}, 1, 0},
		{"all of several", object{"realm_access": object{"roles": []string{"1:customer:get"}}}, "1", []auth.Permission{read, write}, 0, fault.Forbidden},
		{"OAuth scope read only", object{"scope": "openid obp-apigw:read"}, "1", []auth.Permission{read}, 1, 0},
		{"OAuth scope read does not write", object{"scope": "openid obp-apigw:read"}, "1", []auth.Permission{write}, 0, fault.Forbidden},
		{"OAuth scope write does not read", object{"scope": "obp-apigw:write"}, "1", []auth.Permission{read}, 0, fault.Forbidden},
		{"OAuth scope admin alone opens nothing", object{"scope": "obp-apigw:admin"}, "1", []auth.Permission{admin}, 0, fault.Forbidden},
		{"admin task without the OAuth scope", object{"scope": "obp-apigw:read obp-apigw:write"}, "1", []auth.Permission{admin}, 0, fault.Forbidden},
		{"OAuth scope in another case", object{"scope": "OBP-APIGW:READ"}, "1", []auth.Permission{read}, 0, fault.Forbidden},
		{"no OAuth scope", object{"scope": nil}, "1", []auth.Permission{read}, 0, fault.Forbidden},
		{"an OAuth scope is no role", object{"realm_access": nil}, "1", []auth.Permission{read}, 0, fault.Forbidden},
		{"roles of the client", object{"realm_access": nil, "resource_access": object{"obp-apigw": object{"roles": []string{"1:customer:get"}}}}, "1", []auth.Permission{read}, 1, 0},
		{"roles of another client", object{"realm_access": nil, "resource_access": object{"account": object{"roles": []string{"1:customer:get"}}}}, "1", []auth.Permission{read}, 0, fault.Forbidden},
		{"header with a zero", nil, "01", nil, 0, fault.Invalid},
		{"header zero", nil, "0", nil, 0, fault.Invalid},
		{"header negative", nil, "-1", nil, 0, fault.Invalid},
		{"header with a space", nil, " 1", nil, 0, fault.Invalid},
		{"header a list", nil, "1,2", nil, 0, fault.Invalid},
		{"header full-width", nil, "１", nil, 0, fault.Invalid},
		{"header with a name", nil, "1:HappyPhone", nil, 0, fault.Invalid},
		{"header a wildcard", nil, "*", nil, 0, fault.Invalid},
		{"header too long", nil, "1000000000", nil, 0, fault.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := (&fixture{t, f.clock, f.issuer, f.auth}).accept(f.token(c.claims))
			s, err := p.Scope(c.spid, c.perms...)
			if c.want != 0 {
				if err != nil || s.SPID() != c.want {
					t.Fatalf("scope %d, %v", s.SPID(), err)
				}
				if s.Actor() != p.Actor() {
					t.Errorf("actor %+v", s.Actor())
				}
				return
			}
			if err == nil || s.SPID() != 0 {
				t.Fatalf("granted %d", s.SPID())
			}
			if got := fault.From(err); got.Kind != c.kind || (c.kind == fault.Invalid && got.Attribute != "spid") {
				t.Errorf("fault %+v", got)
			}
		})
	}
	if _, err := (*auth.Principal)(nil).Scope("1"); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("nobody: %v", err)
	}
}

func TestClaims(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		value any
		want  bool
	}{{"True", true}, {"true", true}, {"TRUE", true}, {true, true}, {"False", false}, {false, false}, {"yes", false}, {1, false}, {[]string{"True"}, false}, {"True ", false}, {nil, false}} {
		s, err := f.accept(f.token(object{"allowCsrToManageMonthlySpendLimit": c.value, "allowCsrToManageCreditLimit": c.value})).Scope("1")
		if err != nil || s.Claims().ManageMonthlySpendLimit != c.want || s.Claims().ManageCreditLimit != c.want {
			t.Errorf("%v: %+v, %v", c.value, s.Claims(), err)
		}
	}
	p := f.accept(f.token(nil))
	if !slices.Equal(p.SPIDs(), []auth.SPID{{ID: 1, Name: "HappyPhone"}, {ID: 2, Name: "SadPhone"}}) || p.Session() != "s1" || p.Actor().Name != "ann" {
		t.Errorf("%+v", p)
	}
}

func TestAScopeIsOpenWhereThePermissionHolds(t *testing.T) {
	f := newFixture(t)
	get := auth.Permission{Entity: "serviceProvider", Verb: auth.Get}
	patch := auth.Permission{Entity: "serviceProvider", Verb: auth.Patch}
	p := f.accept(f.token(object{
		"availableSpids": []string{"2:SadPhone", "1:HappyPhone", "3:Other"},
		"realm_access":   object{"roles": []string{"1:serviceProvider:get", "2:*:*", "4:*:*"}},
	}))
	for _, c := range []struct {
		name, spid string
		perm       auth.Permission
		want       []int
	}{
		{"none chosen: wherever it holds, the default first", "", get, []int{2, 1}},
		{"none chosen, another permission", "", patch, []int{2}},
		{"one chosen", "1", get, []int{1}},
	} {
		if s, err := p.Scope(c.spid, c.perm); err != nil || !slices.Equal(s.Open(), c.want) {
			t.Errorf("%s: open at %v (%v), want %v", c.name, s.Open(), err, c.want)
		}
	}
}

// A scope says what the caller may do to adjustments at its own service provider, and which roles it has, those that
// mean nothing here included.
func TestAScopeSaysWhoMayDecide(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		roles         []string
		scope         string
		edit, approve bool
	}{
		"who may change subscriptions edits":  {[]string{"1:subscription:patch", "team-leads"}, "obp-apigw:write", true, false},
		"the guide's spelling approves":       {[]string{"1:approveAdjsutment:*"}, "obp-apigw:write", false, true},
		"the right spelling approves":         {[]string{"1:approveAdjustment:*"}, "obp-apigw:write", false, true},
		"everything is both":                  {[]string{"1:*:*"}, "obp-apigw:write", true, true},
		"at another service provider neither": {[]string{"2:*:*"}, "obp-apigw:write", false, false},
		"without the OAuth scope neither":     {[]string{"1:*:*"}, "obp-apigw:read", false, false},
		"representatives neither":             {[]string{"csr-all-operations"}, "obp-apigw:write", false, false},
	} {
		p := f.accept(f.token(object{"realm_access": object{"roles": c.roles}, "scope": c.scope, "availableSpids": []string{"1:A", "2:B"}}))
		s, err := p.Scope("")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Claims(); got.EditAdjustments != c.edit || got.ApproveAdjustments != c.approve || !slices.Equal(got.Roles, c.roles) {
			t.Errorf("%s: %+v", name, got)
		}
		if at, ok := s.At(2); ok && (at.Claims().EditAdjustments || at.Claims().ApproveAdjustments) {
			t.Errorf("%s: what holds at one service provider was taken to another", name)
		}
	}
}
