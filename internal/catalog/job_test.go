package catalog

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// shelf is the files of another server.
type shelf struct {
	files map[string]string
	down  bool
	calls int
}

func (s *shelf) Fetch(_ context.Context, url string, most int64) ([]byte, string, error) {
	s.calls++
	text, ok := s.files[url]
	switch {
	case s.down:
		return nil, "", fault.New(fault.Unavailable, fault.CodeUnavailable, "the server is down")
	case !ok:
		return nil, "", fault.Invalidf("url", "there is no such file")
	case int64(len(text)) > most:
		return nil, "", fault.Invalidf("url", "it is too long")
	}
	return []byte(text), "", nil
}

func (s *shelf) Put(_ context.Context, url, mediaType string, body []byte) error {
	s.files[url] = mediaType + " " + string(body)
	return nil
}

type desk struct {
	*Service
	*shelf
	t   *testing.T
	ctx context.Context
	s   *store.Store
}

func desks(t *testing.T, run func(d *desk)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := &desk{New(s), &shelf{files: map[string]string{}}, t, storetest.Context(1), s}
		d.Files = d.shelf
		d.ParseQuery = func(q string) ([]store.Filter, error) {
			path, value, ok := strings.Cut(q, "=")
			if !ok {
				return nil, fault.Invalidf("query", "that is no query")
			}
			return []store.Filter{{Path: []string{path}, Op: store.Eq, Values: []string{value}}}, nil
		}
		run(d)
	})
}

// run carries out what was promised for a job, the nth time.
func (d *desk) run(kind string, i id.ID, attempt int) error {
	d.t.Helper()
	jobs, _, err := d.s.Jobs(d.ctx, kind, job.Ready, 0, 100)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, j := range jobs {
		if j.Key == string(i) {
			j.Attempts = attempt
			return d.Jobs()[kind](d.ctx, j)
		}
	}
	d.t.Fatalf("no job was promised for %s", i)
	return nil
}

