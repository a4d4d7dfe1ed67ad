package message_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/message"
	"github.com/demarc-bss/demarc/internal/message/messagetest"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func send(ctx context.Context, t testing.TB, b *messagetest.Bench, o message.Order) id.ID {
	t.Helper()
	i, err := b.Messages.Send(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func stands(ctx context.Context, t testing.TB, b *messagetest.Bench, i id.ID, want message.State) message.Message {
	t.Helper()
	v, _, err := b.Messages.Messages.Get(ctx, i)
	if err != nil || v.State != want {
		t.Fatalf("the message is %s (%s), want %s: %v", v.State, v.StatusReason, want, err)
	}
	return v
}

func speaks(code string) func(*party.Individual) {
	return func(p *party.Individual) {
		p.Rest = sid.Rest{"languageAbility": jsontext.Value(`[{"languageCode":"it"},{"languageCode":"` + code + `","isFavouriteLanguage":true}]`)}
	}
}

func email(address string) func(*party.Individual) {
	return func(p *party.Individual) {
		p.Contacts = append(p.Contacts, party.ContactMedium{MediumType: "email", Characteristic: &party.MediumCharacteristic{EmailAddress: address}})
	}
}

func TestACustomerIsToldInItsLanguage(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		for language, want := range map[string]string{
			"de": "Die SIM", "de-CH": "Die SIM", "fr": "La SIM", "en": "The SIM", "ja": "The SIM", "DE_ch": "Die SIM",
		} {
			i := send(ctx, t, b, message.Order{Template: "order.block", Line: b.Line(ctx, t, speaks(language))})
			b.Work(ctx, t)
			e, v := b.SMS.Last(t), stands(ctx, t, b, i, message.Completed)
			if !strings.HasPrefix(e.Text, want) || e.Text != v.Content || v.SendTime == nil || v.SendTimeComplete == nil {
				t.Errorf("%s: %q, recorded as %+v", language, e.Text, v)
			}
		}
		b.Policy(ctx, t, func(p *provider.Policy) {
			p.Message = &provider.MessagePolicy{Channels: []string{"email", "sms"}, EmailSender: "hi@happy.example"}
		})
		send(ctx, t, b, message.Order{Template: "order.block", Line: b.Line(ctx, t, email("jane@example.com"))})
		send(ctx, t, b, message.Order{Template: "order.block", Line: b.Line(ctx, t)})
		b.Work(ctx, t)
		if e := b.Email.Last(t); e.To != "jane@example.com" || e.From != "hi@happy.example" || e.Subject != "Your SIM is blocked" {
			t.Errorf("%+v", e)
		}
		if n := len(b.SMS.All()); n != 7 {
			t.Errorf("who has no e-mail address is told by short message: %d", n)
		}
	})
}

func TestAMessageIsThatOfItsTransaction(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		line := b.Line(ctx, t)
		err := b.Store.Write(ctx, func(ctx context.Context) error {
			if _, err := b.Messages.Send(ctx, message.Order{Template: "order.block", Line: line, Key: "k"}); err != nil {
				return err
			}
			return errors.New("changed my mind")
		})
		if err == nil {
			t.Fatal("kept")
		}
		if b.Work(ctx, t); len(b.SMS.All()) != 0 {
			t.Error("what was rolled back was sent")
		}
		first := send(ctx, t, b, message.Order{Template: "order.block", Line: line, Key: "k"})
		if again := send(ctx, t, b, message.Order{Template: "order.block", Line: line, Key: "k"}); again != first {
			t.Error("the same key is another message")
		}
		if b.Work(ctx, t); len(b.SMS.All()) != 1 {
			t.Errorf("sent %d times", len(b.SMS.All()))
		}
	})
}

