package tmf630_test

import (
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
)

func TestEveryEmbeddedShapeFileCanBeRead(t *testing.T) {
	apis, err := tmf630.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"TMF629", "TMF630", "TMF632", "TMF666", "TMF669"} {
		if a := apis[code]; a == nil || a.Base == "" || len(a.Shapes) == 0 {
			t.Errorf("%s: %+v", code, a)
		}
	}
}

func TestShapeFilesThatAreWrong(t *testing.T) {
	for text, says := range map[string]string{
		"A\n":                                 "api line is missing",
		"api X 1 /x\n":                        "api wants",
		"api X 1 /x X\nA\nA\n":                "declared twice",
		"api X 1 /x X\nstring\n":              "declared twice",
		"api X 1 /x X\n  a string\n":          "a type above it",
		"api X 1 /x X\nA\n  a\n":              "a name and a type",
		"api X 1 /x X\nA\n  a B\n":            "no type B",
		"api X 1 /x X\nA\n  a [x..string]\n":  "no number of items",
		"api X 1 /x X\nA\n  a string maybe\n": "unknown mark maybe",
		"api X 1 /x X\nA < B\n":               "no type B",
		"api X 1 /x X\nA B\n":                 "is not understood",
		"api X 1 /x X\nA > B\n":               "where < should be",
		"api X 1 /x X\nA = \"b\n":             "quote is left open",
	} {
		if _, err := tmf630.ParseShapes(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

const zoo = `
# What shape files can say.
api ZOO 1.0 /zoo Zoo
Animal < Thing
  id       string             readonly fixed
  name     string             required create
  state    State
  legs     integer
  weight   number
  keepers  [1..Keeper]        create
  food     (meat|grass)
  photo    base64
  born     date-time
  site     uri
  more     object
  extra    Any
  day      date
Thing
  tag      boolean            required
Keeper
  name     string             required
  boss     Keeper
State = awake "fast asleep"
Any = any
`

func TestValidation(t *testing.T) {
	api, err := tmf630.ParseShapes(zoo)
	if err != nil {
		t.Fatal(err)
	}
	animal := api.Shapes["Animal"]
	keepers := []any{map[string]any{"name": "Jo"}}
	for _, c := range []struct {
		name  string
		value any
		says  string
	}{
		{"state", "awake", ""},
		{"state", "fast asleep", ""},
		{"state", "dead", "state must be one of awake, fast asleep"},
		{"state", 7.0, "state must be one of"},
		{"legs", 4.0, ""},
		{"legs", 4.5, "legs must be a whole number"},
		{"legs", "4", "legs must be a number"},
		{"weight", 4.5, ""},
		{"weight", nil, ""},
		{"food", "meat", ""},
		{"food", "air", "food must be one of meat, grass"},
		{"photo", "aGk=", ""},
		{"photo", "?", "photo must be base64"},
		{"born", "2026-01-31T09:30:00.5+02:00", ""},
		{"born", "2026-01-31", ""},
		{"born", "31.1.2026", "born must be a moment"},
		{"day", "2026-01-31", ""},
		{"day", "2026-02-31", "day must be a date"},
		{"site", "not really a URI", ""},
		{"site", 7.0, "site must be a string"},
		{"more", map[string]any{"a": 1.0}, ""},
		{"more", "x", "more must be an object"},
		{"extra", []any{nil, 1.0, "x"}, ""},
		{"tag", "yes", "tag must be true or false"},
		{"keepers", []any{}, "keepers must have at least 1 items"},
		{"keepers", map[string]any{}, "keepers must be an array"},
		{"keepers", []any{map[string]any{"name": "Jo", "boss": map[string]any{"boss": "me"}}}, "keepers[0].boss.name is mandatory; keepers[0].boss.boss must be an object"},
		{"keepers", nil, "keepers is mandatory"},
		{"name", nil, "name is mandatory"},
		{"id", 7.0, ""},
		{"x-other", 7.0, ""},
	} {
		tree := map[string]any{"name": "Leo", "keepers": keepers, c.name: c.value}
		var said []string
		for _, d := range animal.Validate(tree) {
			said = append(said, d.Attribute+" "+d.Message)
		}
		if got := strings.Join(said, "; "); !strings.HasPrefix(got, c.says) || c.says == "" && got != "" {
			t.Errorf("%s = %v: %q, want %q", c.name, c.value, got, c.says)
		}
	}
	if got := strings.Join(animal.Missing(map[string]any{"id": "1"}), " "); got != "tag name" {
		t.Errorf("an empty answer lacks %q", got)
	}
}

func TestFaultsAreBounded(t *testing.T) {
	many := make([]any, 10_000)
	tree := map[string]any{"name": "x", "engagedParty": map[string]any{"id": "1", "@referredType": "X"}, "account": many}
	if n := len(tmf630.ShapeOf("TMF629", "Customer").Validate(tree)); n > 100 {
		t.Errorf("%d faults", n)
	}
}

// TestTheDocumentSaysWhatTheEngineHolds compares the schemas of the document with the validator: what one
// refuses the other does.
func TestTheDocumentSaysWhatTheEngineHolds(t *testing.T) {
	r := tmf630.Resource{Facade: &op.Facade{Name: "tmf"}, Set: newServer(t).set, Shape: tmf630.ShapeOf("TMF629", "Customer"), Path: base}
	all := tmf630.Components(r)
	resolve := func(ref string) *huma.Schema { return all[strings.TrimPrefix(ref, "#/components/schemas/")] }
	check, err := op.NewChecker(all["CustomerCreate"], resolve)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{}`, body("x"), `{"name":"x"}`, body("x", `"account":{}`), body("x", `"account":[{"id":"1"}]`), body("x", `"x":1`), body("x", `"id":7`),
		body("x", `"contactMedium":[{"mediumType":"a","characteristic":{"city":1}}]`), body("x", `"creditProfile":[{"creditProfileDate":"2026-01-01T00:00:00Z","validFor":{},"creditScore":1.5}]`),
	} {
		tree, err := op.ReadJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if said, holds := len(check.Check(tree)) == 0, len(r.Shape.Validate(tree)) == 0; said != holds {
			t.Errorf("%s: the document says %v, the engine %v", text, said, holds)
		}
	}
	for _, name := range []string{"Customer", "CustomerUpdate", "JSONPatch", "TMF629_RelatedParty", "TMF629_MediumCharacteristic"} {
		if all[name] == nil {
			t.Errorf("there is no schema %s", name)
		}
	}
	if all["CustomerUpdate"].Properties["id"] != nil || all["CustomerCreate"].Properties["href"] != nil || len(all["CustomerUpdate"].Required) > 0 {
		t.Error("requests name what only the server sets")
	}
}
