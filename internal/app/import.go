package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/demarc-bss/demarc/internal/bulkupload"
	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// File is a file to be taken in by a command.
type File struct {
	// Of is what it holds (bulkupload.Types), SPID whom it is for.
	Of, Path                         string
	SPID                             int
	Batch, ICCIDForm, SIMType, Group string
	// Again takes a file in that came before.
	Again bool
	// Progress is told how far it is; nil tells nobody.
	Progress func(bytes, size int64, rows int)
}

// Imported is what came of a File.
type Imported struct {
	ID     id.ID
	Upload bulkupload.Upload
	Errors []bulkupload.RowError
}

// Import takes a file in, straight into the database: from where an earlier run of it stopped, or not at all when it
// came in before. On SQLite no server may have the database open meanwhile.
func Import(ctx context.Context, s *config.Settings, log *slog.Logger, f File) (out Imported, err error) {
	h, done, err := OpenAlone(ctx, s, log, "send the file to the server: POST /api/bulkupload")
	if err != nil {
		return out, err
	}
	defer done()
	file, err := os.Open(f.Path)
	if err != nil {
		return out, err
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	if err != nil {
		return out, fmt.Errorf("the file cannot be read: %w", err)
	}
	ctx = h.As(ctx, f.SPID)
	out.ID, out.Upload, _, err = h.Uploads.Begin(ctx, bulkupload.Upload{
		Of: f.Of, File: filepath.Base(f.Path), Size: size, Digest: hex.EncodeToString(sum.Sum(nil)),
		ICCIDForm: inventory.ICCIDForm(f.ICCIDForm), SIMType: f.SIMType, Batch: f.Batch, Group: f.Group,
	}, f.Again)
	for err == nil && !out.Upload.Ended() {
		if out.Upload, err = h.Uploads.Step(ctx, out.ID, file); err == nil && f.Progress != nil {
			f.Progress(out.Upload.BytesDone, size, out.Upload.Rows)
		}
	}
	if err != nil {
		return out, fmt.Errorf("the import stopped after %d rows and goes on from there when it is run again: %w", out.Upload.Rows, err)
	}
	out.Errors, err = h.Uploads.Errors(ctx, out.ID)
	return out, err
}
