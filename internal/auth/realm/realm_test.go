package realm_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/auth/realm"
)

var providers = []realm.SP{{SPID: 2, Name: "SadPhone"}, {SPID: 1, Name: "HappyPhone"}}

func build(t *testing.T, change func(*realm.Options)) *realm.Realm {
	t.Helper()
	opts := realm.Options{Dev: true, Providers: providers}
	if change != nil {
		change(&opts)
	}
	r, err := realm.Build(opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestExportIsDeterministicAndParses(t *testing.T) {
	var files [2]bytes.Buffer
	for i := range files {
		opts := realm.Options{Dev: true, Providers: slices.Clone(providers)}
		if i == 1 {
			slices.Reverse(opts.Providers) // the order of service providers does not count
		}
		if err := realm.Export(&files[i], opts); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0].Bytes(), files[1].Bytes()) {
		t.Error("two exports differ")
	}
	parsed, err := realm.Parse(bytes.NewReader(files[0].Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := parsed.Write(&again); err != nil || !bytes.Equal(again.Bytes(), files[0].Bytes()) {
		t.Errorf("the file does not survive being read: %v", err)
	}
}

// Every role that the guide prescribes is there under its name, every role there is one that auth knows,
// and none comes twice.
func TestRoles(t *testing.T) {
	r := build(t, nil)
	names := make(map[string]bool)
	for _, role := range r.Roles.Realm {
		if names[role.Name] {
			t.Errorf("%s comes twice", role.Name)
		}
		names[role.Name] = true
		if _, ok := auth.ParseRole(role.Name); !ok {
			t.Errorf("auth does not know %s", role.Name)
		}
		if role.Description == "" || len([]rune(role.Description)) > 255 {
			t.Errorf("%s has no good description: %q", role.Name, role.Description)
		}
	}
	guide := strings.Fields(`*:* admin approveAdjsutment:* billingAccount:get billingAccount:patch billingAccount:post billingAccount:delete billingAccount:*
		individual:get individual:patch individual:post individual:delete individual:* customer:get customer:patch customer:post customer:delete customer:*
		serviceProvider:get serviceProvider:patch serviceProvider:post allEntity:get dashboard:get exportData:*`)
	if len(guide) != 24 {
		t.Fatal(len(guide))
	}
	for _, suffix := range guide {
		if !names["1:"+suffix] || !names["2:"+suffix] {
			t.Errorf("%s is missing", suffix)
		}
	}
	for _, name := range []string{"csr-all-customer-operations", "csr-spid2-admin", "csr-all-operations"} {
		if !names[name] {
			t.Errorf("%s is missing", name)
		}
	}
	for _, e := range auth.Entities() {
		if !e.Derived && !e.InGuide && !names["1:"+e.Name+":*"] {
			t.Errorf("no role for %s", e.Name)
		}
	}
}

// Every name that the file refers to is in it: Keycloak refuses a file where one is not.
func TestCrossReferences(t *testing.T) {
	r := build(t, nil)
	roles, scopes := make(map[string]bool), make(map[string]bool)
	for _, role := range r.Roles.Realm {
		roles[role.Name] = true
	}
	for _, s := range r.ClientScopes {
		scopes[s.Name] = true
	}
	wants := func(kind string, have map[string]bool, names []string) {
		for _, n := range names {
			if !have[n] {
				t.Errorf("%s %s is not in the file", kind, n)
			}
		}
	}
	for _, role := range r.Roles.Realm {
		if role.Composites != nil {
			wants("role", roles, role.Composites.Realm)
		}
	}
	for _, u := range r.Users {
		wants("role", roles, u.RealmRoles)
	}
	for _, c := range r.Clients {
		wants("scope", scopes, c.DefaultClientScopes)
		wants("scope", scopes, c.OptionalClientScopes)
	}
	wants("scope", scopes, r.DefaultDefaultClientScopes)
	wants("scope", scopes, []string{"basic", "roles", "profile", "email", "acr", "web-origins", "offline_access", auth.ScopeAdmin, auth.ScopeRead, auth.ScopeWrite})
}

func TestGatewayClient(t *testing.T) {
	for _, dev := range []bool{true, false} {
		r := build(t, func(o *realm.Options) { o.Dev = dev })
		c := r.Clients[0]
		if c.ClientID != realm.GatewayClient || c.PublicClient || !c.StandardFlow || !c.ImplicitFlow || !c.DirectAccessGrants || !c.ServiceAccounts || c.AlwaysDisplayInConsole ||
			c.Attributes["access.token.lifespan"] != "3600" || c.Attributes["use.jwks.url"] != "true" || c.RootURL != "http://localhost:3000" {
			t.Errorf("%+v", c)
		}
		want := []string{"http://localhost:3000/oidc/callback"}
		if dev {
			want = []string{"*"}
		}
		if !slices.Equal(c.RedirectURIs, want) {
			t.Errorf("dev %v: redirects %v", dev, c.RedirectURIs)
		}
	}
}

// Outside development nothing in the file lets anybody in whom the operator did not let in.
func TestProductionHasNoDefaults(t *testing.T) {
	r := build(t, func(o *realm.Options) {
		o.Dev = false
		o.Passwords = map[string]string{realm.UserAdmin: "a long enough password"}
		o.PortalURLs = []string{"https://portal.example/"}
	})
	var file bytes.Buffer
	if err := r.Write(&file); err != nil {
		t.Fatal(err)
	}
	if s := file.String(); strings.Contains(s, realm.DevPassword) || strings.Contains(s, `"*"`) || !strings.Contains(s, `"bruteForceProtected": true`) || r.PasswordPolicy == "" {
		t.Error("a default of development is in the file, or protection is off")
	}
	for _, u := range r.Users {
		if (len(u.Credentials) > 0) != (u.Username == realm.UserAdmin) {
			t.Errorf("%s has %d credentials", u.Username, len(u.Credentials))
		}
	}
	for _, c := range r.Clients {
		if c.Secret != "" {
			t.Errorf("%s has a secret", c.ClientID)
		}
	}
	if got := r.Clients[1].RedirectURIs; !slices.Equal(got, []string{"https://portal.example/*"}) {
		t.Errorf("portal redirects %v", got)
	}
}

func TestUsers(t *testing.T) {
	r := build(t, nil)
	byName := make(map[string]realm.User)
	for _, u := range r.Users {
		byName[u.Username] = u
		if len(u.Attributes[realm.AttributeSPIDs]) == 0 || len(u.Attributes[realm.AttributeMonthlyLimit]) != 1 || len(u.Attributes[realm.AttributeCreditLimit]) != 1 || u.ID == "" {
			t.Errorf("%s lacks an attribute", u.Username)
		}
	}
	for name, want := range map[string][]string{
		realm.UserAdmin: {"1:HappyPhone", "2:SadPhone"}, realm.UserViewer: {"1:HappyPhone", "2:SadPhone"}, realm.UserCSR: {"1:HappyPhone", "2:SadPhone"},
		realm.UserClerk: {"1:HappyPhone"}, realm.AdminOf(2): {"2:SadPhone"}, realm.ServiceAccountOf(realm.GatewayClient): {"1:HappyPhone", "2:SadPhone"},
	} {
		if got := byName[name].Attributes[realm.AttributeSPIDs]; !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if len(r.Users) != 7 {
		t.Errorf("%d users", len(r.Users))
	}
}

// Users see and change their names; only administrators see and change what decides about access.
func TestUserProfile(t *testing.T) {
	raw := build(t, nil).Components["org.keycloak.userprofile.UserProfileProvider"][0].Config["kc.user.profile.config"][0]
	var profile struct {
		Attributes []struct {
			Name        string              `json:"name"`
			Multivalued bool                `json:"multivalued"`
			Permissions map[string][]string `json:"permissions"`
		} `json:"attributes"`
	}
	if err := json.Unmarshal([]byte(raw), &profile); err != nil {
		t.Fatal(err)
	}
	closed := 0
	for _, a := range profile.Attributes {
		if a.Name == realm.AttributeSPIDs || a.Name == realm.AttributeMonthlyLimit || a.Name == realm.AttributeCreditLimit {
			closed++
			if !slices.Equal(a.Permissions["edit"], []string{"admin"}) || a.Multivalued != (a.Name == realm.AttributeSPIDs) {
				t.Errorf("%+v", a)
			}
		}
	}
	if closed != 3 {
		t.Errorf("%d attributes are closed", closed)
	}
}

func TestOptionsRefused(t *testing.T) {
	for name, opts := range map[string]realm.Options{
		"no service provider":     {},
		"number zero":             {Providers: []realm.SP{{SPID: 0, Name: "x"}}},
		"number too large":        {Providers: []realm.SP{{SPID: 1_000_000_000, Name: "x"}}},
		"one twice":               {Providers: []realm.SP{{SPID: 1, Name: "x"}, {SPID: 1, Name: "y"}}},
		"no name":                 {Providers: []realm.SP{{SPID: 1}}},
		"name of two lines":       {Providers: []realm.SP{{SPID: 1, Name: "a\nb"}}},
		"realm name with a slash": {Name: "a/b", Providers: providers},
		"short password":          {Providers: providers, Passwords: map[string]string{"admin": "short"}},
		"redirect to anywhere":    {Providers: providers, GatewayRedirectURIs: []string{"*"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := realm.Export(new(bytes.Buffer), opts); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, file := range map[string]string{
		"nothing": "", "not JSON": "hello", "no realm": "{}", "a client twice": `{"realm":"x","clients":[{"clientId":"a"},{"clientId":"a"}]}`,
		"a user without a name": `{"realm":"x","users":[{}]}`, "a member twice": `{"realm":"x","realm":"y"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := realm.Parse(strings.NewReader(file)); err == nil {
				t.Error("accepted")
			}
		})
	}
}
