// Package usage takes in what subscribers used (TMF635 Usage): records come singly, in batches and as files, are
// recognised when they come again, rated, charged, and kept as call details; what cannot be rated waits in
// suspense with the reason. Sessions are charged while they last.
package usage

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/rating"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Kind is the id kind of usage records.
var Kind = id.Kind{Name: "usage", Prefix: "usg"}

const (
	domain      = "usageManagement"
	recordClaim = "usage.record"
)

const (
	// CodeState is a status that usage cannot take, or a change that its status forbids.
	CodeState fault.Code = "stateNotAllowed"
	// CodeCharged is the deletion of usage that the ledger speaks of.
	CodeCharged fault.Code = "partOfLedger"
)

// Status is where a usage stands (TMF635 UsageStatusType).
type Status string

// The statuses. Received, Guided, Rejected and Recycled are in suspense.
const (
	// Received was taken in, and its line is not known.
	Received Status = "received"
	// Guided has a line, and cannot be rated yet.
	Guided Status = "guided"
	// Rejected came too late.
	Rejected Status = "rejected"
	// Recycled was tried again, and still cannot be rated.
	Recycled Status = "recycled"
	Rated    Status = "rated"
	// Rerated was rated again.
	Rerated Status = "rerated"
	// Billed stands on a bill: it is not rated again.
	Billed Status = "billed"
)

func (s Status) charged() bool { return s == Rated || s == Rerated || s == Billed }

// Usage is one usage of a line (TMF635 Usage). The attributes from SubscriptionID on extend the standard.
type Usage struct {
	Type            string               `json:"@type,omitzero"`
	Description     string               `json:"description,omitzero"`
	UsageDate       time.Time            `json:"usageDate,omitzero"`
	UsageType       string               `json:"usageType,omitzero"`
	Status          Status               `json:"status,omitzero"`
	Characteristics []sid.Characteristic `json:"usageCharacteristic,omitzero"`
	Rated           []RatedUsage         `json:"ratedProductUsage,omitzero"`
	RelatedParty    []sid.Ref            `json:"relatedParty,omitzero"`
	Specification   *sid.Ref             `json:"usageSpecification,omitzero"`

	SubscriptionID id.ID `json:"subscriptionId,omitzero"`
	// Charged is what the line's money paid, tax included; Uncollected what it could not pay, and why.
	Charged           *money.Amount `json:"chargedAmount,omitempty"`
	Uncollected       *money.Amount `json:"uncollectedAmount,omitempty"`
	UncollectedReason rating.Short  `json:"uncollectedReason,omitzero"`
	// Balance is the line's money after it.
	Balance *money.Amount `json:"balanceAfter,omitempty"`
	// Taken and Paid are what came out of which bucket.
	Taken []Taken `json:"allowanceUsed,omitzero"`
	Paid  []Taken `json:"moneyUsed,omitzero"`
	// Suspense is why it cannot be rated, in a word and in words.
	Suspense     Reason `json:"suspenseReason,omitzero"`
	SuspenseText string `json:"suspenseText,omitzero"`
	// Ratings is how often it was rated.
	Ratings int `json:"ratingCount,omitzero"`
	// File is the file that it came in; Session the charging session.
	File    id.ID    `json:"usageFileId,omitzero"`
	Session string   `json:"chargingSessionId,omitzero"`
	Rest    sid.Rest `json:",embed"`
}

// Taken is what came out of a bucket: units or, of money, micros, and the tax in them.
type Taken struct {
	Bucket id.ID  `json:"bucketId"`
	Name   string `json:"name,omitzero"`
	Amount int64  `json:"amount"`
	Tax    int64  `json:"tax,omitzero"`
	Units  string `json:"units"`
}

// Tags of RatedUsage (TMF635 RatedProductUsage.usageRatingTag).
const (
	TagIncluded    = "included usage"
	TagNotIncluded = "non included usage"
	TagUsage       = "usage"
)

