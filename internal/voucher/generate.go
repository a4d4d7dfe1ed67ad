package voucher

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
)

// chunk is how many vouchers one transaction makes. keptErrors is how many refused rows a batch remembers.
const (
	chunk      = 1000
	keptErrors = 100
)

// sheet is a part of what belongs to a batch and does not stay: serial numbers and PINs, sealed, until the file is
// handed out, or rows that are still to be taken in.
type sheet struct {
	BatchID id.ID  `json:"batchId"`
	Part    int    `json:"part"`
	Sealed  string `json:"sealed,omitzero"`
	Rows    []row  `json:"row,omitzero"`
}

// made is a voucher to be stored: what it is and what it is found by.
type made struct {
	voucher Voucher
	mac     string
}

// make is the job that makes the next vouchers of a batch.
func (s *Service) make(ctx context.Context, j job.Job) error {
	var p makePayload
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return job.Permanent{Err: err}
	}
	return s.store.Write(ctx, func(ctx context.Context) error {
		b, d, err := s.Batches.Get(ctx, p.Batch)
		if err != nil {
			return err
		}
		if b.State != Generating || j.Key != fmt.Sprintf("%s/%d/%d", p.Batch, b.Next, b.Part) {
			return nil // this part was made before
		}
		switch b.Origin {
		case originImported:
			err = s.take(ctx, d.ID, &b)
		default:
			err = s.draw(ctx, d.ID, &b)
		}
		if err != nil {
			return err
		}
		if b.Made+b.Refused >= b.Count {
			b.State = Generated
		} else if err := s.promise(ctx, d.ID, b); err != nil {
			return err
		}
		_, err = s.Batches.Change(ctx, d.ID, func(now *Batch) error { *now = b; return nil })
		return err
	})
}

// draw makes a chunk of vouchers with new PINs. A serial number or PIN that is taken is passed over.
func (s *Service) draw(ctx context.Context, batch id.ID, b *Batch) error {
	p, err := s.secrets()
	if err != nil {
		return err
	}
	want := min(chunk, b.Count-b.Made)
	var lines strings.Builder
	for want > 0 {
		all := make([]made, want)
		pins := make(map[string]string, want)
		for n := range all {
			pin, err := draw(b.PINLength)
			if err != nil {
				return err
			}
			all[n] = made{Voucher{Serial: serial(b.Prefix, b.Next), BatchID: batch}, p.of(pin)}
			pins[all[n].voucher.Serial] = pin
			b.Next++
		}
		kept, err := s.keep(ctx, batch, all)
		if err != nil {
			return err
		}
		for _, m := range kept {
			lines.WriteString(m.voucher.Serial + "," + pins[m.voucher.Serial] + "\n")
		}
		want -= len(kept)
		b.Made += len(kept)
	}
	_, err = s.sheets.Insert(ctx, s.child(ctx, sheetKind, batch), &sheet{BatchID: batch, Part: b.Next, Sealed: p.seal(string(batch), lines.String())})
	return err
}

// child is a new id at the home of a batch.
func (s *Service) child(ctx context.Context, k id.Kind, of id.ID) id.ID {
	home, _ := of.Home()
	return id.New(k, home, s.store.Now(ctx))
}

