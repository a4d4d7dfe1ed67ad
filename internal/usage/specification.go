package usage

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/rating"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// SpecificationKind is the id kind of usage specifications.
var SpecificationKind = id.Kind{Name: "usageSpecification", Prefix: "usp"}

// specificationClaim is by usage type: the specification that usage of that type is marked with.
const specificationClaim = "usageSpecification.usageType"

// Specification says what is known of a kind of usage (TMF635 UsageSpecification).
type Specification struct {
	Type            string             `json:"@type,omitzero"`
	Name            string             `json:"name,omitzero"`
	Description     string             `json:"description,omitzero"`
	LifecycleStatus string             `json:"lifecycleStatus,omitzero"`
	Version         string             `json:"version,omitzero"`
	LastUpdate      time.Time          `json:"lastUpdate,omitzero"`
	ValidFor        *sid.Period        `json:"validFor,omitzero"`
	Characteristics []SpecifiedFeature `json:"specCharacteristic,omitzero"`
	// UsageType is the usage type that demarc marks with it (an attribute of its own); empty for those of others.
	UsageType string   `json:"usageType,omitzero"`
	Rest      sid.Rest `json:",embed"`
}

// SpecifiedFeature is a characteristic of a kind of usage (TMF635 CharacteristicSpecification).
type SpecifiedFeature struct {
	Name        string   `json:"name,omitzero"`
	Description string   `json:"description,omitzero"`
	ValueType   string   `json:"valueType,omitzero"`
	Rest        sid.Rest `json:",embed"`
}

func specifications(s *store.Store) *resource.Set[Specification] {
	return resource.New(s, store.Definition{
		Kind: SpecificationKind, Table: "usage_specification", Indexed: map[string]string{"name": "name"},
	}, resource.Rules[Specification]{
		Domain: domain,
		Create: func(ctx context.Context, i id.ID, v *Specification, _ time.Time) error {
			if v.Type == "" {
				v.Type = "UsageSpecification"
			}
			if v.LifecycleStatus == "" {
				v.LifecycleStatus = "Active"
			}
			if err := v.check(); err != nil || v.UsageType == "" {
				return err
			}
			return s.Claim(ctx, specificationClaim, v.UsageType, i)
		},
		Change: func(_ context.Context, _, v *Specification, _ time.Time) error { return v.check() },
		After: func(ctx context.Context, _ id.ID, prev, next *Specification) error {
			if next != nil || prev.UsageType == "" {
				return nil
			}
			return s.Unclaim(ctx, specificationClaim, prev.UsageType)
		},
		Touch: func(v *Specification, now time.Time) { v.LastUpdate = now },
		Fixed: []string{"usageType"},
	})
}

func (v *Specification) check() error {
	if v.UsageType != "" && units[v.UsageType] == "" {
		return fault.Invalidf("usageType", "usageType is voice, data or sms; leave it out for other usage")
	}
	if p := v.ValidFor; p != nil && p.Start != nil && p.End != nil && p.End.Before(*p.Start) {
		return fault.Invalidf("validFor.endDateTime", "the end is before the start")
	}
	return nil
}

// Specify creates the specifications of voice, data and messages that are not there yet.
func (s *Service) Specify(ctx context.Context) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		for _, v := range standard() {
			there, err := s.store.Claimant(ctx, specificationClaim, v.UsageType)
			if err != nil {
				return err
			}
			if there != "" {
				continue
			}
			if _, _, err := s.Specifications.Add(ctx, &v); err != nil {
				return err
			}
		}
		return nil
	})
}

// standard are the specifications of what demarc rates.
func standard() []Specification {
	feature := func(name, valueType, description string) SpecifiedFeature {
		return SpecifiedFeature{Name: name, ValueType: valueType, Description: description, Rest: sid.Rest{"configurable": jsontext.Value("true")}}
	}
	common := []SpecifiedFeature{
		feature(charRecord, "string", "The source's own name for the record"),
		feature(charSource, "string", "Who recorded it"),
		feature(charLine, "string", "Number of the line that used"),
		feature(charDirection, "string", "outgoing or incoming"),
		feature(charNetwork, "string", "Network that served it: MCC and MNC"),
	}
	parties := []SpecifiedFeature{
		feature(charOriginating, "string", "Number that called or wrote"),
		feature(charDestination, "string", "Number that was called or written to"),
	}
	of := func(usageType, name, description string, more ...SpecifiedFeature) Specification {
		return Specification{
			Name: name, Description: description, Version: "1.0", UsageType: usageType,
			Characteristics: append(append([]SpecifiedFeature{}, common...), more...),
		}
	}
	return []Specification{
		of(rating.Voice, "Voice call", "A call, by its seconds", append(parties, feature(charDuration, "number", "Seconds"))...),
		of(rating.Data, "Data session", "Data both ways, by its bytes", feature(charVolume, "number", "Bytes"), feature(charDuration, "number", "Seconds it took")),
		of(rating.SMS, "Message", "Short messages, by their number", append(parties, feature(charMessages, "number", "Messages; the parts of a long one count each"))...),
	}
}
