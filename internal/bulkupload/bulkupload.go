// Package bulkupload takes in files of many things at once: SIMs, numbers, lines made ahead of their sale. An upload
// goes on where it stopped, tells its progress, and names every row that it could not take.
package bulkupload

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// The id kinds of this package.
var (
	Kind      = id.Kind{Name: "bulkUpload", Prefix: "blk"}
	partKind  = id.Kind{Name: "bulkUploadPart", Prefix: "blp"}
	faultKind = id.Kind{Name: "bulkUploadError", Prefix: "ble"}
)

// What a file can hold.
const (
	SIMs        = "sims"
	Numbers     = "numbers"
	Subscribers = "subscribers"
)

// Types are all that a file can hold.
func Types() []string { return []string{SIMs, Numbers, Subscribers} }

// The states of an upload. One that completed may have had bad rows; one that failed cannot be read at all.
const (
	Created    = "created"
	InProgress = "inProgress"
	Completed  = "completed"
	Failed     = "failed"
)

// CodeState is work on an upload that has ended.
const CodeState fault.Code = "uploadEnded"

// Upload is a file and how far it was taken in.
type Upload struct {
	Type string `json:"@type,omitzero"`
	// Of is what the file holds: SIMs, Numbers or Subscribers.
	Of     string `json:"uploadType"`
	File   string `json:"fileName,omitzero"`
	Status string `json:"status,omitzero"`
	// Size is in bytes; Digest is the SHA-256 of the file, in hex.
	Size   int64  `json:"fileSize"`
	Digest string `json:"digest"`
	// ICCIDForm says how ICCIDs are written, SIMType what kind of SIM a row without one is, Batch what the SIMs' batch is
	// called, Group what group numbers belong to whose rows name none.
	ICCIDForm inventory.ICCIDForm `json:"iccidForm,omitzero"`
	SIMType   string              `json:"simType,omitzero"`
	Batch     string              `json:"batch,omitzero"`
	Group     string              `json:"msisdnGroup,omitzero"`
	BatchID   id.ID               `json:"batchId,omitzero"`
	// BytesDone is how much of the file is taken in, Lines how many lines that is. Of the Rows in them so many were
	// Added, and so many Bad.
	BytesDone int64 `json:"bytesDone"`
	Lines     int   `json:"lines"`
	Rows      int   `json:"rows"`
	Added     int   `json:"added"`
	Bad       int   `json:"bad"`
	// Message says why it failed.
	Message        string     `json:"message,omitzero"`
	StartDate      time.Time  `json:"startDate,omitzero"`
	CompletionDate *time.Time `json:"completionDate,omitzero"`
	Rest           sid.Rest   `json:",embed"`
}

// Ended reports whether nothing more is to be done.
func (v Upload) Ended() bool { return v.Status == Completed || v.Status == Failed }

// RowError is a row that was not taken.
type RowError struct {
	// Row is its line in the file, the header being 1.
	Row int `json:"row"`
	// Value is what names the row: an ICCID or a number.
	Value  string `json:"value,omitzero"`
	Reason string `json:"reason"`
}

// rowErrors are those of one part of an upload.
type rowErrors struct {
	Upload id.ID      `json:"upload"`
	Rows   []RowError `json:"rows"`
}

// part is a piece of a file.
type part struct {
	// At is the upload and the number of the piece, from 0.
	At   string `json:"at"`
	Data []byte `json:"data"`
}

// Parts are the domains that uploads fill.
type Parts struct {
	Providers     *provider.Service
	Accounts      *account.Service
	Catalog       *catalog.Service
	Inventory     *inventory.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
}

// Service is all uploads.
type Service struct {
	Parts
	// Uploads are the uploads, those that ended too.
	Uploads *resource.Set[Upload]
	parts   *store.Collection[part]
	errors  *store.Collection[rowErrors]
	store   *store.Store
}

const digestClaim = "bulkUpload"

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service {
	v := &Service{Parts: p, store: s}
	v.Uploads = resource.New(s, store.Definition{
		Kind: Kind, Table: "bulk_upload", Indexed: map[string]string{"status": "status", "uploadType": "upload_type"},
	}, resource.Rules[Upload]{
		Domain: "bulkUpload",
		Create: func(_ context.Context, _ id.ID, u *Upload, now time.Time) error { return u.begin(now) },
		Change: func(_ context.Context, prev, _ *Upload, _ time.Time) error {
			if prev.Ended() {
				return fault.Conflictf(CodeState, "the upload is %s", prev.Status)
			}
			return nil
		},
		State: func(u *Upload) string { return u.Status },
	})
	v.parts = store.NewCollection[part](s, store.Definition{
		Kind: partKind, Table: "bulk_upload_part", Quiet: true, Indexed: map[string]string{"at": "at"},
	})
	v.errors = store.NewCollection[rowErrors](s, store.Definition{
		Kind: faultKind, Table: "bulk_upload_error", Quiet: true, Indexed: map[string]string{"upload": "upload"},
	})
	return v
}

// holds refuses what a file cannot hold.
func holds(of string) error {
	if slices.Contains(Types(), of) {
		return nil
	}
	return fault.Invalidf("uploadType", "no file holds %q: the uploadType is one of %s", clip(of), strings.Join(Types(), ", "))
}

func (v *Upload) begin(now time.Time) error {
	if err := holds(v.Of); err != nil {
		return err
	}
	if v.ICCIDForm != inventory.EitherForm && v.ICCIDForm != inventory.WithCheckDigit && v.ICCIDForm != inventory.WithoutCheckDigit {
		return fault.Invalidf("iccidForm", "ICCIDs are written withCheckDigit or withoutCheckDigit")
	}
	if len(v.File) > 255 {
		v.File = v.File[:255]
	}
	v.File = strings.ToValidUTF8(strings.ReplaceAll(v.File, "\x00", ""), "")
	v.Type, v.Status, v.StartDate = "BulkUpload", Created, now
	return nil
}

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{jobRun: s.run} }

// Begin keeps an upload under the digest of its file. A file that came before, for the same thing, is that upload again:
// again is true. With anew it is taken in once more.
func (s *Service) Begin(ctx context.Context, u Upload, anew bool) (i id.ID, kept Upload, again bool, err error) {
	probe := u
	if err := probe.begin(s.store.Now(ctx)); err != nil {
		return "", kept, false, err
	}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		value := u.Of + "/" + u.Digest
		if i, err = s.store.Claimant(ctx, digestClaim, value); err != nil {
			return err
		}
		if again = i != "" && !anew; again {
			kept, _, err = s.Uploads.Get(ctx, i)
			return err
		}
		if u.Batch != "" && u.Of == SIMs {
			if u.BatchID, _, err = s.Inventory.Batches.Add(ctx, &inventory.SIMBatch{Name: u.Batch, ICCIDForm: u.ICCIDForm, Form: u.SIMType}); err != nil {
				return err
			}
		}
		if i, _, err = s.Uploads.Add(ctx, &u); err != nil {
			return err
		}
		if kept, _, err = s.Uploads.Get(ctx, i); err != nil {
			return err
		}
		if err := s.store.Unclaim(ctx, digestClaim, value); err != nil {
			return err
		}
		return s.store.Claim(ctx, digestClaim, value, i)
	})
	return i, kept, again, err
}
