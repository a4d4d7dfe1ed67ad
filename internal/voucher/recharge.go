package voucher

import (
	"context"
	"fmt"
	"slices"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// The outcomes of a refill that is refused, each a fault with its own code.
const (
	SubscriberNotFound fault.Code = "subscriberNotFound"
	// Barred is a line that takes no refills: it is locked.
	Barred fault.Code = "barredFromRefill"
	// TemporarilyBlocked is a line that tried too many bad codes in a row.
	TemporarilyBlocked fault.Code = "refillTemporarilyBlocked"
	// UsedBySame is a voucher that this line has used, UsedByOther one that another has.
	UsedBySame  fault.Code = "voucherUsedBySame"
	UsedByOther fault.Code = "voucherUsedByOther"
	// Unavailable is a code that is no voucher's, or of a voucher that was not given out or is blocked.
	Unavailable     fault.Code = "voucherUnavailable"
	IsExpired       fault.Code = "voucherExpired"
	IsMissing       fault.Code = "voucherStolenMissing"
	IsDamaged       fault.Code = "voucherDamaged"
	IsPending       fault.Code = "voucherPending"
	TypeNotAccepted fault.Code = "voucherTypeNotAccepted"
	// AccountInactive is a line that is not in use, or whose account is not.
	AccountInactive fault.Code = "accountInactive"
)

// refused is a refusal as its fault.
func refused(c fault.Code) *fault.Error {
	kind, message := fault.Conflict, map[fault.Code]string{
		Barred:             "the subscription is barred from refills",
		TemporarilyBlocked: "too many codes were wrong: refills are blocked for a while",
		UsedBySame:         "the subscription has used this voucher",
		UsedByOther:        "the voucher was used",
		Unavailable:        "there is no voucher to use under this code",
		IsExpired:          "the voucher is past its shelf life",
		IsMissing:          "the voucher was reported stolen or missing",
		IsDamaged:          "the voucher was reported damaged",
		IsPending:          "the sale of the voucher is not confirmed yet",
		TypeNotAccepted:    "the subscription does not take vouchers of this type",
		AccountInactive:    "the subscription or its account is not in use",
	}[c]
	if c == TemporarilyBlocked {
		kind = fault.Limit
	}
	return fault.New(kind, c, "%s", message).At("voucherCode")
}

// Refill is a voucher that was spent.
type Refill struct {
	Topup   id.ID
	Line    id.ID
	Voucher Shown
	// Balance is the money bucket afterwards.
	Balance balance.Bucket
}

// Recharge spends a voucher on a line: its value is a top-up of the line's money, its bonus a grant of the
// operator's beside it, and its duration lengthens the validity of the money where that ends. It happens once however
// often and by whom it is asked for. Faults: the outcomes above; NotFound (SubscriberNotFound). Call Admit before, in
// a transaction of its own: what is refused here is undone, and no try is counted.
func (s *Service) Recharge(ctx context.Context, line id.ID, pin string) (out Refill, err error) {
	return s.redeem(ctx, line, pin, func(ctx context.Context, worth money.Amount, serial string) (id.ID, error) {
		i, _, _, err := s.Balances.TopUp(ctx, balance.TopupOrder{
			Subscription: line, Amount: worth, Reference: balance.VoucherReference(serial), Reason: balance.VoucherReference(serial), Spent: true,
		})
		return i, err
	})
}

// Redeem is Recharge for a top-up that is there already: pay pays into the line what the voucher is worth, and gives the
// top-up.
func (s *Service) Redeem(ctx context.Context, line id.ID, pin string, pay func(ctx context.Context, worth money.Amount, serial string) (id.ID, error)) error {
	_, err := s.redeem(ctx, line, pin, pay)
	return err
}

func (s *Service) redeem(ctx context.Context, line id.ID, pin string, pay func(context.Context, money.Amount, string) (id.ID, error)) (out Refill, err error) {
	pin, err = Normal(pin)
	if err != nil {
		return out, err
	}
	p, err := s.secrets()
	if err != nil {
		return out, err
	}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if err := s.mayRefill(ctx, line); err != nil {
			return err
		}
		i, err := s.store.Claimant(ctx, pinClaim, p.of(pin))
		if err != nil {
			return err
		}
		if i == "" {
			return refused(Unavailable)
		}
		v, d, _, err := s.voucher(ctx, i)
		if err != nil {
			return err
		}
		if err := s.usable(ctx, line, v); err != nil {
			return err
		}
		out, err = s.spend(ctx, line, v, d, pay)
		return err
	})
	return out, err
}

