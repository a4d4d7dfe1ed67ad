package store

import (
	"bytes"
	"context"
	"errors"
	"github.com/demarc-bss/demarc/internal/store/engine"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// CodeKeyReused is the Conflict of an idempotency key that came with two different requests.
const CodeKeyReused fault.Code = "idempotencyKeyReused"

const (
	// The row is put there first: whoever comes with the same key waits for the commit, or sees it.
	sqlOnce = `INSERT INTO idempotency (home, spid, client, idem_key, digest, status, header, body, expires)
VALUES ($1, $2, $3, $4, $5, 0, '', NULL, $6)
ON CONFLICT (home, spid, client, idem_key) DO UPDATE SET digest = excluded.digest, status = 0, header = '', body = NULL, expires = excluded.expires
WHERE idempotency.expires <= $7`
	sqlOnceKept = `SELECT digest, status, header, body FROM idempotency WHERE home = $1 AND spid = $2 AND client = $3 AND idem_key = $4`
	sqlOnceKeep = `UPDATE idempotency SET status = $1, header = $2, body = $3 WHERE home = $4 AND spid = $5 AND client = $6 AND idem_key = $7`
)

// Once is Write for a request that carries an idempotency key: the first call runs fn and keeps its answer,
// in the same transaction; a later one within KeepAnswers gets that answer and replayed = true. The same key
// with another digest is a Conflict fault (CodeKeyReused). An error is not kept. A second call that comes
// while the first runs waits for it.
func (s *Store) Once(ctx context.Context, k Key, fn func(ctx context.Context) (Answer, error)) (a Answer, replayed bool, err error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return a, false, err
	}
	if len(k.Value) == 0 || len(k.Value) > 255 {
		return a, false, fault.Invalidf("Idempotency-Key", "an idempotency key has 1 to 255 characters")
	}
	key := []any{int64(id.HomeOf(k.Client + "/" + k.Value)), int64(spid), k.Client, k.Value}
	err = s.Write(ctx, func(ctx context.Context) error {
		a, replayed, err = s.once(ctx, key, k.Digest[:], fn)
		return err
	})
	if err != nil {
		return Answer{}, false, err
	}
	return a, replayed, nil
}

func (s *Store) once(ctx context.Context, key []any, digest []byte, fn func(ctx context.Context) (Answer, error)) (a Answer, replayed bool, err error) {
	t, err := s.writing(ctx)
	if err != nil {
		return a, false, err
	}
	args := append(append([]any{}, key...), digest, engine.Micros(t.machine.Add(KeepAnswers)), engine.Micros(t.machine))
	n, err := t.Exec(ctx, sqlOnce, args...)
	if err != nil {
		return a, false, dbFault(err)
	}
	if n == 0 {
		return s.kept(ctx, t, key, digest)
	}
	if a, err = fn(ctx); err != nil {
		return a, false, err
	}
	header, err := json.Marshal(a.Header, json.Deterministic(true))
	if err != nil {
		return a, false, fault.Internalf(err, "the answer cannot be kept")
	}
	args = append([]any{int64(a.Status), string(header), any(nil)}, key...)
	if a.Body != nil {
		args[2] = a.Body
	}
	return a, false, dbFault(t.Later(ctx, sqlOnceKeep, args...))
}

// kept is the answer that was given before.
func (s *Store) kept(ctx context.Context, t *tx, key []any, digest []byte) (a Answer, replayed bool, err error) {
	var was []byte
	var header string
	if _, err := engine.Row(ctx, t.Conn, sqlOnceKept, key, &was, &a.Status, &header, &a.Body); err != nil {
		return a, false, dbFault(err)
	}
	if !bytes.Equal(was, digest) {
		return a, false, fault.Conflictf(CodeKeyReused, "the idempotency key was used for another request")
	}
	if a.Status == 0 { // only a call from within fn can see the row before it has an answer
		return a, false, fault.Internalf(errors.New("store: Once within itself"), "the request calls itself")
	}
	if err := json.Unmarshal([]byte(header), &a.Header); err != nil {
		return a, false, fault.Internalf(err, "the kept answer cannot be read")
	}
	return a, true, nil
}
