package payment_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/payment/paymenttest"
	"github.com/demarc-bss/demarc/internal/store"
)

var dummy = payment.Card{Masked: "1111", Expiry: "2200/01"}

func TestATokensValueIsKeptLockedUp(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, line := d.customer()
		value := "tok_success_very-secret"
		token := d.token(account, value)
		if again := d.token(account, value); again != token {
			t.Errorf("the same value is another token: %s, %s", token, again)
		}
		other := d.Account(d.ctx, t)
		if theirs := d.token(other, value); theirs == token {
			t.Error("two accounts share a token")
		}
		i := d.charge(payment.Order{Account: account, Token: token, Subscription: line, Amount: d.chf("1")})
		d.Work(d.ctx, t)
		d.stands(i, payment.Done, payment.ResultSuccess)
		for _, of := range []id.ID{token, i} {
			records, err := d.Store.Audit(d.ctx, of)
			if err != nil || len(records) == 0 {
				t.Fatalf("%d records, %v", len(records), err)
			}
			for _, r := range records {
				if text := string(r.Before) + string(r.After); strings.Contains(text, "very-secret") {
					t.Errorf("the audit trail has the value: %s", text)
				}
			}
		}
		if text := fmt.Sprintf("%v %+v %#v", payment.Secret(value), payment.Instruction{Token: payment.Secret(value)}, payment.Secret(value)); strings.Contains(text, "very-secret") {
			t.Errorf("it writes itself: %s", text)
		}
	})
}

func TestWhatIsNoToken(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account := d.Account(d.ctx, t)
		for name, c := range map[string]struct {
			value     payment.Secret
			card      payment.Card
			attribute string
		}{
			"nothing":            {"", dummy, "tokenValue"},
			"blanks":             {"tok x", dummy, "tokenValue"},
			"a card's number":    {"4242424242424242", dummy, "tokenValue"},
			"too long":           {payment.Secret(strings.Repeat("x", 256)), dummy, "tokenValue"},
			"a full mask":        {"tok", payment.Card{Masked: "4242424242424242"}, "maskedCardNumber"},
			"three digits":       {"tok", payment.Card{Masked: "111"}, "maskedCardNumber"},
			"six digits":         {"tok", payment.Card{Masked: "111111"}, "maskedCardNumber"},
			"no month":           {"tok", payment.Card{Expiry: "2200/13"}, "expiryDate"},
			"the wrong way":      {"tok", payment.Card{Expiry: "01/2200"}, "expiryDate"},
			"expired last month": {"tok", payment.Card{Expiry: "2026/02"}, "expiryDate"},
		} {
			_, err := d.Payments.CreateToken(d.ctx, account, c.value, c.card)
			if err == nil {
				t.Errorf("%s: kept", name)
				continue
			}
			d.refused(err, fault.Invalid, fault.CodeInvalid, c.attribute)
		}
		if _, err := d.Payments.CreateToken(d.ctx, account, "tok", payment.Card{Expiry: "2026/03", Masked: "**** 4711"}); err != nil {
			t.Errorf("a card that ends this month: %v", err)
		}
		_, err := d.Payments.CreateToken(d.ctx, id.New(account0, 1, d.clock.Now()), "tok", dummy)
		d.refused(err, fault.NotFound, fault.CodeNotFound, "account.id")
	})
}

