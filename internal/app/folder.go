package app

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/demarc-bss/demarc/internal/config"
)

// folder is what demarc keeps on this machine.
type folder string

// openFolder makes the data folder when it is missing.
func openFolder(s *config.Settings) (folder, error) {
	if s.Data == "" {
		return "", nil
	}
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return "", advise(fmt.Errorf("the data folder cannot be made: %w", err),
			"choose another with --data, or let this user write there")
	}
	return folder(s.Data), nil
}

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// secret reads a secret of the folder, and makes it when it is missing: 32 random bytes in hexadecimal,
// readable by the owner only.
func (f folder) secret(name string) ([]byte, error) {
	if f == "" {
		return nil, errors.New("there is no data folder to keep it in")
	}
	path := f.path(name)
	text, err := os.ReadFile(path)
	if err == nil {
		return []byte(strings.TrimSpace(string(text))), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b := make([]byte, 32)
	_, _ = rand.Read(b) // documented never to fail
	fresh := []byte(hex.EncodeToString(b))
	return fresh, writeOnce(path, fresh)
}

// writeOnce makes a file that only its owner reads. It is there whole or not at all.
func writeOnce(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(append(text, '\n'))
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// lock keeps other servers away from an embedded database: their writes would pass by this one's cache.
// It is let go when the process ends, however it ends. PostgreSQL needs none.
func lock(databaseURL string) (release func(), err error) {
	path, embedded := strings.CutPrefix(databaseURL, "sqlite:")
	if !embedded || strings.Contains(path, ":memory:") {
		return func() {}, nil
	}
	path, _, _ = strings.Cut(strings.TrimPrefix(path, "//"), "?")
	if real, err := filepath.EvalSymlinks(path); err == nil { // one lock, whatever name leads to the file
		path = real
	}
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, advise(fmt.Errorf("the database's folder cannot be written to: %w", err),
			"choose another with --db or --data, or let this user write there")
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, advise(fmt.Errorf("another demarc serves the database %s", path),
				"stop it, use another --data folder, or move to PostgreSQL, which many may serve")
		}
		return nil, fmt.Errorf("the database %s cannot be locked: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}
