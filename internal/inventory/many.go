package inventory

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/store"
)

// errRaced has a Write that lost a race for a value run again: what it read is no longer so.
var errRaced = fault.New(fault.Unavailable, fault.CodeUnavailable, "others are taking the same numbers; try again")

// lot is things to be added at once, by the unique values that each has.
type lot struct {
	s   *Service
	bad map[int]error
}

// refuse notes why the n-th was not taken, unless it is known already.
func (l *lot) refuse(n int, err error) {
	if l.bad[n] == nil {
		l.bad[n] = err
	}
}

// unique refuses values that stand there twice, and gives who holds the others already.
func (l *lot) unique(ctx context.Context, claim, what string, values []string) (map[string]id.ID, error) {
	first := map[string]int{}
	var ask []string
	for n, v := range values {
		if l.bad[n] != nil {
			continue
		}
		if _, twice := first[v]; twice {
			l.refuse(n, fault.Conflictf(CodeTaken, "the %s %s stands there twice", what, v))
			continue
		}
		first[v] = n
		ask = append(ask, v)
	}
	return l.s.store.Claimants(ctx, claim, ask...)
}

// claim takes the values of those that are not bad.
func (s *Service) claimAll(ctx context.Context, claim string, owners map[string]id.ID) error {
	if len(owners) == 0 {
		return nil
	}
	taken, err := s.store.ClaimAll(ctx, claim, owners)
	if err == nil && len(taken) > 0 {
		err = errRaced
	}
	return err
}

// AddNumberList puts numbers into the pool, in one transaction with what ctx has open, and says of those that it could
// not take why, by their places in the list. Their changes are not recorded one by one where store.InBulk says so.
func (s *Service) AddNumberList(ctx context.Context, list []Number) (bad map[int]error, err error) {
	l := &lot{s: s, bad: map[int]error{}}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		clear(l.bad)
		values := make([]string, len(list))
		fresh := make([]Number, len(list))
		for n := range list {
			fresh[n] = list[n]
			if err := fresh[n].begin(); err != nil {
				l.refuse(n, err)
			}
			values[n] = string(fresh[n].Value)
		}
		held, err := l.unique(ctx, numberClaim, "number", values)
		if err != nil {
			return err
		}
		var drafts []store.Draft
		owners := map[string]id.ID{}
		for n := range fresh {
			if held[values[n]] != "" {
				l.refuse(n, fault.Conflictf(CodeTaken, "the number %s is in the pool already", values[n]))
			}
			if l.bad[n] != nil {
				continue
			}
			d, err := s.draftNumber(ctx, &fresh[n])
			if err != nil {
				return err
			}
			drafts, owners[values[n]] = append(drafts, d), d.ID
		}
		if err := s.claimAll(ctx, numberClaim, owners); err != nil {
			return err
		}
		_, err = s.Numbers.InsertMany(ctx, drafts)
		return err
	})
	return l.bad, err
}

func (s *Service) draftNumber(ctx context.Context, v *Number) (store.Draft, error) {
	v.show()
	return draft(id.New(NumberKind, id.RandomHome(), s.store.Now(ctx)), v)
}

func draft(i id.ID, v any) (store.Draft, error) {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return store.Draft{}, fault.Internalf(err, "a document cannot be written as JSON")
	}
	return store.Draft{ID: i, Body: body}, nil
}

// AddSIMList is AddNumberList for SIMs whose ICCIDs are written in a form.
func (s *Service) AddSIMList(ctx context.Context, list []SIM, form ICCIDForm) (bad map[int]error, err error) {
	l := &lot{s: s, bad: map[int]error{}}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		clear(l.bad)
		fresh := make([]SIM, len(list))
		iccids, imsis := make([]string, len(list)), make([]string, len(list))
		for n := range list {
			fresh[n] = list[n]
			if err := fresh[n].begin(form); err != nil {
				l.refuse(n, err)
			}
			iccids[n], imsis[n] = fresh[n].ICCID, fresh[n].IMSI
		}
		byICCID, err := l.unique(ctx, iccidClaim, "ICCID", iccids)
		if err != nil {
			return err
		}
		byIMSI, err := l.unique(ctx, imsiClaim, "IMSI", imsis)
		if err != nil {
			return err
		}
		var drafts []store.Draft
		icc, ims := map[string]id.ID{}, map[string]id.ID{}
		for n := range fresh {
			if byICCID[iccids[n]] != "" {
				l.refuse(n, fault.Conflictf(CodeTaken, "there is a SIM with the ICCID %s already", iccids[n]))
			}
			if byIMSI[imsis[n]] != "" {
				l.refuse(n, fault.Conflictf(CodeTaken, "there is a SIM with the IMSI %s already", imsis[n]))
			}
			if l.bad[n] != nil {
				continue
			}
			d, err := s.draftSIM(ctx, &fresh[n])
			if err != nil {
				return err
			}
			drafts = append(drafts, d)
			icc[iccids[n]], ims[imsis[n]] = d.ID, d.ID
		}
		if err := errors.Join(s.claimAll(ctx, iccidClaim, icc), s.claimAll(ctx, imsiClaim, ims)); err != nil {
			return err
		}
		_, err = s.SIMs.InsertMany(ctx, drafts)
		return err
	})
	return l.bad, err
}