func (d *desk) imported(body string) ImportJob {
	d.t.Helper()
	doc, err := d.ImportJobs.Create(d.ctx, jsontext.Value(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.run(JobImport, doc.ID, 1); err != nil {
		d.t.Fatal(err)
	}
	v, _, err := d.ImportJobs.Get(d.ctx, doc.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

func (d *desk) exported(body string) ExportJob {
	d.t.Helper()
	doc, err := d.ExportJobs.Create(d.ctx, jsontext.Value(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.run(JobExport, doc.ID, 1); err != nil {
		d.t.Fatal(err)
	}
	v, _, err := d.ExportJobs.Get(d.ctx, doc.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

func TestAnImportLoadsAFile(t *testing.T) {
	desks(t, func(d *desk) {
		d.files["https://x/plans.yaml"] = related
		v := d.imported(`{"url":"https://x/plans.yaml","status":"Succeeded","errorLog":"mine","completionDate":"2001-01-01T00:00:00Z"}`)
		if v.Status != Succeeded || v.Entries != 12 || v.Changed != 12 || v.ErrorLog != "" || v.CompletionDate == nil || v.CompletionDate.Year() == 2001 || v.CreationDate == nil {
			t.Errorf("%+v", v)
		}
		if v := d.imported(`{"url":"https://x/plans.yaml"}`); v.Status != Succeeded || v.Changed != 0 {
			t.Errorf("the second time %+v", v)
		}
		data := "data:;base64," + base64.StdEncoding.EncodeToString([]byte(plans))
		if v := d.imported(`{"url":"` + data + `"}`); v.Status != Succeeded || v.Changed != 2 {
			t.Errorf("from a data URL %+v", v)
		}
	})
}

func TestAnImportThatFailsSaysWhyAndChangesNothing(t *testing.T) {
	desks(t, func(d *desk) {
		bad := strings.NewReplacer("kind: vas", "kind: what", "lifecycle: Retired", "lifecycle: Tired").Replace(related)
		d.files["https://x/bad.yaml"], d.files["https://x/bad.json"] = bad, "[{\"@type\":\"ProductOffering\",\n\"name\":\"Good\"},\n{\"@type\":\"ProductOffering\"},\n{\"@type\":\"Planet\",\"name\":\"X\"}]"
		d.files["https://x/twice.json"] = `[{"@type":"Category","id":"a","name":"A"},{"@type":"Category","id":"a","name":"B"},` + "\n" + `{"@type":"Category","id":"\u0000","name":"C"}]`
		d.files["https://x/half.json"] = `[{"@type":"ProductOffering","name":"Half"},`
		d.files["https://x/ref.json"] = `[{"@type":"Category","name":"First"},{"@type":"ProductOffering","name":"Lost","category":[{"id":"` + string(id.New(CategoryKind, 1, d.s.Now(d.ctx))) + `"}]}]`
		for url, want := range map[string]string{
			"https://x/bad.yaml":      "line 27: kind is package, boltOn or vas\nline 28: lifecycle is In study",
			"https://x/bad.json":      "line 3: name: name is mandatory and must not be blank\nline 4: @type: @type is Catalog",
			"https://x/half.json":     "line 1: the file is not JSON",
			"https://x/ref.json":      "productOffering",
			"https://x/nothing":       "there is no such file",
			"https://x/twice.json":    "line 1: id: the id \"a\" is already that of another entry\nline 2: id: an id is a text",
			"ftp://x/plans.yaml":      "a file is read from an http, https or data URL",
			"data:text":               "the data URL cannot be read",
			"data:;base64,%%%":        "the data URL cannot be read",
			"data:application/json,,": "line 1: the file is not JSON",
		} {
			v := d.imported(`{"url":"` + url + `"}`)
			if v.Status != Failed || !strings.HasPrefix(v.ErrorLog, want) || v.CompletionDate == nil {
				t.Errorf("%s is %s: %s, want %s…", url, v.Status, v.ErrorLog, want)
			}
		}
		for _, set := range []interface {
			Docs(context.Context, store.Query) (store.Page, error)
		}{d.Offerings, d.Categories} {
			if page, err := set.Docs(d.ctx, store.Query{}); err != nil || page.Total != 0 {
				t.Errorf("%d things were loaded, %v", page.Total, err)
			}
		}
		if _, err := d.ImportJobs.Create(d.ctx, jsontext.Value(`{"url":" "}`)); fault.From(err) == nil || fault.From(err).Attribute != "url" {
			t.Errorf("a job without a url: %v", err)
		}
	})
}

func TestAFileThatIsNotThereYetIsAskedForAgain(t *testing.T) {
	desks(t, func(d *desk) {
		d.down, d.files["https://x/plans.yaml"] = true, plans
		doc, err := d.ImportJobs.Create(d.ctx, jsontext.Value(`{"url":"https://x/plans.yaml"}`))
		if err != nil {
			t.Fatal(err)
		}
		status := func() JobState {
			v, _, err := d.ImportJobs.Get(d.ctx, doc.ID)
			if err != nil {
				t.Fatal(err)
			}
			return v.Status
		}
		if err := d.run(JobImport, doc.ID, 1); err == nil || status() != Running {
			t.Errorf("%v, %s", err, status())
		}
		d.down = false
		if err := d.run(JobImport, doc.ID, 2); err != nil || status() != Succeeded {
			t.Errorf("%v, %s", err, status())
		}
		calls := d.calls
		if err := d.run(JobImport, doc.ID, 3); err != nil || d.calls != calls {
			t.Errorf("a job that is done ran again: %v", err)
		}
		d.down = true
		doc, err = d.ImportJobs.Create(d.ctx, jsontext.Value(`{"url":"https://x/plans.yaml"}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.run(JobImport, doc.ID, attempts); err != nil || status() != Failed {
			t.Errorf("after the last try: %v, %s", err, status())
		}
		if err := d.ImportJobs.Delete(d.ctx, doc.ID, 0); err != nil {
			t.Fatal(err)
		}
		if err := d.run(JobImport, doc.ID, 1); err != nil {
			t.Errorf("a job that was deleted: %v", err)
		}
	})
}

func TestWhatIsExportedCanBeImportedElsewhere(t *testing.T) {
	desks(t, func(d *desk) {
		f, err := Parse([]byte(related))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Load(d.ctx, f); err != nil {
			t.Fatal(err)
		}
		price, err := d.Prices.Create(d.ctx, jsontext.Value(`{"name":"Fee","lifecycleStatus":"Active","price":{"unit":"CHF","value":5}}`))
		if err != nil {
			t.Fatal(err)
		}
		// Two without keys, one inside the other, and a category that names an offering, which comes later in the file.
		inner, err := d.Offerings.Create(d.ctx, jsontext.Value(`{"name":"Inner","productOfferingPrice":[{"id":"`+string(price.ID)+`"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Offerings.Create(d.ctx, jsontext.Value(`{"name":"Outer","isBundle":true,"bundledProductOffering":[{"id":"`+string(inner.ID)+`"}]}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Categories.Create(d.ctx, jsontext.Value(`{"name":"C","productOffering":[{"id":"`+string(inner.ID)+`"}]}`)); err != nil {
			t.Fatal(err)
		}
		if v := d.exported(`{"url":"https://y/out.json"}`); v.Status != Succeeded || v.Entries != 16 {
			t.Fatalf("%+v", v)
		}
		body, ok := strings.CutPrefix(d.files["https://y/out.json"], "application/json ")
		if !ok {
			t.Fatal("it was written as something else")
		}
		d.files["https://y/out.json"] = body
		if v := d.imported(`{"url":"https://y/out.json"}`); v.Status != Succeeded || v.Changed != 0 {
			t.Errorf("imported where it came from: %+v", v)
		}
		home := d.ctx
		d.ctx = storetest.Context(2)
		if v := d.imported(`{"url":"https://y/out.json"}`); v.Status != Succeeded || v.Changed != 16 {
			t.Fatalf("imported elsewhere: %+v", v)
		}
		if v := d.imported(`{"url":"https://y/out.json"}`); v.Status != Succeeded || v.Changed != 0 {
			t.Errorf("and again: %+v", v)
		}
		few, err := d.ByKey(d.ctx, "few")
		if err != nil {
			t.Fatal(err)
		}
		data, err := d.ByKey(d.ctx, "data")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Fits(d.ctx, few, data, nil); err != nil {
			t.Error(err)
		}
		page, err := d.Offerings.Docs(d.ctx, store.Query{Filters: []store.Filter{{Path: []string{"name"}, Op: store.Eq, Values: []string{"Outer"}}}})
		if err != nil || len(page.Items) != 1 || strings.Contains(string(page.Items[0].Body), string(inner.ID)) || !strings.Contains(string(page.Items[0].Body), `"bundledProductOffering":[{"id":"off_`) {
			t.Errorf("%v %v", page.Items, err)
		}
		d.ctx = home
	})
}

func TestPartsAreExportedAndKept(t *testing.T) {
	desks(t, func(d *desk) {
		f, err := Parse([]byte(related))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Load(d.ctx, f); err != nil {
			t.Fatal(err)
		}
		v := d.exported(`{"url":"data:,","path":"/tmf-api/productCatalogManagement/v4/productOffering","query":"key=few"}`)
		kept, ok := strings.CutPrefix(v.URL, "data:application/json;base64,")
		text, err := base64.StdEncoding.DecodeString(kept)
		if v.Status != Succeeded || v.Entries != 1 || !ok || err != nil || !strings.Contains(string(text), `"key":"few"`) {
			t.Errorf("%+v %s", v, text)
		}
		for body, want := range map[string]string{
			`{"url":"data:,","path":"planets"}`: "there is no collection planets",
			`{"url":"data:,","query":"what"}`:   "that is no query",
			`{"url":"ftp://x/y"}`:               "a file is written to",
		} {
			if v := d.exported(body); v.Status != Failed || !strings.HasPrefix(v.ErrorLog, want) {
				t.Errorf("%s: %+v", body, v)
			}
		}
		d.Files = nil
		if v := d.exported(`{"url":"https://x/y"}`); v.Status != Failed {
			t.Errorf("%+v", v)
		}
	})
}

func TestErrorLog(t *testing.T) {
	if got := errorLog(errors.New("secret")); strings.Contains(got, "secret") {
		t.Error(got)
	}
	var many fault.Several
	for range mostLines + 3 {
		many.Invalidf("line 1", "wrong")
	}
	if got := errorLog(many.Err()); !strings.HasSuffix(got, "\nand 3 more") || strings.Count(got, "\n") != mostLines {
		t.Error(got[len(got)-40:])
	}
}
