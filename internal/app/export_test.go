package app

import "context"

// MAC is what the secret of an API key is checked by.
func (a *App) MAC(ctx context.Context, keyID string) ([]byte, error) {
	k, err := a.keyring.Get(ctx, keyID)
	return k.MAC, err
}
