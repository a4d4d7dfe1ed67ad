package smpp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// centre is a message centre that answers as a test has it.
type centre struct {
	t        *testing.T
	listener net.Listener
	// answer decides about a message: the status and the name that it is given; silent answers nothing.
	answer func(n int, u unit) (status Status, id string, silent bool)

	mu    sync.Mutex
	got   []unit
	binds int
	conns []net.Conn
	acked chan unit
}

func newCentre(t *testing.T) *centre {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &centre{t: t, listener: l, acked: make(chan unit, 16)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.conns = append(c.conns, conn)
			c.mu.Unlock()
			go c.serve(conn)
		}
	}()
	return c
}

func (c *centre) serve(conn net.Conn) {
	r := bufio.NewReader(conn)
	say := func(u unit) { _, _ = conn.Write(u.bytes()) }
	for {
		u, err := readUnit(r)
		if err != nil {
			return
		}
		switch u.command {
		case bindTransceiver:
			c.mu.Lock()
			c.binds++
			c.mu.Unlock()
			f := &fields{b: u.body}
			status := StatusOK
			if f.text() != "demarc" || f.text() != "secret" {
				status = 0x0e
			}
			say(unit{command: bindTransceiverResp, status: status, sequence: u.sequence, body: []byte("smsc\x00")})
		case submitSM:
			c.mu.Lock()
			c.got = append(c.got, u)
			n := len(c.got)
			c.mu.Unlock()
			status, id, silent := StatusOK, fmt.Sprint("m", n), false
			if c.answer != nil {
				status, id, silent = c.answer(n, u)
			}
			if !silent {
				say(unit{command: submitSMResp, status: status, sequence: u.sequence, body: append([]byte(id), 0)})
			}
		case enquireLink:
			say(unit{command: enquireLinkResp, sequence: u.sequence})
		case unbind:
			say(unit{command: unbindResp, sequence: u.sequence})
		case deliverSMResp:
			c.acked <- u
		}
	}
}

// report sends a delivery report to the one that is bound.
func (c *centre) report(sequence uint32, words string, more ...byte) {
	c.mu.Lock()
	conn := c.conns[len(c.conns)-1]
	c.mu.Unlock()
	b := text(nil, "", 5)
	b = text(append(b, 1, 1), "41790000001", 20)
	b = text(append(b, 5, 0), "Happy", 20)
	b = append(b, deliverClass, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(words)))
	b = append(append(b, words...), more...)
	_, _ = conn.Write(unit{command: deliverSM, sequence: sequence, body: b}.bytes())
}

func (c *centre) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}

func (c *centre) count() (messages, binds int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.got), c.binds
}

func (c *centre) client(change ...func(*Options)) *Client { return c.clientWith(nil, change...) }

func (c *centre) clientWith(receipt OnReceipt, change ...func(*Options)) *Client {
	o := Options{
		Address: c.listener.Addr().String(), SystemID: "demarc", Password: "secret", Timeout: 5 * time.Second, Hold: 10 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&o)
	}
	v := New(o, receipt)
	c.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		v.Close(ctx)
	})
	return v
}

func hello(key string) Message {
	return Message{Key: key, From: "Happy", To: "41790000001", Part: Part{Bytes: []byte("hello")}, Life: time.Hour}
}

func TestAMessageIsHandedOver(t *testing.T) {
	c := newCentre(t)
	id, err := c.client().Submit(t.Context(), hello("1"))
	if err != nil || id != "m1" {
		t.Fatalf("%q %v", id, err)
	}
	f := &fields{b: c.got[0].body}
	if f.text() != "" || !bytes.Equal(f.bytes(2), []byte{5, 0}) || f.text() != "Happy" || !bytes.Equal(f.bytes(2), []byte{1, 1}) || f.text() != "41790000001" ||
		!bytes.Equal(f.bytes(3), []byte{0, 0, 0}) || f.text() != "" || f.text() != "000000010000000R" || !bytes.Equal(f.bytes(4), []byte{1, 0, 0, 0}) ||
		f.byte() != 5 || string(f.b) != "hello" || f.bad {
		t.Errorf("%q", c.got[0].body)
	}
}

