package usage

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// CodeFormat is a file that no decoder reads.
const CodeFormat fault.Code = "usageFileFormat"

// Decoder reads the records of a file one after the other. A format is added by writing one and naming it in
// decoders: what a file says, in its own encoding, becomes Records, whatever the format (ASN.1 records of TS 32.298
// or TAP3 too).
type Decoder interface {
	// Next gives the next record and where it stands. A *BadRow is a row that is no record, after which the next
	// may be one; io.EOF is the end.
	Next() (Row, error)
}

// Row is a record and where it stands.
type Row struct {
	Record Record `json:"record"`
	// Line counts from 1; a format without lines counts records.
	Line int64 `json:"line"`
	// Offset is where it begins, in bytes.
	Offset int64 `json:"offset"`
}

// BadRow is a row of a file that is no record.
type BadRow struct {
	Line int64 `json:"line"`
	// Offset is where it begins, in bytes.
	Offset int64  `json:"offset"`
	Reason string `json:"reason"`
	// Truncated says that the file ends in the middle of it.
	Truncated bool `json:"truncated,omitzero"`
}

// Error implements error.
func (b *BadRow) Error() string {
	return fmt.Sprintf("line %d (byte %d): %s", b.Line, b.Offset, b.Reason)
}

// The formats.
const (
	CSV       = "csv"
	JSONLines = "jsonl"
)

var decoders = map[string]func(r *bufio.Reader) (Decoder, error){CSV: newCSV, JSONLines: newJSONLines}

// NewDecoder reads a file in a format; an empty one is told by how the file begins. A file that is not of the format
// is an Invalid fault (CodeFormat).
func NewDecoder(format string, r io.Reader) (Decoder, string, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	if format == "" {
		head, err := in.Peek(256)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, "", err
		}
		format = CSV
		if bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(head, byteOrderMark), " \t\r\n"), []byte("{")) {
			format = JSONLines
		}
	}
	open := decoders[format]
	if open == nil {
		return nil, "", fault.New(fault.Invalid, CodeFormat, "%q is no format of usage files: csv or jsonl", format).At("format")
	}
	d, err := open(in)
	return d, format, err
}

var byteOrderMark = []byte("\ufeff")

// maxLine bounds a line: what is longer is no record.
const maxLine = 1 << 16

// lines reads lines and knows where they stand.
type lines struct {
	in     *bufio.Reader
	line   int64
	offset int64
}

// next gives a line without its end and where it begins; ended is false for a last one without an end. Empty lines
// are passed over.
func (l *lines) next() (text []byte, begins int64, ended bool, err error) {
	for {
		begins = l.offset
		text, err = l.in.ReadBytes('\n')
		l.offset += int64(len(text))
		if len(text) > 0 {
			l.line++
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, begins, false, err
		}
		ended = bytes.HasSuffix(text, []byte("\n"))
		if l.line == 1 {
			text = bytes.TrimPrefix(text, byteOrderMark)
		}
		text = bytes.TrimRight(text, "\r\n")
		if len(bytes.TrimSpace(text)) > 0 {
			return text, begins, ended, nil
		}
		if err != nil {
			return nil, begins, true, io.EOF
		}
	}
}

func (l *lines) bad(begins int64, format string, args ...any) *BadRow {
	return &BadRow{Line: l.line, Offset: begins, Reason: fmt.Sprintf(format, args...)}
}

func (l *lines) cut(begins int64) *BadRow {
	b := l.bad(begins, "the file ends in the middle of this record: send the whole file again, what was taken is not taken twice")
	b.Truncated = true
	return b
}

// columns are what a CSV file may have, and which it must.
var columns = map[string]bool{
	"recordId": true, "msisdn": true, "usageType": true, "start": true, "quantity": true,
	"source": false, "direction": false, "duration": false, "otherNumber": false, "network": false, "subscriptionId": false,
}

type csvDecoder struct {
	lines
	names []string
	comma rune
}

func newCSV(r *bufio.Reader) (Decoder, error) {
	d := &csvDecoder{lines: lines{in: r}, comma: ','}
	text, _, _, err := d.next()
	if errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, CodeFormat, "the file is empty")
	}
	if err != nil {
		return nil, err
	}
	if bytes.Count(text, []byte(";")) > bytes.Count(text, []byte(",")) {
		d.comma = ';'
	}
	if d.names, err = d.fields(text); err != nil {
		return nil, fault.New(fault.Invalid, CodeFormat, "line 1 cannot be read as the names of columns").Because(err)
	}
	seen := map[string]bool{}
	for n, name := range d.names {
		name = strings.TrimSpace(name)
		d.names[n] = name
		if _, ok := columns[name]; !ok || seen[name] {
			return nil, fault.New(fault.Invalid, CodeFormat, "line 1: %.64q is no name of a column, or stands there twice; the columns are recordId, msisdn, usageType, start, quantity and, where wanted, source, direction, duration, otherNumber, network, subscriptionId", name)
		}
		seen[name] = true
	}
	for _, name := range []string{"recordId", "msisdn", "usageType", "start", "quantity"} {
		if !seen[name] && (name != "msisdn" || !seen["subscriptionId"]) {
			return nil, fault.New(fault.Invalid, CodeFormat, "line 1: the column %s is missing", name)
		}
	}
	return d, nil
}

