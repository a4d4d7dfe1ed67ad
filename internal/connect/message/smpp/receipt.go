package smpp

import (
	"regexp"
	"strings"
)

// Receipt is a delivery report.
type Receipt struct {
	// ID is what the message centre called the message when it took it.
	ID string
	// Final says that nothing follows; Delivered that it arrived. Reason is the state in the centre's words.
	Final, Delivered bool
	Reason           string
}

// states are those of messages (SMPP 3.4, 5.2.28), by number and by the words of appendix B.
var states = map[byte]string{1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 6: "ACCEPTD", 7: "UNKNOWN", 8: "REJECTD"}

// outcomes says in words what the states mean that are the last.
var outcomes = map[string]string{
	"DELIVRD": "", "EXPIRED": "it expired before it could be delivered", "DELETED": "the message centre deleted it", "UNDELIV": "it could not be delivered",
	"REJECTD": "the message centre rejected it", "UNKNOWN": "the message centre does not know what became of it",
}

var (
	receiptID    = regexp.MustCompile(`(?i)\bid:\s*([^\s]+)`)
	receiptState = regexp.MustCompile(`(?i)\bstat:\s*([A-Za-z]+)`)
)

// deliverClass is the class of a message that is a delivery report (SMPP 3.4, 5.2.12).
const deliverClass, classMask = 0x04, 0x3c

// receiptOf reads a deliver_sm (SMPP 3.4, 4.6.1); ok is false when it is no report, or says nothing.
func receiptOf(body []byte) (r Receipt, ok bool) {
	f := &fields{b: body}
	f.text()
	f.bytes(2)
	f.text()
	f.bytes(2)
	f.text()
	class := f.byte()
	f.bytes(2)
	f.text()
	f.text()
	f.bytes(4)
	words := string(f.bytes(int(f.byte())))
	if f.bad || class&classMask != deliverClass {
		return r, false
	}
	more := f.options()
	if p, there := more[tagPayload]; there && words == "" {
		words = string(p)
	}
	state := ""
	if m := receiptState.FindStringSubmatch(words); m != nil {
		state = strings.ToUpper(m[1])
	}
	if v, there := more[tagMessageState]; there && len(v) == 1 && states[v[0]] != "" {
		state = states[v[0]]
	}
	if v, there := more[tagReceiptedID]; there {
		r.ID = strings.TrimRight(string(v), "\x00")
	} else if m := receiptID.FindStringSubmatch(words); m != nil {
		r.ID = m[1]
	}
	r.Reason, r.Final = outcomes[state]
	r.Delivered = r.Final && r.Reason == ""
	return r, r.ID != "" && state != ""
}
