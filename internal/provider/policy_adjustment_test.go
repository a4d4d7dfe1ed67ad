package provider

import (
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

func TestWhatThePoliciesOfAdjustmentsAndReferralsMaySay(t *testing.T) {
	for doc, want := range map[string]string{
		`{}`: "",
		`{"adjustment":{"pendingDays":1,"reason":[{"code":"GOODWILL"},{"code":"FEE","operation":"debit","needsNote":true}],"limit":[{"unit":"CHF","withoutApproval":5,"maximum":100.5,"mayApprove":50},{"role":"lead","unit":"CHF"},{"unit":"GB","maximum":0}]}}`: "",
		`{"adjustment":{"pendingDays":0}}`:                                          "policy.adjustment.pendingDays",
		`{"adjustment":{"reason":[{"code":""}]}}`:                                   "policy.adjustment.reason[0].code",
		`{"adjustment":{"reason":[{"code":"a"},{"code":"A"}]}}`:                     "policy.adjustment.reason[1].code",
		`{"adjustment":{"reason":[{"code":"a","operation":"both"}]}}`:               "policy.adjustment.reason[0].operation",
		`{"adjustment":{"reason":[{"code":"a","note":true}]}}`:                      "policy.adjustment.reason[0].note",
		`{"adjustment":{"limit":[{"maximum":5}]}}`:                                  "policy.adjustment.limit[0].unit",
		`{"adjustment":{"limit":[{"unit":"CHF","maximum":-1}]}}`:                    "policy.adjustment.limit[0].maximum",
		`{"adjustment":{"limit":[{"unit":"CHF","mayApprove":"many"}]}}`:             "policy.adjustment.limit[0].mayApprove",
		`{"adjustment":{"limit":[{"unit":"CHF"},{"unit":"CHF"}]}}`:                  "policy.adjustment.limit[1]",
		`{"adjustment":{"limit":[{"unit":"CHF","max":5}]}}`:                         "policy.adjustment.limit[0].max",
		`{"adjustment":{"limits":[]}}`:                                              "policy.adjustment.limits",
		`{"adjustment":{"limit":[{"unit":"CHF","withoutApproval":5,"maximum":4}]}}`: "policy.adjustment.limit[0].withoutApproval",
		`{"referral":{"referrer":{"amount":{"unit":"CHF","value":5},"addOn":["extra"]},"referred":{"addOn":[]},"afterDays":30,"mostPerMonth":0}}`: "",
		`{"referral":{"referrer":{"amount":{"unit":"EUR","value":5}}}}`:                                                                           "policy.referral.referrer.amount",
		`{"referral":{"referred":{"amount":{"unit":"CHF","value":0}}}}`:                                                                           "policy.referral.referred.amount",
		`{"referral":{"referred":{"amount":{"unit":"CHF","value":0.001}}}}`:                                                                       "policy.referral.referred.amount",
		`{"referral":{"referred":{"addOn":["a","a"]}}}`:                                                                                           "policy.referral.referred.addOn[1]",
		`{"referral":{"referred":{"money":5}}}`:                                                                                                   "policy.referral.referred.money",
		`{"referral":{"afterDays":-1}}`:                                                                                                           "policy.referral.afterDays",
		`{"referral":{"mostInAll":-1}}`:                                                                                                           "policy.referral.mostInAll",
		`{"referral":{"days":1}}`:                                                                                                                 "policy.referral.days",
	} {
		v := ServiceProvider{Name: "Happy", Currency: "CHF", Policy: &Policy{}}
		if err := json.Unmarshal([]byte(doc), v.Policy); err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		err := v.begin(1)
		if (err == nil) != (want == "") || err != nil && fault.From(err).Attribute != want {
			t.Errorf("%s: %v, want %q", doc, err, want)
		}
	}
}
