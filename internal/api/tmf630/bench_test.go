package tmf630_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkGet reads one customer over HTTP; BenchmarkBare has a handler write the same bytes and nothing
// else. What lies between them is the price of operation table, engine and store.
func BenchmarkGet(b *testing.B) {
	s := newServer(b)
	i := s.create("Moon Football Club", `"contactMedium":[{"mediumType":"email","preferred":true,"characteristic":{"emailAddress":"moon@example.com","city":"Graz"}}]`)
	over(b, s.handler, base+"/"+i)
}

func BenchmarkBare(b *testing.B) {
	s := newServer(b)
	i := s.create("Moon Football Club", `"contactMedium":[{"mediumType":"email","preferred":true,"characteristic":{"emailAddress":"moon@example.com","city":"Graz"}}]`)
	text := []byte(s.do("GET", "/"+i, "").Want(200).Raw)
	over(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		_, _ = w.Write(text)
	}), base+"/"+i)
}

// BenchmarkGetInProcess is BenchmarkGet without the network.
func BenchmarkGetInProcess(b *testing.B) {
	s := newServer(b)
	i := s.create("Moon Football Club")
	r := httptest.NewRequest("GET", "http://demarc.test"+base+"/"+i, nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

func over(b *testing.B, h http.Handler, path string) {
	server := httptest.NewServer(h)
	defer server.Close()
	b.RunParallel(func(pb *testing.PB) {
		client := &http.Client{Transport: &http.Transport{}}
		for pb.Next() {
			a, err := client.Get(server.URL + path)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, a.Body)
			_ = a.Body.Close()
			if a.StatusCode != 200 {
				b.Error(a.Status)
				return
			}
		}
	})
}
