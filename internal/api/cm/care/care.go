// Package care is the part of the Customer Management API that touches money beside the balance, and secrets: payments and their
// schedules, adjustments, recommendations, PINs.
package care

import (
	"slices"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
)

// api is this part with the domains that it shows.
type api struct{ desk.Deps }

// Operations are those of this part.
func Operations(d desk.Deps) []op.Operation {
	a := &api{d}
	return slices.Concat(a.pins(), a.payments(), a.schedules(), a.adjustments(), a.referrals())
}