func TestWhoIsNotToBeTold(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		for _, o := range []message.Order{
			{Template: "nothing"}, {Template: "pin.generated", To: "+41790000001"}, {Template: "balance.low", To: "+41790000001", Data: map[string]string{"bucket": "x"}},
			{Template: "order.block", To: "nobody@"}, {Template: "order.block", To: "12"},
		} {
			if _, err := b.Messages.Send(ctx, o); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%+v: %v", o, err)
			}
		}
		if _, err := b.Messages.Send(ctx, message.Order{Template: "order.block"}); fault.From(err).Code != message.CodeNoAddress {
			t.Errorf("nobody: %v", err)
		}
		if err := b.Messages.Tell(ctx, message.Order{Template: "order.block"}); err != nil {
			t.Errorf("nobody is told nothing: %v", err)
		}
		b.Policy(ctx, t, func(p *provider.Policy) { p.Message = &provider.MessagePolicy{Silent: []string{"order.block"}} })
		if err := b.Messages.Tell(ctx, message.Order{Template: "order.block", To: "+41790000001"}); err != nil {
			t.Error(err)
		}
		if b.Work(ctx, t); len(b.SMS.All()) != 0 {
			t.Error("a template that is silent was sent")
		}
	})
}

func TestAChannelThatFailsIsAskedAgain(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		calls := 0
		b.SMS.Script = func(e message.Envelope) (message.Taken, error) {
			calls++
			switch calls {
			case 1:
				return message.Taken{}, errors.New("connection refused")
			case 2: // the first of two parts was taken
				return message.Taken{Parts: []string{"a"}, Reports: true}, errors.New("broke off")
			}
			if len(e.Before) != 1 || e.Before[0] != "a" {
				t.Errorf("the part that was taken is not told: %v", e.Before)
			}
			return message.Taken{Parts: []string{"b"}, Reports: true}, nil
		}
		i := send(ctx, t, b, message.Order{Template: "order.block", Line: b.Line(ctx, t)})
		b.Work(ctx, t)
		if v := stands(ctx, t, b, i, message.InProgress); v.Deliveries[0].LastError != "connection refused" || v.SendTime != nil {
			t.Errorf("%+v", v)
		}
		b.Pass(ctx, t, 10*time.Second, time.Second)
		if v := stands(ctx, t, b, i, message.InProgress); v.Deliveries[0].State != message.Sent || calls != 3 {
			t.Errorf("after %d calls %+v", calls, v)
		}
		for n, r := range []message.Report{
			{Channel: message.SMS, Part: "a", Delivered: true}, {Channel: message.SMS, Part: "a", Delivered: true}, {Channel: message.SMS, Part: "b", Delivered: true},
		} {
			known, err := b.Messages.Report(ctx, r)
			if !known || err != nil {
				t.Errorf("report %d: %t %v", n, known, err)
			}
			if n < 2 {
				stands(ctx, t, b, i, message.InProgress)
			}
		}
		stands(ctx, t, b, i, message.Completed)
		if known, err := b.Messages.Report(ctx, message.Report{Channel: message.SMS, Part: "a", Delivered: false}); known || err != nil {
			t.Errorf("a part of a message that has ended: %t %v", known, err)
		}
	})
}

func TestWhatWasTakenIsNotSentAgainWhenItCannotBeRecorded(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		i := send(ctx, t, b, message.Order{Template: "order.block", Line: b.Line(ctx, t)})
		jobs, err := b.Store.ClaimJobs(ctx, 10, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(ctx)
		b.SMS.Script = func(e message.Envelope) (message.Taken, error) {
			cancel() // the worker's time is over just as the channel takes it
			return message.Taken{Parts: []string{e.ID}}, nil
		}
		for _, j := range jobs {
			for range 2 { // a job is run again when its end was not recorded
				if err := b.WaitingJobs()[j.Kind](gone, j); err != nil && fault.KindOf(err) != fault.Unavailable {
					t.Error(err)
				}
				gone = ctx
			}
		}
		stands(ctx, t, b, i, message.Completed)
		if n := len(b.SMS.All()); n != 1 {
			t.Errorf("sent %d times", n)
		}
	})
}

