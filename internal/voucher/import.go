package voucher

import (
	"context"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
)

// row is a voucher of an import that was read and is still to be stored. The PIN is hashed as it is read.
type row struct {
	Line   int    `json:"line"`
	Serial string `json:"serial"`
	MAC    string `json:"mac"`
	State  State  `json:"state,omitzero"`
	Terms  *Terms `json:"terms,omitzero"`
}

var serialForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,40}$`)

// columns are those that an import may have; the first two, or pinHash in the place of voucherCode, it must have.
var columns = []string{"serialNumber", "voucherCode", "pinHash", "voucherAmount", "bonusAmount", "voucherDuration", "voucherShelfLife", "voucherStatus"}

// Import takes in vouchers that another system made, from a CSV file with a heading:
// serialNumber, voucherCode (or pinHash, as another demarc with the same secret has it), and where they differ from the
// batch's terms voucherAmount, bonusAmount, voucherDuration (days), voucherShelfLife (a date or moment) and
// voucherStatus. The whole file is read before anything is stored: what is wrong with it is one Invalid fault that
// names the lines. Rows whose serial number or code another voucher has are told by the batch when the job is done.
func (s *Service) Import(ctx context.Context, n NewBatch, file io.Reader) (id.ID, Batch, error) {
	p, err := s.secrets()
	if err != nil {
		return "", Batch{}, err
	}
	rows, err := p.read(file, n.Terms)
	if err != nil {
		return "", Batch{}, err
	}
	n.Count = len(rows)
	if err := n.check(s.store.Now(ctx)); err != nil {
		return "", Batch{}, err
	}
	b := Batch{Origin: originImported, Number: n.Number, VoucherType: n.VoucherType, Terms: n.Terms, Count: n.Count}
	var i id.ID
	err = s.store.Write(ctx, func(ctx context.Context) (err error) {
		if i, b, err = s.begin(ctx, b); err != nil {
			return err
		}
		part := 0
		for some := range slices.Chunk(rows, chunk) {
			if _, err := s.sheets.Insert(ctx, s.child(ctx, sheetKind, i), &sheet{BatchID: i, Part: part, Rows: some}); err != nil {
				return err
			}
			part++
		}
		return nil
	})
	return i, b, err
}

// take stores the next part of an import: the oldest that is still there.
func (s *Service) take(ctx context.Context, batch id.ID, b *Batch) error {
	page, err := s.sheets.Docs(ctx, ofBatch(batch, 1))
	if err != nil {
		return err
	}
	if len(page.Items) == 0 {
		return fault.Internalf(fmt.Errorf("part %d of an import is missing", b.Part), "the import cannot go on")
	}
	v, d, err := s.sheets.Get(ctx, page.Items[0].ID)
	if err != nil {
		return err
	}
	all := make([]made, len(v.Rows))
	lines := make(map[string]int, len(v.Rows))
	for n, r := range v.Rows {
		all[n] = made{Voucher{Serial: r.Serial, BatchID: batch, State: r.State, Terms: r.Terms}, r.MAC}
		lines[r.Serial] = r.Line
	}
	kept, err := s.keep(ctx, batch, all)
	if err != nil {
		return err
	}
	for _, m := range kept {
		delete(lines, m.voucher.Serial)
	}
	b.refuse(v.Rows, lines)
	b.Made += len(kept)
	b.Refused += len(all) - len(kept)
	b.Part++
	return s.sheets.Delete(ctx, d.ID, d.Version)
}

// refuse remembers the rows that were not taken in.
func (b *Batch) refuse(rows []row, left map[string]int) {
	for _, r := range rows {
		if _, refused := left[r.Serial]; refused && len(b.Errors) < keptErrors {
			b.Errors = append(b.Errors, fmt.Sprintf("line %d: another voucher has the serial number %s, or its code", r.Line, r.Serial))
		}
	}
}

// read reads a file of vouchers.
func (p *pins) read(file io.Reader, t Terms) ([]row, error) {
	c := csv.NewReader(file)
	c.ReuseRecord = true
	head, err := c.Read()
	if err != nil {
		return nil, fault.Invalidf("file", "the file has no heading").Because(err)
	}
	at, err := heading(head)
	if err != nil {
		return nil, err
	}
	var rows []row
	var found fault.Several
	serials, macs := map[string]bool{}, map[string]bool{}
	for wrong := 0; wrong < keptErrors && len(rows) <= MostVouchers; {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := c.FieldPos(0)
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			found.Invalidf(fmt.Sprintf("line %d", bad.Line), "the row does not have the columns of the heading")
			wrong++
			continue
		}
		if err != nil {
			return nil, fault.Invalidf("file", "the file cannot be read to its end").Because(err)
		}
		r, why := p.row(func(name string) string {
			if n, ok := at[name]; ok {
				return strings.TrimSpace(record[n])
			}
			return ""
		}, t)
		if why == "" && (serials[r.Serial] || macs[r.MAC]) {
			why = "the serial number or the code came before in the file"
		}
		if why != "" {
			found.Invalidf(fmt.Sprintf("line %d", line), "%s", why)
			wrong++
			continue
		}
		serials[r.Serial], macs[r.MAC] = true, true
		r.Line = line
		rows = append(rows, r)
	}
	return rows, found.Err()
}

// heading says where the columns are.
func heading(head []string) (map[string]int, error) {
	at := map[string]int{}
	for n, name := range head {
		name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		if !slices.Contains(columns, name) {
			return nil, fault.Invalidf("file", "the heading has the column %q; there are %s", short(name), strings.Join(columns, ", "))
		}
		if _, twice := at[name]; twice {
			return nil, fault.Invalidf("file", "the heading has the column %s twice", name)
		}
		at[name] = n
	}
	_, code := at["voucherCode"]
	_, mac := at["pinHash"]
	if _, ok := at["serialNumber"]; !ok || !code && !mac {
		return nil, fault.Invalidf("file", "the heading needs the columns serialNumber, and voucherCode or pinHash")
	}
	return at, nil
}

// row reads one row; why says what is wrong with it and never shows a code.
func (p *pins) row(get func(string) string, t Terms) (r row, why string) {
	r.Serial = get("serialNumber")
	if !serialForm.MatchString(r.Serial) {
		return r, "a serial number has 1 to 40 letters, digits and hyphens"
	}
	switch code, mac := get("voucherCode"), strings.ToLower(get("pinHash")); {
	case code != "":
		pin, err := Normal(code)
		if err != nil {
			return r, fault.From(err).Message
		}
		r.MAC = p.of(pin)
	case mac != "":
		if raw, err := hex.DecodeString(mac); err != nil || len(raw) != 32 {
			return r, "a pinHash has 64 hexadecimal digits"
		}
		r.MAC = mac
	default:
		return r, "the row has no code"
	}
	if r.State = State(get("voucherStatus")); r.State == Available || r.State == Generated {
		r.State = ""
	}
	if r.State != "" && r.State != Used && chosen(r.State) != nil {
		return r, fmt.Sprintf("%q is not a state of a voucher", short(string(r.State)))
	}
	return r, r.terms(get, t)
}

// terms reads what differs from the terms of the batch.
func (r *row) terms(get func(string) string, t Terms) (why string) {
	own, differs := t, false
	amount := func(name string, to func(money.Amount)) {
		text := get(name)
		if text == "" || why != "" {
			return
		}
		a, err := money.Parse(text, t.Value.Currency())
		if err != nil {
			why = name + ": " + fault.From(err).Message
			return
		}
		differs = true
		to(a)
	}
	amount("voucherAmount", func(a money.Amount) { own.Value = a })
	amount("bonusAmount", func(a money.Amount) {
		if own.Bonus = &a; a.IsZero() {
			own.Bonus = nil
		}
	})
	if text := get("voucherDuration"); text != "" && why == "" {
		days, err := strconv.Atoi(text)
		if err != nil {
			return "voucherDuration is a number of days"
		}
		own.Duration, differs = days, true
	}
	if text := get("voucherShelfLife"); text != "" && why == "" {
		end, err := time.Parse(time.RFC3339, text)
		if err != nil {
			if end, err = time.Parse(time.DateOnly, text); err != nil {
				return "voucherShelfLife is a date or a moment"
			}
		}
		own.ShelfLife, differs = &end, true
	}
	if why != "" || !differs {
		return why
	}
	var found fault.Several
	own.check(&found, time.Time{}) // what is expired already is taken in as such
	if err := found.Err(); err != nil {
		return fault.From(err).Attribute + ": " + fault.From(err).Message
	}
	r.Terms = &own
	return ""
}
