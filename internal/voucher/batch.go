package voucher

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
)

// MostVouchers is how many a batch may have; mostDays bounds the validity that one gives.
const (
	MostVouchers = 1_000_000
	mostDays     = 3660
)

// Origins of a batch.
const (
	originGenerated = "generated"
	originImported  = "imported"
)

// NewBatch is a batch to make.
type NewBatch struct {
	// Number is drawn when it is empty.
	Number      string
	VoucherType string
	Count       int
	Terms       Terms
	// Prefix begins the serial numbers; the batch number by default. PINLength is 16 by default.
	Prefix    string
	PINLength int
}

var (
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
	prefixForm = regexp.MustCompile(`^[A-Z0-9-]{1,16}$`)
)

func (n NewBatch) check(now time.Time) error {
	var found fault.Several
	if n.Number != "" && !nameForm.MatchString(n.Number) {
		found.Invalidf("batchNumber", "a batch number has at most 32 letters, digits, dots, lines and underscores")
	}
	if n.Count < 1 || n.Count > MostVouchers {
		found.Invalidf("count", "a batch has 1 to %d vouchers", MostVouchers)
	}
	if n.Prefix != "" && !prefixForm.MatchString(n.Prefix) {
		found.Invalidf("serialPrefix", "a serial number's prefix has at most 16 capital letters, digits and hyphens")
	}
	if n.PINLength != 0 && (n.PINLength < shortestPIN || n.PINLength > longestPIN) {
		found.Invalidf("pinLength", "a PIN has %d to %d digits", shortestPIN, longestPIN)
	}
	if len(n.VoucherType) > 64 {
		found.Invalidf("voucherType", "a type of vouchers has at most 64 characters")
	}
	n.Terms.check(&found, now)
	return found.Err()
}

func (t Terms) check(found *fault.Several, now time.Time) {
	amount := func(attribute string, a money.Amount) {
		switch {
		case a.Sign() <= 0:
			found.Invalidf(attribute, "the amount must be above 0")
		case a.Round() != a:
			found.Invalidf(attribute, "an amount of %s has at most %d decimals", a.Currency(), a.Currency().Digits())
		case a.Currency() != t.Value.Currency():
			found.Invalidf(attribute, "value and bonus are of one currency")
		}
	}
	amount("voucherAmount", t.Value)
	if t.Bonus != nil {
		amount("bonusAmount", *t.Bonus)
	}
	if t.Duration < 0 || t.Duration > mostDays {
		found.Invalidf("voucherDuration", "the duration is 0 to %d days", mostDays)
	}
	if t.ShelfLife != nil && !t.ShelfLife.After(now) {
		found.Invalidf("voucherShelfLife", "the shelf life ends in the future")
	}
}

// Generate makes a batch and promises the job that makes its vouchers. Faults: Invalid; Conflict for a number that
// another batch has (CodeBatchNumber).
func (s *Service) Generate(ctx context.Context, n NewBatch) (id.ID, Batch, error) {
	if _, err := s.secrets(); err != nil {
		return "", Batch{}, err
	}
	if err := n.check(s.store.Now(ctx)); err != nil {
		return "", Batch{}, err
	}
	b := Batch{Origin: originGenerated, Number: n.Number, VoucherType: n.VoucherType, Terms: n.Terms, Count: n.Count, Prefix: n.Prefix, Next: 1, PINLength: n.PINLength}
	if b.PINLength == 0 {
		b.PINLength = longestPIN
	}
	var i id.ID
	err := s.store.Write(ctx, func(ctx context.Context) (err error) {
		i, b, err = s.begin(ctx, b)
		return err
	})
	return i, b, err
}

// begin stores a batch whose vouchers are to be made.
func (s *Service) begin(ctx context.Context, b Batch) (id.ID, Batch, error) {
	if err := s.currency(ctx, b.Terms); err != nil {
		return "", b, err
	}
	b.Type, b.State, b.Created = "VoucherBatch", Generating, s.store.Now(ctx)
	if b.Number == "" {
		b.Number = id.Number()
	}
	if b.Prefix == "" && b.Origin == originGenerated {
		b.Prefix = strings.ToUpper(strings.NewReplacer(".", "-", "_", "-").Replace(b.Number)) + "-"
	}
	holder, err := s.store.Claimant(ctx, numberClaim, b.Number)
	if err != nil {
		return "", b, err
	}
	if holder != "" {
		return "", b, fault.Conflictf(CodeBatchNumber, "there is already a batch %s", b.Number).At("batchNumber")
	}
	i, _, err := s.Batches.Add(ctx, &b)
	if err != nil {
		return "", b, err
	}
	if err := s.store.Claim(ctx, numberClaim, b.Number, i); err != nil {
		return "", b, err
	}
	return i, b, s.promise(ctx, i, b)
}

// currency holds that vouchers are worth what the service provider's balances are in.
func (s *Service) currency(ctx context.Context, t Terms) error {
	p, err := s.Providers.Current(ctx)
	if err == nil && t.Value.Currency() != p.Currency {
		err = fault.Invalidf("voucherAmount", "the service provider's balances are in %s", p.Currency)
	}
	return err
}

