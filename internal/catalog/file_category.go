package catalog

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"gopkg.in/yaml.v3"

	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// catalog reads what the catalogue itself is called; every root category is in it.
func (r *reader) catalog(n *yaml.Node) {
	if n == nil {
		return
	}
	f := r.fields(n, "the catalog", "key", "name", "description", "version", "lifecycle", "validFrom", "validTo")
	v := Catalog{
		Key: r.key(n, f, "catalog"), Name: r.text(n, f, "name"), Description: r.optional(f, "description"), Version: r.optional(f, "version"),
		LifecycleStatus: r.lifecycle(f), ValidFor: r.validity(f),
	}
	r.later = append(r.later, func() {
		for _, c := range r.out.Categories {
			if c.ParentID == "" {
				v.Category = append(v.Category, sid.Ref{ID: c.Key, Name: c.Name, ReferredType: "Category"})
			}
		}
		r.out.Catalogs = append(r.out.Catalogs, v)
	})
}

// category reads a category: {key: data, name: Data, parent: addons}.
func (r *reader) category(n *yaml.Node) {
	f := r.fields(n, "a category", "key", "name", "description", "version", "parent", "lifecycle", "validFrom", "validTo")
	v := Category{
		Key: r.key(n, f, aCategory), Name: r.text(n, f, "name"), Description: r.optional(f, "description"), Version: r.optional(f, "version"),
		ParentID: r.optional(f, "parent"), LifecycleStatus: r.lifecycle(f), ValidFor: r.validity(f),
	}
	if p := f["parent"]; p != nil {
		r.refers(p, aCategory)
		r.later = append(r.later, func() { r.rooted(p, v.Key) })
	}
	r.out.Categories = append(r.out.Categories, v)
}

// rooted refuses categories that are in each other.
func (r *reader) rooted(n *yaml.Node, key string) {
	parents := map[string]string{}
	for _, c := range r.out.Categories {
		parents[c.Key] = c.ParentID
	}
	depth := 0
	for at := parents[key]; at != ""; at = parents[at] {
		if depth++; at == key || depth > deepest {
			r.bad(n, "the category %s is a part of itself, or more than %d deep", key, deepest)
			return
		}
	}
}

// specification reads a specification: {key: line, name: Mobile line, characteristics: [{name: MSISDN}]}.
func (r *reader) specification(n *yaml.Node) {
	f := r.fields(n, "a specification", "key", "name", "description", "brand", "version", "lifecycle", "validFrom", "validTo", "characteristics")
	v := Specification{
		Key: r.key(n, f, aSpecification), Name: r.text(n, f, "name"), Description: r.optional(f, "description"), Brand: r.optional(f, "brand"),
		Version: r.optional(f, "version"), LifecycleStatus: r.lifecycle(f), ValidFor: r.validity(f),
	}
	had := map[string]bool{}
	for _, c := range r.list(f["characteristics"], "characteristics") {
		f := r.fields(c, "a characteristic", "name", "description", "type", "values")
		at := SpecCharacteristic{Name: r.text(c, f, "name"), Description: r.optional(f, "description"), ValueType: r.optional(f, "type")}
		if had[at.Name] {
			r.bad(c, "there is a characteristic %q already", at.Name)
		}
		had[at.Name] = true
		if all := r.scalars(f["values"], "values"); len(all) > 0 {
			at.Rest = sid.Rest{"productSpecCharacteristicValue": characteristicValues(values(all))}
		}
		v.Characteristics = append(v.Characteristics, at)
	}
	r.out.Specifications = append(r.out.Specifications, v)
}

// characteristicValues are the values that a characteristic may have, as TMF620 writes them.
func characteristicValues(texts []string) jsontext.Value {
	type value struct {
		Value string `json:"value"`
	}
	all := make([]value, len(texts))
	for n, t := range texts {
		all[n].Value = t
	}
	out, err := json.Marshal(all)
	if err != nil { // texts of a YAML document are UTF-8
		return jsontext.Value("[]")
	}
	return out
}
