package inventory

import (
	"context"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// SIMBatch is a delivery of SIMs.
type SIMBatch struct {
	Type string `json:"@type,omitzero"`
	Name string `json:"name"`
	// ICCIDForm says how its ICCIDs are written.
	ICCIDForm ICCIDForm `json:"iccidForm,omitzero"`
	// Form is the kind of its SIMs.
	Form     string   `json:"simType,omitzero"`
	Supplier string   `json:"supplier,omitzero"`
	Rest     sid.Rest `json:",embed"`
}

func (b *SIMBatch) begin() error {
	b.Type = "SIMBatch"
	if strings.TrimSpace(b.Name) == "" || len(b.Name) > 200 {
		return fault.Invalidf("name", "a batch of SIMs has a name of at most 200 characters")
	}
	if b.ICCIDForm != WithCheckDigit && b.ICCIDForm != WithoutCheckDigit && b.ICCIDForm != EitherForm {
		return fault.Invalidf("iccidForm", "the ICCIDs of a batch are written withCheckDigit or withoutCheckDigit")
	}
	return nil
}

// formOf is how the ICCIDs of a batch are written.
func (s *Service) formOf(ctx context.Context, batch id.ID) (ICCIDForm, error) {
	if batch == "" {
		return EitherForm, nil
	}
	b, _, err := s.Batches.Get(ctx, batch)
	if fault.KindOf(err) == fault.NotFound {
		return "", fault.Invalidf("batch", "there is no batch %s", batch)
	}
	return b.ICCIDForm, err
}

// The types of serial numbers that have a form of their own.
const (
	IMEI   = "IMEI"
	IMEISV = "IMEISV"
)

// Serial is a device or other thing with a serial number.
type Serial struct {
	Type   string `json:"@type,omitzero"`
	Serial string `json:"serialNumber"`
	// Of says what kind of number it is: IMEI, IMEISV, or a name of the service provider's own.
	Of string `json:"serialNumberType"`
	// Managed ones are in stock before they are sold; one that is not managed is known from when a line has it.
	Managed bool     `json:"managed"`
	Status  Status   `json:"status,omitzero"`
	Holder  id.ID    `json:"holder,omitzero"`
	Rest    sid.Rest `json:",embed"`
}

func (s *Service) serialRules() resource.Rules[Serial] {
	return resource.Rules[Serial]{
		Domain: domain,
		Create: func(ctx context.Context, i id.ID, v *Serial, _ time.Time) error {
			if v.Type == "" {
				v.Type = "SerialNumber"
			}
			if v.Status == "" {
				v.Status = Available
			}
			if err := v.check(); err != nil {
				return err
			}
			return s.store.Claim(ctx, serialClaim, v.Of+"/"+v.Serial, i)
		},
		Change: func(_ context.Context, prev, v *Serial, _ time.Time) error { return follow(prev.Status, v.Status) },
		Remove: func(_ context.Context, v *Serial) error { return removable(v.Status) },
		After: func(ctx context.Context, _ id.ID, prev, next *Serial) error {
			if next != nil {
				return nil
			}
			return s.store.Unclaim(ctx, serialClaim, prev.Of+"/"+prev.Serial)
		},
		State: func(v *Serial) string { return string(v.Status) },
		Fixed: []string{"serialNumber", "serialNumberType", "managed"},
	}
}

// mostSerial is the most characters of a serial number.
const mostSerial = 25

func (v *Serial) check() error {
	if strings.TrimSpace(v.Of) == "" || len(v.Of) > 32 || strings.Contains(v.Of, "/") {
		return fault.Invalidf("serialNumberType", "a kind of serial number has at most 32 characters and no slash")
	}
	switch {
	case v.Of == IMEI:
		return CheckIMEI(v.Serial)
	case v.Of == IMEISV && (len(v.Serial) != 16 || !digits(v.Serial)):
		return fault.Invalidf("serialNumber", "an IMEISV has 16 digits")
	case strings.TrimSpace(v.Serial) == "" || len(v.Serial) > mostSerial:
		return fault.Invalidf("serialNumber", "a serial number has at most %d characters", mostSerial)
	}
	return nil
}

// CheckIMEI refuses what is not an IMEI: 14 digits and that of Luhn (3GPP TS 23.003 §6.2).
func CheckIMEI(imei string) error {
	if len(imei) != 15 || !digits(imei) {
		return fault.Invalidf("serialNumber", "an IMEI has 15 digits")
	}
	if Luhn(imei[:14]) != imei[14] {
		return fault.Invalidf("serialNumber", "the check digit of the IMEI is wrong")
	}
	return nil
}

// TakeSerial gives a holder the thing with a serial number: a managed one must be in stock and available, one that is
// not managed is taken down. Repeating it for the same holder changes nothing; one that another has is a Conflict fault
// (CodeTaken), a managed one that is not in stock a NotFound one.
func (s *Service) TakeSerial(ctx context.Context, of, serial string, managed bool, holder id.ID) (i id.ID, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if i, err = s.store.Claimant(ctx, serialClaim, of+"/"+serial); err != nil {
			return err
		}
		if i == "" && managed {
			return fault.NotFoundf("there is no %s %s in stock", of, serial)
		}
		if i == "" {
			i, _, err = s.Serials.Add(ctx, &Serial{Serial: serial, Of: of, Status: Assigned, Holder: holder})
			return err
		}
		_, err := s.Serials.Change(ctx, i, func(v *Serial) error {
			if v.Holder == holder && v.Status == Assigned {
				return errAsItWas
			}
			if err := take(&v.Status, &v.Holder, holder); err != nil {
				return err
			}
			v.Status = Assigned
			return nil
		})
		return unlessAsItWas(err)
	})
	return i, err
}

// ReturnSerial takes back what a holder has: a managed one is in stock again, any other forgotten.
func (s *Service) ReturnSerial(ctx context.Context, i, holder id.ID) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		v, err := s.Serials.Change(ctx, i, func(v *Serial) error {
			if v.Holder != holder || v.Status != Assigned {
				return errAsItWas
			}
			v.Status, v.Holder = Available, ""
			return nil
		})
		if err != nil || v.Managed {
			return gone(unlessAsItWas(err))
		}
		return s.Serials.Delete(ctx, i, 0)
	})
}
