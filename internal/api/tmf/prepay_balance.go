package tmf

import "github.com/demarc-bss/demarc/internal/api/tmf630"

// prepayBalanceManagement is TMF654. Everything in it goes by the permissions of balances. Beside the standard's
// operations a bucket can be opened.
func prepayBalanceManagement(d Deps) api {
	const entity = "balance"
	const read = tmf630.List | tmf630.Get
	ref := func(i string) map[string]any { return map[string]any{"id": i} }
	euros := func(n float64) map[string]any { return map[string]any{"amount": n, "units": "EUR"} }
	task := func(n float64, more map[string]any) map[string]any {
		v := map[string]any{
			"amount": euros(n), "usageType": "monetary", "bucket": ref("41790000000"), "logicalResource": []any{ref("41790000000")},
		}
		for name, value := range more {
			v[name] = value
		}
		return v
	}
	return api{
		code: "TMF654", base: "/tmf-api/prepayBalanceManagement/v4", name: "prepayBalanceManagement", domain: "prepayBalanceManagement",
		resources: []entry{
			{shape: "Bucket", segment: "bucket", set: d.Buckets, entity: entity, verbs: read | tmf630.Create, example: map[string]any{
				"name": "Welcome", "usageType": "monetary", "remainingValue": euros(5), "logicalResource": []any{ref("41790000000")},
			}},
			{shape: "TopupBalance", segment: "topupBalance", set: d.Topups, entity: entity, codes: []string{"voucher"}, example: task(20, map[string]any{"partyAccount": ref("bac-7"), "reference": "kiosk-7-000123"})},
			{shape: "AdjustBalance", segment: "adjustBalance", set: d.Adjustments, entity: entity, example: task(-2.5, map[string]any{"reason": "Charged twice"})},
			{shape: "ReserveBalance", segment: "reserveBalance", set: d.Reservations, entity: entity, example: task(3, map[string]any{"partyAccount": ref("bac-7")})},
			{shape: "TransferBalance", segment: "transferBalance", set: d.Transfers, entity: entity, example: task(5, map[string]any{
				"reason": "A gift", "channel": ref("selfcare"), "receiverBucket": ref("41790000001"), "receiverBucketUsageType": "monetary",
				"receiverLogicalResource": ref("41790000001"),
			})},
			{shape: "AccumulatedBalance", segment: "accumulatedBalance", set: d.AccumulatedBalances, entity: entity, verbs: read},
			{shape: "BalanceActionHistory", segment: "balanceActionHistory", set: d.BalanceActionHistory, entity: entity, verbs: read},
		},
	}
}
