package bulkupload

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// columns are what each file has, the first ones of every file being needed.
var columns = map[string]struct {
	needed, more []string
}{
	SIMs:        {[]string{"iccid", "imsi"}, []string{"simtype"}},
	Numbers:     {[]string{"msisdn"}, []string{"msisdngroup", "pricing", "price"}},
	Subscribers: {[]string{"iccid", "imsi", "msisdn", "plan"}, []string{"balance", "simtype"}},
}

// other spellings of columns.
var spellings = map[string]string{"kind": "simtype", "group": "msisdngroup", "mobilenumber": "msisdn", "priceplan": "plan", "openingbalance": "balance"}

// row is one line of a file.
type row struct {
	line   int
	fields map[string]string
	// why it cannot be read; nil when it can.
	bad error
}

// head is what the first line of a file says.
type head struct {
	names     []string
	separator rune
	size      int64
}

const (
	longestLine = 4 << 10
	mark        = "\ufeff" // of byte order, as spreadsheets write it
)

// header reads the first line: the names of the columns, separated as the rows are.
func header(file io.Reader, of string) (h head, err error) {
	r := bufio.NewReaderSize(file, longestLine)
	line, n, err := next(r)
	if err != nil {
		return h, fault.Invalidf("file", "the file has no first line that names its columns").Because(err)
	}
	h.size, h.separator = int64(n), ','
	text := strings.TrimPrefix(line, mark)
	for _, s := range ";\t" {
		if strings.ContainsRune(text, s) && !strings.ContainsRune(text, ',') {
			h.separator = s
		}
	}
	fields, err := split(text, h.separator)
	if err != nil {
		return h, fault.Invalidf("file", "the first line of the file cannot be read: it names the columns")
	}
	known := columns[of]
	for _, f := range fields {
		name := strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.TrimSpace(f)))
		if as, ok := spellings[name]; ok {
			name = as
		}
		if !slices.Contains(known.needed, name) && !slices.Contains(known.more, name) {
			return h, fault.Invalidf("file", "a file of %s has no column %q: its columns are %s", of, clip(f), strings.Join(append(slices.Clone(known.needed), known.more...), ", "))
		}
		if slices.Contains(h.names, name) {
			return h, fault.Invalidf("file", "the column %s stands there twice", name)
		}
		h.names = append(h.names, name)
	}
	for _, name := range known.needed {
		if !slices.Contains(h.names, name) {
			return h, fault.Invalidf("file", "a file of %s needs the column %s", of, name)
		}
	}
	return h, nil
}

func clip(text string) string {
	if len(text) > 64 {
		return strings.ToValidUTF8(text[:64], "") + "…"
	}
	return strings.ToValidUTF8(text, "?")
}

var errLong = errors.New("the line is too long")

// next reads a line without its end, and says how many bytes it took. A line that is too long is skipped.
func next(r *bufio.Reader) (line string, n int, err error) {
	text, err := r.ReadSlice('\n')
	n = len(text)
	if err == bufio.ErrBufferFull { //nolint:errorlint // as bufio documents it
		for err == bufio.ErrBufferFull { //nolint:errorlint // as above
			text, err = r.ReadSlice('\n')
			n += len(text)
		}
		if err == nil || errors.Is(err, io.EOF) {
			err = errLong
		}
		return "", n, err
	}
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil // the last line may lack its end
	}
	return strings.TrimRight(string(text), "\r\n"), n, err
}

// split takes a line apart. Quotes are as RFC 4180 has them, and end on the line.
func split(line string, separator rune) ([]string, error) {
	if !strings.Contains(line, `"`) {
		return strings.Split(line, string(separator)), nil
	}
	r := csv.NewReader(strings.NewReader(line))
	r.Comma, r.FieldsPerRecord = separator, -1
	return r.Read()
}

// rows reads up to most rows from a place on, and says how many lines and bytes those are. Fewer than most are the last.
func rows(file io.Reader, h head, line, most int) (out []row, lines int, bytes int64, err error) {
	r := bufio.NewReaderSize(file, longestLine)
	for len(out) < most {
		text, n, err := next(r)
		if n == 0 && errors.Is(err, io.EOF) {
			return out, lines, bytes, nil
		}
		if err != nil && !errors.Is(err, errLong) {
			return nil, 0, 0, err
		}
		lines, bytes = lines+1, bytes+int64(n)
		if err == nil && strings.TrimSpace(text) == "" {
			continue
		}
		out = append(out, read(text, h, line+lines, err))
	}
	return out, lines, bytes, nil
}

func read(text string, h head, line int, err error) row {
	out := row{line: line, bad: err}
	if err != nil {
		return out
	}
	if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		out.bad = errors.New("the line is not UTF-8 text")
		return out
	}
	fields, err := split(text, h.separator)
	switch {
	case err != nil:
		out.bad = errors.New("its quotes do not end")
	case len(fields) != len(h.names):
		out.bad = errors.New("it has another number of columns than the first line")
	}
	out.fields = make(map[string]string, len(h.names))
	for n, name := range h.names[:min(len(h.names), len(fields))] {
		out.fields[name] = strings.TrimSpace(fields[n])
	}
	return out
}

// name is what tells the row from others.
func (r row) name() string {
	if v := r.fields["iccid"]; v != "" {
		return clip(v)
	}
	return clip(r.fields["msisdn"])
}
