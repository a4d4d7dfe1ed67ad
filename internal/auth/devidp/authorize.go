package devidp

import "net/http"

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {}
func (p *Provider) login(w http.ResponseWriter, r *http.Request)     {}
func (p *Provider) logout(w http.ResponseWriter, r *http.Request)    {}