type makePayload struct {
	Batch id.ID `json:"batch"`
}

// promise has the next vouchers of a batch made. What was made is in the key, so each part is promised once.
func (s *Service) promise(ctx context.Context, i id.ID, b Batch) error {
	payload, err := json.Marshal(makePayload{i})
	if err != nil {
		return fault.Internalf(err, "a job cannot be written")
	}
	home, _ := i.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{Kind: makeJob, Key: fmt.Sprintf("%s/%d/%d", i, b.Next, b.Part), Payload: payload})
	return err
}

// Batch finds a batch by its id or its number; a NotFound fault when there is none.
func (s *Service) Batch(ctx context.Context, name string) (id.ID, Batch, error) {
	i := id.ID(name)
	if !i.Is(BatchKind) {
		var err error
		if i, err = s.store.Claimant(ctx, numberClaim, name); err != nil {
			return "", Batch{}, err
		}
		if i == "" {
			return "", Batch{}, fault.NotFoundf("there is no batch of vouchers %q", short(name))
		}
	}
	b, _, err := s.Batches.Get(ctx, i)
	return i, b, err
}

func short(text string) string {
	if len(text) > 40 {
		return text[:40] + "…"
	}
	return text
}

// SetBatch brings a batch, and with it all vouchers of which nothing else is said, to a state: at once, however
// many they are. Faults: NotFound; Invalid for a state that nobody chooses; Conflict for one that may not follow
// (CodeState).
func (s *Service) SetBatch(ctx context.Context, i id.ID, to State, reason string) (Batch, error) {
	if err := chosen(to); err != nil {
		return Batch{}, err
	}
	return s.Batches.Change(ctx, i, func(b *Batch) error {
		if err := follows(b.State, to, "the batch"); err != nil {
			return err
		}
		b.State, b.Reason = to, reason
		return nil
	})
}

// chosen refuses states that follow from what happens alone.
func chosen(to State) error {
	if !slices.Contains([]State{Available, Pending, Blocked, Missing, Damaged}, to) {
		return fault.Invalidf("voucherStatus", "one chooses available, pending, blocked, stolenMissing or damaged")
	}
	return nil
}

func follows(from, to State, what string) error {
	if from != to && !slices.Contains(next[from], to) {
		return fault.Conflictf(CodeState, "%s is %s and cannot become %s", what, from, to).At("voucherStatus")
	}
	return nil
}

// Set brings one voucher to a state, by its serial number. Faults as those of SetBatch; one whose batch is not
// available cannot become available by itself.
func (s *Service) Set(ctx context.Context, serialNumber string, to State, reason string) (Shown, error) {
	if err := chosen(to); err != nil {
		return Shown{}, err
	}
	var out Shown
	err := s.store.Write(ctx, func(ctx context.Context) error {
		was, d, b, err := s.bySerial(ctx, serialNumber)
		if err != nil {
			return err
		}
		if err := follows(was.State, to, "the voucher"); err != nil {
			return err
		}
		if to == Available && b.State != Available {
			return fault.Conflictf(CodeState, "the voucher's batch is %s", b.State).At("voucherStatus")
		}
		v, now := was.Voucher, s.store.Now(ctx)
		if v.State = to; to == Available {
			v.State = "" // it goes with its batch again
		}
		step := Step{State: to, At: now, Reason: reason}
		if sc, err := scope.From(ctx); err == nil {
			step.By = sc.Actor().Subject
		}
		v.Trail = append(slices.Clone(v.Trail), step)
		out = shown(d.ID, v, b, now)
		_, err = s.vouchers.Update(ctx, d.ID, d.Version, &v)
		return err
	})
	return out, err
}

// bySerial finds a voucher with its batch by its serial number; a NotFound fault when there is none.
func (s *Service) bySerial(ctx context.Context, serialNumber string) (Shown, store.Doc, Batch, error) {
	i, err := s.store.Claimant(ctx, serialClaim, serialNumber)
	if err == nil && i == "" {
		err = fault.NotFoundf("there is no voucher with the serial number %q", short(serialNumber)).At("serialNumber")
	}
	if err != nil {
		return Shown{}, store.Doc{}, Batch{}, err
	}
	return s.voucher(ctx, i)
}

func (s *Service) voucher(ctx context.Context, i id.ID) (Shown, store.Doc, Batch, error) {
	v, d, err := s.vouchers.Get(ctx, i)
	if err != nil {
		return Shown{}, d, Batch{}, err
	}
	b, _, err := s.Batches.Get(ctx, v.BatchID)
	return shown(i, v, b, s.store.Now(ctx)), d, b, err
}

// BySerial shows a voucher by its serial number; a NotFound fault when there is none.
func (s *Service) BySerial(ctx context.Context, serialNumber string) (out Shown, err error) {
	err = s.store.Snapshot(ctx, func(ctx context.Context) error {
		out, _, _, err = s.bySerial(ctx, serialNumber)
		return err
	})
	return out, err
}
