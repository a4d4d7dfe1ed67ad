package app

import "testing"

func TestARealmFileTakesItsSecretsFromTheEnvironment(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"GATEWAY_SECRET": `s"e\\cret`, "EMPTY": ""}[name]
		return v, ok
	}
	for text, want := range map[string]string{
		`{"secret":"${GATEWAY_SECRET}"}`:     `{"secret":"s\"e\\\\cret"}`,
		`{"secret":"a${EMPTY}b"}`:            `{"secret":"ab"}`,
		`{"displayName":"${username}"}`:      `{"displayName":"${username}"}`,
		`{"pattern":"^[0-9]{1,9}:.{1,64}$"}`: `{"pattern":"^[0-9]{1,9}:.{1,64}$"}`,
	} {
		if got := string(fillIn([]byte(text), env)); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}