func TestHowMessagesFail(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		line := b.Line(ctx, t)
		b.SMS.Script = func(message.Envelope) (message.Taken, error) {
			return message.Taken{}, &message.Refused{Reason: "the number is refused"}
		}
		i := send(ctx, t, b, message.Order{Template: "order.block", Line: line})
		b.Work(ctx, t)
		if v := stands(ctx, t, b, i, message.Failed); v.StatusReason != "the number is refused" {
			t.Errorf("%+v", v)
		}
		b.SMS.Script = func(message.Envelope) (message.Taken, error) { return message.Taken{}, errors.New("down") }
		i = send(ctx, t, b, message.Order{Template: "order.block", Line: line})
		b.Pass(ctx, t, 47*time.Hour, time.Hour)
		stands(ctx, t, b, i, message.InProgress)
		b.Pass(ctx, t, 2*time.Hour, time.Hour)
		if v := stands(ctx, t, b, i, message.Failed); !strings.Contains(v.StatusReason, "in time: down") {
			t.Errorf("%+v", v)
		}
		b.SMS.Script = func(e message.Envelope) (message.Taken, error) {
			return message.Taken{Parts: []string{e.ID}, Reports: true}, nil
		}
		i = send(ctx, t, b, message.Order{Template: "order.block", Line: line})
		b.Work(ctx, t)
		if _, err := b.Messages.Report(ctx, message.Report{Channel: message.SMS, Part: string(i) + "/0", Reason: "switched off"}); err != nil {
			t.Fatal(err)
		}
		if v := stands(ctx, t, b, i, message.Failed); v.StatusReason != "switched off" {
			t.Errorf("%+v", v)
		}
		i = send(ctx, t, b, message.Order{Template: "order.block", Line: line})
		b.Pass(ctx, t, 50*time.Hour, time.Hour)
		if v := stands(ctx, t, b, i, message.Completed); v.StatusReason != "no report came" {
			t.Errorf("%+v", v)
		}
	})
}

func TestASecretIsSentAndStandsNowhere(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		b.SMS.Script = func(message.Envelope) (message.Taken, error) { return message.Taken{}, errors.New("down") }
		i := send(ctx, t, b, message.Order{Template: "pin.generated", Line: b.Line(ctx, t), Secret: map[string]string{"pin": "837102"}})
		b.Work(ctx, t)
		d, err := b.Messages.Messages.Doc(ctx, i)
		if err != nil || strings.Contains(string(d.Body), "837102") || !strings.Contains(string(d.Body), "****") {
			t.Errorf("%s %v", d.Body, err)
		}
		if e := b.SMS.Last(t); !strings.Contains(e.Text, "837102") || strings.Contains(e.Shown, "837102") {
			t.Errorf("%+v", e)
		}
		sealed, err := b.Store.Claimant(ctx, "message.sealed", string(i))
		if err != nil || sealed == "" || strings.Contains(string(sealed), "837102") {
			t.Errorf("%q %v", sealed, err)
		}
		b.SMS.Script = func(e message.Envelope) (message.Taken, error) {
			return message.Taken{Parts: []string{"x"}, Reports: true}, nil
		}
		b.Pass(ctx, t, 5*time.Second, time.Second)
		stands(ctx, t, b, i, message.InProgress)
		if sealed, err := b.Store.Claimant(ctx, "message.sealed", string(i)); err != nil || sealed != "" {
			t.Errorf("after it was sent: %q %v", sealed, err)
		}
	})
}

// post is what a client asks for (TMF681).
func post(ctx context.Context, b *messagetest.Bench, change map[string]any) (id.ID, error) {
	v := map[string]any{
		"content": "Our shop is closed.", "messageType": "SMS", "sender": map[string]any{"name": "Happy"},
		"receiver": []any{map[string]any{"phoneNumber": "079 000 00 01"}, map[string]any{"phoneNumber": "+41 79 000 00 02"}},
	}
	for name, value := range change {
		v[name] = value
	}
	body, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	d, err := b.Messages.Messages.Create(ctx, body)
	return d.ID, err
}

