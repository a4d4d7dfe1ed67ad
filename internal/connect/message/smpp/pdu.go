// Package smpp hands short messages to a message centre over SMPP 3.4 (SMPP Developers Forum), as a
// transceiver: one connection that messages leave by and delivery reports come in by.
package smpp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Commands (SMPP 3.4, 5.1.2.1); an answer has the top bit set.
const (
	genericNack         uint32 = 0x80000000
	submitSM            uint32 = 0x00000004
	submitSMResp        uint32 = 0x80000004
	deliverSM           uint32 = 0x00000005
	deliverSMResp       uint32 = 0x80000005
	unbind              uint32 = 0x00000006
	unbindResp          uint32 = 0x80000006
	bindTransceiver     uint32 = 0x00000009
	bindTransceiverResp uint32 = 0x80000009
	enquireLink         uint32 = 0x00000015
	enquireLinkResp     uint32 = 0x80000015
	alertNotification   uint32 = 0x00000102
)

// Status is a command's outcome (SMPP 3.4, 5.1.3).
type Status uint32

// The outcomes that something follows from.
const (
	StatusOK          Status = 0x00
	statusBadCommand  Status = 0x03
	statusQueueFull   Status = 0x14
	statusThrottled   Status = 0x58
	statusTemporarily Status = 0x64
)

// refusals are the outcomes that no repetition mends, in words.
var refusals = map[Status]string{
	0x01: "the message has a length that is refused", 0x0a: "the sender is refused", 0x0b: "the number is refused",
	0x43: "the message's class is refused", 0x48: "the sender's type of number is refused", 0x49: "the sender's numbering plan is refused",
	0x50: "the number's type is refused", 0x51: "the number's plan is refused", 0x61: "the time to send is refused",
	0x62: "the time to expire is refused", 0x65: "the receiver's application refuses it", 0x66: "the message is rejected",
	0x104: "the alphabet is refused",
}

// Error implements error.
func (s Status) Error() string {
	if why, ok := refusals[s]; ok {
		return fmt.Sprintf("%s (status 0x%x)", why, uint32(s))
	}
	switch s {
	case statusQueueFull:
		return "the message centre's queue is full"
	case statusThrottled:
		return "the message centre asks to go slower"
	}
	return fmt.Sprintf("the message centre answered with status 0x%x", uint32(s))
}

// Permanent reports whether no repetition mends it.
func (s Status) Permanent() bool { _, ok := refusals[s]; return ok }

// Optional parameters (SMPP 3.4, 5.3.2).
const (
	tagReceiptedID  uint16 = 0x001e
	tagMessageState uint16 = 0x0427
	tagPayload      uint16 = 0x0424
)

// The sizes of a unit: its head, and the most that is read of one.
const (
	headSize = 16
	mostUnit = 64 << 10
)

var errUnit = errors.New("what came is no SMPP")

// unit is a protocol data unit.
type unit struct {
	command  uint32
	status   Status
	sequence uint32
	body     []byte
}

// readUnit reads the next unit.
func readUnit(r io.Reader) (u unit, err error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return u, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < headSize || size > mostUnit {
		return u, fmt.Errorf("%w: a unit of %d bytes", errUnit, size)
	}
	u = unit{
		command: binary.BigEndian.Uint32(head[4:]), status: Status(binary.BigEndian.Uint32(head[8:])), sequence: binary.BigEndian.Uint32(head[12:]),
		body: make([]byte, size-headSize),
	}
	_, err = io.ReadFull(r, u.body)
	return u, err
}

func (u unit) bytes() []byte {
	out := make([]byte, headSize, headSize+len(u.body))
	binary.BigEndian.PutUint32(out, uint32(headSize+len(u.body)))
	binary.BigEndian.PutUint32(out[4:], u.command)
	binary.BigEndian.PutUint32(out[8:], uint32(u.status))
	binary.BigEndian.PutUint32(out[12:], u.sequence)
	return append(out, u.body...)
}

// text appends a C-octet string of at most most bytes, its end not counted.
func text(b []byte, s string, most int) []byte {
	if len(s) > most {
		s = s[:most]
	}
	for n := range len(s) {
		if s[n] == 0 {
			s = s[:n]
			break
		}
	}
	return append(append(b, s...), 0)
}

// fields reads a body, field by field; bad says that it was too short.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) text() string {
	n := bytes.IndexByte(f.b, 0)
	if n < 0 {
		f.bad, f.b = true, nil
		return ""
	}
	s := string(f.b[:n])
	f.b = f.b[n+1:]
	return s
}

func (f *fields) byte() byte {
	if len(f.b) == 0 {
		f.bad = true
		return 0
	}
	c := f.b[0]
	f.b = f.b[1:]
	return c
}

func (f *fields) bytes(n int) []byte {
	if len(f.b) < n {
		f.bad, f.b = true, nil
		return nil
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}

// options are the optional parameters that the rest of a body holds; what is cut short is left out.
func (f *fields) options() map[uint16][]byte {
	out := map[uint16][]byte{}
	for len(f.b) >= 4 {
		tag, size := binary.BigEndian.Uint16(f.b), int(binary.BigEndian.Uint16(f.b[2:]))
		if len(f.b) < 4+size {
			break
		}
		out[tag] = f.b[4 : 4+size]
		f.b = f.b[4+size:]
	}
	return out
}

// bindBody is a transceiver's bind (SMPP 3.4, 4.1.5).
func bindBody(id, password, kind string) []byte {
	b := text(nil, id, 15)
	b = text(b, password, 8)
	b = text(b, kind, 12)
	b = append(b, 0x34, 0, 0) // version 3.4; no range of addresses
	return text(b, "", 40)
}

// submitBody is a message that is handed over (SMPP 3.4, 4.4.1).
func submitBody(m Message, validity string) []byte {
	ton, npi := kindOf(m.From)
	b := text(nil, "", 5)
	b = append(b, ton, npi)
	b = text(b, m.From, 20)
	b = append(b, 1, 1) // international, E.164
	b = text(b, m.To, 20)
	class := byte(0)
	if m.Part.Headed {
		class = 0x40 // there is a user data header
	}
	b = append(b, class, 0, 0)
	b = text(b, "", 16)
	b = text(b, validity, 16)
	b = append(b, 1, 0, m.Part.Coding, 0, byte(len(m.Part.Bytes))) // report the outcome, whatever it is
	return append(b, m.Part.Bytes...)
}

// kindOf is the type of number and numbering plan of a sender: letters, a short code or an international number.
func kindOf(from string) (ton, npi byte) {
	for n := range len(from) {
		if from[n] < '0' || from[n] > '9' {
			return 5, 0
		}
	}
	switch {
	case from == "":
		return 0, 0
	case len(from) < 7:
		return 3, 0
	}
	return 1, 1
}
