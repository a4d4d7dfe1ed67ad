package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const zooDocument = `{"info":{"title":"Zoo","version":"4.0"},"basePath":"/tmf-api/zoo/v4/",
"paths":{"/animal":{"get":{"responses":{"200":{"schema":{"type":"array","items":{"$ref":"#/definitions/Animal"}}},"400":{"schema":{"$ref":"#/definitions/Error"}}}}},
         "/hub":{"post":{"responses":{"201":{"schema":{"$ref":"#/definitions/EventSubscription"}}}}}},
"definitions":{
 "Error":{"type":"object"},"EventSubscription":{"type":"object"},
 "Animal":{"type":"object","description":"prose","required":["name"],"properties":{
   "id":{"type":"string"},"name":{"type":"string","description":"prose"},"born":{"type":"string","format":"date-time"},
   "weight":{"type":"number","format":"float"},"food":{"type":"array","items":{"$ref":"#/definitions/Food"}},"state":{"$ref":"#/definitions/State"},"note":{"$ref":"#/definitions/Any"}}},
 "Animal_Create":{"type":"object","required":["name","food"],"properties":{"name":{"type":"string"},"born":{"type":"string","format":"date-time"},"weight":{"type":"number"},"food":{"type":"array","minItems":1,"items":{"$ref":"#/definitions/Food"}},"note":{}}},
 "Animal_Update":{"type":"object","properties":{"name":{"type":"string"},"food":{"type":"array"},"state":{},"note":{},"weight":{}}},
 "Lion":{"type":"object","allOf":[{"$ref":"#/definitions/Animal"}],"properties":{"mane":{"type":"boolean"}}},
 "Food":{"type":"object","properties":{"kind":{"type":"string","enum":["meat","grass"]}}},
 "State":{"type":"string","enum":["awake","fast asleep"]},"Any":{}}}`

const wanted = `# Facts of the TM Forum's schema of TMF699, written by shapegen: run it again, do not edit.
api TMF699 4.0 /tmf-api/zoo/v4 Zoo

Animal
  id                           string                       readonly fixed
  name                         string                       required create
  born                         date-time                    fixed
  weight                       number
  food                         [1..Food]                    create
  state                        State                        readonly
  note                         Any

Any = any

Food
  kind                         (meat|grass)

Lion < Animal
  mane                         boolean

State = awake "fast asleep"
`

func TestShapesOfADocument(t *testing.T) {
	specs, to := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(specs, "TMF699-Zoo.swagger.json"), []byte("\ufeff"+zooDocument), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"-to", to, specs, "TMF699"}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(to, "TMF699.shapes")
	got, err := os.ReadFile(file)
	if err != nil || string(got) != wanted {
		t.Errorf("%v\n%s", err, got)
	}
	if err := run([]string{"-check", "-to", to, specs}); err != nil {
		t.Errorf("what was just written is called stale: %v", err)
	}
	if err := os.WriteFile(file, append(got, "Extra\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"-check", "-to", to, specs}); err == nil || !strings.Contains(err.Error(), "TMF699") {
		t.Errorf("an edited file passes: %v", err)
	}
}

func TestMissingDocuments(t *testing.T) {
	for _, args := range [][]string{
		{}, {"-to", t.TempDir(), "/no/such/folder", "TMF699"}, {"-to", t.TempDir(), t.TempDir(), "TMF699"}, {"-to", t.TempDir(), t.TempDir()}, {"-check", "/no/such/folder", "TMF629"},
	} {
		if err := run(args); err == nil {
			t.Errorf("%v passes", args)
		}
	}
}
