package catalog

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// The id kinds of jobs.
var (
	ImportKind = id.Kind{Name: "importJob", Prefix: "imj"}
	ExportKind = id.Kind{Name: "exportJob", Prefix: "exj"}
)

// The kinds of the durable jobs that carry import and export jobs out; both wait for other systems.
const (
	JobImport = "catalog.import"
	JobExport = "catalog.export"
)

// JobState is where an import or export job stands (TMF620 JobStateType).
type JobState string

// A job runs until it has succeeded or failed, for good.
const (
	NotStarted JobState = "Not Started"
	Running    JobState = "Running"
	Succeeded  JobState = "Succeeded"
	Failed     JobState = "Failed"
)

const (
	// MostFile is how large a file may be that is imported or exported, in bytes.
	MostFile = 10 << 20
	// mostKept is how large an export may be that is kept in its job.
	mostKept = 512 << 10
	// attempts is how often a file is asked for that another server does not give.
	attempts = 6
	// mostLines is how many mistakes an error log tells one by one.
	mostLines = 500
)

// Files are the files of other servers. An Unavailable fault is worth another try, any other is not.
type Files interface {
	// Fetch reads a file of at most so many bytes.
	Fetch(ctx context.Context, url string, most int64) (body []byte, mediaType string, err error)
	// Put writes a file.
	Put(ctx context.Context, url, mediaType string, body []byte) error
}

// ImportJob loads a file into the catalogue (TMF620 ImportJob). Entries and Changed extend the standard.
type ImportJob struct {
	Type string `json:"@type,omitzero"`
	// URL is where the file is: http, https, or data with the file in it.
	URL         string `json:"url,omitzero"`
	ContentType string `json:"contentType,omitzero"`
	// Path is the collection whose resources the file holds, when it does not say.
	Path           string     `json:"path,omitzero"`
	Status         JobState   `json:"status,omitzero"`
	CreationDate   *time.Time `json:"creationDate,omitzero"`
	CompletionDate *time.Time `json:"completionDate,omitzero"`
	// ErrorLog says why it failed, a line for each mistake.
	ErrorLog string `json:"errorLog,omitzero"`
	// Entries is how many things the file describes, Changed how many of them were new or changed.
	Entries int      `json:"entries,omitzero"`
	Changed int      `json:"changed,omitzero"`
	Rest    sid.Rest `json:",embed"`
}

// ExportJob writes the catalogue to a file (TMF620 ExportJob): a JSON array of its resources, which an import job can
// load elsewhere.
type ExportJob struct {
	Type string `json:"@type,omitzero"`
	// URL is where the file goes: it is PUT to http or https; a data URL, whatever it holds, has the file put
	// into it, to be read from the job.
	URL         string `json:"url,omitzero"`
	ContentType string `json:"contentType,omitzero"`
	// Path is the collection that is exported; empty is all of them.
	Path string `json:"path,omitzero"`
	// Query keeps the resources that it fits, as in a list's address ("lifecycleStatus=Active").
	Query          string     `json:"query,omitzero"`
	Status         JobState   `json:"status,omitzero"`
	CreationDate   *time.Time `json:"creationDate,omitzero"`
	CompletionDate *time.Time `json:"completionDate,omitzero"`
	ErrorLog       string     `json:"errorLog,omitzero"`
	Entries        int        `json:"entries,omitzero"`
	Rest           sid.Rest   `json:",embed"`
}

// Jobs are the handlers of this package's jobs, by kind; they wait for other systems.
func (s *Service) Jobs() map[string]job.Handler {
	return map[string]job.Handler{JobImport: s.runImport, JobExport: s.runExport}
}

func (s *Service) jobSets(st *store.Store) {
	s.ImportJobs = resource.New(st, store.Definition{Kind: ImportKind, Table: "import_job", Indexed: map[string]string{"status": "status"}},
		resource.Rules[ImportJob]{
			Domain: domain,
			Create: func(_ context.Context, _ id.ID, v *ImportJob, now time.Time) error {
				if v.Type == "" {
					v.Type = "ImportJob"
				}
				v.Status, v.CreationDate, v.CompletionDate, v.ErrorLog, v.Entries, v.Changed = NotStarted, &now, nil, "", 0, 0
				return addressed(v.URL)
			},
			After: func(ctx context.Context, i id.ID, prev, _ *ImportJob) error {
				return s.promise(ctx, JobImport, i, prev == nil)
			},
			State: func(v *ImportJob) string { return string(v.Status) },
		})
	s.ExportJobs = resource.New(st, store.Definition{Kind: ExportKind, Table: "export_job", Indexed: map[string]string{"status": "status"}},
		resource.Rules[ExportJob]{
			Domain: domain,
			Create: func(_ context.Context, _ id.ID, v *ExportJob, now time.Time) error {
				if v.Type == "" {
					v.Type = "ExportJob"
				}
				v.Status, v.CreationDate, v.CompletionDate, v.ErrorLog, v.Entries = NotStarted, &now, nil, "", 0
				return addressed(v.URL)
			},
			After: func(ctx context.Context, i id.ID, prev, _ *ExportJob) error {
				return s.promise(ctx, JobExport, i, prev == nil)
			},
			State: func(v *ExportJob) string { return string(v.Status) },
		})
}

