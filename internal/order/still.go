package order

import (
	"context"

	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// still is the work's line as it is now, beside the offering that the item brings to it. Orders side by side, or long
// ahead of their start, were each checked against a line that the others have changed since: what a line can have
// once would be charged and granted as often as it was ordered.
func (s *Service) still(ctx context.Context, w *Work) (*planner, *line, *offer, error) {
	p := &planner{s: s, order: w.ID, v: w.Order, now: w.Now, lines: map[id.ID]*line{}}
	l, err := p.line(ctx, "", w.line())
	if err == nil && l == nil {
		err = p.wrong.err()
	}
	if err != nil {
		return nil, nil, nil, err
	}
	i := id.ID(w.Item.Offering.ID)
	o, _, err := s.Catalog.Offerings.Get(ctx, i)
	if err != nil {
		return nil, nil, nil, err
	}
	return p, l, &offer{o, i}, nil
}

// stillTakes refuses an add-on, or goods, that the line has come to have, or not to be able to have.
func (s *Service) stillTakes(ctx context.Context, w *Work) error {
	_, l, o, err := s.still(ctx, w)
	if err != nil {
		return err
	}
	if err := l.takes(o); err != nil || o.goods() {
		return err
	}
	return pathless(s.Catalog.Fits(ctx, l.plan, o.id, l.offerings()))
}

// stillChanges refuses a plan that the line cannot change to any more.
func (s *Service) stillChanges(ctx context.Context, w *Work) error {
	p, l, o, err := s.still(ctx, w)
	if err != nil {
		return err
	}
	if err := l.replans(); err != nil {
		return err
	}
	if l.bare != (w.Item.Process == unblock) {
		return l.may("its price plan was taken off, or put on again, meanwhile")
	}
	if !l.bare {
		if err := pathless(s.Catalog.MayChange(ctx, l.plan, o.id)); err != nil {
			return err
		}
	}
	if err := p.stillFit(ctx, visitable{it: w.Item}, l, o); err != nil {
		return err
	}
	return p.wrong.err()
}
