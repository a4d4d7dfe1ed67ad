package devidp_test

import (
	"os"
)

// keyDir is a folder for a key that the tests of this package share.
func keyDir() (dir string, cleanup func()) {
	dir, err := os.MkdirTemp("", "devidp")
	if err != nil {
		return os.TempDir(), func() {}
	}
	return dir, func() { _ = os.RemoveAll(dir) }
}
