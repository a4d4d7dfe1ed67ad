package cm_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/inventory"
)

func TestNumbersAreFoundAndReserved(t *testing.T) {
	each(t, func(s *server) {
		for path, count := range map[string]string{
			"/api/resource": "5", "/api/resource/4179*": "5", "/api/resource/+4179*": "5", "/api/resource?pattern=*003": "1", "/api/resource/003": "1",
			"/api/resource/4179000000%3F": "5", "/api/resource/?limit=2": "2", "/api/resource?pricing=premium": "0", "/api/resource/4178*": "0",
		} {
			if n := s.do("GET", path, "").want(200).count(); n != count {
				s.t.Errorf("%s finds %s, want %s", path, n, count)
			}
		}
		for _, bad := range []string{"/api/resource/abc", "/api/resource?pattern=", "/api/resource?pricing=gold", "/api/resource?colour=red"} {
			s.do("GET", bad, "").want(400)
		}
		r := s.do("POST", "/api/resource/reserve", `{"resourceType":"MSISDN","msisdn":"079 000 00 03"}`).want(201)
		r.is(map[string]string{"msisdn": "41790000003", "status": "active", "pricing": "regular", "resourceType": "MSISDN"})
		id := `{"reservationId":"` + r.at("reservationId") + `"}`
		s.do("POST", "/api/resource/reserve", `{"msisdn":"41790000003"}`).want(409)
		s.do("POST", "/api/resource/reserve", `{"msisdn":"41799999999"}`).want(404)
		s.do("POST", "/api/resource/reserve", `{"customerId":"cus_06c3v4m8r1e2k7t9w5x0y3z4a6"}`).want(404)
		if n := s.do("GET", "/api/resource/*003", "").want(200).count(); n != "0" {
			s.t.Error("a reserved number is offered")
		}
		s.do("POST", "/api/resource/extend", id).want(200).is(map[string]string{"status": "active"})
		s.do("POST", "/api/resource/cancel", id).want(200).is(map[string]string{"status": "cancelled"})
		s.do("POST", "/api/resource/cancel", id).want(200)
		s.do("POST", "/api/resource/extend", id).want(409)
		s.do("GET", "/api/resource/reservation/"+r.at("reservationId"), "").want(200).is(map[string]string{"status": "cancelled"})
		s.do("GET", "/api/resource/reservation/"+r.at("reservationId"), "", "spid: 2").want(404)
		if n := s.do("GET", "/api/resource/*003", "").want(200).count(); n != "1" {
			s.t.Error("the number did not come back")
		}
		if _, _, err := s.house.Inventory.Groups.Add(s.ctx, &inventory.Group{Name: "gold", Class: inventory.Premium}); err != nil {
			s.t.Fatal(err)
		}
		s.do("GET", "/api/msisdnGroup", "").want(200).is(map[string]string{"0.name": "gold", "0.pricing": "premium"})
	})
}

func TestALineIsSentToTheNetworkAgain(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).want(201).at("id")
		line := s.order(account, s.offering("Start")).at("productOrderItem.0.product.id")
		s.do("POST", "/api/refresh/provisioning", `{"subscriptionId":"`+line+`"}`).want(202).is(map[string]string{"subscriptionId": line, "state": "requested"})
		s.do("POST", "/api/refresh/provisioning", `{"mobileNumber":"41799999999"}`).want(404)
		s.do("POST", "/api/refresh/provisioning", `{}`).want(400)
	})
}

// upload sends a file.
func (s *server) upload(path, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://demarc.test"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func TestFilesAreUploaded(t *testing.T) {
	each(t, func(s *server) {
		file := "iccid,imsi\n8941001000000009999,228010000000999\n8941001000000009991,228010000000999\n"
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		if err := w.WriteField("note", "no file"); err != nil {
			s.t.Fatal(err)
		}
		part, err := w.CreateFormFile("file", "sims.csv")
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := part.Write([]byte(file)); err != nil {
			s.t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			s.t.Fatal(err)
		}
		first := s.upload("/api/bulkupload?uploadType=sims&batch=B1", w.FormDataContentType(), form.String())
		if first.Code != http.StatusAccepted || first.Header().Get("Location") == "" {
			s.t.Fatalf("%d %s", first.Code, first.Body)
		}
		at := strings.TrimPrefix(first.Header().Get("Location"), "http://demarc.test")
		s.do("GET", at, "").want(200).is(map[string]string{"status": "created", "fileName": "sims.csv"})
		s.house.Work(s.ctx, s.t)
		done := s.do("GET", at, "").want(200).is(map[string]string{"status": "completed", "rows": "2"})
		s.do("GET", "/api/bulkupload/fileUploadStatus", "").want(200).is(map[string]string{"0.id": done.at("id")})
		if again := s.upload("/api/bulkupload?uploadType=sims", "text/csv", file); again.Header().Get("Location") != first.Header().Get("Location") {
			s.t.Errorf("the same file is another upload: %s", again.Body)
		}
		r := httptest.NewRequest(http.MethodGet, "http://demarc.test"+at+"/errors", http.NoBody)
		errors := httptest.NewRecorder()
		s.handler.ServeHTTP(errors, r)
		if errors.Code != 200 || !strings.HasPrefix(errors.Body.String(), "row,value,reason\n") || strings.Count(errors.Body.String(), "\n") < 2 {
			s.t.Errorf("%d %s", errors.Code, errors.Body)
		}
		for name, c := range map[string]struct {
			path, kind, body string
			status           int
		}{
			"of nothing":        {"/api/bulkupload", "text/csv", file, 400},
			"of cars":           {"/api/bulkupload?uploadType=cars", "text/csv", file, 400},
			"another format":    {"/api/bulkupload?uploadType=sims", "application/json", "{}", 415},
			"without columns":   {"/api/bulkupload?uploadType=sims", "text/csv", "1,2\n", 400},
			"a form, no file":   {"/api/bulkupload?uploadType=sims", "multipart/form-data; boundary=x", "--x--\r\n", 400},
			"a form, broken":    {"/api/bulkupload?uploadType=sims", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\niccid", 400},
			"ICCIDs as we like": {"/api/bulkupload?uploadType=sims&iccidForm=short", "text/csv", file, 400},
		} {
			if got := s.upload(c.path, c.kind, c.body); got.Code != c.status {
				s.t.Errorf("%s: %d %s", name, got.Code, got.Body)
			}
		}
	})
}

// count is how many elements the answer has.
func (a reply) count() string {
	list, _ := a.body.([]any)
	return strconv.Itoa(len(list))
}
