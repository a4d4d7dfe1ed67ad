//go:build contracts

// Package contracts compares what is served with the contracts: the official documents of the TM Forum APIs,
// the table of the Customer Management API's endpoints, and the realm that the Keycloak guide prescribes.
// The contracts are not part of the project; SHARED names the folder that they are in.
package contracts

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/test/binary"
)

func shared(t *testing.T, path ...string) string {
	t.Helper()
	name := filepath.Join(append([]string{os.Getenv("SHARED")}, path...)...)
	if _, err := os.Stat(name); err != nil {
		t.Fatalf("the contracts are not there: %v\nsay where with make contracts SHARED=FOLDER", err)
	}
	return name
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// document is what is read of an OpenAPI or Swagger document.
type document struct {
	BasePath string                    `json:"basePath"`
	Paths    map[string]map[string]any `json:"paths"`
}

// served is the document of a façade, from the binary.
func served(t *testing.T, s *binary.Server, facade string) map[string]bool {
	t.Helper()
	res, err := http.Get(s.URL + "/openapi/" + facade + ".json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var d document
	if err := json.UnmarshalRead(res.Body, &d); err != nil || len(d.Paths) == 0 {
		t.Fatalf("the document of %s: %v", facade, err)
	}
	return operations(d, "")
}

// operations are "METHOD /path" with every parameter as {}.
func operations(d document, base string) map[string]bool {
	out := map[string]bool{}
	for path, methods := range d.Paths {
		for m := range methods {
			switch m {
			case "get", "post", "put", "patch", "delete":
				out[strings.ToUpper(m)+" "+anonymous(strings.TrimSuffix(base, "/")+path)] = true
			}
		}
	}
	return out
}

func anonymous(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

func TestTheShapesAreThoseOfTheOfficialDocuments(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "run", "./internal/api/tmf630/shapegen", "-check", shared(t, "tmf", "specs"))
	cmd.Dir = binary.Root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// apis are the served APIs with their official documents.
var apis = []string{
	"TMF620-ProductCatalog-v4.1.0.swagger.json",
	"TMF622-ProductOrder-v4.0.0.swagger.json",
	"TMF629-Customer-v4.0.0.swagger.json",
	"TMF632-Party-v4.0.0.swagger.json",
	"TMF635-UsageManagement-v4.0.0.swagger.json",
	"TMF637-ProductInventory-v4.0.0.swagger.json",
	"TMF654_Prepay_Balance_Management_API_v4.0.0_swagger.json",
	"TMF663-ShoppingCart-v4.0.0.swagger.json",
	"TMF666-Account-v4.0.0.swagger.json",
	"TMF669-PartyRole-v4.0.0.swagger.json",
	"TMF670_Payment_Method_Management_API_v4.0.0_swagger.json",
	"TMF676-Payment-v4.0.0.swagger.json",
	"TMF681-Communication-v4.0.0.swagger.json",
}

func TestEveryOperationOfTheOfficialDocumentsIsServed(t *testing.T) {
	s := binary.Start(t, binary.Options{Bin: binary.Build(t), Args: []string{"--dev"}})
	have := served(t, s, "tmf")
	for _, name := range apis {
		var d document
		read(t, shared(t, "tmf", "specs", name), &d)
		count := 0
		for o := range operations(d, d.BasePath) {
			if strings.Contains(o, "/listener/") {
				continue // what a subscriber serves
			}
			method, path, _ := strings.Cut(o, " ")
			if count++; !have[o] && !have[method+" /tmf-api"+path] { // TMF676 stands without the prefix, too
				t.Errorf("%s: %s is not served", name, o)
			}
		}
		t.Logf("%s: %d operations", name, count)
	}
}

// endpoint is one row of the table of endpoints.
type endpoint struct{ id, operation string }

func endpoints(t *testing.T) (out []endpoint) {
	t.Helper()
	text, err := os.ReadFile(shared(t, "contracts", "cm-endpoints.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "\t")
		if len(cells) < 3 || !strings.HasPrefix(cells[0], "E") {
			continue
		}
		out = append(out, endpoint{cells[0], cells[1] + " " + anonymous(cells[2])})
	}
	return out
}

// served.txt says which endpoints are there: one that vanishes is a failure, and so is one that came and is
// not written down.
func TestTheServedEndpointsAreThoseWrittenDown(t *testing.T) {
	s := binary.Start(t, binary.Options{Bin: binary.Build(t), Args: []string{"--dev"}})
	have := served(t, s, "cm")
	text, err := os.ReadFile("served.txt")
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	chosen := map[string]string{}
	for line := range strings.Lines(string(text)) {
		row, operation, _ := strings.Cut(strings.TrimSpace(line), " ")
		written, chosen[row] = append(written, row), operation
	}
	all := endpoints(t)
	for _, e := range all {
		if path, open := strings.CutPrefix(e.operation, "- "); open && strings.HasSuffix(chosen[e.id], " "+path) {
			e.operation = chosen[e.id] // the table leaves the method open: it is the one that we wrote down
		}
		switch listed := slices.Contains(written, e.id); {
		case listed && !have[e.operation]:
			t.Errorf("%s %s is not served any more", e.id, e.operation)
		case !listed && have[e.operation]:
			t.Errorf("%s %s is served: write it down in test/contracts/served.txt", e.id, e.operation)
		}
	}
	t.Logf("%d of %d endpoints are served", len(written), len(all))
}

func TestTheRealmHasTheRolesAndScopesOfTheGuide(t *testing.T) {
	type realm struct {
		Roles struct {
			Realm []struct {
				Name string `json:"name"`
			} `json:"realm"`
		} `json:"roles"`
		Scopes []struct {
			Name string `json:"name"`
		} `json:"clientScopes"`
	}
	var guide, ours realm
	read(t, shared(t, "reference", "keycloak-cm-realm.json"), &guide)
	cmd := exec.CommandContext(t.Context(), binary.Build(t), "realm", "export", "--service-provider", "1:HappyPhone,2:SadPhone")
	cmd.Env = binary.Environ()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &ours); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, r := range ours.Roles.Realm {
		names["role "+r.Name] = true
	}
	for _, s := range ours.Scopes {
		names["scope "+s.Name] = true
	}
	for _, r := range guide.Roles.Realm {
		if name := fmt.Sprintf("role %s", r.Name); !names[name] {
			t.Errorf("the exported realm has no %s", name)
		}
	}
	for _, s := range guide.Scopes {
		if name := fmt.Sprintf("scope %s", s.Name); strings.Contains(name, "obp-apigw") && !names[name] {
			t.Errorf("the exported realm has no %s", name)
		}
	}
}
