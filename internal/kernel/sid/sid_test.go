package sid

import (
	"testing"

	"github.com/go-json-experiment/json"
)

func TestRestKeepsUnknownAttributes(t *testing.T) {
	const in = `{"id":"1","@type":"X","nested":{"a":[1,2.50]},"flag":false}`
	var r Ref
	if err := json.Unmarshal([]byte(in), &r); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"id":"1","@type":"X","flag":false,"nested":{"a":[1,2.50]}}`; string(out) != want {
		t.Errorf("kept %s, want %s", out, want)
	}
}

func TestRestWithoutSomeLeavesTheOriginal(t *testing.T) {
	r := Rest{"a": []byte("1"), "b": []byte("2")}
	if out := r.Without("a", "c"); len(out) != 1 || string(out["b"]) != "2" || len(r) != 2 {
		t.Errorf("%v of %v", out, r)
	}
	if out := Rest(nil).Without("a"); out != nil {
		t.Errorf("nothing became %v", out)
	}
}
