package store_test

import (
	"context"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/go-json-experiment/json/jsontext"
)

func TestSmoke(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := storetest.Context(1)
		kind := id.Kind{Name: "customer", Prefix: "cus"}
		c := store.NewCollection[map[string]jsontext.Value](s, store.Definition{Kind: kind, Table: "customer", Indexed: map[string]string{"name": "name"}})
		i := id.New(kind, id.RandomHome(), s.Now(ctx))
		err := s.Write(ctx, func(ctx context.Context) error {
			_, err := c.Insert(ctx, i, &map[string]jsontext.Value{"id": jsontext.Value(`"x"`), "name": jsontext.Value(`"Ann"`), "n": jsontext.Value(`5`)})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []store.Query{{}, {Filters: []store.Filter{{Path: []string{"name"}, Op: store.Eq, Values: []string{"Ann"}}}},
			{Filters: []store.Filter{{Path: []string{"n"}, Op: store.Gt, Values: []string{"4"}}}, Sort: []store.Sort{{Path: []string{"n"}}}},
			{Filters: []store.Filter{{Path: []string{"name"}, Op: store.Regex, Values: []string{"^A.n$"}}}, Sort: []store.Sort{{Path: []string{"name"}, Desc: true}}}} {
			p, err := c.Docs(ctx, q)
			if err != nil || p.Total != 1 || len(p.Items) != 1 || p.Items[0].ID != i || string(p.Items[0].Body) != `{"n":5,"name":"Ann"}` {
				t.Fatalf("%+v %+v %v", q, p, err)
			}
		}
		if err := s.Ping(ctx); err != nil {
			t.Fatal(err)
		}
	})
}