// RatedUsage is what one rate made of a usage (TMF635 RatedProductUsage). The attributes from Rate on extend the
// standard.
type RatedUsage struct {
	RatingDate  time.Time      `json:"ratingDate,omitzero"`
	Tag         string         `json:"usageRatingTag,omitzero"`
	AmountType  string         `json:"ratingAmountType,omitzero"`
	TariffType  string         `json:"offerTariffType,omitzero"`
	IsBilled    *bool          `json:"isBilled,omitzero"`
	IsTaxExempt *bool          `json:"isTaxExempt,omitzero"`
	TaxRate     jsontext.Value `json:"taxRate,omitzero"`
	TaxIncluded *money.Amount  `json:"taxIncludedRatingAmount,omitempty"`
	TaxExcluded *money.Amount  `json:"taxExcludedRatingAmount,omitempty"`
	Product     *sid.Ref       `json:"productRef,omitzero"`
	// Rate is the tariff's rate, From when it began to hold.
	Rate string     `json:"rate,omitzero"`
	From *time.Time `json:"startDateTime,omitzero"`
	// Units were counted, of which Included came from allowances and Free cost nothing.
	Units    int64    `json:"units,omitzero"`
	Included int64    `json:"includedUnits,omitzero"`
	Free     int64    `json:"freeUnits,omitzero"`
	Rest     sid.Rest `json:",embed"`
}

// Parts are the domains that usage spans.
type Parts struct {
	Providers     *provider.Service
	Catalog       *catalog.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
}