func addressed(url string) error {
	if strings.TrimSpace(url) == "" {
		return fault.Invalidf("url", "url is mandatory: where the file is")
	}
	return nil
}

// promise has a new job carried out.
func (s *Service) promise(ctx context.Context, kind string, i id.ID, isNew bool) error {
	if !isNew {
		return nil
	}
	payload, err := json.Marshal(string(i))
	if err != nil {
		return fault.Internalf(err, "a job cannot be written down")
	}
	home, _ := i.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{Kind: kind, Key: string(i), Payload: payload, MaxAttempts: attempts})
	return err
}

// outcome is what became of a job: faults that are worth another try are given back as they are, while there is
// one; any other is what the job failed by.
func outcome(err error, j job.Job) (failure, again error) {
	switch fault.KindOf(err) {
	case fault.None:
		return nil, nil
	case fault.Internal, fault.Unavailable:
		if j.Attempts < attempts {
			return nil, err
		}
	}
	return err, nil
}

// errorLog is a fault in words, a line for each mistake.
func errorLog(err error) string {
	f := fault.From(err)
	if f.Kind == fault.Internal {
		return "the job could not be carried out"
	}
	if len(f.Details) == 0 {
		return f.Message
	}
	var b strings.Builder
	for n, d := range f.Details {
		if n == mostLines {
			fmt.Fprintf(&b, "and %d more", len(f.Details)-n)
			break
		}
		fmt.Fprintln(&b, strings.TrimPrefix(d.Attribute+": "+d.Message, ": "))
	}
	return strings.TrimSpace(b.String())
}

// jobOf is the import or export job that a job is for. gone: there is nothing more to do for it.
func jobOf[T any](ctx context.Context, set *resource.Set[T], j job.Job, status func(*T) *JobState) (i id.ID, v T, gone bool, err error) {
	if err := json.Unmarshal(j.Payload, &i); err != nil {
		return i, v, false, job.Permanent{Err: err}
	}
	v, _, err = set.Get(ctx, i)
	switch at := *status(&v); {
	case fault.KindOf(err) == fault.NotFound:
		return i, v, true, nil
	case err != nil:
		return i, v, false, err
	case at == Succeeded || at == Failed:
		return i, v, true, nil
	case at == NotStarted:
		v, err = set.Change(ctx, i, func(v *T) error { *status(v) = Running; return nil })
	}
	return i, v, false, err
}

func (s *Service) runImport(ctx context.Context, j job.Job) error {
	i, v, gone, err := jobOf(ctx, s.ImportJobs, j, func(v *ImportJob) *JobState { return &v.Status })
	if err != nil || gone {
		return err
	}
	body, mediaType, err := s.fetch(ctx, v.URL)
	var f *File
	if err == nil {
		if v.ContentType != "" {
			mediaType = v.ContentType
		}
		f, err = Read(body, mediaType, v.Path)
	}
	if err == nil {
		err = s.store.Write(ctx, func(ctx context.Context) error {
			changed, err := s.Load(ctx, f)
			if err != nil {
				return err
			}
			_, err = s.ImportJobs.Change(ctx, i, func(v *ImportJob) error {
				now := s.store.Now(ctx)
				v.Status, v.CompletionDate, v.Entries, v.Changed = Succeeded, &now, f.Len(), changed
				return nil
			})
			return err
		})
	}
	failure, again := outcome(err, j)
	if failure == nil {
		return again
	}
	_, err = s.ImportJobs.Change(ctx, i, func(v *ImportJob) error {
		now := s.store.Now(ctx)
		v.Status, v.CompletionDate, v.ErrorLog = Failed, &now, errorLog(failure)
		return nil
	})
	return err
}

func (s *Service) runExport(ctx context.Context, j job.Job) error {
	i, v, gone, err := jobOf(ctx, s.ExportJobs, j, func(v *ExportJob) *JobState { return &v.Status })
	if err != nil || gone {
		return err
	}
	body, entries, err := s.Export(ctx, v.Path, v.Query)
	kept := v.URL
	if err == nil {
		kept, err = s.send(ctx, v.URL, body)
	}
	failure, again := outcome(err, j)
	if again != nil {
		return again
	}
	_, err = s.ExportJobs.Change(ctx, i, func(v *ExportJob) error {
		now := s.store.Now(ctx)
		v.CompletionDate, v.Status, v.Entries, v.URL, v.ContentType = &now, Succeeded, entries, kept, jsonType
		if failure != nil {
			v.Status, v.Entries, v.ErrorLog = Failed, 0, errorLog(failure)
		}
		return nil
	})
	return err
}

