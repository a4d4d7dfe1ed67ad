package subscription

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/store"
)

// Numbered says which of the numbers are in use, and by which lines.
func (s *Service) Numbered(ctx context.Context, numbers ...msisdn.Number) (map[string]id.ID, error) {
	values := make([]string, len(numbers))
	for n, v := range numbers {
		values[n] = string(v)
	}
	return s.store.Claimants(ctx, numberClaim, values...)
}

// Drafted is new lines that are about to be stored.
type Drafted struct {
	owners map[string]id.ID
	drafts []store.Draft
}

// Draft makes ready what AddMany stores: new lines under the ids given, which are made at the homes of their accounts. It
// needs no database, so that it can be done while that is busy.
func (s *Service) Draft(ids []id.ID, lines []Line) (*Drafted, error) {
	d := &Drafted{owners: make(map[string]id.ID, len(lines)), drafts: make([]store.Draft, len(lines))}
	for n := range lines {
		v := lines[n]
		if err := v.begin(); err != nil {
			return nil, err
		}
		v.Status = v.State.Status()
		if v.MSISDN != "" {
			d.owners[string(v.MSISDN)] = ids[n]
		}
		body, err := json.Marshal(v, json.Deterministic(true))
		if err != nil {
			return nil, fault.Internalf(err, "a subscription cannot be written as JSON")
		}
		d.drafts[n] = store.Draft{ID: ids[n], Body: body}
	}
	return d, s.Lines.Look(d.drafts)
}

// AddMany stores new lines, in one transaction with what ctx has open: all or none. A number that is in use is a Conflict
// fault (CodeNumberInUse).
func (s *Service) AddMany(ctx context.Context, d *Drafted) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		taken, err := s.store.ClaimAll(ctx, numberClaim, d.owners)
		if err != nil {
			return err
		}
		for number := range taken {
			return fault.Conflictf(CodeNumberInUse, "the mobile number %s is in use", msisdn.Number(number).E123()).At("msisdn")
		}
		_, err = s.Lines.InsertMany(ctx, d.drafts)
		return err
	})
}
