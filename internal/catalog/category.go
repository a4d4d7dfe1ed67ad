package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/store"
)

// The id kinds of what orders the catalogue.
var (
	CatalogKind       = id.Kind{Name: "catalog", Prefix: "cat"}
	CategoryKind      = id.Kind{Name: "category", Prefix: "ctg"}
	SpecificationKind = id.Kind{Name: "productSpecification", Prefix: "psp"}
)

// CodeHasChildren is the deletion of a category that others are in.
const CodeHasChildren fault.Code = "categoryHasSubCategories"

// Catalog is a collection of categories that is offered together (TMF620 Catalog).
type Catalog struct {
	Type            string          `json:"@type,omitzero"`
	Name            string          `json:"name,omitzero"`
	Description     string          `json:"description,omitzero"`
	Version         string          `json:"version,omitzero"`
	LifecycleStatus LifecycleStatus `json:"lifecycleStatus,omitzero"`
	LastUpdate      time.Time       `json:"lastUpdate,omitzero"`
	ValidFor        *sid.Period     `json:"validFor,omitzero"`
	Category        []sid.Ref       `json:"category,omitzero"`
	Key             string          `json:"key,omitzero"`
	Rest            sid.Rest        `json:",embed"`
}

func (v *Catalog) complete() { begin(&v.Type, "Catalog", &v.LifecycleStatus) }

func (v Catalog) check() error {
	var wrong fault.Several
	named(&wrong, v.Name, v.Key, v.LifecycleStatus)
	ordered(&wrong, v.ValidFor)
	return wrong.Err()
}

func (v *Catalog) core() core {
	return core{&v.Type, &v.Key, &v.LifecycleStatus, &v.LastUpdate, &v.Rest}
}

// begin fills in what every resource of the catalogue begins with.
func begin(kind *string, name string, status *LifecycleStatus) {
	if *kind == "" {
		*kind = name
	}
	if *status == "" {
		*status = InStudy
	}
	for known := range next {
		if strings.EqualFold(string(known), string(*status)) {
			*status = known
		}
	}
}

// Category groups offerings (TMF620 Category). One with a ParentID is a part of another category.
type Category struct {
	Type            string          `json:"@type,omitzero"`
	Name            string          `json:"name,omitzero"`
	Description     string          `json:"description,omitzero"`
	Version         string          `json:"version,omitzero"`
	LifecycleStatus LifecycleStatus `json:"lifecycleStatus,omitzero"`
	LastUpdate      time.Time       `json:"lastUpdate,omitzero"`
	IsRoot          *bool           `json:"isRoot,omitzero"`
	ParentID        string          `json:"parentId,omitzero"`
	ValidFor        *sid.Period     `json:"validFor,omitzero"`
	Key             string          `json:"key,omitzero"`
	Rest            sid.Rest        `json:",embed"`
}

func (v *Category) complete() {
	begin(&v.Type, "Category", &v.LifecycleStatus)
	if root := v.ParentID == ""; v.IsRoot == nil || !root {
		v.IsRoot = &root
	}
}

func (v Category) check() error {
	var wrong fault.Several
	named(&wrong, v.Name, v.Key, v.LifecycleStatus)
	ordered(&wrong, v.ValidFor)
	return wrong.Err()
}

func (v *Category) core() core {
	return core{&v.Type, &v.Key, &v.LifecycleStatus, &v.LastUpdate, &v.Rest}
}

// deepest is how many categories may stand in one another.
const deepest = 20

// placed refuses a parent that is not there, categories that are in each other, and to delete one that others are
// in: parentId is no reference that the store knows.
func (s *Service) placed(ctx context.Context, i id.ID, _, v *Category) error {
	if v == nil {
		return s.childless(ctx, i)
	}
	at := id.ID(v.ParentID)
	for range deepest {
		switch {
		case at == i:
			return fault.Invalidf("parentId", "a category cannot be a part of itself")
		case !at.Is(CategoryKind): // a root, or a category of another system
			return nil
		}
		p, _, err := s.Categories.Get(ctx, at)
		if fault.KindOf(err) == fault.NotFound {
			return fault.Invalidf("parentId", "there is no category %s", at)
		}
		if err != nil {
			return err
		}
		at = id.ID(p.ParentID)
	}
	return fault.Invalidf("parentId", "categories stand in one another %d deep at most", deepest)
}

func (s *Service) childless(ctx context.Context, i id.ID) error {
	page, err := s.Categories.Docs(ctx, store.Query{
		Filters: []store.Filter{{Path: []string{"parentId"}, Op: store.Eq, Values: []string{string(i)}}}, Limit: 1, NoTotal: true,
	})
	if err == nil && len(page.Items) > 0 {
		err = fault.Conflictf(CodeHasChildren, "the category %s is a part of this one", page.Items[0].ID)
	}
	return err
}

// Specification describes a kind of product (TMF620 ProductSpecification).
type Specification struct {
	Type            string               `json:"@type,omitzero"`
	Name            string               `json:"name,omitzero"`
	Description     string               `json:"description,omitzero"`
	Brand           string               `json:"brand,omitzero"`
	Version         string               `json:"version,omitzero"`
	LifecycleStatus LifecycleStatus      `json:"lifecycleStatus,omitzero"`
	LastUpdate      time.Time            `json:"lastUpdate,omitzero"`
	ValidFor        *sid.Period          `json:"validFor,omitzero"`
	Characteristics []SpecCharacteristic `json:"productSpecCharacteristic,omitzero"`
	Key             string               `json:"key,omitzero"`
	Rest            sid.Rest             `json:",embed"`
}

// SpecCharacteristic is a characteristic that products of a specification have.
type SpecCharacteristic struct {
	Name        string   `json:"name,omitzero"`
	Description string   `json:"description,omitzero"`
	ValueType   string   `json:"valueType,omitzero"`
	Rest        sid.Rest `json:",embed"`
}

func (v *Specification) complete() { begin(&v.Type, "ProductSpecification", &v.LifecycleStatus) }

func (v Specification) check() error {
	var wrong fault.Several
	named(&wrong, v.Name, v.Key, v.LifecycleStatus)
	ordered(&wrong, v.ValidFor)
	had := map[string]bool{}
	for n, c := range v.Characteristics {
		if c.Name != "" && had[c.Name] {
			wrong.Invalidf(fmt.Sprintf("productSpecCharacteristic[%d].name", n), "there is a characteristic %q already", c.Name)
		}
		had[c.Name] = true
	}
	return wrong.Err()
}

func (v *Specification) core() core {
	return core{&v.Type, &v.Key, &v.LifecycleStatus, &v.LastUpdate, &v.Rest}
}
