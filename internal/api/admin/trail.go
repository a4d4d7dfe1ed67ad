package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

const (
	auditPath = base + "/audit"
	eventPath = base + "/event"
)

func (a *api) trails() []op.Operation {
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "admin.audit.list", Method: http.MethodGet, Path: auditPath, Tag: "Audit trail", Before: a.authenticated,
			Summary: "List what was done to a thing",
			Description: "Every change of the thing with that id, the oldest first: who, when, by which operation and request, why, and the document before and after. " +
				"The trail of a thing that was deleted stays. 404 when nothing with that id ever was at the service provider.",
			Errors: []fault.Kind{fault.NotFound},
			Params: []op.Param{{Name: "entityId", In: "query", Example: "cus_06c3v4m8r1e2k7t9w5x0y3z4a6"}},
		}, a.listAudit),
		op.Handle(op.Operation{
			ID: "admin.event.get", Method: http.MethodGet, Path: eventPath + "/{id}", Tag: "Events",
			Summary:     "Read an event",
			Description: "What happened, as it was told to those who subscribed (eventId), with the resource as it then was.",
			Errors:      []fault.Kind{fault.NotFound},
		}, a.getEvent),
	}
}

type recordView struct {
	ID        id.ID          `json:"id"`
	Date      time.Time      `json:"date"`
	Operation string         `json:"operation,omitzero" doc:"The operation, or kind of job; left out for a command of the binary." example:"cm.customer.patch"`
	Subject   string         `json:"subject" doc:"Who did it."`
	Client    string         `json:"client,omitzero" doc:"The client that it came through."`
	RequestID string         `json:"requestId,omitzero"`
	Reason    string         `json:"reason,omitzero" doc:"Why, as the caller said."`
	Entity    string         `json:"entity" doc:"The kind of thing." example:"customer"`
	EntityID  string         `json:"entityId"`
	Before    jsontext.Value `json:"before,omitzero" doc:"The document before; left out when it was created."`
	After     jsontext.Value `json:"after,omitzero" doc:"The document after; left out when it was deleted."`
	Type      string         `json:"@type"`
}

type auditIn struct {
	pageIn
	EntityID string `query:"entityId" required:"true" minLength:"1" maxLength:"64" doc:"Id of the thing: of any resource, or of an API key."`
}

type auditOut struct {
	pageOut
	Body []recordView
}

func (a *api) listAudit(ctx context.Context, in *auditIn) (*auditOut, error) {
	all, err := a.trail(ctx, in.EntityID)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, notFound("audit trail of", in.EntityID)
	}
	views := []recordView{}
	for _, r := range part(in.pageIn, all) {
		views = append(views, recordView{
			ID: r.ID, Date: r.At, Operation: r.Operation, Subject: r.Subject, Client: r.Client, RequestID: r.RequestID, Reason: r.Reason,
			Entity: r.Entity, EntityID: in.EntityID, Before: r.Before, After: r.After, Type: "AuditRecord",
		})
	}
	return &auditOut{Body: views, pageOut: in.out(auditPath, len(views), int64(len(all)))}, nil
}

func (a *api) trail(ctx context.Context, entityID string) ([]store.Record, error) {
	if !keyForm(entityID) {
		return a.Store.Audit(ctx, id.ID(entityID))
	}
	if _, err := a.key(ctx, entityID); err != nil {
		return nil, err
	}
	return a.KeyTrail(ctx, entityID)
}

type eventIn struct {
	ID string `path:"id" doc:"Id of the event."`
}

type eventView struct {
	ID            id.ID                     `json:"eventId"`
	Time          time.Time                 `json:"eventTime"`
	Kind          string                    `json:"eventType" example:"CustomerCreateEvent"`
	Domain        string                    `json:"domain,omitzero" doc:"The API that owns the resource." example:"customerManagement"`
	Title         string                    `json:"title,omitzero"`
	Description   string                    `json:"description,omitzero"`
	CorrelationID string                    `json:"correlationId,omitzero" doc:"The request that caused it."`
	EntityID      id.ID                     `json:"entityId,omitzero" doc:"Id of the resource."`
	Event         map[string]jsontext.Value `json:"event" doc:"The resource by its name, as it was after the change; as it was last, when it was deleted."`
	Type          string                    `json:"@type"`
}

type eventOut struct{ Body eventView }

func (a *api) getEvent(ctx context.Context, in *eventIn) (*eventOut, error) {
	e, err := a.Store.Event(ctx, id.ID(in.ID))
	if err != nil {
		return nil, err
	}
	return &eventOut{Body: eventView{
		ID: e.ID, Time: e.Time, Kind: e.Type, Domain: e.Domain, Title: e.Title, Description: e.Description, CorrelationID: e.CorrelationID,
		EntityID: e.Subject, Event: map[string]jsontext.Value{e.Resource: e.Document}, Type: "Event",
	}}, nil
}
