package message

import (
	"slices"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

func TestEveryTemplateHasWordsInEveryLanguage(t *testing.T) {
	for language, all := range texts {
		for name := range all {
			if _, ok := kinds[name]; !ok {
				t.Errorf("%s: there is no template %s", language, name)
			}
		}
		for name, k := range kinds {
			w, ok := all[name]
			if !ok || w.Subject == "" {
				t.Errorf("%s: %s has no words", language, name)
				continue
			}
			v := Template{Name: name, Language: language, Subject: w.Subject, Content: w.Content}
			if err := v.check(); err != nil {
				t.Errorf("%s: %s: %v", language, name, fault.From(err).Message)
			}
			for _, must := range slices.Concat(k.data, k.secret) {
				if !strings.Contains(w.Content, "{"+must+"}") {
					t.Errorf("%s: %s does not say {%s}", language, name, must)
				}
			}
		}
	}
}
