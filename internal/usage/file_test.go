package usage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/usage"
)

const header = "recordId,msisdn,usageType,start,quantity,otherNumber\n"

func row(p person, name string) string {
	return name + "," + string(p.number) + ",sms," + began.Add(-time.Minute).Format(time.RFC3339) + ",1,0441234567\n"
}

// send sends a file and works until it is taken.
func (d *desk) send(ctx context.Context, t *testing.T, text string) (usage.File, error) {
	t.Helper()
	sent, err := usage.Read("calls.csv", "", "", []byte(text))
	if err != nil {
		return usage.File{}, err
	}
	doc, err := d.Usage.Send(ctx, sent)
	if err != nil {
		return usage.File{}, err
	}
	d.Work(ctx, t)
	v, _, err := d.Usage.Files.Get(ctx, doc.ID)
	return v, err
}

func TestAFileIsTakenOnce(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "200")
		text := header
		for n := range 1200 { // more than two parts
			text += row(p, fmt.Sprint("f", n))
		}
		text += "bad," + string(p.number) + ",sms,yesterday,1,\n" + row(p, "f0") + "short,row\n" + strings.Replace(row(p, "neg"), ",1,", ",-1,", 1)
		v, err := d.send(ctx, t, text)
		if err != nil || v.Status != usage.FileCompleted || v.Rated != 1200 || v.Duplicates != 1 || v.Refused != 3 || v.Rows != 1204 || v.EndDate == nil {
			t.Fatalf("%+v %v", v, err)
		}
		for n, line := range []int64{1202, 1204, 1205} {
			b := v.Bad[n]
			if b.Line != line || b.Offset != int64(strings.Index(text, strings.Split(text, "\n")[line-1])) || b.Reason == "" {
				t.Errorf("bad row %d: %+v", n, b)
			}
		}
		d.holds(ctx, t, p.money, 80_000_000)
		if _, err := d.send(ctx, t, text); fault.From(err).Code != usage.CodeDuplicateFile {
			t.Errorf("the file again: %v", err)
		}
		d.holds(ctx, t, p.money, 80_000_000)
		d.Balanced(ctx, t)
	})
}

func TestATruncatedFileIsToldAndCountedOnceWhenItComesWhole(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10")
		whole := header + row(p, "a") + row(p, "b") + row(p, "c")
		for _, cut := range []int{2, 20} { // within the last number, and within the row
			v, err := d.send(ctx, t, whole[:len(whole)-cut])
			if err != nil || v.Status != usage.FileIncomplete || v.Rated+v.Duplicates != 2 || v.Truncated == nil || v.Truncated.Line != 4 || v.Truncated.Offset != int64(strings.Index(whole, "c,4179")) {
				t.Fatalf("cut by %d: %+v %v", cut, v, err)
			}
		}
		v, err := d.send(ctx, t, whole)
		if err != nil || v.Status != usage.FileCompleted || v.Rated != 1 || v.Duplicates != 2 || v.Truncated != nil {
			t.Errorf("whole: %+v %v", v, err)
		}
		d.holds(ctx, t, p.money, 9_700_000)
	})
}

func TestAFileGoesOnWhereItWasLeft(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "200")
		text := header
		for n := range 1200 {
			text += row(p, fmt.Sprint("f", n))
		}
		begin := func() (id.ID, usage.File, usage.Decoder) {
			i, v, err := d.Usage.Begin(ctx, usage.File{Name: "calls.csv", Digest: usage.Digest([]byte(text)), Size: int64(len(text))})
			if err != nil {
				t.Fatal(err)
			}
			dec, _, err := usage.NewDecoder("", strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			return i, v, dec
		}
		first, v, dec := begin()
		_, err := d.Usage.TakeFile(ctx, first, v, &breaking{Decoder: dec, after: 700}, nil)
		if !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		second, v, dec := begin()
		if second != first || v.Rated != 500 || v.Line != 501 {
			t.Fatalf("%s and %s, %+v", first, second, v)
		}
		said := 0
		v, err = d.Usage.TakeFile(ctx, second, v, dec, func(usage.File) { said++ })
		if err != nil || v.Rated != 1200 || v.Duplicates != 0 || said != 2 || v.Status != usage.FileCompleted {
			t.Errorf("%+v %v, told %d times", v, err, said)
		}
		d.holds(ctx, t, p.money, 80_000_000)
	})
}

var errBroken = errors.New("the disk is gone")

// breaking is a decoder that fails after some rows.
type breaking struct {
	usage.Decoder
	after int
}

func (b *breaking) Next() (usage.Row, error) {
	if b.after--; b.after < 0 {
		return usage.Row{}, errBroken
	}
	return b.Decoder.Next()
}

