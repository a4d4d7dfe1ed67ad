// Package voucher keeps prepaid vouchers: batches with serial numbers and secret PINs, their states and shelf
// life, and the refill of a line's balance with one.
//
// The states and the outcomes of a refill are those that operators' voucher systems share: a voucher is worth
// something only while its batch is available and nothing else is said of itself, it is used once, and every
// refusal has a code of its own.
package voucher

import (
	"context"
	"slices"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// The id kinds of this package.
var (
	BatchKind = id.Kind{Name: "voucherBatch", Prefix: "vbt"}
	Kind      = id.Kind{Name: "voucher", Prefix: "vch"}
	sheetKind = id.Kind{Name: "voucherSheet", Prefix: "vsh"}
	guardKind = id.Kind{Name: "voucherGuard", Prefix: "vgd"}
)

// What is unique at a service provider: PINs (by their MAC), serial numbers, batch numbers.
const (
	pinClaim    = "voucher.pin"
	serialClaim = "voucher.serial"
	numberClaim = "voucher.batchNumber"
)

// State is where a voucher or a batch stands.
type State string

// The states. A batch is Generating while a job makes its vouchers; a voucher never is.
const (
	Generating State = "generating"
	// Generated vouchers have PINs and are worth nothing yet.
	Generated State = "generated"
	// Available vouchers may be used.
	Available State = "available"
	// Pending vouchers were sold, and the sale is not confirmed yet.
	Pending State = "pending"
	// Used vouchers are worth nothing any more.
	Used State = "used"
	// Blocked vouchers may become available again.
	Blocked State = "blocked"
	// Missing vouchers were stolen, or nobody knows where they are.
	Missing State = "stolenMissing"
	// Damaged vouchers cannot be sold.
	Damaged State = "damaged"
	// Expired vouchers are past their shelf life. Nothing makes them so but the time.
	Expired State = "expired"
)

// next says which states a person may choose.
var next = map[State][]State{
	Generated: {Available, Pending, Blocked, Missing, Damaged},
	Available: {Pending, Blocked, Missing, Damaged},
	Pending:   {Available, Blocked, Missing, Damaged},
	Blocked:   {Available, Missing, Damaged},
	Missing:   {Available, Blocked},
}

const (
	// CodeState is a state that may not follow the present one.
	CodeState fault.Code = "stateNotAllowed"
	// CodeBatchNumber is a batch number that another batch has.
	CodeBatchNumber fault.Code = "batchNumberInUse"
	// CodeHandedOut is a file of PINs that was handed out before.
	CodeHandedOut fault.Code = "fileHandedOut"
	// CodeNoSecret is an installation without a secret to keep PINs by.
	CodeNoSecret fault.Code = "noVoucherSecret"
)

// Terms are what vouchers are worth.
type Terms struct {
	Value money.Amount `json:"voucherAmount"`
	// Bonus comes on top, granted by the operator; nil is none.
	Bonus *money.Amount `json:"bonusAmount,omitzero"`
	// Duration is how many days from the refill on the line's money is good for at least, where its validity
	// ends at all; 0 leaves it as it is.
	Duration int `json:"voucherDuration,omitzero"`
	// ShelfLife is the moment from which on they are expired; nil: they never are.
	ShelfLife *time.Time `json:"voucherShelfLife,omitzero"`
	// Plans are the offerings whose lines may use them; empty: all prepaid ones.
	Plans []id.ID `json:"plan,omitzero"`
}

// Batch is vouchers that were made or came together.
type Batch struct {
	Type string `json:"@type,omitzero"`
	// Number names the batch at its service provider.
	Number string `json:"batchNumber"`
	State  State  `json:"voucherStatus"`
	Reason string `json:"statusReason,omitzero"`
	// Origin is "generated" or "imported", VoucherType the operator's own name for the kind ("scratch card").
	Origin      string `json:"origin"`
	VoucherType string `json:"voucherType,omitzero"`
	Terms
	// Count is how many vouchers it is to have, Made how many it has, Refused how many rows of an import could
	// not be taken in (the first of them in Errors).
	Count   int      `json:"count"`
	Made    int      `json:"made"`
	Refused int      `json:"refused,omitzero"`
	Errors  []string `json:"error,omitzero"`
	// Prefix begins every serial number, Next is the number that follows it in the next one; PINLength is how many
	// digits PINs have.
	Prefix    string `json:"serialPrefix,omitzero"`
	Next      int    `json:"nextSerial,omitzero"`
	PINLength int    `json:"pinLength,omitzero"`
	// Part is the next part of an import to be taken in.
	Part int `json:"nextPart,omitzero"`
	// HandedOut is when the file with the PINs was given away, HandedOutTo for whom, as its taker said.
	HandedOut   *time.Time `json:"handedOut,omitzero"`
	HandedOutTo string     `json:"handedOutTo,omitzero"`
	Created     time.Time  `json:"creationDate"`
}

// Voucher is one voucher. Its PIN is nowhere in it: what the PIN is found by stands in a claim, which neither
// audit trail nor events show.
type Voucher struct {
	Serial  string `json:"serialNumber"`
	BatchID id.ID  `json:"batchId"`
	// State is what is said of this voucher alone; empty: it is in the state of its batch.
	State State `json:"state,omitzero"`
	// Terms are set where they differ from those of the batch.
	Terms *Terms `json:"terms,omitzero"`
	// UsedBy is the line that was refilled, Used when, Topup the top-up that it paid.
	UsedBy id.ID      `json:"usedBy,omitzero"`
	Used   *time.Time `json:"dateUsed,omitzero"`
	Topup  id.ID      `json:"topup,omitzero"`
	// Trail is who changed its state by hand.
	Trail []Step `json:"trail,omitzero"`
}

// Step is a change of state by hand.
type Step struct {
	State  State     `json:"state"`
	At     time.Time `json:"at"`
	By     string    `json:"by,omitzero"`
	Reason string    `json:"reason,omitzero"`
}

// Shown is a voucher with what follows from its batch and the time.
type Shown struct {
	ID      id.ID
	Voucher Voucher
	Terms   Terms
	// Batch is the batch's number, State the state that holds.
	Batch string
	State State
}

// shown joins a voucher with its batch at a moment.
func shown(i id.ID, v Voucher, b Batch, now time.Time) Shown {
	s := Shown{ID: i, Voucher: v, Terms: b.Terms, Batch: b.Number, State: v.State}
	if v.Terms != nil {
		s.Terms = *v.Terms
	}
	// A batch that is not available holds back those of which only "sold, not confirmed" is said.
	if s.State == "" || s.State == Pending && b.State != Available {
		s.State = b.State
	}
	if s.State == Generating {
		s.State = Generated
	}
	if end := s.Terms.ShelfLife; end != nil && !now.Before(*end) && slices.Contains([]State{Generated, Available, Pending}, s.State) {
		s.State = Expired
	}
	return s
}

// Parts are the domains that vouchers span.
type Parts struct {
	Providers     *provider.Service
	Accounts      *account.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
	// Secret is the installation's, at least 16 bytes: what PINs are found by is keyed with it. Without one, nothing
	// that needs a PIN works.
	Secret []byte
}

// Service is all vouchers.
type Service struct {
	Parts
	Batches *resource.Set[Batch]

	store    *store.Store
	vouchers *store.Collection[Voucher]
	sheets   *store.Collection[sheet]
	guards   *store.Collection[guard]
	pins     *pins
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service {
	v := &Service{
		Parts: p, store: s, pins: newPINs(p.Secret),
		vouchers: store.NewCollection[Voucher](s, store.Definition{Kind: Kind, Table: "voucher", Quiet: true}),
		sheets:   store.NewCollection[sheet](s, store.Definition{Kind: sheetKind, Table: "voucher_sheet", Indexed: map[string]string{"batchId": "batch_id"}, Quiet: true}),
		guards:   store.NewCollection[guard](s, store.Definition{Kind: guardKind, Table: "voucher_guard", Quiet: true}),
	}
	v.Batches = resource.New(s, store.Definition{Kind: BatchKind, Table: "voucher_batch", Indexed: map[string]string{"batchNumber": "batch_number", "voucherStatus": "status"}}, resource.Rules[Batch]{
		Domain: "prepayBalanceManagement",
		Remove: func(context.Context, *Batch) error {
			return fault.Conflictf(CodeState, "a batch of vouchers is never deleted: block it instead")
		},
		State: func(b *Batch) string { return string(b.State) },
		Fixed: []string{"batchNumber", "origin", "count", "made", "voucherStatus", "voucherAmount", "bonusAmount", "serialPrefix", "nextSerial", "pinLength", "nextPart", "handedOut", "handedOutTo"},
	})
	return v
}

// makeJob makes the next vouchers of a batch.
const makeJob = "voucher.make"

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler {
	return map[string]job.Handler{makeJob: s.make}
}
