package balance

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// Detail is what is known of the task behind an entry.
type Detail struct {
	// Agent is who asked for it (the subject of its token).
	Agent string
	// Reason and Reference are the client's; Channel is the id of the one it came through.
	Reason, Reference, Channel string
	Requested, End             *time.Time
	// Rest are the attributes beyond the standard's, and those that no rule touches.
	Rest sid.Rest
}

// Text is an attribute of Rest that is a text; empty when there is none such.
func (d Detail) Text(name string) string {
	var s string
	if v := d.Rest[name]; v.Kind() != '"' || json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// Detail tells what is known of a cause. Causes that are no tasks of balances, and tasks that were deleted, have
// only an agent, as far as the audit trail knows one.
func (s *Service) Detail(ctx context.Context, c Cause) (d Detail, err error) {
	i := id.ID(c.ID)
	if _, ours := i.Home(); !ours {
		return d, nil
	}
	trail, err := s.store.Audit(ctx, i)
	if err != nil {
		return d, err
	}
	if len(trail) > 0 {
		d.Agent = trail[0].Subject
	}
	_, doc, err := s.Actions().find(ctx, i)
	if fault.KindOf(err) == fault.NotFound {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	var t struct {
		Task
		Reference string   `json:"reference"`
		Channel   *sid.Ref `json:"channel"`
		Rest      sid.Rest `json:",embed"`
	}
	if err := json.Unmarshal(doc.Body, &t); err != nil {
		return d, fault.Internalf(err, "the stored %s cannot be read", i)
	}
	d.Reason, d.Reference, d.Requested, d.Rest = t.Reason, t.Reference, &t.RequestedDate, t.Rest
	if t.Channel != nil {
		d.Channel = t.Channel.ID
	}
	if t.ValidFor != nil && i.Is(AdjustKind) {
		d.End = t.ValidFor.End
	}
	return d, nil
}
