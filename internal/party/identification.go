package party

import (
	"context"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// Identification is a document that proves who a person is (TMF632 IndividualIdentification).
type Identification struct {
	ID       string      `json:"identificationId,omitzero"`
	Type     string      `json:"identificationType,omitzero"`
	ValidFor *sid.Period `json:"validFor,omitzero"`
	Rest     sid.Rest    `json:",embed"`
}

// Claimed is what somebody says of themselves. Empty texts are not claimed.
type Claimed struct {
	GivenName, FamilyName, BirthDate     string
	IdentificationType, IdentificationID string
}

// Finding is whether one claimed attribute is what demarc knows of the person.
type Finding struct {
	Attribute string `json:"attribute"`
	Matches   bool   `json:"matches"`
}

// Compare holds what somebody says of themselves against what is known of the person. Names are compared
// without regard to case and outer spaces, dates by their day, documents by type and number among those that
// are valid now.
func (v Individual) Compare(c Claimed, now time.Time) []Finding {
	var out []Finding
	add := func(attribute, claimed string, matches bool) {
		if claimed != "" {
			out = append(out, Finding{attribute, matches})
		}
	}
	add("givenName", c.GivenName, same(c.GivenName, v.GivenName))
	add("familyName", c.FamilyName, same(c.FamilyName, v.FamilyName))
	add("birthDate", c.BirthDate, sameDay(c.BirthDate, v.BirthDate))
	add("identificationId", c.IdentificationID, v.identified(c, now))
	return out
}

func same(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

func sameDay(a, b string) bool {
	x, ok := moment(a)
	y, known := moment(b)
	return ok && known && x.Format(time.DateOnly) == y.Format(time.DateOnly)
}

func (v Individual) identified(c Claimed, now time.Time) bool {
	for _, d := range v.Identifications {
		current := d.ValidFor == nil || d.ValidFor.Contains(now)
		if current && same(d.ID, c.IdentificationID) && (c.IdentificationType == "" || same(d.Type, c.IdentificationType)) {
			return true
		}
	}
	return false
}

// Validate compares what somebody says of themselves with the individual; see Compare. An unknown individual
// is a NotFound fault.
func (s *Service) Validate(ctx context.Context, i id.ID, c Claimed) ([]Finding, error) {
	v, _, err := s.Individuals.Get(ctx, i)
	if err != nil {
		return nil, err
	}
	return v.Compare(c, s.store.Now(ctx)), nil
}
