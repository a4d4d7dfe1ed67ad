package message

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// Template is a service provider's own words for something, in one language (BCP 47), for one channel or for all.
type Template struct {
	Type string `json:"@type,omitzero"`
	// Name is one of Names.
	Name     string  `json:"name"`
	Language string  `json:"language"`
	Channel  Channel `json:"channel,omitzero"`
	// Subject is for e-mail and push; empty: the built-in one.
	Subject string   `json:"subject,omitzero"`
	Content string   `json:"content"`
	Rest    sid.Rest `json:",embed"`
}

// kind is what there is to say of a template that is known.
type kind struct {
	// data are the placeholders that it may have, secret those that it must have and that are never kept in clear.
	data, secret []string
	// life is for how long it is of use; 0: as the service provider has it for all.
	life time.Duration
}

// common are placeholders that every template may have: the line's number, the service provider's and the customer's name.
// The first is empty where the message is about no line.
var common = []string{"number", "provider", "name"}

// Names are the templates that there are.
func Names() []string { return slices.Sorted(maps.Keys(kinds)) }

// Placeholders are what a template may have in braces; nil for one that is not there.
func Placeholders(name string) []string {
	k, ok := kinds[name]
	if !ok {
		return nil
	}
	return slices.Concat(k.data, k.secret, common)
}

var (
	placeholder  = regexp.MustCompile(`\{[A-Za-z]+\}`)
	languageForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

const (
	templateClaim = "message.template"
	mostSubject   = 150
	mostWords     = 4000
)

func (v *Template) key() string { return v.Name + "/" + v.Language + "/" + string(v.Channel) }

func (v *Template) check() error {
	var found fault.Several
	k, ok := kinds[v.Name]
	if !ok {
		found.Invalidf("name", "there is no template of this name; there are %s", strings.Join(Names(), ", "))
	}
	if !languageForm.MatchString(v.Language) {
		found.Invalidf("language", "language is a tag of BCP 47 such as en or de-CH")
	}
	if v.Channel != "" && !slices.Contains(Channels, v.Channel) {
		found.Invalidf("channel", "channel is sms, email or push; left out, it is for all")
	}
	if strings.TrimSpace(v.Content) == "" || len(v.Content) > mostWords {
		found.Invalidf("content", "content is mandatory and has at most %d bytes", mostWords)
	}
	if len(v.Subject) > mostSubject || strings.ContainsAny(v.Subject, "\r\n") {
		found.Invalidf("subject", "a subject is one line of at most %d bytes", mostSubject)
	}
	if ok {
		v.fits(k, &found)
	}
	return found.Err()
}

// fits holds that a template has the placeholders that its kind knows, and those without which it says nothing.
func (v *Template) fits(k kind, found *fault.Several) {
	may := slices.Concat(k.data, k.secret, common)
	for attribute, text := range map[string]string{"subject": v.Subject, "content": v.Content} {
		for _, p := range placeholder.FindAllString(text, -1) {
			if !slices.Contains(may, p[1:len(p)-1]) {
				found.Invalidf(attribute, "%s is no placeholder of %s: it may have {%s}", p, v.Name, strings.Join(may, "}, {"))
			}
		}
		if left := placeholder.ReplaceAllString(text, ""); strings.ContainsAny(left, "{}") {
			found.Invalidf(attribute, "a placeholder is a name in braces, as {number}; braces have no other use")
		}
	}
	for _, name := range k.secret {
		if !strings.Contains(v.Content, "{"+name+"}") {
			found.Invalidf("content", "without {%s} the message says nothing", name)
		}
	}
}

func (s *Service) templateRules() resource.Rules[Template] {
	return resource.Rules[Template]{
		Domain: domain,
		Create: func(ctx context.Context, i id.ID, v *Template, _ time.Time) error {
			v.Type = "MessageTemplate"
			if err := v.check(); err != nil {
				return err
			}
			holder, err := s.store.Claimant(ctx, templateClaim, v.key())
			if err != nil {
				return err
			}
			if holder != "" {
				return fault.Conflictf(CodeTemplate, "there is a template %s in %s already", v.Name, v.Language).At("name")
			}
			return s.store.Claim(ctx, templateClaim, v.key(), i)
		},
		Change: func(_ context.Context, prev, next *Template, _ time.Time) error {
			if prev.key() != next.key() {
				return fault.Invalidf("channel", "name, language and channel of a template stay")
			}
			return next.check()
		},
		Remove: func(ctx context.Context, v *Template) error { return s.store.Unclaim(ctx, templateClaim, v.key()) },
		Fixed:  []string{"name", "language", "channel"},
	}
}

// words are what a template says by a channel, and in which language: the service provider's own words in the language,
// else the built-in ones, then the same in the service provider's language, then English.
func (s *Service) words(ctx context.Context, name string, c Channel, wanted, fallback string) (words, string, error) {
	languages := ladder(wanted, fallback)
	keys := make([]string, 0, 2*len(languages))
	for _, l := range languages {
		for _, by := range []Channel{c, ""} {
			v := Template{Name: name, Language: l, Channel: by}
			keys = append(keys, v.key())
		}
	}
	own, err := s.store.Claimants(ctx, templateClaim, keys...)
	if err != nil {
		return words{}, "", err
	}
	for n, l := range languages {
		built, there := texts[l][name]
		for _, key := range keys[2*n : 2*n+2] {
			if own[key] == "" {
				continue
			}
			t, err := s.Templates.Shared(ctx, own[key])
			if err != nil {
				return words{}, "", err
			}
			w := words{Subject: t.Subject, Content: t.Content}
			if w.Subject == "" {
				w.Subject = built.Subject
			}
			return w, l, nil
		}
		if there {
			return built, l, nil
		}
	}
	return words{}, "", fault.Internalf(fmt.Errorf("no words for %s", name), "the message cannot be written")
}

// ladder are the languages to look for words in: de-CH, de, the service provider's, English.
func ladder(wanted, fallback string) (out []string) {
	for _, tag := range []string{wanted, fallback, "en"} {
		tag = strings.ReplaceAll(tag, "_", "-")
		if base, rest, ok := strings.Cut(tag, "-"); ok {
			tag = strings.ToLower(base) + "-" + rest
		} else {
			tag = strings.ToLower(tag)
		}
		base, _, _ := strings.Cut(tag, "-")
		for _, l := range []string{tag, base} {
			if l != "" && !slices.Contains(out, l) {
				out = append(out, l)
			}
		}
	}
	return out
}
