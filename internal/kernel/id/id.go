// Package id makes demarc's identifiers.
//
// An id is a kind's prefix, an underscore and 26 characters of lower-case Crockford base 32: the 128
// bits of a UUIDv7, so ids of a kind sort by the time they were made. Ten of its random bits name the
// home, one of 1,024, that all rows of one customer share (see ARCHITECTURE.md, "Homes").
package id

import (
	"crypto/rand"
	"encoding/binary"
	"strings"
	"sync"
	"time"
)

// Homes is how many homes there are.
const Homes = 1024

// Home is one of 1,024 places that the rows of a customer live together in.
type Home uint16

// ID is an identifier in its text form ("cus_01j9z…"). An ID that demarc did not make is kept as it
// came; Parse tells the two apart.
type ID string

// Kind is what an id identifies; the package that owns the thing declares it.
type Kind struct {
	// Name is the resource's name on the wire ("customer").
	Name string
	// Prefix is 2 to 4 lower-case letters, unique among kinds.
	Prefix string
}

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

var decode = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range alphabet {
		t[alphabet[i]] = byte(i)
	}
	return
}()

// timeline is where the ids of one course of time have come to. The machine's clock makes one, and each sandbox,
// whose clock may be years away, one of its own: no clock carries the ids of another along.
type timeline struct {
	ms  uint64
	seq uint16
}

const (
	// near is how far in milliseconds a timeline may be from a moment that belongs to it.
	near = 60_000
	// mostTimelines bounds how many are remembered; the one that was used longest ago is forgotten.
	mostTimelines = 64
)

// timelines are the known ones, the last used first.
var timelines struct {
	sync.Mutex
	all []timeline
}

// next gives an id's millisecond and its number within that; start is where to begin to count.
func next(now uint64, start uint16) (ms uint64, seq uint16) {
	timelines.Lock()
	defer timelines.Unlock()
	at := -1
	for i, l := range timelines.all {
		if l.ms <= now+near && now <= l.ms+near {
			at = i
			break
		}
	}
	switch {
	case at > 0:
		l := timelines.all[at]
		copy(timelines.all[1:], timelines.all[:at])
		timelines.all[0] = l
	case at < 0:
		if len(timelines.all) < mostTimelines {
			timelines.all = append(timelines.all, timeline{})
		}
		copy(timelines.all[1:], timelines.all)
		timelines.all[0] = timeline{}
	}
	l := &timelines.all[0]
	if now > l.ms {
		l.ms, l.seq = now, start
	} else if l.seq++; l.seq > 0x0fff {
		l.ms, l.seq = l.ms+1, 0
	}
	return l.ms, l.seq
}

// New makes an id of a kind at a home. Ids made in one process never repeat, and never go backwards while the
// clock that now is from does not.
func New(k Kind, h Home, now time.Time) ID {
	var b [16]byte
	if _, err := rand.Read(b[6:]); err != nil {
		panic(err) // crypto/rand.Read is documented never to fail
	}
	ms, seq := next(uint64(now.UnixMilli()), binary.BigEndian.Uint16(b[6:8])&0x03ff)
	binary.BigEndian.PutUint16(b[0:2], uint16(ms>>32))
	binary.BigEndian.PutUint32(b[2:6], uint32(ms))
	binary.BigEndian.PutUint16(b[6:8], 0x7000|seq)
	binary.BigEndian.PutUint16(b[8:10], 0x8000|uint16(h&(Homes-1))<<4|uint16(b[9]&0x0f))
	return ID(k.Prefix + "_" + encode(b))
}

// RandomHome picks a home for something that has no owner yet, such as a new customer.
func RandomHome() Home {
	var b [2]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand.Read is documented never to fail
	}
	return Home(binary.BigEndian.Uint16(b[:]) & (Homes - 1))
}

// HomeOf spreads a key that is not an id (a claim, an idempotency key) evenly over the homes.
func HomeOf(key string) Home {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return Home((h ^ h>>16) & (Homes - 1))
}

func encode(b [16]byte) string {
	var out [26]byte
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	for i := 25; i >= 0; i-- {
		out[i] = alphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(out[:])
}

// Parse splits an id of demarc's own form. ok is false for anything else, which is then somebody
// else's identifier.
func Parse(s string) (prefix string, h Home, ok bool) {
	i := strings.IndexByte(s, '_')
	if i < 2 || i > 4 || len(s) != i+27 {
		return "", 0, false
	}
	for _, c := range []byte(s[:i]) {
		if c < 'a' || c > 'z' {
			return "", 0, false
		}
	}
	if s[i+1] > '7' { // 26 characters hold 130 bits; the first must leave two of them free
		return "", 0, false
	}
	var hi, lo uint64
	for _, c := range []byte(s[i+1:]) {
		v := decode[c]
		if v == 0xff {
			return "", 0, false
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(v)
	}
	if hi>>12&0xf != 7 || lo>>62 != 2 {
		return "", 0, false
	}
	return s[:i], Home(lo >> 52 & (Homes - 1)), true
}

// Home is the home that the id names; ok is false when the id is not demarc's.
func (i ID) Home() (h Home, ok bool) {
	_, h, ok = Parse(string(i))
	return h, ok
}

// Is reports whether the id has demarc's own form and is of kind k.
func (i ID) Is(k Kind) bool {
	p, _, ok := Parse(string(i))
	return ok && p == k.Prefix
}

// String is the id as text.
func (i ID) String() string { return string(i) }

// Number is a short human number: 8 decimal digits, the first not zero, as account numbers are. It is
// drawn at random; whoever uses it claims it for its service provider and draws again when it is taken.
func Number() string {
	var b [4]byte
	for {
		if _, err := rand.Read(b[:]); err != nil {
			panic(err) // crypto/rand.Read is documented never to fail
		}
		// Numbers from 10,000,000 to 99,999,999; a draw outside the largest multiple of 90 million would be biased.
		if n := binary.BigEndian.Uint32(b[:]); n < 4230000000 {
			n = 10000000 + n%90000000
			var d [8]byte
			for i := 7; i >= 0; i-- {
				d[i] = byte('0' + n%10)
				n /= 10
			}
			return string(d[:])
		}
	}
}
