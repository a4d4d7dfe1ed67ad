package app

import (
	"slices"
	"testing"
)

func TestHostsThatMeanThisServer(t *testing.T) {
	for base, c := range map[string]struct{ ours, foreign []string }{
		"https://api.example/x": {[]string{"api.example"}, []string{"localhost", "api.example:8080", "127.0.0.1"}},
		"http://127.0.0.1:8080": {[]string{"127.0.0.1:8080", "localhost:8080", "[::1]:8080"}, []string{"localhost", "127.0.0.1:9090", "localhost:9090"}},
		"http://localhost:8080": {[]string{"127.0.0.1:8080", "localhost:8080"}, []string{"api.example"}},
	} {
		got := hosts(base)
		for _, h := range c.ours {
			if !slices.Contains(got, h) {
				t.Errorf("%s: %s is taken for another server", base, h)
			}
		}
		for _, h := range c.foreign {
			if slices.Contains(got, h) {
				t.Errorf("%s: %s is taken for this server", base, h)
			}
		}
	}
}
