package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// Read reads a catalogue in either form: the YAML file of Parse, or a JSON array of TMF620 resources, told apart by
// the media type and, where that says nothing, by how the file begins. root is the path of a collection
// ("/tmf-api/productCatalogManagement/v4/productOffering") whose type resources without one have.
func Read(file []byte, mediaType, root string) (*File, error) {
	kind, _, err := mime.ParseMediaType(mediaType)
	if err != nil {
		kind = ""
	}
	begins := bytes.TrimLeft(file, " \t\r\n\ufeff")
	switch {
	case strings.HasSuffix(kind, "json"):
		return parseJSON(file, root)
	case strings.HasSuffix(kind, "yaml"):
		return Parse(file)
	case bytes.HasPrefix(begins, []byte("[")) || bytes.HasPrefix(begins, []byte("{")):
		return parseJSON(file, root)
	}
	return Parse(file)
}

// typeNames are the types of the resources that a JSON file may hold, by the segment of their collection.
var typeNames = map[string]string{
	"catalog": "Catalog", "category": "Category", "productSpecification": "ProductSpecification",
	"productOfferingPrice": "ProductOfferingPrice", "productOffering": "ProductOffering", "tariff": "Tariff",
}

// parseJSON reads an array of resources as TMF620 writes them, or one. Each says what it is by its @type, or its
// @baseType when the type is one of the client's own. They name one another by the ids that they have in the file.
func parseJSON(file []byte, root string) (*File, error) {
	r := jsonReader{file: file, out: File{locals: map[string][]string{}}, had: map[string]bool{}, root: typeNames[path.Base(root)]}
	d := jsontext.NewDecoder(bytes.NewReader(file))
	if d.PeekKind() != '[' {
		r.element(d)
	} else if _, err := d.ReadToken(); err == nil {
		for d.PeekKind() != ']' && r.element(d) {
		}
		if r.broken == nil {
			_, r.broken = d.ReadToken()
		}
	}
	if r.broken == nil && len(bytes.TrimSpace(file[d.InputOffset():])) > 0 {
		r.broken = fmt.Errorf("something follows its end")
	}
	if r.broken != nil {
		r.found = append(r.found, mistake{r.line(d.InputOffset()), "the file is not JSON: " + strings.TrimPrefix(r.broken.Error(), "jsontext: ")})
	}
	r.circles()
	if err := told(r.found); err != nil {
		return nil, err
	}
	if r.out.Len() == 0 {
		return nil, fault.New(fault.Invalid, CodeFile, "the file is empty")
	}
	return &r.out, nil
}

// circles finds bundles that contain themselves.
func (r *jsonReader) circles() {
	for n, v := range r.out.Offerings {
		local := r.out.local(Kind, n)
		around, err := circular(local, func(at string) ([]string, error) {
			for m := range r.out.Offerings {
				if r.out.local(Kind, m) == at {
					return r.out.Offerings[m].bundled(), nil
				}
			}
			return nil, nil
		})
		if err == nil && around && local != "" {
			r.found = append(r.found, mistake{r.at[n], fmt.Sprintf("bundledProductOffering: the bundle %s contains itself, by way of others or not", v.Name)})
		}
	}
}

// longestID bounds the ids that entries have in a file.
const longestID = 200

type jsonReader struct {
	file   []byte
	root   string
	out    File
	had    map[string]bool
	found  []mistake
	broken error
	// at are the lines of the offerings.
	at []int
	// offset is up to where lines were counted.
	offset int64
	lines  int
}

// line is the line of an offset; offsets come in order.
func (r *jsonReader) line(offset int64) int {
	r.lines += bytes.Count(r.file[r.offset:offset], []byte("\n"))
	r.offset = offset
	return r.lines + 1
}