const jsonType = "application/json"

// scheme is what a URL begins with, in lower case.
func scheme(address string) string {
	s, _, _ := strings.Cut(address, ":")
	return strings.ToLower(s)
}

var errNoFiles = fault.Invalidf("url", "this installation reads and writes no files of other servers")

// fetch reads the file at a URL.
func (s *Service) fetch(ctx context.Context, address string) (body []byte, mediaType string, err error) {
	switch scheme(address) {
	case "data":
		return dataOf(address)
	case "http", "https":
		if s.Files == nil {
			return nil, "", errNoFiles
		}
		return s.Files.Fetch(ctx, address, MostFile)
	}
	return nil, "", fault.Invalidf("url", "a file is read from an http, https or data URL")
}

// send writes a file to a URL, and says what the URL is now.
func (s *Service) send(ctx context.Context, address string, body []byte) (string, error) {
	switch scheme(address) {
	case "data":
		if len(body) > mostKept {
			return address, fault.Invalidf("url", "the file has %d bytes: more than %d are not kept in a job; give an http or https URL to PUT it to", len(body), mostKept)
		}
		return "data:" + jsonType + ";base64," + base64.StdEncoding.EncodeToString(body), nil
	case "http", "https":
		if s.Files == nil {
			return address, errNoFiles
		}
		return address, s.Files.Put(ctx, address, jsonType, body)
	}
	return address, fault.Invalidf("url", "a file is written to an http, https or data URL")
}

// dataOf decodes a data URL (RFC 2397).
func dataOf(address string) (body []byte, mediaType string, err error) {
	wrong := fault.Invalidf("url", "the data URL cannot be read: it is data:[media type][;base64],file, the file with percent signs or in base64")
	head, text, ok := strings.Cut(address[len("data:"):], ",")
	if !ok {
		return nil, "", wrong
	}
	mediaType, coded := strings.CutSuffix(head, ";base64")
	plain, err := url.PathUnescape(text)
	if err != nil {
		return nil, "", wrong
	}
	if !coded {
		return []byte(plain), mediaType, nil
	}
	if body, err = base64.StdEncoding.DecodeString(plain); err != nil {
		return nil, "", wrong
	}
	return body, mediaType, nil
}

// Export is the catalogue as a JSON array of TMF620 resources, and how many they are: all collections, or the one at
// a path, and of these what fits a query.
func (s *Service) Export(ctx context.Context, root, query string) (body []byte, entries int, err error) {
	only := ""
	if p := strings.Trim(root, "/"); p != "" {
		if only = path.Base(p); typeNames[only] == "" {
			return nil, 0, fault.Invalidf("path", "there is no collection %s in the catalogue", only)
		}
	}
	var filters []store.Filter
	if query != "" {
		if s.ParseQuery == nil {
			return nil, 0, fault.Invalidf("query", "this installation reads no queries")
		}
		if filters, err = s.ParseQuery(query); err != nil {
			return nil, 0, err
		}
	}
	var out bytes.Buffer
	out.WriteString("[")
	err = s.store.Snapshot(ctx, func(ctx context.Context) error {
		for _, set := range []resource.Any{s.Catalogs, s.Categories, s.Specifications, s.Prices, s.Tariffs, s.Offerings} {
			if only != "" && set.Kind().Name != only {
				continue
			}
			page, err := set.Docs(ctx, store.Query{Filters: filters, NoTotal: true})
			if err != nil {
				return err
			}
			for _, d := range page.Items {
				if entries++; entries > 1 {
					out.WriteString(",")
				}
				out.WriteString("\n")
				writeEntry(&out, d)
				if out.Len() > MostFile {
					return fault.Invalidf("query", "the catalogue has more than %d bytes: export it in parts, by path or query", MostFile)
				}
			}
		}
		return nil
	})
	out.WriteString("\n]\n")
	return out.Bytes(), entries, err
}

// writeEntry writes a resource with its id.
func writeEntry(out *bytes.Buffer, d store.Doc) {
	head, _ := jsontext.AppendQuote([]byte(`{"id":`), string(d.ID))
	out.Write(head)
	if rest := bytes.TrimPrefix(d.Body, []byte("{")); !bytes.Equal(rest, []byte("}")) {
		out.WriteString(",")
		out.Write(rest)
		return
	}
	out.WriteString("}")
}