func TestAnAccountHasOneMethod(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, line := d.customer()
		i, m, err := d.Payments.AddMethod(d.ctx, payment.NewMethod{Account: account, Value: "tok_success_1", Card: dummy})
		if err != nil || m.Type != "tokenizedCard" || m.Card() != dummy || m.Value != "" || m.Status != payment.MethodActive {
			t.Fatalf("%+v %v", m, err)
		}
		first := m.TokenID
		_, _, err = d.Payments.AddMethod(d.ctx, payment.NewMethod{Account: account, Value: "tok_success_2", Card: dummy})
		d.refused(err, fault.Conflict, payment.CodeMethodStored, "account")
		_, err = d.Payments.Methods.Create(d.ctx, jsontext.Value(fmt.Sprintf(`{"@type":"cash","name":"Cash","account":[{"id":%q}]}`, account)))
		d.refused(err, fault.Conflict, payment.CodeMethodStored, "account")
		d.refused(d.Payments.DeleteToken(d.ctx, first), fault.Conflict, fault.CodeStillReferred, "")

		// An unsettled payment goes on with the card that it was begun with.
		d.faults = []paymenttest.Fault{paymenttest.Refused}
		open := d.charge(payment.Order{Account: account, Subscription: line, Amount: d.chf("1"), Credit: true})
		d.Work(d.ctx, t)
		m, err = d.Payments.ChangeMethod(d.ctx, i, payment.NewMethod{Value: "tok_decline", Card: payment.Card{Masked: "1881", Expiry: "2199/12"}})
		if err != nil || m.TokenID == first || m.Card() != (payment.Card{Masked: "1881", Expiry: "2199/12"}) {
			t.Fatalf("%+v %v", m, err)
		}
		if token, err := d.Payments.ReadToken(d.ctx, first); err != nil || token.ReplacedBy != m.TokenID || token.Vault == "" {
			t.Errorf("%+v %v", token, err)
		}
		d.pass(time.Minute, 5*time.Second)
		d.stands(open, payment.Done, payment.ResultSuccess)
		if token, err := d.Payments.ReadToken(d.ctx, first); err != nil || token.Vault != "" {
			t.Errorf("the value of a token that was replaced is still kept: %+v %v", token, err)
		}
		if token, err := d.Payments.Token(d.ctx, account, first); err != nil || token.ID != m.TokenID {
			t.Errorf("the old token leads to %+v, %v", token, err)
		}
		denied := d.charge(payment.Order{Account: account, Token: first, Amount: d.chf("1")})
		d.Work(d.ctx, t)
		d.stands(denied, payment.Denied, payment.ResultDeclined)

		if _, err := d.Payments.UpdateToken(d.ctx, m.TokenID, "tok_success_3", payment.Card{Expiry: "2201/05"}); err != nil {
			t.Fatal(err)
		}
		if m, _, err = d.Payments.Methods.Get(d.ctx, i); err != nil || m.Card() != (payment.Card{Masked: "1881", Expiry: "2201/05"}) {
			t.Errorf("the method shows %+v, %v", m.Card(), err)
		}
		d.stands(d.settled(payment.Order{Account: account, Amount: d.chf("1")}), payment.Done, payment.ResultSuccess)
		if err := d.Payments.Methods.Delete(d.ctx, i, 0); err != nil {
			t.Fatal(err)
		}
		_, err = d.Payments.ReadToken(d.ctx, m.TokenID)
		d.refused(err, fault.NotFound, payment.CodeNoToken, "tokenID")
		_, err = d.Payments.Token(d.ctx, account, first)
		d.refused(err, fault.NotFound, payment.CodeNoToken, "tokenID")
		_, _, err = d.Payments.Charge(d.ctx, payment.Order{Account: account, Amount: d.chf("1")})
		d.refused(err, fault.Conflict, payment.CodeNoMethod, "paymentMethod")
		if _, _, err := d.Payments.AddMethod(d.ctx, payment.NewMethod{Account: account, Value: "tok_success_3", Card: dummy}); err != nil {
			t.Error(err)
		}
	})
}

func (d *desk) settled(o payment.Order) id.ID {
	d.t.Helper()
	i := d.charge(o)
	d.Work(d.ctx, d.t)
	return i
}