// element reads one resource; false: the file cannot be read on.
func (r *jsonReader) element(d *jsontext.Decoder) bool {
	d.PeekKind() // moves to where the value begins, past the comma
	from := d.InputOffset()
	from += int64(len(r.file[from:]) - len(bytes.TrimLeft(r.file[from:], " \t\r\n,")))
	raw, err := d.ReadValue()
	if err != nil {
		r.broken = err
		return false
	}
	line, offerings := r.line(from), len(r.out.Offerings)
	err = r.resource(raw.Clone())
	if len(r.out.Offerings) > offerings {
		r.at = append(r.at, line)
	}
	if err != nil {
		f := fault.From(err)
		details := f.Details
		if len(details) == 0 {
			details = []fault.Detail{{Attribute: f.Attribute, Message: f.Message}}
		}
		for _, one := range details {
			r.found = append(r.found, mistake{line, strings.TrimPrefix(one.Attribute+": "+one.Message, ": ")})
		}
	}
	return true
}

func (r *jsonReader) resource(raw jsontext.Value) error {
	var head struct {
		Type string `json:"@type"`
		Base string `json:"@baseType"`
		ID   string `json:"id"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return fault.Invalidf("", "an entry is an object of TMF620, with texts for id and @type")
	}
	known := func(t string) bool {
		for _, n := range typeNames {
			if n == t {
				return true
			}
		}
		return false
	}
	kind := r.root
	for _, t := range []string{head.Base, head.Type} {
		if known(t) {
			kind = t
		}
	}
	switch kind {
	case "Catalog":
		return take(r, CatalogKind, head.ID, raw, &r.out.Catalogs)
	case "Category":
		return take(r, CategoryKind, head.ID, raw, &r.out.Categories)
	case "ProductSpecification":
		return take(r, SpecificationKind, head.ID, raw, &r.out.Specifications)
	case "ProductOfferingPrice":
		return take(r, PriceKind, head.ID, raw, &r.out.Prices)
	case "ProductOffering":
		return take(r, Kind, head.ID, raw, &r.out.Offerings)
	case "Tariff":
		return take(r, TariffKind, head.ID, raw, &r.out.Tariffs)
	}
	return fault.Invalidf("@type", "@type is Catalog, Category, ProductSpecification, ProductOfferingPrice, ProductOffering or Tariff")
}

// take puts a resource into the file, when it stands its own checks.
func take[T any, P part[T]](r *jsonReader, k id.Kind, local string, raw jsontext.Value, all *[]T) error {
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		if f := fault.From(err); f.Kind != fault.Internal {
			return f
		}
		var wrong *json.SemanticError
		if errors.As(err, &wrong) && wrong.JSONPointer != "" {
			return fault.Invalidf("", "the value at %s does not fit its attribute", wrong.JSONPointer)
		}
		return fault.Invalidf("", "a value does not fit its attribute")
	}
	rest := P(&v).core().rest
	*rest = rest.Without("id", "href")
	switch {
	case len(local) > longestID || strings.ContainsRune(local, 0):
		return fault.Invalidf("id", "an id is a text of at most %d bytes without NUL", longestID)
	case local != "" && r.had[name(k, local)]:
		return fault.Invalidf("id", "the id %q is already that of another entry", local)
	}
	r.had[name(k, local)] = true
	probe := v
	P(&probe).complete()
	if err := P(&probe).check(); err != nil {
		return err
	}
	*all = append(*all, v)
	r.out.locals[k.Name] = append(r.out.locals[k.Name], local)
	return nil
}

// told is one fault for all mistakes, in the order of their lines; nil when there is none.
func told(found []mistake) error {
	if len(found) == 0 {
		return nil
	}
	slices.SortStableFunc(found, func(a, b mistake) int { return a.line - b.line })
	details := make([]fault.Detail, len(found))
	for n, m := range found {
		details[n] = fault.Detail{Attribute: "line " + strconv.Itoa(m.line), Message: m.why}
	}
	e := fault.New(fault.Invalid, CodeFile, "line %d: %s", found[0].line, found[0].why).At(details[0].Attribute)
	e.Details = details
	return e
}
