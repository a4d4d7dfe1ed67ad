package inventory

import (
	"slices"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
)

// Status is where a number or SIM stands.
type Status string

const (
	// Available is free to be taken.
	Available Status = "available"
	// Reserved is held for an order.
	Reserved Status = "reserved"
	// Assigned belongs to a line.
	Assigned Status = "assigned"
	// Quarantined rests after a line gave it up, so that its callers do not reach a stranger.
	Quarantined Status = "quarantined"
	// Retired is never used again: a lost card, a number ported away.
	Retired Status = "retired"
)

var next = map[Status][]Status{
	Available:   {Reserved, Quarantined, Retired},
	Reserved:    {Available, Assigned},
	Assigned:    {Available, Quarantined, Retired},
	Quarantined: {Available, Retired},
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
	n, err := msisdn.Parse(string(v.Value), "")
	if err != nil {
		return fault.Invalidf("msisdn", "a number of the pool is written with its country code, such as 41790000000")
	}
	v.Value = n
	return nil
}

func (v *SIM) begin() error {
	if v.Type == "" {
		v.Type = "SIM"
	}
	if v.Status == "" {
		v.Status = Available
	}
	if err := CheckICCID(v.ICCID); err != nil {
		return err
	}
	return CheckIMSI(v.IMSI)
}

// CheckICCID refuses what is not an ICCID with its check digit: 19 or 20 digits that begin with 89 and end
// with the digit of Luhn (ITU-T E.118).
func CheckICCID(iccid string) error {
	if len(iccid) < 19 || len(iccid) > 20 || iccid[:2] != "89" || !digits(iccid) {
		return fault.Invalidf("iccid", "an ICCID has 19 or 20 digits and begins with 89")
	}
	if Luhn(iccid[:len(iccid)-1]) != iccid[len(iccid)-1] {
		return fault.Invalidf("iccid", "the check digit of the ICCID is wrong")
	}
	return nil
}

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
