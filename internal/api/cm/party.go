package cm

import (
	"context"
	"net/http"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/party"
)

func (a *api) parties() []op.Operation {
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.individual.validate", Method: http.MethodPost, Path: desk.Base + "/individual/identification/validate", Tag: "Individual",
			Summary: "Compare what somebody says of themselves with what is known",
			Description: "Says of each attribute given whether it is what is known of the individual, and of all together whether they are (valid). " +
				"Nothing is changed, and nothing that is known is shown.",
			Permission: desk.May("individual", auth.Get), Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound},
			Request: &op.Body{Example: map[string]any{
				"individualId": "ind_06c3v4m8r1e2k7t9w5x0y3z4a6", "givenName": "Jane", "familyName": "Doe", "birthDate": "1990-12-31",
				"individualIdentification": map[string]any{"identificationType": "passport", "identificationId": "X1234567"},
			}},
		}, a.validate),
	}
}

type validateRequest struct {
	IndividualID   id.ID           `json:"individualId" doc:"Who they say they are."`
	GivenName      string          `json:"givenName,omitzero"`
	FamilyName     string          `json:"familyName,omitzero"`
	BirthDate      string          `json:"birthDate,omitzero" doc:"A date (1990-12-31) or a date-time."`
	Identification *identification `json:"individualIdentification,omitzero" doc:"The document that they show."`
}

type identification struct {
	Type string `json:"identificationType,omitzero" doc:"Any type when left out."`
	ID   string `json:"identificationId" minLength:"1"`
}

type validateIn struct{ Body validateRequest }

type validateOut struct{ Body validation }

type validation struct {
	Valid    bool            `json:"valid" doc:"Whether every attribute given is what is known."`
	Findings []party.Finding `json:"finding"`
}

func (a *api) validate(ctx context.Context, in *validateIn) (*validateOut, error) {
	b := in.Body
	c := party.Claimed{GivenName: b.GivenName, FamilyName: b.FamilyName, BirthDate: b.BirthDate}
	if b.Identification != nil {
		c.IdentificationType, c.IdentificationID = b.Identification.Type, b.Identification.ID
	}
	if c == (party.Claimed{}) {
		return nil, fault.Invalidf("givenName", "give at least one attribute to compare")
	}
	found, err := a.Parties.Validate(ctx, b.IndividualID, c)
	if err != nil {
		return nil, err
	}
	out := validation{Valid: true, Findings: found}
	for _, f := range found {
		out.Valid = out.Valid && f.Matches
	}
	return &validateOut{Body: out}, nil
}
