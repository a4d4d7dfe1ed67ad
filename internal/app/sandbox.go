package app

import (
	"context"
	"time"
)

// location is the time zone of the scope's service provider.
func (a *App) location(ctx context.Context) (*time.Location, error) {
	v, err := a.Providers.Rules(ctx)
	return v.Location(), err
}
