package op

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// maxDepth is how deep a JSON body may be nested.
const maxDepth = 64

// ReadJSON decodes a JSON text into maps, slices, strings, float64, booleans and nil. A text that is not
// well-formed, repeats a name in an object, is not UTF-8, is nested deeper than 64 levels, holds the
// character U+0000, or is followed by anything is an Invalid fault (fault.CodeMalformed) that says where.
func ReadJSON(body []byte) (any, error) {
	if at := tooDeep(body); at >= 0 {
		return nil, malformed("", at, "is nested deeper than "+strconv.Itoa(maxDepth)+" levels")
	}
	var tree any
	if err := json.Unmarshal(body, &tree); err != nil {
		return nil, explain(err)
	}
	if bytes.Contains(body, []byte(`\u0000`)) {
		if path, found := findNUL(tree, ""); found {
			return nil, malformed(path, -1, "holds the character U+0000, which cannot be kept")
		}
	}
	return tree, nil
}

// tooDeep gives the offset at which the nesting passes the limit; -1 when it does not.
func tooDeep(body []byte) int {
	depth, inText := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inText:
			if c == '\\' {
				i++
			} else if c == '"' {
				inText = false
			}
		case c == '"':
			inText = true
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return i
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return -1
}

func findNUL(v any, path string) (string, bool) {
	switch v := v.(type) {
	case string:
		return path, strings.IndexByte(v, 0) >= 0
	case []any:
		for i, e := range v {
			if p, ok := findNUL(e, path+"["+strconv.Itoa(i)+"]"); ok {
				return p, true
			}
		}
	case map[string]any:
		for _, name := range sortedNames(v) {
			if strings.IndexByte(name, 0) >= 0 {
				return path, true
			}
			if p, ok := findNUL(v[name], join(path, name)); ok {
				return p, true
			}
		}
	}
	return "", false
}

func malformed(path string, offset int, what string) *fault.Error {
	m := "the body " + what
	if offset >= 0 {
		m += " (at byte " + strconv.Itoa(offset) + ")"
	}
	return fault.New(fault.Invalid, fault.CodeMalformed, "%s", m).At(path)
}

// explain turns a decoding error into a fault with the place it happened at.
func explain(err error) *fault.Error {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		what := "is not well-formed JSON"
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			what = "names an attribute twice"
		case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
			what = "ends in the middle of the JSON text"
		case strings.Contains(syntactic.Err.Error(), "UTF-8"):
			what = "is not valid UTF-8"
		case strings.Contains(syntactic.Err.Error(), "after top-level value"):
			what = "goes on after the end of the JSON text"
		}
		return malformed(clip(PathOf(syntactic.JSONPointer), 256), int(syntactic.ByteOffset), what).Because(err)
	}
	path := ""
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		path = PathOf(semantic.JSONPointer)
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return f.At(clip(join(path, f.Attribute), 256))
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return malformed("", -1, "ends in the middle of the JSON text").Because(err)
	}
	return fault.Invalidf(clip(path, 256), "the value does not fit the attribute").Because(err)
}

// PathOf writes a JSON pointer as clients write paths: /contactMedium/0/mediumType is
// contactMedium[0].mediumType.
func PathOf(p jsontext.Pointer) string {
	path := ""
	for token := range p.Tokens() {
		if token != "" && strings.Trim(token, "0123456789") == "" {
			path += "[" + token + "]"
		} else {
			path = join(path, token)
		}
	}
	return path
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	if name == "" || name[0] == '[' {
		return path + name
	}
	return path + "." + name
}

// readBody reads a request's body within the operation's limit.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	tooLarge := func() error {
		return fault.New(fault.TooLarge, CodeTooLarge, "the body is larger than %d bytes", limit)
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		return nil, tooLarge()
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		var over *http.MaxBytesError
		if errors.As(err, &over) {
			return nil, tooLarge()
		}
		return nil, fault.New(fault.Invalid, fault.CodeMalformed, "the body did not arrive whole").Because(err)
	}
	return b.Bytes(), nil
}

// mediaType is a Content-Type without parameters, and whether it is JSON in UTF-8.
func mediaType(header string) (media string, isJSON bool, err error) {
	if header == "application/json" {
		return header, true, nil
	}
	media, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", false, fault.New(fault.Unsupported, CodeMediaType, "the Content-Type is not well-formed")
	}
	isJSON = media == "application/json" || strings.HasSuffix(media, "+json")
	if c := params["charset"]; isJSON && c != "" && !strings.EqualFold(c, "utf-8") && !strings.EqualFold(c, "us-ascii") {
		return "", false, fault.New(fault.Unsupported, CodeMediaType, "JSON is read in UTF-8 only")
	}
	return media, isJSON, nil
}

// accepts reports whether an Accept header admits any of the media types. A header that is hard to read
// is forgiven.
func accepts(header string, types []string) bool {
	for part := range strings.SplitSeq(header, ",") {
		media, params, _ := strings.Cut(part, ";")
		media = strings.ToLower(strings.TrimSpace(media))
		if q := strings.ReplaceAll(params, " ", ""); q == "q=0" || q == "q=0.0" || q == "q=0.00" || q == "q=0.000" {
			continue
		}
		if media == "" || media == "*/*" || media == "*" {
			return true
		}
		for _, t := range types {
			t, _, _ = strings.Cut(t, ";")
			if media == t || strings.HasSuffix(media, "/*") && strings.HasPrefix(t, media[:len(media)-1]) ||
				t == "application/json" && (strings.HasSuffix(media, "+json") || media == "text/json") {
				return true
			}
		}
	}
	return false
}
