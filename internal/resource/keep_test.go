package resource

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestKept(t *testing.T) {
	for name, c := range map[string]struct{ came, encoded, want string }{
		"nothing was left out":             {`{"a":"x"}`, `{"a":"x"}`, `{"a":"x"}`},
		"false, 0 and empty text":          {`{"a":false,"b":0,"c":"","d":0.0}`, `{}`, `{"a":false,"b":0,"c":"","d":0.0}`},
		"inside a list":                    {`{"m":[{"k":"a","p":false},{"k":"b"}]}`, `{"m":[{"k":"a"},{"k":"b"}]}`, `{"m":[{"k":"a","p":false},{"k":"b"}]}`},
		"a rule filled it":                 {`{"status":""}`, `{"status":"new"}`, `{"status":"new"}`},
		"a rule emptied it":                {`{"status":"old","n":0}`, `{}`, `{"n":0}`},
		"a rule changed the list's length": {`{"m":[{"p":false}]}`, `{"m":[{"k":1},{}]}`, `{"m":[{"k":1},{}]}`},
		"money and quantities say more":    {`{"m":{"unit":"EUR","value":1,"@type":"Money"},"q":[{"amount":2,"units":"GB","x":[1]}]}`, `{"m":{"unit":"EUR","value":1.00},"q":[{"amount":3,"units":"GB"}]}`, `{"m":{"unit":"EUR","value":1.00,"@type":"Money"},"q":[{"amount":3,"units":"GB","x":[1]}]}`},
		"a rule took it off":               {`{"m":{"unit":"EUR","value":1,"@type":"Money","note":"n"}}`, `{"m":{"unit":"EUR"}}`, `{"m":{"unit":"EUR"}}`},
		"white space and escapes":          {" { \"a\" : false ,\n\"\\u0062\" : [ 1 , {\"c\":\"\"} ] , \"d\":\"}\\\"]\" }", `{"b":[1,{}]}`, `{"b":[1,{"c":""}],"a":false}`},
		"null stays out":                   {`{"a":null,"b":false}`, `{}`, `{"b":false}`},
		"a number that only holds a zero":  {`{"a":10}`, `{"x":1}`, `{"x":1}`},
	} {
		if got := Kept(jsontext.Value(c.came), jsontext.Value(c.encoded)); string(got) != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// FuzzKept holds that whatever JSON came, what is kept is JSON, holds all of what was encoded, and of an untouched
// document everything.
func FuzzKept(f *testing.F) {
	for _, s := range []string{`{"a":false,"b":[{"c":0},1,"x"],"d":{"unit":"EUR","value":0,"n":{}}}`, ` [ { } , "\\\"" , -0.0 ]`, `{"\u0061":"","b":{"units":"s","amount":1}}`} {
		f.Add(s, `{"a":1}`)
	}
	f.Fuzz(func(t *testing.T, came, encoded string) {
		a, b := jsontext.Value(came), jsontext.Value(encoded)
		if !a.IsValid() || !b.IsValid() {
			return
		}
		if err := b.Compact(); err != nil {
			t.Fatal(err)
		}
		got := Kept(a, b)
		if !got.IsValid() {
			t.Fatalf("Kept(%s, %s) = %s", a, b, got)
		}
		if same := Kept(b, b); string(same) != string(b) {
			t.Fatalf("Kept(%s, itself) = %s", b, same)
		}
	})
}