func (s *Service) draftSIM(ctx context.Context, v *SIM) (store.Draft, error) {
	v.show()
	return draft(id.New(SIMKind, id.RandomHome(), s.store.Now(ctx)), v)
}

// Supply is the number and the SIM of a line that is made ahead of its sale. Those that are in the pools and available
// are taken from there, others are added.
type Supply struct {
	Number Number
	SIM    SIM
	Line   id.ID
	// NumberID and SIMID are what the line has then.
	NumberID, SIMID id.ID
}

// Supplies is numbers and SIMs that were looked up for lines, to be given to them in the same transaction.
type Supplies struct {
	lot
	list              []Supply
	byNumber, byICCID map[string]id.ID

	// What Prepare makes ready: what is added to the pools, the values that it is claimed by, and what was there and changes.
	numbers, sims                   []store.Draft
	newNumbers, newICCIDs, newIMSIs map[string]id.ID
	haveNumbers, haveSIMs           map[id.ID]any
}

// LookUp says of numbers and SIMs for lines why some cannot be given, by their places in the list; what is bad already
// is left out. It changes nothing yet.
func (s *Service) LookUp(ctx context.Context, list []Supply, form ICCIDForm, bad map[int]error) (*Supplies, error) {
	out := &Supplies{lot: lot{s: s, bad: bad}, list: list}
	err := s.store.Write(ctx, func(ctx context.Context) error {
		l := &out.lot
		numbers, iccids, imsis := make([]string, len(list)), make([]string, len(list)), make([]string, len(list))
		for n := range list {
			v := &list[n]
			v.Number.Status, v.SIM.Status = "", ""
			if err := v.Number.begin(); err != nil {
				l.refuse(n, err)
			}
			if err := v.SIM.begin(form); err != nil {
				l.refuse(n, err)
			}
			numbers[n], iccids[n], imsis[n] = string(v.Number.Value), v.SIM.ICCID, v.SIM.IMSI
		}
		byNumber, err := l.unique(ctx, numberClaim, "number", numbers)
		if err != nil {
			return err
		}
		byICCID, err := l.unique(ctx, iccidClaim, "ICCID", iccids)
		if err != nil {
			return err
		}
		byIMSI, err := l.unique(ctx, imsiClaim, "IMSI", imsis)
		if err != nil {
			return err
		}
		for n := range list {
			if other := byIMSI[imsis[n]]; other != "" && other != byICCID[iccids[n]] {
				l.refuse(n, fault.Conflictf(CodeTaken, "there is another SIM with the IMSI %s", imsis[n]))
			}
		}
		if err := supply(ctx, l, s.Numbers.DocsOf, numbers, byNumber, func(n int, v *Number) error {
			if v.Status != Available {
				return fault.Conflictf(CodeTaken, "the number %s is %s", v.Value, v.Status)
			}
			list[n].Number = *v
			return nil
		}); err != nil {
			return err
		}
		if err := supply(ctx, l, s.SIMs.DocsOf, iccids, byICCID, func(n int, v *SIM) error {
			switch {
			case v.Status != Available:
				return fault.Conflictf(CodeTaken, "the SIM %s is %s", v.ICCID, v.Status)
			case v.IMSI != list[n].SIM.IMSI:
				return fault.Conflictf(CodeTaken, "the SIM %s has the IMSI %s", v.ICCID, v.IMSI)
			}
			list[n].SIM = *v
			return nil
		}); err != nil {
			return err
		}
		out.byNumber, out.byICCID = byNumber, byICCID
		return out.name(ctx)
	})
	return out, err
}