func TestManyAtOnceStayWithinTheWindow(t *testing.T) {
	c := newCentre(t)
	release := make(chan struct{})
	c.answer = func(n int, _ unit) (Status, string, bool) {
		<-release
		return StatusOK, fmt.Sprint(n), false
	}
	v := c.client(func(o *Options) { o.Window = 3 })
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			if _, err := v.Submit(t.Context(), hello(fmt.Sprint(n))); err != nil {
				t.Error(err)
			}
		})
	}
	for range 20 {
		release <- struct{}{}
		if n := len(v.window); n > 3 {
			t.Errorf("%d without an answer", n)
		}
	}
	all.Wait()
	if n, binds := c.count(); n != 20 || binds != 1 {
		t.Errorf("%d messages over %d connections", n, binds)
	}
}

func TestHowTheCentreRefuses(t *testing.T) {
	c := newCentre(t)
	statuses := []Status{0x0b, statusThrottled, 0x08}
	c.answer = func(n int, _ unit) (Status, string, bool) { return statuses[n-1], "", false }
	v := c.client()
	for n, s := range statuses {
		_, err := v.Submit(t.Context(), hello(fmt.Sprint(n)))
		got, ok := errors.AsType[Status](err)
		if !ok || got != s || got.Permanent() != (n == 0) {
			t.Errorf("%#x: %v", s, err)
		}
	}
	if _, err := c.client(func(o *Options) { o.Password = "guess" }).Submit(t.Context(), hello("x")); err == nil || !strings.Contains(err.Error(), "refuses to be bound") {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestAConnectionThatBreaksIsMadeAgain(t *testing.T) {
	c := newCentre(t)
	c.answer = func(n int, _ unit) (Status, string, bool) {
		if n == 1 {
			c.cut()
			return 0, "", true
		}
		return StatusOK, "again", false
	}
	v := c.client()
	if _, err := v.Submit(t.Context(), hello("1")); err == nil {
		t.Error("it was taken though the connection broke")
	}
	if id, err := v.Submit(t.Context(), hello("1")); err != nil || id != "again" {
		t.Errorf("%q %v", id, err)
	}
	if n, binds := c.count(); n != 2 || binds != 2 {
		t.Errorf("%d messages over %d connections", n, binds)
	}
}

// An answer that comes after who asked has gone is kept: asked again, the message is not handed over again.
func TestALateAnswerIsAnAnswer(t *testing.T) {
	c := newCentre(t)
	asked, release := make(chan struct{}), make(chan struct{})
	c.answer = func(int, unit) (Status, string, bool) {
		close(asked)
		<-release
		return StatusOK, "late", false
	}
	v := c.client()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := v.Submit(ctx, hello("1")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(release)
	if id, err := v.Submit(t.Context(), hello("1")); err != nil || id != "late" {
		t.Errorf("%q %v", id, err)
	}
	if n, _ := c.count(); n != 1 {
		t.Errorf("handed over %d times", n)
	}
}

func TestReportsComeInAndAreAcknowledged(t *testing.T) {
	c := newCentre(t)
	var mu sync.Mutex
	var got []Receipt
	calls := 0
	v := c.clientWith(func(_ context.Context, r Receipt) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		if r.ID == "broken" {
			return false, errors.New("the database is away")
		}
		if r.ID == "early" && calls < 3 {
			return false, nil // it overtook the record of its sending
		}
		got = append(got, r)
		return true, nil
	})
	if _, err := v.Submit(t.Context(), hello("1")); err != nil {
		t.Fatal(err)
	}
	for n, c2 := range []struct {
		words string
		more  []byte
		want  Receipt
		acked Status
	}{
		{"id:early sub:001 dlvrd:001 submit date:2603010900 done date:2603010900 stat:DELIVRD err:000 text:hello", nil, Receipt{ID: "early", Final: true, Delivered: true}, StatusOK},
		{"id:2 stat:UNDELIV err:001", nil, Receipt{ID: "2", Final: true, Reason: "it could not be delivered"}, StatusOK},
		{"", append(option(tagReceiptedID, "3\x00"), option(tagMessageState, "\x03")...), Receipt{ID: "3", Final: true, Reason: "it expired before it could be delivered"}, StatusOK},
		{"id:4 stat:ACCEPTD", nil, Receipt{}, StatusOK}, // not the last word
		{"id:broken stat:DELIVRD", nil, Receipt{}, statusTemporarily},
	} {
		c.report(uint32(100+n), c2.words, c2.more...)
		if u := <-c.acked; u.sequence != uint32(100+n) || u.status != c2.acked {
			t.Errorf("%q is acknowledged as %+v", c2.words, u)
		}
		mu.Lock()
		if c2.want.ID != "" && (len(got) == 0 || got[len(got)-1] != c2.want) {
			t.Errorf("%q is read as %+v", c2.words, got)
		}
		mu.Unlock()
	}
}

func option(tag uint16, value string) []byte {
	b := binary.BigEndian.AppendUint16(nil, tag)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(value))), value...)
}

