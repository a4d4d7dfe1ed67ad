package message

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/provider"
)

// compose stores a message in the words of its template.
func (s *Service) compose(ctx context.Context, o Order) (id.ID, error) {
	k, err := kindOf(o)
	if err != nil {
		return "", err
	}
	who, err := s.whom(ctx, o)
	if err != nil {
		return "", err
	}
	rules, err := s.Providers.Rules(ctx)
	if err != nil {
		return "", err
	}
	c, err := s.choose(o, who, rules)
	if err != nil {
		return "", err
	}
	language := cmp.Or(o.Language, who.language, rules.Language, "en")
	w, language, err := s.words(ctx, o.Template, c, language, rules.Language)
	if err != nil {
		return "", err
	}
	values := map[string]string{"number": who.number, "provider": rules.Name, "name": who.name}
	for name, value := range o.Data {
		values[name] = plainText(value)
	}
	for name := range o.Secret {
		values[name] = mask
	}
	now := s.store.Now(ctx)
	end := now.Add(k.lifetime())
	if k.life == 0 {
		life, err := s.life(ctx)
		if err != nil {
			return "", err
		}
		end = now.Add(life)
	}
	m := &Message{
		own: true, MessageType: wireName(c), Subject: oneLine(fill(w.Subject, values)), Content: fill(w.Content, values),
		Template: o.Template, Language: language, SubscriptionID: who.line, AccountID: who.account, Expires: &end,
		Receiver: []Receiver{{Name: who.name, Party: who.party}}, Sender: Sender{Name: rules.Name},
		Deliveries: []Delivery{{Channel: c, To: who.at[c], State: Waiting}},
	}
	switch r := &m.Receiver[0]; c {
	case SMS:
		r.PhoneNumber = who.at[c]
	case Email:
		r.Email = who.at[c]
	case Push:
		r.AppUserID = who.at[c]
	}
	i, _, err := s.Messages.Add(ctx, m)
	if err != nil || len(o.Secret) == 0 {
		return i, err
	}
	maps.Copy(values, o.Secret)
	return i, s.seal(ctx, i, words{Subject: oneLine(fill(w.Subject, values)), Content: fill(w.Content, values)})
}

// mask stands for a secret wherever the message is shown.
const mask = "****"

// lifetime is for how long a message is of use.
func (k kind) lifetime() time.Duration { return k.life }

// kindOf checks that an order has all that its template needs.
func kindOf(o Order) (kind, error) {
	k, ok := kinds[o.Template]
	if !ok {
		return k, fault.Invalidf("template", "there is no template %q", clip(o.Template))
	}
	for _, name := range k.data {
		if _, ok := o.Data[name]; !ok {
			return k, fault.Invalidf("data", "the template %s needs %s", o.Template, name)
		}
	}
	for _, name := range k.secret {
		if _, ok := o.Secret[name]; !ok {
			return k, fault.Invalidf("secret", "the template %s needs %s", o.Template, name)
		}
	}
	return k, nil
}

// choose is the channel that a message goes by.
func (s *Service) choose(o Order, who reached, rules provider.ServiceProvider) (Channel, error) {
	wanted := Channels
	if p := rules.Policy.Message; p != nil && len(p.Channels) > 0 {
		wanted = nil
		for _, c := range p.Channels {
			wanted = append(wanted, Channel(c))
		}
	}
	if o.Channel != "" {
		wanted = []Channel{o.Channel}
	}
	there := slices.DeleteFunc(slices.Clone(wanted), func(c Channel) bool { return s.Connectors[c] == nil })
	if len(there) == 0 {
		return "", fault.New(fault.Unavailable, CodeNoChannel, "there is no way to send a message by %s", spoken(wanted))
	}
	for _, c := range there {
		if who.at[c] != "" {
			return c, nil
		}
	}
	return "", fault.Conflictf(CodeNoAddress, "the customer cannot be reached by %s: no address is known", spoken(there))
}

func spoken(all []Channel) string {
	names := make([]string, len(all))
	for n, c := range all {
		names[n] = wireName(c)
	}
	return strings.Join(names, ", ")
}

// fill puts values in the place of placeholders.
func fill(text string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		if v, ok := values[p[1:len(p)-1]]; ok {
			return v
		}
		return p
	})
}

// plainText is a value without characters that no message has.
func plainText(value string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, value)
}

func oneLine(text string) string { return strings.NewReplacer("\r", "", "\n", " ").Replace(text) }
