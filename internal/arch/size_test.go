package arch

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// Measured in code that is worth admiring, function lengths hardly differ; package and file sizes do.
const (
	packageWarn, packageFail = 3000, 5000
	fileFail                 = 800
)

func TestPackagesAndFilesStaySmall(t *testing.T) {
	packages := map[string]int{}
	for _, s := range sources(t) {
		if s.generated {
			continue
		}
		if s.lines > fileFail {
			t.Errorf("%s has %d lines, more than %d: divide it by what it speaks of", s.name, s.lines, fileFail)
		}
		if !s.test {
			packages[s.dir] += s.lines
		}
	}
	for pkg, n := range packages {
		switch {
		case n > packageFail:
			t.Errorf("package %s has %d lines, more than %d: make it two", pkg, n, packageFail)
		case n > packageWarn:
			t.Logf("package %s has %d lines: it begins to be large", pkg, n)
		}
	}
}

var (
	emptyWords = regexp.MustCompile(`^(utils?|commons?|helpers?|models?|misc|managers?|shared|base|stuff)(_test)?$`)
	emptyTypes = regexp.MustCompile(`(Manager|Helper|Util|Utils|Impl)$`)
)

func TestNamesSayWhatThingsAre(t *testing.T) {
	for _, name := range files() {
		for part := range strings.SplitSeq(strings.TrimSuffix(name, path.Ext(name)), "/") {
			if emptyWords.MatchString(strings.ToLower(part)) {
				t.Errorf("%s: %q names nothing", name, part)
			}
		}
	}
	for _, s := range sources(t) {
		if emptyWords.MatchString(s.ast.Name.Name) {
			t.Errorf("%s: package %s names nothing", s.name, s.ast.Name.Name)
		}
		for name, o := range s.ast.Scope.Objects {
			if o.Kind.String() == "type" && emptyTypes.MatchString(name) {
				t.Errorf("%s: type %s: say what it does", s.name, name)
			}
		}
	}
}