func (d *csvDecoder) fields(text []byte) ([]string, error) {
	if bytes.IndexByte(text, '"') < 0 {
		return strings.Split(string(text), string(d.comma)), nil
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma = d.comma
	return r.Read()
}

// Next implements Decoder. A last line without an end is not taken: nobody knows whether its last number is whole.
func (d *csvDecoder) Next() (Row, error) {
	text, begins, ended, err := d.next()
	if err != nil {
		return Row{}, err
	}
	if !ended {
		return Row{}, d.cut(begins)
	}
	if len(text) > maxLine {
		return Row{}, d.bad(begins, "the line is longer than %d bytes", maxLine)
	}
	values, err := d.fields(text)
	if err != nil {
		return Row{}, d.bad(begins, "the quotes do not match")
	}
	if len(values) != len(d.names) {
		return Row{}, d.bad(begins, "%d values for %d columns", len(values), len(d.names))
	}
	row := Row{Line: d.line, Offset: begins}
	for n, name := range d.names {
		if err := row.Record.set(name, strings.TrimSpace(values[n])); err != nil {
			return Row{}, d.bad(begins, "%s: %s", name, err)
		}
	}
	if !row.Record.text() {
		return Row{}, d.bad(begins, notText)
	}
	return row, nil
}

const notText = "it is not text in UTF-8, or holds the character U+0000"

// text reports whether what the record says can be kept: a file may hold any bytes.
func (r *Record) text() bool {
	for _, v := range []string{r.ID, r.Source, r.MSISDN, string(r.Subscription), r.UsageType, r.Direction, r.Other, r.Network} {
		if !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 {
			return false
		}
	}
	return true
}

// set reads one column.
func (r *Record) set(name, v string) (err error) {
	switch name {
	case "recordId":
		r.ID = v
	case "source":
		r.Source = v
	case "msisdn":
		r.MSISDN = v
	case "subscriptionId":
		r.Subscription = id.ID(v)
	case "usageType":
		r.UsageType = v
	case "direction":
		r.Direction = v
	case "otherNumber":
		r.Other = v
	case "network":
		r.Network = v
	case "start":
		if r.Start, err = time.Parse(time.RFC3339, v); err != nil {
			return fmt.Errorf("%.64q is not a moment such as 2026-01-31T09:30:00Z", v)
		}
	case "quantity":
		r.Quantity, err = wholeNumber(v)
	case "duration":
		if v != "" {
			r.Duration, err = wholeNumber(v)
		}
	}
	return err
}

func wholeNumber(v string) (int64, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.64q is not a whole number", v)
	}
	return n, nil
}

type jsonLines struct{ lines }

//nolint:unparam // decoders of other formats fail where the head of a file is wrong
func newJSONLines(r *bufio.Reader) (Decoder, error) { return &jsonLines{lines{in: r}}, nil }

// Next implements Decoder.
func (d *jsonLines) Next() (Row, error) {
	text, begins, ended, err := d.next()
	if err != nil {
		return Row{}, err
	}
	if len(text) > maxLine {
		return Row{}, d.bad(begins, "the line is longer than %d bytes", maxLine)
	}
	row := Row{Line: d.line, Offset: begins}
	switch err := json.Unmarshal(text, &row.Record, json.RejectUnknownMembers(true)); {
	case err == nil && !row.Record.text():
		return Row{}, d.bad(begins, notText)
	case err == nil:
		return row, nil
	case !ended:
		return Row{}, d.cut(begins)
	default:
		return Row{}, d.bad(begins, "it is not a record as JSON: %s", reasonOf(err))
	}
}

// reasonOf says what of a JSON text is wrong, without the types of Go.
func reasonOf(err error) string {
	var s *json.SemanticError
	if errors.As(err, &s) {
		where := strings.TrimPrefix(string(s.JSONPointer), "/")
		if errors.Is(err, json.ErrUnknownName) {
			return "there is no attribute " + where
		}
		return where + " has a value that does not fit"
	}
	return "it is not well-formed"
}
