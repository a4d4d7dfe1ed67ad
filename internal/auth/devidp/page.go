package devidp

import (
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

//go:embed page.html
var pageText string

// The one page: a login form, a question, a message, or a form that sends itself on.
var page = template.Must(template.New("page").Parse(pageText))

type loginView struct{ Username, Problem string }

type pageView struct {
	Nonce, Title, Realm, Message string

	// Login and Confirm show the login form and the question whether to log out; Action, Fields go with
	// each, and with Forward, the form that sends itself.
	Login   *loginView
	Confirm bool
	Forward bool
	Action  string
	Fields  url.Values
}

// show renders the page under a policy that lets nothing in from elsewhere, and lets forms go to the
// provider and to the places named, since browsers hold redirects after a form to the policy too.
func (p *Provider) show(w http.ResponseWriter, status int, v pageView, formsTo ...string) {
	v.Nonce, v.Realm = random(16), p.realm.Realm
	if p.realm.DisplayName != "" {
		v.Realm = p.realm.DisplayName
	}
	targets := "'self'"
	for _, to := range formsTo {
		if u, err := url.Parse(to); err == nil && u.Host != "" {
			targets += " " + u.Scheme + "://" + u.Host
		} else if err == nil && u.Scheme != "" {
			targets += " " + u.Scheme + ":"
		}
	}
	script := "'none'"
	if v.Forward {
		script = "'nonce-" + v.Nonce + "'"
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+v.Nonce+"'; script-src "+script+
		"; form-action "+targets+"; frame-ancestors 'none'; base-uri 'none'")
	var b strings.Builder
	if err := page.Execute(&b, v); err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(b.String()))
}

func (p *Provider) showLogin(w http.ResponseWriter, r *http.Request, id string, req *pending, v loginView) {
	fields := url.Values{"execution": {id}, "csrf": {p.formToken(p.formValue(w, r), id)}}
	p.show(w, http.StatusOK, pageView{Title: "Log in", Login: &v, Action: p.Issuer() + "/login-actions/authenticate", Fields: fields}, req.redirectURI)
}

func (p *Provider) showLogout(w http.ResponseWriter, r *http.Request, q url.Values) {
	fields := url.Values{"csrf": {p.formToken(p.formValue(w, r), "logout")}}
	for _, name := range []string{"client_id", "post_logout_redirect_uri", "state", "id_token_hint"} {
		if q.Has(name) {
			fields.Set(name, q.Get(name))
		}
	}
	p.show(w, http.StatusOK, pageView{Title: "Log out", Confirm: true, Message: "Do you want to log out?", Action: p.endpoint("logout"), Fields: fields},
		q.Get("post_logout_redirect_uri"))
}

func (p *Provider) showFormPost(w http.ResponseWriter, to string, out url.Values) {
	p.show(w, http.StatusOK, pageView{Title: "Going on to the application", Forward: true, Action: to, Fields: out}, to)
}

func (p *Provider) messagePage(w http.ResponseWriter, status int, title, message string) {
	p.show(w, status, pageView{Title: title, Message: message})
}

func (p *Provider) errorPage(w http.ResponseWriter, status int, message string) {
	p.messagePage(w, status, "We are sorry …", message)
}
