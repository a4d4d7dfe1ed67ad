package cm

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/bulkupload"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

const (
	uploadPath   = desk.Base + "/bulkupload"
	uploadStatus = uploadPath + "/fileUploadStatus"
	uploadTag    = "Bulk upload"
	// largestUpload is the most that comes in one request; larger files come in by `demarc import`.
	largestUpload = 32 << 20
	formOfFiles   = "multipart/form-data"
	asCSV         = "text/csv"
)

type uploadView struct {
	ID         id.ID      `json:"id"`
	Href       string     `json:"href"`
	UploadType string     `json:"uploadType" enum:"sims,numbers,subscribers"`
	FileName   string     `json:"fileName,omitzero"`
	Status     string     `json:"status" enum:"created,inProgress,completed,failed"`
	FileSize   int64      `json:"fileSize" doc:"Bytes."`
	Digest     string     `json:"digest" doc:"SHA-256 of the file, in hex."`
	BytesDone  int64      `json:"bytesDone" doc:"How much of the file is taken in."`
	Rows       int        `json:"rows" doc:"Rows that were looked at so far."`
	Added      int        `json:"rowsAdded"`
	Bad        int        `json:"rowsBad" doc:"Rows that were not taken; …/errors says why."`
	Message    string     `json:"message,omitzero" doc:"Why it failed."`
	StartDate  time.Time  `json:"startDate"`
	EndDate    *time.Time `json:"completionDate,omitzero"`
}

func (a *api) uploads() []op.Operation {
	read := desk.May("resource", auth.Get)
	plain := &huma.Schema{Type: huma.TypeString}
	query := func(name, text string, enum ...any) op.Param {
		return op.Param{Name: name, In: "query", Description: text, Schema: &huma.Schema{Type: huma.TypeString, Enum: enum}}
	}
	kind := query("uploadType", "What the file holds.", "sims", "numbers", "subscribers")
	kind.Required, kind.Example = true, "sims"
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.bulkUpload.list", Method: http.MethodGet, Path: uploadStatus, Tag: uploadTag, Summary: "List uploads",
			Description: "The newest first.", Permission: read, Status: http.StatusOK, Also: desk.Pages(),
		}, a.listUploads),
		op.Handle(op.Operation{
			ID: "cm.bulkUpload.get", Method: http.MethodGet, Path: uploadStatus + "/{id}", Tag: uploadTag, Summary: "Read how far an upload is",
			Description: "By its id.", Permission: read, Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound},
		}, a.getUpload),
		{
			ID: "cm.bulkUpload.create", Method: http.MethodPost, Path: uploadPath, Tag: uploadTag, Summary: "Upload a file of SIMs, numbers or subscribers",
			Description: "A CSV file whose first line names its columns. `sims`: iccid, imsi, simType. `numbers`: msisdn, msisdnGroup, pricing, price. " +
				"`subscribers` are lines made ahead of their sale: iccid, imsi, msisdn, plan (its key), balance, simType. It is sent as it is or as the first file of a form, and taken in " +
				"by jobs; rows that cannot be taken are named by `…/{id}/errors`. The same file again is the same upload.",
			Permission: []auth.Permission{{Entity: "resource", Verb: auth.Post}, {Entity: "subscription", Verb: auth.Post}},
			Writes:     true, Status: http.StatusAccepted, BodyLimit: largestUpload, Timeout: 2 * time.Minute,
			Params: []op.Param{
				kind, query("fileName", "What the file is called."), query("batch", "Name of the SIMs' batch, which is made."),
				query("iccidForm", "How ICCIDs are written.", "withCheckDigit", "withoutCheckDigit"), query("simType", "Kind of SIM of rows that do not say."),
				query("msisdnGroup", "Group of numbers whose rows do not say."), query("again", "true takes a file in that came before.", "true", "false"),
			},
			Request:  &op.Body{ContentTypes: []string{asCSV, formOfFiles}, Schema: plain, Example: "iccid,imsi\n8941001000000000015,228010000000001\n"},
			Response: &op.Body{SchemaName: "UploadView", Description: "The upload; Location is where it tells its progress."},
			Prepare:  a.prepareUpload,
		},
		{
			ID: "cm.bulkUpload.errors", Method: http.MethodGet, Path: uploadStatus + "/{id}/errors", Tag: uploadTag, Summary: "Download the rows that were not taken",
			Description: "A CSV file with the columns row (the line in the file), value and reason; of very many the first ten thousand.",
			Permission:  read, Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound},
			Params:   []op.Param{{Name: "id", In: "path", Required: true, Description: "Id of the upload.", Schema: plain}},
			Response: &op.Body{ContentTypes: []string{asCSV}, Schema: plain, Example: "row,value,reason\n7,8941001000000000015,the check digit of the ICCID is wrong\n"},
			Prepare:  a.prepareErrors,
		},
	}
}