// supply reads what is there already and has it checked.
func supply[T any](ctx context.Context, l *lot, read func(context.Context, ...id.ID) (map[id.ID]store.Doc, error), values []string, held map[string]id.ID, check func(n int, v *T) error) error {
	var ids []id.ID
	for _, i := range held {
		ids = append(ids, i)
	}
	if len(ids) == 0 {
		return nil
	}
	docs, err := read(ctx, ids...)
	if err != nil {
		return err
	}
	for n, value := range values {
		i := held[value]
		if i == "" || l.bad[n] != nil {
			continue
		}
		var v T
		if err := json.Unmarshal(docs[i].Body, &v); err != nil {
			return fault.Internalf(err, "the stored %s cannot be read", i)
		}
		if err := check(n, &v); err != nil {
			l.refuse(n, err)
		}
	}
	return nil
}

// name gives ids to what is not in the pools yet, at the homes of the lines: what is written together stands together.
func (l *Supplies) name(ctx context.Context) error {
	now := l.s.store.Now(ctx)
	for n := range l.list {
		v := &l.list[n]
		home, _ := v.Line.Home()
		if v.NumberID = l.byNumber[string(v.Number.Value)]; v.NumberID == "" {
			v.NumberID = id.New(NumberKind, home, now)
		}
		if v.SIMID = l.byICCID[v.SIM.ICCID]; v.SIMID == "" {
			v.SIMID = id.New(SIMKind, home, now)
		}
	}
	return nil
}

// Prepare makes ready what Assign stores. It needs no database, so that it can be done while that is busy.
func (l *Supplies) Prepare() error {
	l.newNumbers, l.newICCIDs, l.newIMSIs = map[string]id.ID{}, map[string]id.ID{}, map[string]id.ID{}
	l.haveNumbers, l.haveSIMs = map[id.ID]any{}, map[id.ID]any{}
	for n := range l.list {
		if l.bad[n] != nil {
			continue
		}
		v := &l.list[n]
		v.Number.Status, v.Number.Holder, v.SIM.Status, v.SIM.Holder = Assigned, v.Line, Assigned, v.Line
		v.Number.show()
		v.SIM.show()
		if l.byNumber[string(v.Number.Value)] != "" {
			l.haveNumbers[v.NumberID] = &v.Number
		} else {
			d, err := draft(v.NumberID, &v.Number)
			if err != nil {
				return err
			}
			l.numbers, l.newNumbers[string(v.Number.Value)] = append(l.numbers, d), d.ID
		}
		if l.byICCID[v.SIM.ICCID] != "" {
			l.haveSIMs[v.SIMID] = &v.SIM
			continue
		}
		d, err := draft(v.SIMID, &v.SIM)
		if err != nil {
			return err
		}
		l.sims = append(l.sims, d)
		l.newICCIDs[v.SIM.ICCID], l.newIMSIs[v.SIM.IMSI] = d.ID, d.ID
	}
	return errors.Join(l.s.Numbers.Look(l.numbers), l.s.SIMs.Look(l.sims))
}

// Assign gives every line of the list that is not bad its number and SIM, as Prepare made them ready.
func (l *Supplies) Assign(ctx context.Context) error {
	return l.s.store.Write(ctx, l.assign)
}

func (l *Supplies) assign(ctx context.Context) error {
	s := l.s
	if err := errors.Join(s.claimAll(ctx, numberClaim, l.newNumbers), s.claimAll(ctx, iccidClaim, l.newICCIDs), s.claimAll(ctx, imsiClaim, l.newIMSIs)); err != nil {
		return err
	}
	if _, err := s.Numbers.InsertMany(ctx, l.numbers); err != nil {
		return err
	}
	if _, err := s.SIMs.InsertMany(ctx, l.sims); err != nil {
		return err
	}
	if err := revise(ctx, s.Numbers.Collection, l.haveNumbers); err != nil {
		return err
	}
	return revise(ctx, s.SIMs.Collection, l.haveSIMs)
}

func revise[T any](ctx context.Context, c *store.Collection[T], changed map[id.ID]any) error {
	ids := make([]id.ID, 0, len(changed))
	for i := range changed {
		ids = append(ids, i)
	}
	if len(ids) == 0 {
		return nil
	}
	docs, err := c.DocsOf(ctx, ids...)
	if err != nil {
		return err
	}
	revisions := make([]store.Revision, 0, len(ids))
	for _, i := range ids {
		d, err := draft(i, changed[i])
		if err != nil {
			return err
		}
		revisions = append(revisions, store.Revision{Was: docs[i], Body: d.Body})
	}
	_, err = c.UpdateMany(ctx, revisions)
	return err
}

// Resources are the references of a line to its number and SIM (TMF637 realizingResource).
func (v Supply) Resources() []sid.Ref {
	return []sid.Ref{
		{ID: string(v.NumberID), Name: string(v.Number.Value), ReferredType: "MobileNumber"},
		{ID: string(v.SIMID), Name: v.SIM.ICCID, ReferredType: "SIM"},
	}
}