// rows reads all of a file.
func rows(t *testing.T, text string) (good []usage.Row, bad []usage.BadRow) {
	t.Helper()
	d, _, err := usage.NewDecoder("", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for {
		r, err := d.Next()
		var b *usage.BadRow
		switch {
		case err == nil:
			good = append(good, r)
		case errors.As(err, &b):
			bad = append(bad, *b)
		default:
			return good, bad
		}
	}
}

func TestFilesAreReadInBothFormats(t *testing.T) {
	want := usage.Record{
		ID: "1", Source: "msc-1", MSISDN: "41790000001", UsageType: "voice", Quantity: 61, Direction: "incoming",
		Start: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), Other: "+41 44 123 45 67", Network: "20801",
	}
	line, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"csv":            "recordId,source,msisdn,usageType,quantity,direction,start,otherNumber,network\n1,msc-1,41790000001,voice,61,incoming,2026-03-01T08:00:00Z,+41 44 123 45 67,20801\n",
		"semicolons":     "recordId;source;msisdn;usageType;quantity;direction;start;otherNumber;network\r\n\r\n1;msc-1;41790000001;voice;61;incoming;2026-03-01T08:00:00Z;+41 44 123 45 67;20801\r\n",
		"quotes":         "\ufeffrecordId,source,msisdn,usageType,quantity,direction,start,otherNumber,network\n\"1\",\"msc-1\",41790000001,voice,61,incoming,\"2026-03-01T08:00:00Z\",+41 44 123 45 67,20801\n",
		"json":           string(line) + "\n",
		"json, no end":   string(line),
		"json and blank": "\n" + string(line) + "\n\n",
	} {
		good, bad := rows(t, text)
		if len(good) != 1 || len(bad) != 0 || good[0].Record != want {
			t.Errorf("%s: %+v %+v", what, good, bad)
		}
	}
}

func TestRowsThatAreNoRecordsAreToldWithTheirPlace(t *testing.T) {
	p := person{number: "41790000001"}
	for what, c := range map[string]struct {
		text      string
		line      int64
		truncated bool
	}{
		"too few values":       {header + row(p, "a") + "b,c\n" + row(p, "d"), 3, false},
		"too many values":      {header + strings.TrimSpace(row(p, "a")) + ",more\n", 2, false},
		"a moment":             {header + "a,1,sms,now,1,2\n", 2, false},
		"a number":             {header + "a,1,sms,2026-03-01T08:00:00Z,one,2\n", 2, false},
		"quotes":               {header + "\"a,1,sms,2026-03-01T08:00:00Z,1,2\n", 2, false},
		"a long line":          {header + strings.Repeat("a", 70_000) + "\n", 2, false},
		"no UTF-8":             {header + row(p, "a\xff"), 2, false},
		"a NUL":                {header + row(p, "a\x00"), 2, false},
		"json with a NUL":      {`{"recordId":"a\u0000"}` + "\n", 1, false},
		"no end":               {header + strings.TrimSpace(row(p, "a")), 2, true},
		"json of another type": {`{"recordId":"a","quantity":"much"}` + "\n", 1, false},
		"json that is unknown": {`{"recordId":"a","colour":"red"}` + "\n", 1, false},
		"json that is cut":     {`{"recordId":"a"}` + "\n" + `{"recordId":`, 2, true},
		"not json":             {"{\"recordId\":\"a\"}\nnonsense\n", 2, false},
	} {
		_, bad := rows(t, c.text)
		if len(bad) != 1 || bad[0].Line != c.line || bad[0].Truncated != c.truncated || bad[0].Reason == "" {
			t.Errorf("%s: %+v", what, bad)
		}
	}
}

func TestAFileThatIsNoneIsRefused(t *testing.T) {
	for what, text := range map[string]string{
		"nothing":           "",
		"an unknown column": "recordId,msisdn,usageType,start,quantity,colour\n",
		"a column twice":    "recordId,msisdn,usageType,start,quantity,quantity\n",
		"a column missing":  "recordId,msisdn,usageType,start\n",
	} {
		if _, err := usage.Read("f", "", "", []byte(text)); fault.From(err).Code != usage.CodeFormat {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := usage.Read("f", "", "asn1", nil); fault.From(err).Code != usage.CodeFormat {
		t.Errorf("a format that is not there: %v", err)
	}
}

func FuzzAFileNeverPanics(f *testing.F) {
	f.Add(header + "a,1,sms,2026-03-01T08:00:00Z,1,2\n")
	f.Add(`{"recordId":"a","quantity":1}`)
	f.Add("recordId;msisdn;usageType;start;quantity\n\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		sent, err := usage.Read("f", "", "", []byte(text))
		if (err == nil) != (sent != nil) {
			t.Errorf("%v and %v", sent, err)
		}
	})
}