// mayRefill decides by the line alone.
func (s *Service) mayRefill(ctx context.Context, line id.ID) error {
	v, _, err := s.Subscriptions.Lines.Get(ctx, line)
	if fault.KindOf(err) == fault.NotFound {
		return fault.New(fault.NotFound, SubscriberNotFound, "there is no such subscription")
	}
	if err != nil {
		return err
	}
	switch v.State {
	case subscription.Locked:
		return refused(Barred)
	case subscription.Pending, subscription.Available, subscription.Disconnecting:
		return refused(AccountInactive)
	}
	if v.State.Ended() {
		return refused(AccountInactive)
	}
	g, err := s.guardOf(ctx, lineGuard(line))
	if err != nil {
		return err
	}
	if wait := g.blocked(s.store.Now(ctx)); wait > 0 {
		return refused(TemporarilyBlocked).After(wait)
	}
	a, _, err := s.Accounts.Billing.Get(ctx, v.AccountID)
	if err == nil && a.State == account.Inactive {
		err = refused(AccountInactive)
	}
	return err
}

// usable decides by the voucher, and whether it is one for the line.
func (s *Service) usable(ctx context.Context, line id.ID, v Shown) error {
	switch v.State {
	case Available:
	case Used:
		if v.Voucher.UsedBy == line {
			return refused(UsedBySame)
		}
		return refused(UsedByOther)
	case Expired:
		return refused(IsExpired)
	case Missing:
		return refused(IsMissing)
	case Damaged:
		return refused(IsDamaged)
	case Pending:
		return refused(IsPending)
	default:
		return refused(Unavailable)
	}
	l, _, err := s.Subscriptions.Lines.Get(ctx, line)
	if err != nil {
		return err
	}
	_, held, err := s.Balances.Money(ctx, line)
	if fault.From(err) != nil && fault.From(err).Code == balance.CodeNoMoney {
		return refused(TypeNotAccepted)
	}
	if err != nil {
		return err
	}
	onPlan := l.Offering != nil && slices.Contains(v.Terms.Plans, id.ID(l.Offering.ID))
	if l.SubscriptionType == account.Postpaid || len(v.Terms.Plans) > 0 && !onPlan || held.Unit != string(v.Terms.Value.Currency()) {
		return refused(TypeNotAccepted)
	}
	return nil
}

// spend pays the voucher into the line and marks it used.
func (s *Service) spend(ctx context.Context, line id.ID, v Shown, d store.Doc, pay func(context.Context, money.Amount, string) (id.ID, error)) (out Refill, err error) {
	now := s.store.Now(ctx)
	bucket, _, err := s.Balances.Money(ctx, line)
	if err != nil {
		return out, err
	}
	if days := v.Terms.Duration; days > 0 {
		if err := s.Balances.Lengthen(ctx, bucket, now.AddDate(0, 0, days)); err != nil {
			return out, err
		}
	}
	i, err := pay(ctx, v.Terms.Value, v.Voucher.Serial)
	if err != nil {
		return out, err
	}
	if bonus := v.Terms.Bonus; bonus != nil {
		c := balance.Cause{Kind: Kind.Name, ID: v.Voucher.Serial, Text: fmt.Sprintf("Bonus of %s with the voucher %s", bonus, v.Voucher.Serial)}
		if err := s.Balances.Move(ctx, c, balance.Movement{Bucket: bucket, Amount: bonus.Micros(), Against: balance.Issued}); err != nil {
			return out, err
		}
	}
	v.State = Used
	v.Voucher.State, v.Voucher.UsedBy, v.Voucher.Used, v.Voucher.Topup = Used, line, &now, i
	if _, err := s.vouchers.Update(ctx, d.ID, d.Version, &v.Voucher); err != nil {
		return out, err
	}
	if err := s.forgive(ctx, line); err != nil {
		return out, err
	}
	out = Refill{Topup: i, Line: line, Voucher: v}
	_, out.Balance, err = s.Balances.Money(ctx, line)
	return out, err
}

// forgive ends the row of bad codes of a line.
func (s *Service) forgive(ctx context.Context, line id.ID) error {
	g, err := s.guardOf(ctx, lineGuard(line))
	if err != nil || g.Tries == 0 {
		return err
	}
	g.Tries, g.Until = 0, nil
	return s.put(ctx, g)
}
