package tmf

import (
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/store"
)

// hub is where events of an API are subscribed to (TMF630 part 1, "Notification patterns"). Beside the
// standard's POST and DELETE, subscriptions can be read. The secret that deliveries are signed with is shown
// when the subscription is made.
func hub(d Deps, f *op.Facade, a api) tmf630.Resource {
	var aliases []string
	for _, alias := range a.aliases {
		aliases = append(aliases, alias+"/hub")
	}
	return tmf630.Resource{
		Facade: f, Set: d.Hubs, Aliases: aliases, Shape: tmf630.ShapeOf("TMF630", "EventSubscription"), Path: a.base + "/hub",
		ID: f.Name + ".hub." + a.name, Entity: "hub", Tag: a.code + " Hub",
		Verbs:  tmf630.List | tmf630.Create | tmf630.Get | tmf630.Delete,
		Within: map[string]string{"domain": a.domain},
		Reveal: func(doc store.Doc) map[string]string {
			if d.Secret == nil {
				return nil
			}
			return map[string]string{"secret": d.Secret(doc.ID)}
		},
		Example: map[string]any{"callback": "https://listener.example.com/events"},
		Paging:  d.Paging,
	}
}