func TestATokenWaitsForItsPayments(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, _ := d.customer()
		token := d.token(account, "tok_success")
		d.faults = []paymenttest.Fault{paymenttest.Refused}
		i := d.charge(payment.Order{Account: account, Token: token, Amount: d.chf("1")})
		d.Work(d.ctx, t)
		d.refused(d.Payments.DeleteToken(d.ctx, token), fault.Conflict, fault.CodeStillReferred, "")
		_, err := d.Payments.UpdateToken(d.ctx, token, "tok_success_2", payment.Card{})
		d.refused(err, fault.Conflict, payment.CodeState, "tokenValue")
		d.pass(time.Minute, 5*time.Second)
		d.stands(i, payment.Done, payment.ResultSuccess)
		d.token(account, "tok_other")
		_, err = d.Payments.UpdateToken(d.ctx, token, "tok_other", payment.Card{})
		d.refused(err, fault.Conflict, payment.CodeState, "tokenValue")
		if err := d.Payments.DeleteToken(d.ctx, token); err != nil {
			t.Error(err)
		}
		d.refused(d.Payments.DeleteToken(d.ctx, token), fault.NotFound, payment.CodeNoToken, "tokenID")
		if again := d.token(account, "tok_success"); again == token {
			t.Error("a deleted token came back")
		}
	})
}

func TestMethodsOfTMF670(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account := d.Account(d.ctx, t)
		create := func(text string) (store.Doc, error) { return d.Payments.Methods.Create(d.ctx, jsontext.Value(text)) }
		for text, attribute := range map[string]string{
			`{"@type":"magic","name":"x"}`:                                                                           "@type",
			`{"@type":"cash","name":" "}`:                                                                            "name",
			`{"@type":"bankCard","name":"x","cardNumber":"4242424242424242"}`:                                        "cardNumber",
			`{"@type":"bankCard","name":"x","cardNumber":"12345678"}`:                                                "cardNumber",
			`{"@type":"bankCard","name":"x","cvv":"123"}`:                                                            "cvv",
			`{"@type":"tokenizedCard","name":"x","token":"t"}`:                                                       "lastFourDigits",
			`{"@type":"tokenizedCard","name":"x","lastFourDigits":"12345"}`:                                          "lastFourDigits",
			`{"@type":"cash","name":"x","tokenID":"ptk_0"}`:                                                          "account",
			fmt.Sprintf(`{"@type":"cash","name":"x","account":[{"id":%q},{"id":%q}]}`, account, d.Account(d.ctx, t)): "account",
		} {
			_, err := create(text)
			if f := fault.From(err); err == nil || f.Kind != fault.Invalid || f.Attribute != attribute {
				t.Errorf("%s: %v, want it at %s", text, err, attribute)
			}
		}
		doc, err := create(fmt.Sprintf(`{"@type":"TokenizedCard","name":"Visa","brand":"Visa","account":[{"id":%q}],"token":"tok_success_hidden","lastFourDigits":"4242","expirationDate":"2031-04-30T23:59:59Z"}`, account))
		if err != nil {
			t.Fatal(err)
		}
		if text := string(doc.Body); strings.Contains(text, "hidden") || !strings.Contains(text, `"@type":"tokenizedCard"`) || !strings.Contains(text, `"brand":"Visa"`) {
			t.Error(text)
		}
		if _, stored, err := d.Payments.Stored(d.ctx, account); err != nil || stored.Masked != "4242" || stored.Expiry != "2031/04" {
			t.Errorf("%+v %v", stored, err)
		}
		if doc, err = create(`{"@type":"voucher","name":"Gift","code":"1234-5678","value":{"amount":5,"units":"CHF"}}`); err != nil || strings.Contains(string(doc.Body), "5678") {
			t.Errorf("%s %v", doc.Body, err)
		}
		cash := d.Account(d.ctx, t)
		if _, err := create(fmt.Sprintf(`{"@type":"cash","name":"Cash","account":[{"id":%q}]}`, cash)); err != nil {
			t.Fatal(err)
		}
		_, _, err = d.Payments.Stored(d.ctx, cash)
		d.refused(err, fault.Conflict, payment.CodeNoMethod, "paymentMethod")
	})
}