func (a *api) prepareUpload(r *op.Request) (op.Call, error) {
	file, name, err := fileOf(r)
	if err != nil {
		return nil, err
	}
	u := uploadOf(r.Query)
	u.File = desk.First(u.File, name)
	return func(ctx context.Context) (*op.Response, error) {
		i, kept, _, err := a.Uploads.Receive(ctx, u, file, r.Query.Get("again") == "true")
		if err != nil {
			return nil, err
		}
		v := showUpload(r, i, kept)
		body, err := json.Marshal(v)
		if err != nil {
			return nil, fault.Internalf(err, "the answer cannot be written")
		}
		return &op.Response{Header: http.Header{"Location": {v.Href}}, Body: body}, nil
	}, nil
}

func uploadOf(q url.Values) bulkupload.Upload {
	return bulkupload.Upload{
		Of: q.Get("uploadType"), File: q.Get("fileName"), ICCIDForm: inventory.ICCIDForm(q.Get("iccidForm")), SIMType: q.Get("simType"),
		Batch: q.Get("batch"), Group: q.Get("msisdnGroup"),
	}
}

// fileOf is the file that a request carries: its body, or the first file of its form.
func fileOf(r *op.Request) (file []byte, name string, err error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != formOfFiles {
		return r.Body, "", nil //nolint:nilerr // a body of no declared form is the file itself
	}
	form := multipart.NewReader(bytes.NewReader(r.Body), params["boundary"])
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil, "", fault.Invalidf("file", "the form has no file").Because(err)
		}
		if part.FileName() == "" {
			continue
		}
		file, err := io.ReadAll(part) // bounded by the body
		if err != nil {
			return nil, "", fault.Invalidf("file", "the form ends in the middle of the file").Because(err)
		}
		return file, part.FileName(), nil
	}
}

func showUpload(r *op.Request, i id.ID, u bulkupload.Upload) uploadView {
	return uploadView{
		ID: i, Href: r.BaseURL + uploadStatus + "/" + string(i), UploadType: u.Of, FileName: u.File, Status: u.Status, FileSize: u.Size, Digest: u.Digest,
		BytesDone: u.BytesDone, Rows: u.Rows, Added: u.Added, Bad: u.Bad, Message: u.Message, StartDate: u.StartDate, EndDate: u.CompletionDate,
	}
}

type uploadsOut struct {
	tmf630.Page
	Body []uploadView
}

func (a *api) listUploads(ctx context.Context, in *desk.PageIn) (*uploadsOut, error) {
	page, err := a.Uploads.Uploads.Docs(ctx, store.Query{Sort: []store.Sort{{Path: []string{"id"}, Desc: true}}, Offset: in.Offset, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &uploadsOut{Page: in.Of(uploadStatus, len(page.Items), page.Total)}
	out.Body, err = desk.Viewed(page, func(i id.ID, u bulkupload.Upload) uploadView { return showUpload(in.Request, i, u) })
	return out, err
}

type uploadIn struct {
	Request *op.Request
	ID      id.ID `path:"id"`
}

type uploadOut struct{ Body uploadView }

func (a *api) getUpload(ctx context.Context, in *uploadIn) (*uploadOut, error) {
	u, _, err := a.Uploads.Uploads.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &uploadOut{Body: showUpload(in.Request, in.ID, u)}, nil
}

func (a *api) prepareErrors(r *op.Request) (op.Call, error) {
	return func(ctx context.Context) (*op.Response, error) {
		rows, err := a.Uploads.Errors(ctx, id.ID(r.Path["id"]))
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		all := [][]string{{"row", "value", "reason"}}
		for _, e := range rows {
			all = append(all, []string{strconv.Itoa(e.Row), e.Value, e.Reason})
		}
		if err := w.WriteAll(all); err != nil {
			return nil, fault.Internalf(err, "the answer cannot be written")
		}
		return &op.Response{Body: b.Bytes(), ContentType: asCSV + ";charset=utf-8"}, nil
	}, nil
}
