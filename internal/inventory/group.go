package inventory

import (
	"context"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// Group is a kind of numbers that are offered together: regular ones, golden ones.
type Group struct {
	Type        string        `json:"@type,omitzero"`
	Name        string        `json:"name"`
	Description string        `json:"description,omitzero"`
	Class       Class         `json:"pricing,omitzero"`
	Price       *money.Amount `json:"price,omitzero"`
	Rest        sid.Rest      `json:",embed"`
}

func (s *Service) groupRules() resource.Rules[Group] {
	return resource.Rules[Group]{
		Domain: domain,
		Create: func(ctx context.Context, i id.ID, v *Group, _ time.Time) error {
			v.Type = "MSISDNGroup"
			if v.Class == "" {
				v.Class = Regular
			}
			if err := v.check(); err != nil {
				return err
			}
			return s.store.Claim(ctx, groupClaim, v.Name, i)
		},
		Change: func(_ context.Context, _, v *Group, _ time.Time) error { return v.check() },
		After: func(ctx context.Context, _ id.ID, prev, next *Group) error {
			if next != nil {
				return nil
			}
			return s.store.Unclaim(ctx, groupClaim, prev.Name)
		},
		Fixed: []string{"name"},
	}
}

func (v *Group) check() error {
	if strings.TrimSpace(v.Name) == "" || len(v.Name) > 64 {
		return fault.Invalidf("name", "a group of numbers has a name of at most 64 characters")
	}
	return (&Number{Class: v.Class, Price: v.Price}).check()
}

// GroupNamed is the group with a name; NotFound when there is none.
func (s *Service) GroupNamed(ctx context.Context, name string) (Group, error) {
	i, err := s.store.Claimant(ctx, groupClaim, name)
	if err != nil {
		return Group{}, err
	}
	if i == "" {
		return Group{}, fault.NotFoundf("there is no group of numbers with the name %q", name)
	}
	v, _, err := s.Groups.Get(ctx, i)
	return v, err
}
