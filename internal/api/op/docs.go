package op

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

//go:embed reference/page.html reference/style.css reference/script.js
var referenceFiles embed.FS

// reference serves the API reference: an overview of all façades, and a page for each.
func (d *documents) reference(s *server) http.Handler {
	style, script := asset("style.css"), asset("script.js")
	headers := map[string]string{
		"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src data:; style-src '" +
			hashOf(style) + "'; script-src '" + hashOf(script) + "'",
		"Referrer-Policy": "no-referrer",
	}
	return kept("text/html;charset=utf-8", headers,
		func(r *http.Request) string { return r.PathValue("facade") },
		func(facade string) ([]byte, error) {
			page, err := newPage(s.table, facade, d.options)
			if err != nil {
				return nil, err
			}
			page.Style, page.Script = template.CSS(style), template.JS(script)
			return page.render()
		})
}

// asset is a file of the page. The files are part of the binary, so that it cannot be missing.
func asset(name string) string {
	text, err := referenceFiles.ReadFile("reference/" + name)
	if err != nil {
		return ""
	}
	return string(text)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// page is what the template shows.
type page struct {
	Title, Version string
	Description    template.HTML
	Style          template.CSS
	Script         template.JS
	Facades        []pageFacade
	// Current is the façade shown in full; nil on the overview.
	Current *pageFacade
	Schemas []schemaView
	Count   int
}

type pageFacade struct {
	Name, Title, Version string
	Description          template.HTML
	Active               bool
	Tags                 []pageTag
	Count                int
}

type pageTag struct {
	Name       string
	Operations []*operationView
}

func newPage(t *Table, facade string, o SystemOptions) (*page, error) {
	p := &page{Title: o.Title, Version: o.Version, Description: markdown(o.Description)}
	if p.Title == "" {
		p.Title = "API"
	}
	for _, c := range t.facades {
		f := pageFacade{Name: c.Name, Title: c.Title, Version: c.Version, Description: markdown(c.Description), Active: c.Name == facade}
		if f.Title == "" {
			f.Title = c.Name
		}
		for _, declared := range t.operations {
			if declared.Facade == c.Facade {
				f.add(view(declared, c, f.Active))
			}
		}
		p.Count += f.Count
		p.Facades = append(p.Facades, f)
		if f.Active {
			p.Current = &f
			p.Schemas = c.schemas.views()
		}
	}
	if facade != "" && p.Current == nil {
		return nil, fault.NotFoundf("there is no façade named %s", clip(facade, 64))
	}
	return p, nil
}

func (f *pageFacade) add(v *operationView) {
	tag := v.Tag
	if tag == "" {
		tag = f.Name
	}
	i := slices.IndexFunc(f.Tags, func(t pageTag) bool { return t.Name == tag })
	if i < 0 {
		i = len(f.Tags)
		f.Tags = append(f.Tags, pageTag{Name: tag})
	}
	f.Tags[i].Operations = append(f.Tags[i].Operations, v)
	f.Count++
}

func (p *page) render() ([]byte, error) {
	tmpl, err := template.New("page.html").Funcs(template.FuncMap{"lower": strings.ToLower}).ParseFS(referenceFiles, "reference/page.html")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// markdown shows the little of Markdown that descriptions use: paragraphs, lists, code, emphasis.
func markdown(text string) template.HTML {
	var b strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		block = strings.TrimSpace(block)
		if block == "" {
			continue
		}
		if lines := strings.Split(block, "\n"); strings.HasPrefix(block, "- ") {
			b.WriteString("<ul>")
			for _, line := range lines {
				b.WriteString("<li>" + inline(strings.TrimPrefix(strings.TrimSpace(line), "- ")) + "</li>")
			}
			b.WriteString("</ul>")
			continue
		}
		b.WriteString("<p>" + inline(block) + "</p>")
	}
	return template.HTML(b.String()) // every text in it went through template.HTMLEscapeString
}

func inline(text string) string {
	text = template.HTMLEscapeString(text)
	for _, mark := range [...]struct{ sign, tag string }{{"`", "code"}, {"**", "strong"}} {
		parts := strings.Split(text, mark.sign)
		if len(parts)%2 == 0 {
			continue // a sign without its other half is a character like any other
		}
		var b strings.Builder
		for i, part := range parts {
			if i%2 == 1 {
				part = "<" + mark.tag + ">" + part + "</" + mark.tag + ">"
			}
			b.WriteString(part)
		}
		text = b.String()
	}
	return text
}
