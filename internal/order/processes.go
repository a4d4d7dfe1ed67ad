package order

import (
	"context"

	"github.com/demarc-bss/demarc/internal/network"
)

// The processes. Their names are stored with orders.
const (
	newLine       = "newLine"
	portIn        = "portIn"
	addProduct    = "addProduct"
	removeProduct = "removeProduct"
	changePlan    = "changePlan"
	modifyLine    = "modifyLine"
	block         = "block"
	unblock       = "unblock"
	cease         = "cease"
)

// allProcesses are what items are carried out by. What can be refused comes before what cannot, charging before
// what the charge is for, and the network before the line is what the network makes of it.
func (s *Service) allProcesses() map[string]Process {
	var (
		reserve = Step{Name: "reserve", Text: "Reserve a mobile number and a SIM", Choose: s.chooseResources, Do: s.reserve, Undo: s.unreserve}
		sub     = Step{Name: "subscribe", Text: "Create the subscription", Do: s.subscribe, Undo: s.unsubscribe}
		charge  = Step{Name: "charge", Text: "Open the balance, charge the first period and grant the bundles", Do: s.charge, Undo: s.uncharge}
		join    = s.network("provision", "Provision the network", s.onNetwork, network.Activate, network.Deactivate)
		active  = Step{Name: "activate", Text: "Activate the subscription", Do: s.activate, Undo: s.deactivate, Final: true}
		topup   = Step{Name: "automaticTopup", Text: "Set up the automatic top-up", When: wantsTopup, Do: s.beginTopup, Undo: s.endTopup}
		refer   = Step{Name: "referral", Text: "Reward the referral", When: wantsReferral, Do: s.refer, Undo: s.unrefer}
		tell    = Step{Name: "notify", Text: "Tell the customer", Do: s.promiseMessage}
	)
	return map[string]Process{
		newLine: {reserve, sub, charge, join, active, topup, refer, tell},
		portIn: {
			reserve,
			{Name: "port", Text: "Port the number in from its network", Do: s.askPort, Undo: s.cancelPort},
			{Name: "adopt", Text: "Take the number in", Do: s.adopt, Undo: s.disown},
			sub, charge, join, active, topup, refer, tell,
		},
		addProduct: {
			{Name: "charge", Text: "Charge the first period and grant the bundles", Do: s.add, Undo: s.takeOff},
			s.network("provision", "Provision the network", s.servicesOnNetwork, network.Modify, network.Modify),
			tell,
		},
		removeProduct: {
			s.network("provision", "Take the service off the network", s.servicesOnNetwork, network.Modify, network.Modify),
			{Name: "end", Text: "End the product", Do: s.endProduct, Final: true},
			tell,
		},
		changePlan: {
			{Name: "charge", Text: "End the present plan, charge the first period of the other and grant its bundles", Do: s.swapPlan, Undo: s.swapPlanBack},
			s.network("provision", "Provision the network", s.onNetwork, network.Modify, network.Modify),
			tell,
		},
		modifyLine: {
			{Name: "reserve", Text: "Reserve what the subscription gets", Choose: s.chooseResources, Do: s.reserve, Undo: s.unreserve},
			{Name: "charge", Text: "Charge the SIM", When: named, Do: s.add, Undo: s.takeOff},
			s.network("provision", "Provision the network", s.swapOnNetwork, network.Modify, network.Modify),
			{Name: "swap", Text: "Change the subscription", Do: s.swap, Final: true},
			tell,
		},
		block: {
			s.network("bar", "Bar the line in the network", s.onNetwork, network.Suspend, network.Resume),
			{Name: "block", Text: "Take the price plan off and block the subscription", Do: s.block, Final: true},
			tell,
		},
		unblock: {
			{Name: "charge", Text: "Charge the first period and grant the bundles", Do: s.planAgain, Undo: s.planOff},
			s.network("provision", "Open the line in the network", s.onNetwork, network.Resume, network.Suspend),
			{Name: "activate", Text: "Activate the subscription", Do: s.activate, Final: true},
			tell,
		},
		cease: {
			{Name: "disconnect", Text: "Take the subscription out of use", Do: s.disconnect, Undo: s.reconnect},
			s.network("provision", "Disconnect the line from the network", s.onNetwork, network.Deactivate, network.Activate),
			{Name: "terminate", Text: "End what it holds, forfeit its balance, let its number rest", Do: s.terminate, Final: true},
			tell,
		},
	}
}

func wantsTopup(v *Order, _ *Item) bool    { return v.TopupToken != "" }
func wantsReferral(v *Order, _ *Item) bool { return v.Referral != "" }
func named(_ *Order, it *Item) bool        { return it.Offering != nil }

func (s *Service) beginTopup(ctx context.Context, w *Work) error {
	return s.AutoTopup.Begin(ctx, w.line(), w.Order.TopupToken, w.Order.TopupAmount)
}

func (s *Service) endTopup(ctx context.Context, w *Work) error { return s.AutoTopup.End(ctx, w.line()) }

func (s *Service) refer(ctx context.Context, w *Work) error {
	return s.Referral.Apply(ctx, w.line(), w.Order.Referral)
}

func (s *Service) unrefer(ctx context.Context, w *Work) error {
	return s.Referral.Revoke(ctx, w.line(), w.Order.Referral)
}
