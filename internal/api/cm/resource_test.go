package cm_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/inventory"
)

func TestNumbersAreFoundAndReserved(t *testing.T) {
	each(t, func(s *server) {
		for path, count := range map[string]int{
			"/api/resource": 5, "/api/resource/4179*": 5, "/api/resource/+4179*": 5, "/api/resource?pattern=*003": 1, "/api/resource/003": 1,
			"/api/resource/4179000000%3F": 5, "/api/resource/?limit=2": 2, "/api/resource?pricing=premium": 0, "/api/resource/4178*": 0,
		} {
			if n := s.do("GET", path, "").Want(200).Len(); n != count {
				s.t.Errorf("%s finds %d, want %d", path, n, count)
			}
		}
		for _, bad := range []string{"/api/resource/abc", "/api/resource?pattern=", "/api/resource?pricing=gold", "/api/resource?colour=red"} {
			s.do("GET", bad, "").Want(400)
		}
		r := s.do("POST", "/api/resource/reserve", `{"resourceType":"MSISDN","msisdn":"079 000 00 03"}`).Want(201)
		r.Is(map[string]string{"msisdn": "41790000003", "status": "active", "pricing": "regular", "resourceType": "MSISDN"})
		id := `{"reservationId":"` + r.At("reservationId") + `"}`
		s.do("POST", "/api/resource/reserve", `{"msisdn":"41790000003"}`).Want(409)
		s.do("POST", "/api/resource/reserve", `{"msisdn":"41799999999"}`).Want(404)
		s.do("POST", "/api/resource/reserve", `{"customerId":"cus_06c3v4m8r1e2k7t9w5x0y3z4a6"}`).Want(404)
		if n := s.do("GET", "/api/resource/*003", "").Want(200).Len(); n != 0 {
			s.t.Error("a reserved number is offered")
		}
		s.do("POST", "/api/resource/extend", id).Want(200).Is(map[string]string{"status": "active"})
		s.do("POST", "/api/resource/cancel", id).Want(200).Is(map[string]string{"status": "cancelled"})
		s.do("POST", "/api/resource/cancel", id).Want(200)
		s.do("POST", "/api/resource/extend", id).Want(409)
		s.do("GET", "/api/resource/reservation/"+r.At("reservationId"), "").Want(200).Is(map[string]string{"status": "cancelled"})
		s.do("GET", "/api/resource/reservation/"+r.At("reservationId"), "", "spid: 2").Want(404)
		if n := s.do("GET", "/api/resource/*003", "").Want(200).Len(); n != 1 {
			s.t.Error("the number did not come back")
		}
		if _, _, err := s.house.Inventory.Groups.Add(s.ctx, &inventory.Group{Name: "gold", Class: inventory.Premium}); err != nil {
			s.t.Fatal(err)
		}
		s.do("GET", "/api/msisdnGroup", "").Want(200).Is(map[string]string{"0.name": "gold", "0.pricing": "premium"})
	})
}

func TestALineIsSentToTheNetworkAgain(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("id")
		line := s.order(account, s.offering("Start")).At("productOrderItem.0.product.id")
		s.do("POST", "/api/refresh/provisioning", `{"subscriptionId":"`+line+`"}`).Want(202).Is(map[string]string{"subscriptionId": line, "state": "requested"})
		s.do("POST", "/api/refresh/provisioning", `{"mobileNumber":"41799999999"}`).Want(404)
		s.do("POST", "/api/refresh/provisioning", `{}`).Want(400)
	})
}

// upload sends a file.
func (s *server) upload(path, contentType, body string) optest.Reply {
	s.t.Helper()
	return optest.Send(s.t, s.handler, http.MethodPost, path, body, "Content-Type: "+contentType)
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
		if first.Status != http.StatusAccepted || first.Header.Get("Location") == "" {
			s.t.Fatalf("%d %s", first.Status, first.Raw)
		}
		at := strings.TrimPrefix(first.Header.Get("Location"), "http://demarc.test")
		s.do("GET", at, "").Want(200).Is(map[string]string{"status": "created", "fileName": "sims.csv"})
		s.house.Work(s.ctx, s.t)
		done := s.do("GET", at, "").Want(200).Is(map[string]string{"status": "completed", "rows": "2"})
		s.do("GET", "/api/bulkupload/fileUploadStatus", "").Want(200).Is(map[string]string{"0.id": done.At("id")})
		if again := s.upload("/api/bulkupload?uploadType=sims", "text/csv", file); again.Header.Get("Location") != first.Header.Get("Location") {
			s.t.Errorf("the same file is another upload: %s", again.Raw)
		}
		errors := s.do("GET", at+"/errors", "")
		if errors.Status != 200 || !strings.HasPrefix(errors.Raw, "row,value,reason\n") || strings.Count(errors.Raw, "\n") < 2 {
			s.t.Errorf("%d %s", errors.Status, errors.Raw)
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
			if got := s.upload(c.path, c.kind, c.body); got.Status != c.status {
				s.t.Errorf("%s: %d %s", name, got.Status, got.Raw)
			}
		}
	})
}