func patch(ctx context.Context, b *messagetest.Bench, i id.ID, change map[string]any) error {
	_, err := b.Messages.Messages.Patch(ctx, i, 0, func(now jsontext.Value) (jsontext.Value, error) {
		var v map[string]any
		if err := json.Unmarshal(now, &v); err != nil {
			return nil, err
		}
		for name, value := range change {
			v[name] = value
		}
		return json.Marshal(v)
	})
	return err
}

func TestAClientSendsAMessage(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		i, err := post(ctx, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		stands(ctx, t, b, i, message.Initial)
		b.Work(ctx, t)
		if stands(ctx, t, b, i, message.Completed); len(b.SMS.All()) != 2 {
			t.Errorf("sent %d times", len(b.SMS.All()))
		}
		line := b.Line(ctx, t, email("jane@example.com"))
		for name, c := range map[string]struct {
			change map[string]any
			state  message.State
			why    string
		}{
			"by e-mail to a line's holder": {map[string]any{"messageType": "E-Mail", "receiver": []any{map[string]any{"id": string(line)}}}, message.Initial, ""},
			"to an app":                    {map[string]any{"messageType": "Mobile app push notification", "receiver": []any{map[string]any{"appUserId": "u1"}}}, message.Initial, ""},
			"by pigeon":                    {map[string]any{"messageType": "pigeon"}, message.Failed, "not sent"},
			"to no number":                 {map[string]any{"receiver": []any{map[string]any{"phoneNumber": "12"}}}, message.Failed, "phone number"},
			"to nobody's address":          {map[string]any{"receiver": []any{map[string]any{"name": "Jane"}}}, message.Failed, "no address"},
			"one of two can be reached":    {map[string]any{"receiver": []any{map[string]any{"phoneNumber": "12"}, map[string]any{"phoneNumber": "0790000001"}}}, message.Initial, ""},
		} {
			i, err := post(ctx, b, c.change)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if v := stands(ctx, t, b, i, c.state); !strings.Contains(v.StatusReason, c.why) {
				t.Errorf("%s: %s", name, v.StatusReason)
			}
		}
		b.Work(ctx, t)
		if e := b.Email.Last(t); e.To != "jane@example.com" {
			t.Errorf("%+v", e)
		}
		if e := b.Push.Last(t); e.To != "u1" {
			t.Errorf("%+v", e)
		}
		for attribute, change := range map[string]map[string]any{
			"content": {"content": " "}, "messageType": {"messageType": ""}, "receiver": {"receiver": []any{}}, "tryTimes": {"tryTimes": -1}, "subject": {"subject": "a\nb"},
		} {
			if _, err := post(ctx, b, change); fault.KindOf(err) != fault.Invalid || fault.From(err).Attribute != attribute {
				t.Errorf("%s: %v", attribute, err)
			}
		}
	})
}

