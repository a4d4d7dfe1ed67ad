package inventory

import (
	"slices"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
)

// Status is where a number or SIM stands.
type Status string

const (
	// Available is free to be taken.
	Available Status = "available"
	// Reserved is held for an order, or by a reservation.
	Reserved Status = "reserved"
	// Assigned belongs to a line.
	Assigned Status = "assigned"
	// Quarantined rests after a line gave it up, so that its callers do not reach a stranger.
	Quarantined Status = "quarantined"
	// Blocked is a SIM that may not be used for now: lost, stolen, or kept back.
	Blocked Status = "blocked"
	// Retired is never used again: the card of a line that ended, a number ported away.
	Retired Status = "retired"
)

var next = map[Status][]Status{
	Available:   {Reserved, Assigned, Quarantined, Blocked, Retired},
	Reserved:    {Available, Assigned},
	Assigned:    {Available, Quarantined, Blocked, Retired},
	Quarantined: {Available, Retired},
	Blocked:     {Available, Assigned, Retired},
	Retired:     {},
}

// May reports whether to may follow.
func (s Status) May(to Status) bool { return s == to || slices.Contains(next[s], to) }

// CodeState is a status that may not follow the present one.
const CodeState fault.Code = "stateNotAllowed"

func follow(from, to Status) error {
	if !from.May(to) {
		return fault.Conflictf(CodeState, "what is %s cannot become %s", from, to).At("status")
	}
	return nil
}

func removable(s Status) error {
	if s == Reserved || s == Assigned {
		return fault.Conflictf(CodeTaken, "what is %s cannot be deleted", s)
	}
	return nil
}

// take reserves an available thing for a holder; what the holder has reserved already stays.
func take(status *Status, holder *id.ID, by id.ID) error {
	if *holder == by && *status == Reserved {
		return nil
	}
	if *status != Available {
		return fault.Conflictf(CodeTaken, "it is %s", *status)
	}
	*status, *holder = Reserved, by
	return nil
}

// hand moves a reserved thing from who reserved it to a line; what the line has already stays.
func hand(status *Status, holder *id.ID, from, line id.ID) error {
	if *holder == line && *status == Assigned {
		return nil
	}
	if *status != Reserved || *holder != from {
		return fault.Conflictf(CodeTaken, "it is not reserved for %s", from)
	}
	*status, *holder = Assigned, line
	return nil
}

func (v *Number) begin() error {
	if v.Type == "" {
		v.Type = "MobileNumber"
	}
	if v.Status == "" {
		v.Status = Available
	}
	if v.Class == "" {
		v.Class = Regular
	}
	n, err := msisdn.Parse(string(v.Value), "")
	if err != nil {
		return fault.Invalidf("msisdn", "a number of the pool is written with its country code, such as 41790000000")
	}
	v.Value = n
	return v.check()
}

func (v *Number) check() error {
	if v.Class != Regular && v.Class != Premium {
		return fault.Invalidf("pricing", "a number is regular or premium")
	}
	if v.Price != nil && v.Price.Micros() < 0 {
		return fault.Invalidf("price", "a price is not negative")
	}
	if v.Status == Blocked {
		return fault.Invalidf("status", "a number is not blocked: its SIM is")
	}
	return nil
}

func (v *Number) follow(prev *Number) error {
	if err := v.check(); err != nil {
		return err
	}
	return follow(prev.Status, v.Status)
}

// show puts an available number where it is found, and takes any other away from there.
func (v *Number) show() {
	v.Free, v.Draw = "", ""
	if v.Status == Available {
		v.Free = string(v.Value)
		v.Draw = string(v.Class) + "/" + backwards(string(v.Value))
	}
}

func (v *SIM) begin(form ICCIDForm) error {
	if v.Type == "" {
		v.Type = "SIM"
	}
	if v.Status == "" {
		v.Status = Available
	}
	if v.Form == "" {
		v.Form = PlasticSIM
	}
	if len(v.Form) > 32 || strings.ContainsAny(v.Form, "/\x00") {
		return fault.Invalidf("simType", "a kind of SIM has at most 32 characters and no slash")
	}
	if err := form.Check(v.ICCID); err != nil {
		return err
	}
	return CheckIMSI(v.IMSI)
}

func (v *SIM) show() {
	v.Draw = ""
	if v.Status == Available {
		v.Draw = v.Form + "/" + backwards(v.ICCID)
	}
}

// ICCIDForm is how the ICCIDs of a batch are written: some inventories leave the check digit out.
type ICCIDForm string

// The forms. EitherForm takes both: what ends with a right check digit, or has 18 or 19 digits without one.
const (
	WithCheckDigit    ICCIDForm = "withCheckDigit"
	WithoutCheckDigit ICCIDForm = "withoutCheckDigit"
	EitherForm        ICCIDForm = ""
)

// Check refuses what is no ICCID in this form (ITU-T E.118): it begins with 89 and has 19 or 20 digits, the last of
// them that of Luhn; or 18 or 19 without it.
func (f ICCIDForm) Check(iccid string) error {
	most, least := 20, 19
	switch f {
	case WithoutCheckDigit:
		most, least = 19, 18
	case EitherForm:
		least = 18
	}
	if len(iccid) < least || len(iccid) > most || iccid[:2] != "89" || !digits(iccid) {
		return fault.Invalidf("iccid", "an ICCID has %d to %d digits and begins with 89", least, most)
	}
	// Without its check digit an ICCID of 19 digits looks like one of 18 with it: only the batch can tell.
	if f == WithoutCheckDigit || f == EitherForm && len(iccid) == 18 {
		return nil
	}
	if Luhn(iccid[:len(iccid)-1]) != iccid[len(iccid)-1] {
		return fault.Invalidf("iccid", "the check digit of the ICCID is wrong")
	}
	return nil
}

// CheckICCID refuses what is not an ICCID with its check digit.
func CheckICCID(iccid string) error { return WithCheckDigit.Check(iccid) }

// CheckIMSI refuses what is not an IMSI: 15 digits of MCC, MNC and MSIN (ITU-T E.212).
func CheckIMSI(imsi string) error {
	if len(imsi) != 15 || !digits(imsi) {
		return fault.Invalidf("imsi", "an IMSI has 15 digits")
	}
	return nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Luhn is the check digit of a string of digits (ISO/IEC 7812-1 annex B).
func Luhn(payload string) byte {
	sum, double := 0, true
	for i := len(payload) - 1; i >= 0; i-- {
		d := int(payload[i] - '0')
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		double = !double
	}
	return byte('0' + (10-sum%10)%10)
}
