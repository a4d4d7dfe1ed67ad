package cm_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

// sold is a line of an account, as the order made it.
func (s *server) sold(plan string) (account, line string) {
	s.t.Helper()
	account = s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).want(201).at("id")
	return account, s.order(account, s.offering(plan)).at("productOrderItem.0.product.id")
}

func TestSubscriptionsAreFoundInManyWays(t *testing.T) {
	each(t, func(s *server) {
		account, line := s.sold("Plus")
		_, other := s.sold("Start")
		one := s.do("GET", "/api/subscription/"+line, "").want(200)
		customer := s.do("GET", "/api/billingAccount/"+account, "").want(200).at("relatedParty.0.id")
		for query, want := range map[string]string{
			"accountID=" + account: line, "customerId=" + customer: line, "mobileNumber=" + one.at("mobileNumber"): line, "iccid=" + one.at("iccid"): line,
			"accountID=" + account + "&state=ACTIVE": line, "accountID=" + account + "&state=1": line, "accountID=" + account + "&subscriptionType=PREPAID": line,
			"accountID=" + account + "&state=SUSPENDED": "", "accountID=" + account + "&subscriptionType=POSTPAID": "",
		} {
			found := s.do("GET", "/api/subscription?"+query, "").want(200)
			if got := found.at("0.id"); got != want || found.len() > 1 {
				t := s.t
				t.Errorf("%s finds %s", query, found.raw)
			}
		}
		if n := s.do("GET", "/api/subscription", "").want(200).len(); n != 2 {
			s.t.Errorf("%d subscriptions, %s", n, other)
		}
		s.do("GET", "/api/subscription?state=lost", "").want(400)
		s.do("GET", "/api/subscription?customerId=cus_nobody", "").want(404)
		s.do("GET", "/api/subscription?iccid=", "").want(400)
		types := s.do("GET", "/api/subscription/type", "").want(200).is(map[string]string{"0.subscriptionType": "PREPAID", "0.pricePlanCount": "2"})
		if types.len() != 1 {
			s.t.Errorf("%s", types.raw)
		}
	})
}

func TestWhatASubscriptionIsAndWas(t *testing.T) {
	each(t, func(s *server) {
		_, line := s.sold("Plus")
		number := s.do("GET", "/api/subscription/"+line, "").want(200).at("mobileNumber")
		s.do("GET", "/api/subscription/profile?mobileNumber="+number, "").want(200).is(map[string]string{
			"status.state": "ACTIVE", "billing.balance.value": "5.1", "billing.monthlySpend.value": "0", "billing.accountState": "active", "profile.paidType": "PREPAID",
		})
		plan := s.do("GET", "/api/subscription/"+number+"/pricePlan", "").want(200).is(map[string]string{"name": "Plus", "history.0.name": "Plus", "renewal.periods": "1"})
		if plan.at("renewal.next") == "" || plan.at("addOn") != "[]" {
			s.t.Errorf("%s", plan.raw)
		}
		s.do("GET", "/api/subscription/"+line+"/service", "").want(200)
		s.do("GET", "/api/subscription/supplementaryData?subscriptionId="+line, "").want(200).is(map[string]string{"subscriptionId": line})
		history := s.do("GET", "/api/subscription/"+line+"/stateHistory", "").want(200).is(map[string]string{
			"0.attribute": "state", "0.to": "active", "0.from": "pending",
		})
		if page := s.do("GET", "/api/subscription/"+line+"/stateHistory?limit=1&offset=1", "").want(206); page.len() != 1 || page.at("0.attribute") != history.at("1.attribute") {
			s.t.Errorf("%s of %s", page.raw, history.raw)
		}
		s.do("GET", "/api/subscription/41799999999/stateHistory", "").want(404)
	})
}

// limiter lets everybody in with claims.
type limiter struct{ claims scope.Claims }

func (l limiter) Admit(context.Context, string, string, string, []auth.Permission) (scope.Scope, error) {
	return scope.Grant(1, scope.Actor{Subject: "csr"}, l.claims), nil
}

func TestLimitsAreForThoseWhoseAttributeAllowsIt(t *testing.T) {
	each(t, func(s *server) {
		_, line := s.sold("Plus")
		table, err := op.NewTable(operations(s.house)...)
		if err != nil {
			s.t.Fatal(err)
		}
		patch := func(c scope.Claims, path, body string) (int, string) {
			h, err := table.Handler(op.Options{Store: s.house.Store, Gate: limiter{c}})
			if err != nil {
				s.t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPatch, "http://demarc.test/api/subscription/"+line+"/"+path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
		credit, spend := scope.Claims{ManageCreditLimit: true}, scope.Claims{ManageMonthlySpendLimit: true}
		for _, c := range []struct {
			claims scope.Claims
			path   string
			body   string
			want   int
		}{
			{spend, "creditLimit", `{"creditLimit":{"unit":"CHF","value":20}}`, 403},
			{credit, "monthlySpendLimit", `{"monthlySpendLimit":{"unit":"CHF","value":20}}`, 403},
			{credit, "creditLimit", `{"creditLimit":{"unit":"EUR","value":20}}`, 400},
			{credit, "creditLimit", `{"creditLimit":{"unit":"CHF","value":-1}}`, 400},
			{credit, "creditLimit", `{"limit":1}`, 400},
			{credit, "creditLimit", `{"creditLimit":{"unit":"CHF","value":20}}`, 200},
			{spend, "monthlySpendLimit", `{"monthlySpendLimit":{"unit":"CHF","value":30}}`, 200},
			{spend, "monthlySpendLimit", `{"monthlySpendLimit":null}`, 200},
		} {
			if code, text := patch(c.claims, c.path, c.body); code != c.want {
				s.t.Errorf("%s %s: %d, want %d: %s", c.path, c.body, code, c.want, text)
			}
		}
		s.do("GET", "/api/subscription/profile?subscriptionId="+line, "").want(200).is(map[string]string{
			"billing.creditLimit.value": "20", "billing.monthlySpendLimit": "",
		})
		w, err := s.house.Balances.Wallet(s.ctx, id.ID(line))
		if err != nil || w.Money().Floor != -20_000_000 {
			s.t.Errorf("the floor is %d, %v", w.Money().Floor, err)
		}
	})
}
