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
	account = s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("id")
	return account, s.order(account, s.offering(plan)).At("productOrderItem.0.product.id")
}

func TestSubscriptionsAreFoundInManyWays(t *testing.T) {
	each(t, func(s *server) {
		account, line := s.sold("Plus")
		_, other := s.sold("Start")
		one := s.do("GET", "/api/subscription/"+line, "").Want(200)
		customer := s.do("GET", "/api/billingAccount/"+account, "").Want(200).At("relatedParty.0.id")
		for query, want := range map[string]string{
			"accountID=" + account: line, "customerId=" + customer: line, "mobileNumber=" + one.At("mobileNumber"): line, "iccid=" + one.At("iccid"): line,
			"accountID=" + account + "&state=ACTIVE": line, "accountID=" + account + "&state=1": line, "accountID=" + account + "&subscriptionType=PREPAID": line,
			"accountID=" + account + "&state=SUSPENDED": "", "accountID=" + account + "&subscriptionType=POSTPAID": "",
		} {
			found := s.do("GET", "/api/subscription?"+query, "").Want(200)
			if got := found.At("0.id"); got != want || found.Len() > 1 {
				t := s.t
				t.Errorf("%s finds %s", query, found.Raw)
			}
		}
		if n := s.do("GET", "/api/subscription", "").Want(200).Len(); n != 2 {
			s.t.Errorf("%d subscriptions, %s", n, other)
		}
		s.do("GET", "/api/subscription?state=lost", "").Want(400)
		s.do("GET", "/api/subscription?customerId=cus_nobody", "").Want(404)
		s.do("GET", "/api/subscription?iccid=", "").Want(400)
		types := s.do("GET", "/api/subscription/type", "").Want(200).Is(map[string]string{"0.subscriptionType": "PREPAID", "0.pricePlanCount": "2"})
		if types.Len() != 1 {
			s.t.Errorf("%s", types.Raw)
		}
	})
}

func TestWhatASubscriptionIsAndWas(t *testing.T) {
	each(t, func(s *server) {
		_, line := s.sold("Plus")
		number := s.do("GET", "/api/subscription/"+line, "").Want(200).At("mobileNumber")
		s.do("GET", "/api/subscription/profile?mobileNumber="+number, "").Want(200).Is(map[string]string{
			"status.state": "ACTIVE", "billing.balance.value": "5.1", "billing.monthlySpend.value": "0", "billing.accountState": "active", "profile.paidType": "PREPAID",
		})
		plan := s.do("GET", "/api/subscription/"+number+"/pricePlan", "").Want(200).Is(map[string]string{"name": "Plus", "history.0.name": "Plus", "renewal.periods": "1"})
		if plan.At("renewal.next") == "" || plan.At("addOn") != "[]" {
			s.t.Errorf("%s", plan.Raw)
		}
		s.do("GET", "/api/subscription/"+line+"/service", "").Want(200)
		s.do("GET", "/api/subscription/supplementaryData?subscriptionId="+line, "").Want(200).Is(map[string]string{"subscriptionId": line})
		history := s.do("GET", "/api/subscription/"+line+"/stateHistory", "").Want(200).Is(map[string]string{
			"0.attribute": "state", "0.to": "active", "0.from": "pending",
		})
		if page := s.do("GET", "/api/subscription/"+line+"/stateHistory?limit=1&offset=1", "").Want(206); page.Len() != 1 || page.At("0.attribute") != history.At("1.attribute") {
			s.t.Errorf("%s of %s", page.Raw, history.Raw)
		}
		s.do("GET", "/api/subscription/41799999999/stateHistory", "").Want(404)
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
		s.do("GET", "/api/subscription/profile?subscriptionId="+line, "").Want(200).Is(map[string]string{
			"billing.creditLimit.value": "20", "billing.monthlySpendLimit": "",
		})
		w, err := s.house.Balances.Wallet(s.ctx, id.ID(line))
		if err != nil || w.Money().Floor != -20_000_000 {
			s.t.Errorf("the floor is %d, %v", w.Money().Floor, err)
		}
	})
}