func TestAMessageThatWaitsCanBeChanged(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		later := map[string]any{"scheduledSendTime": "2026-03-02T09:00:00Z", "tryTimes": 1}
		i, err := post(ctx, b, later)
		if err != nil {
			t.Fatal(err)
		}
		if b.Work(ctx, t); len(b.SMS.All()) != 0 {
			t.Error("sent before its time")
		}
		if err := patch(ctx, b, i, map[string]any{"content": "Our shop is open.", "receiver": []any{map[string]any{"phoneNumber": "0790000003"}}}); err != nil {
			t.Fatal(err)
		}
		for _, change := range []map[string]any{{"sendTime": "2026-03-01T09:00:00Z"}, {"state": "completed"}, {"delivery": []any{}}, {"content": ""}} {
			if err := patch(ctx, b, i, change); err == nil {
				t.Errorf("%v was taken", change)
			}
		}
		b.SMS.Script = func(message.Envelope) (message.Taken, error) { return message.Taken{}, errors.New("down") }
		b.Pass(ctx, t, 24*time.Hour, time.Hour)
		b.Pass(ctx, t, 10*time.Second, time.Second)
		if v := stands(ctx, t, b, i, message.Failed); len(b.SMS.All()) != 2 || b.SMS.Last(t).Text != "Our shop is open." || b.SMS.Last(t).To != "41790000003" {
			t.Errorf("%+v, sent %+v", v, b.SMS.All())
		}
		if err := patch(ctx, b, i, map[string]any{"description": "told"}); err != nil {
			t.Error(err)
		}
		if err := patch(ctx, b, i, map[string]any{"content": "x"}); fault.From(err).Code != message.CodeState {
			t.Errorf("what was sent is changed: %v", err)
		}
		if i, err = post(ctx, b, later); err != nil {
			t.Fatal(err)
		}
		if err := patch(ctx, b, i, map[string]any{"state": "cancelled"}); err != nil {
			t.Fatal(err)
		}
		before := len(b.SMS.All())
		b.Pass(ctx, t, 48*time.Hour, 12*time.Hour)
		if stands(ctx, t, b, i, message.Cancelled); len(b.SMS.All()) != before {
			t.Error("a message that was cancelled was sent")
		}
		if err := b.Messages.Messages.Delete(ctx, i, 0); err != nil {
			t.Error(err)
		}
		other, err := b.Messages.Messages.Docs(storetest.Context(2), store.Query{})
		if err != nil || len(other.Items) != 0 {
			t.Errorf("another service provider sees %d messages: %v", len(other.Items), err)
		}
	})
}

func TestAServiceProviderHasItsOwnWords(t *testing.T) {
	messagetest.Each(t, func(ctx context.Context, t *testing.T, b *messagetest.Bench) {
		add := func(v message.Template) error {
			_, _, err := b.Messages.Templates.Add(ctx, &v)
			return err
		}
		for _, v := range []message.Template{
			{Name: "order.block", Language: "en", Content: "Blocked: {number}"}, {Name: "order.block", Language: "en", Channel: message.Email, Subject: "Hi {name}", Content: "Blocked, {name}."},
			{Name: "order.block", Language: "it", Content: "Bloccata: {number}"},
		} {
			if err := add(v); err != nil {
				t.Fatal(err)
			}
		}
		for attribute, v := range map[string]message.Template{
			"name": {Name: "order.lost", Language: "en", Content: "x"}, "language": {Name: "order.block", Language: "English", Content: "x"},
			"channel": {Name: "order.block", Language: "en", Channel: "fax", Content: "x"}, "subject": {Name: "order.block", Language: "en", Content: "x", Subject: "{amount}"},
		} {
			if err := add(v); fault.KindOf(err) != fault.Invalid || fault.From(err).Attribute != attribute {
				t.Errorf("%s: %v", attribute, err)
			}
		}
		for _, content := range []string{"", "Your PIN is {pin", "Your PIN is {pni}", "Your PIN was made", "{}"} {
			if err := add(message.Template{Name: "pin.generated", Language: "en", Content: content}); fault.KindOf(err) != fault.Invalid || fault.From(err).Attribute != "content" {
				t.Errorf("%q: %v", content, err)
			}
		}
		if err := add(message.Template{Name: "order.block", Language: "en", Content: "Again"}); fault.From(err).Code != message.CodeTemplate {
			t.Errorf("a second one: %v", err)
		}
		for language, want := range map[string]string{"en": "Blocked: +41 79 000 00 ", "it": "Bloccata: +41 79 000 00 ", "de": "Die SIM Ihres"} {
			send(ctx, t, b, message.Order{Template: "order.block", Line: b.Line(ctx, t, speaks(language))})
			b.Work(ctx, t)
			if e := b.SMS.Last(t); !strings.HasPrefix(e.Text, want) {
				t.Errorf("%s: %q", language, e.Text)
			}
		}
		send(ctx, t, b, message.Order{Template: "order.block", Channel: message.Email, Line: b.Line(ctx, t, email("jane@example.com"))})
		b.Work(ctx, t)
		if e := b.Email.Last(t); e.Subject != "Hi Jane Doe" || e.Text != "Blocked, Jane Doe." {
			t.Errorf("%+v", e)
		}
	})
}