func TestASilentCentreIsLeft(t *testing.T) {
	c := newCentre(t)
	v := c.client(func(o *Options) { o.Enquire = 10 * time.Millisecond })
	v.Start()
	if _, err := v.Submit(t.Context(), hello("1")); err != nil {
		t.Fatal(err)
	}
	c.cut()
	for range 1000 { // it is bound to again without a message
		if _, binds := c.count(); binds > 1 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("nobody came back")
}

func TestAfterClosingNothingLeaves(t *testing.T) {
	c := newCentre(t)
	v := c.client()
	if _, err := v.Submit(t.Context(), hello("1")); err != nil {
		t.Fatal(err)
	}
	v.Close(t.Context())
	if _, err := v.Submit(t.Context(), hello("2")); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestHowTextsAreSplit(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		coding byte
		parts  int
		first  int // bytes of the first part
	}{
		"one":                   {strings.Repeat("a", 160), codingDefault, 1, 160},
		"two":                   {strings.Repeat("a", 161), codingDefault, 2, 159},
		"extended":              {strings.Repeat("€", 80), codingDefault, 1, 160},
		"extended is not cut":   {strings.Repeat("a", 152) + "€" + strings.Repeat("a", 10), codingDefault, 2, 158},
		"typographic":           {"it’s “here” – now", codingDefault, 1, 17},
		"others":                {strings.Repeat("я", 70), codingUCS2, 1, 140},
		"two of others":         {strings.Repeat("я", 71), codingUCS2, 2, 140},
		"a pair is not cut":     {strings.Repeat("я", 66) + "😀" + strings.Repeat("я", 10), codingUCS2, 2, 138},
		"french with its ê":     {"être", codingUCS2, 1, 8},
		"german":                {"Grüße, Ä Ö Ü ß §", codingDefault, 1, 16},
		"nothing":               {"", codingDefault, 1, 0},
		"the most of the parts": {strings.Repeat("a", 153*MostParts), codingDefault, MostParts, 159},
	} {
		parts, err := Split(c.text, 7)
		if err != nil || len(parts) != c.parts || parts[0].Coding != c.coding || len(parts[0].Bytes) != c.first {
			t.Errorf("%s: %d parts, %+v, %v", name, len(parts), parts, err)
			continue
		}
		for n, p := range parts {
			if p.Headed != (c.parts > 1) || p.Headed && !bytes.Equal(p.Bytes[:6], []byte{5, 0, 3, 7, byte(c.parts), byte(n + 1)}) || len(p.Bytes) > 160 {
				t.Errorf("%s: part %d is %v", name, n, p.Bytes)
			}
		}
	}
	if _, err := Split(strings.Repeat("a", 153*MostParts+1), 7); !errors.Is(err, ErrTooLong) {
		t.Errorf("%v", err)
	}
}

// FuzzUnits holds that whatever a message centre sends is read or refused, and never panics.
func FuzzUnits(f *testing.F) {
	f.Add(unit{command: deliverSM, body: []byte("\x00\x01\x01a\x00\x01\x01b\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x05id:1 ")}.bytes())
	f.Add([]byte{0, 0, 0, 16, 0x80, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := readUnit(bytes.NewReader(b))
		if err != nil {
			return
		}
		if _, ok := receiptOf(u.body); ok && len(u.body) == 0 {
			t.Error("a report of nothing")
		}
	})
}