// keep stores vouchers and says which: those whose serial number or PIN another has are left out.
func (s *Service) keep(ctx context.Context, batch id.ID, all []made) ([]made, error) {
	serials, macs := make(map[string]id.ID, len(all)), make(map[string]id.ID, len(all))
	ids := make([]id.ID, len(all))
	for n, m := range all {
		ids[n] = s.child(ctx, Kind, batch)
		serials[m.voucher.Serial] = ids[n]
	}
	if err := s.claim(ctx, serialClaim, serials); err != nil {
		return nil, err
	}
	for n, m := range all {
		if serials[m.voucher.Serial] == ids[n] {
			macs[m.mac] = ids[n]
		}
	}
	if err := s.claim(ctx, pinClaim, macs); err != nil {
		return nil, err
	}
	out, drafts := make([]made, 0, len(all)), make([]store.Draft, 0, len(all))
	for n, m := range all {
		if serials[m.voucher.Serial] != ids[n] {
			continue
		}
		if macs[m.mac] != ids[n] { // its number is free for another
			if err := s.store.Unclaim(ctx, serialClaim, m.voucher.Serial); err != nil {
				return nil, err
			}
			continue
		}
		body, err := json.Marshal(m.voucher, json.Deterministic(true))
		if err != nil {
			return nil, fault.Internalf(err, "a voucher cannot be written")
		}
		out, drafts = append(out, m), append(drafts, store.Draft{ID: ids[n], Body: body})
	}
	_, err := s.vouchers.InsertMany(ctx, drafts)
	return out, err
}

// claim claims values and removes from them those that somebody else holds.
func (s *Service) claim(ctx context.Context, kind string, values map[string]id.ID) error {
	taken, err := s.store.ClaimAll(ctx, kind, values)
	for value := range taken {
		delete(values, value)
	}
	return err
}

// HandOut gives the serial numbers and PINs of a generated batch, a line each, and forgets the PINs: it does so once. The
// batch remembers for whom.
// Vouchers are worth nothing before their batch is made available, so a file that got lost on its way costs a new
// batch and no money. Faults: NotFound; Conflict while vouchers are being made (CodeState), for a batch that was
// imported (CodeState), and after it was done (CodeHandedOut).
func (s *Service) HandOut(ctx context.Context, batch id.ID, recipient string) (string, error) {
	p, err := s.secrets()
	if err != nil {
		return "", err
	}
	var file strings.Builder
	err = s.store.Write(ctx, func(ctx context.Context) error {
		file.Reset()
		now := s.store.Now(ctx)
		_, err := s.Batches.Change(ctx, batch, func(b *Batch) error {
			switch {
			case b.Origin != originGenerated:
				return fault.Conflictf(CodeState, "the batch was imported: who made it has its PINs")
			case b.State == Generating:
				return fault.Conflictf(CodeState, "%d of %d vouchers are made: ask again when all are", b.Made, b.Count)
			case b.HandedOut != nil:
				return fault.Conflictf(CodeHandedOut, "the file was handed out on %s, and the PINs are not kept", b.HandedOut.Format("2006-01-02 15:04 MST"))
			}
			b.HandedOut, b.HandedOutTo = &now, recipient
			return nil
		})
		if err != nil {
			return err
		}
		file.WriteString("serialNumber,voucherCode\n")
		return s.eachSheet(ctx, batch, func(d store.Doc, v sheet) error {
			text, err := p.open(string(batch), v.Sealed)
			if err != nil {
				return err
			}
			file.WriteString(text)
			return s.sheets.Delete(ctx, d.ID, d.Version)
		})
	})
	return file.String(), err
}

// eachSheet calls fn with a batch's sheets in their order.
func (s *Service) eachSheet(ctx context.Context, batch id.ID, fn func(d store.Doc, v sheet) error) error {
	page, err := s.sheets.Docs(ctx, ofBatch(batch, 0))
	if err != nil {
		return err
	}
	type part struct {
		d store.Doc
		v sheet
	}
	parts := make([]part, len(page.Items))
	for n, d := range page.Items {
		parts[n].d = d
		if err := json.Unmarshal(d.Body, &parts[n].v); err != nil {
			return fault.Internalf(err, "a stored sheet cannot be read")
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return a.v.Part - b.v.Part })
	for _, p := range parts {
		if err := fn(p.d, p.v); err != nil {
			return err
		}
	}
	return nil
}

// ofBatch asks for what belongs to a batch, the oldest first; limit 0 is all.
func ofBatch(batch id.ID, limit int) store.Query {
	return store.Query{NoTotal: true, Limit: limit, Filters: []store.Filter{{
		Path: []string{"batchId"}, Op: store.Eq, Values: []string{string(batch)}, Type: store.Text,
	}}}
}