// Service is all usage.
type Service struct {
	Parts
	// Usages are the usage records. A usage that is created is rated at once.
	Usages         *Usages
	Specifications *resource.Set[Specification]
	Files          *resource.Set[File]
	parts          *store.Collection[part]
	sessions       *store.Collection[Session]
	store          *store.Store

	mu sync.Mutex
	// tariffs are those that were rated by, by id.
	tariffs map[id.ID]compiled
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service {
	v := &Service{Parts: p, store: s, tariffs: map[id.ID]compiled{}}
	v.Usages = &Usages{service: v, Set: resource.New(s, store.Definition{
		Kind: Kind, Table: "usage_record", Quiet: true,
		Indexed: map[string]string{"subscriptionId": "subscription_id", "usageDate": "usage_date", "suspenseReason": "suspense_reason"},
		Grouped: []string{"subscriptionId"},
		Loose:   []string{"ratedProductUsage", "usageSpecification"},
	}, resource.Rules[Usage]{
		Domain: domain,
		Change: func(_ context.Context, prev, v *Usage, _ time.Time) error { return v.follow(prev) },
		Remove: func(_ context.Context, v *Usage) error { return v.removable() },
		State:  func(v *Usage) string { return string(v.Status) },
		Fixed: []string{
			"subscriptionId", "chargedAmount", "uncollectedAmount", "uncollectedReason", "balanceAfter", "allowanceUsed", "moneyUsed",
			"suspenseReason", "suspenseText", "ratingCount", "usageFileId", "chargingSessionId",
		},
	})}
	v.Specifications = specifications(s)
	v.Files = files(s)
	v.parts = store.NewCollection[part](s, store.Definition{Kind: partKind, Table: "usage_file_part", Quiet: true})
	v.sessions = store.NewCollection[Session](s, store.Definition{
		Kind: SessionKind, Table: "charging_session", Quiet: true, Indexed: map[string]string{"subscriptionId": "subscription_id"},
	})
	return v
}

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler {
	return map[string]job.Handler{jobFile: s.nextPart, jobRerate: s.rerateSome, jobSession: s.silent}
}

// open are the statuses that a client may give to what is in suspense.
var open = []Status{Received, Guided, Rejected, Recycled}

// follow holds what a client may change: what is in suspense may be mended, what is rated is as it was charged.
func (v *Usage) follow(prev *Usage) error {
	v.UsageDate = v.UsageDate.UTC().Truncate(time.Second)
	if !prev.Status.charged() {
		if !slices.Contains(open, v.Status) {
			return fault.Conflictf(CodeState, "usage becomes %s by being rated", v.Status).At("status")
		}
		return nil
	}
	if v.Status != prev.Status && v.Status != Billed || prev.Status == Billed && v.Status != Billed {
		return fault.Conflictf(CodeState, "usage that is %s cannot become %s", prev.Status, v.Status).At("status")
	}
	if !v.UsageDate.Equal(prev.UsageDate) || v.UsageType != prev.UsageType {
		return fault.Conflictf(CodeCharged, "the usage is charged: its date and type stay as they are").At("usageDate")
	}
	if !sameCharacteristics(v.Characteristics, prev.Characteristics) {
		return fault.Conflictf(CodeCharged, "the usage is charged: what it was charged by stays as it is").At("usageCharacteristic")
	}
	if len(v.Rated) != len(prev.Rated) || !slices.EqualFunc(v.Rated, prev.Rated, sameRating) {
		return fault.Conflictf(CodeCharged, "ratedProductUsage is what was charged").At("ratedProductUsage")
	}
	return nil
}

func sameCharacteristics(a, b []sid.Characteristic) bool {
	return slices.EqualFunc(a, b, func(x, y sid.Characteristic) bool { return x.Name == y.Name && string(x.Value) == string(y.Value) })
}

func sameRating(a, b RatedUsage) bool {
	same := func(x, y *money.Amount) bool { return (x == nil) == (y == nil) && (x == nil || *x == *y) }
	return a.Rate == b.Rate && a.Units == b.Units && same(a.TaxIncluded, b.TaxIncluded) && same(a.TaxExcluded, b.TaxExcluded)
}

func (v *Usage) removable() error {
	if v.Status.charged() {
		return fault.Conflictf(CodeCharged, "the usage is charged: it is part of the ledger and is never deleted")
	}
	return nil
}

// Usages is the set of usage records. What is created in it is rated.
type Usages struct {
	*resource.Set[Usage]
	service *Service
}

// Create implements resource.Any: it takes a usage in, and rates it. What cannot be rated is stored with its reason
// in suspense; what cannot be true is an Invalid fault, and what came before a Conflict fault (CodeDuplicate).
func (u *Usages) Create(ctx context.Context, body jsontext.Value) (store.Doc, error) {
	var v Usage
	if err := decode(body, &v); err != nil {
		return store.Doc{}, err
	}
	return u.service.create(ctx, v, body)
}

// create takes one usage in, which was read from what a client wrote.
func (s *Service) create(ctx context.Context, v Usage, came jsontext.Value) (store.Doc, error) {
	var d store.Doc
	err := s.store.Write(ctx, func(ctx context.Context) error {
		rules, err := s.Providers.Rules(ctx)
		if err != nil {
			return err
		}
		now := s.store.Now(ctx)
		next := v
		next.Ratings, next.File, next.Session = 0, "", ""
		if next.UsageDate.IsZero() {
			next.UsageDate = now
		}
		next.UsageDate = next.UsageDate.UTC().Truncate(time.Second)
		e := &entry{base: &next, came: came}
		if e.r, err = recordOf(&next); err == nil {
			err = e.r.check(now, rules)
		}
		if f := fault.From(err); err != nil && (f.Kind != fault.Invalid || f.Code == CodeNegative || f.Code == CodeFuture) {
			return err
		} else if err != nil {
			e.unfit = f.Message
		}
		b := &batch{Service: s, entries: []*entry{e}, rules: rules, now: now}
		if err := b.take(ctx); err != nil {
			return err
		}
		if e.out.Duplicate {
			return fault.Conflictf(CodeDuplicate, "the record %s of %s came before, as usage %s", e.r.ID, e.r.Source, e.out.ID).At("usageCharacteristic")
		}
		d = b.docs[0]
		return nil
	})
	return d, err
}
