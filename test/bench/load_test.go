//go:build bench

package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// client is a keep-alive HTTP/1.1 connection that does as little as a client can: the machine's time should
// go to the server under test, not to the one who asks.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	body bytes.Buffer
}

func dial(addr string) (*client, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{conn: c, in: bufio.NewReaderSize(c, 64<<10)}, nil
}

// do sends a request and reads the whole answer; the body stays valid until the next call.
func (c *client) do(request []byte) (status int, body []byte, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, fmt.Errorf("not an HTTP answer: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, err
	}
	length := 0
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, nil, err
			}
		} else if ok && bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			return 0, nil, fmt.Errorf("a chunked answer cannot be compared with a plain one")
		}
	}
	c.body.Reset()
	if _, err := io.CopyN(&c.body, c.in, int64(length)); err != nil {
		return 0, nil, err
	}
	return status, c.body.Bytes(), nil
}

// result is what one measurement found.
type result struct {
	// perSecond is the rate of completed operations; 0 when nothing was measured.
	perSecond float64
	p50, p99  time.Duration
}

func (r result) rate() float64 { return r.perSecond }

// measure runs work on as many goroutines as there are clients for about d, and until each has done something, and
// gathers the latencies. Each goroutine gets its own worker from start. What began in the first fifth of the time
// warms up and does not count.
func measure(clients int, d time.Duration, start func(worker int) (func() error, error)) (result, error) {
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		all     []time.Duration
		rate    float64
		first   error
		running atomic.Bool
		count   atomic.Bool
	)
	running.Store(true)
	for w := range clients {
		one, err := start(w)
		if err != nil {
			return result{}, err
		}
		wg.Go(func() {
			took := make([]time.Duration, 0, 1<<12)
			var since, end time.Time
			for running.Load() || len(took) == 0 {
				counts, began := count.Load(), time.Now()
				if err := one(); err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
					running.Store(false)
					return
				}
				if end = time.Now(); !counts {
					continue
				}
				if took = append(took, end.Sub(began)); len(took) == 1 {
					since = began
				}
			}
			mu.Lock()
			all = append(all, took...)
			rate += float64(len(took)) / end.Sub(since).Seconds()
			mu.Unlock()
		})
	}
	time.Sleep(d / 5)
	count.Store(true)
	time.Sleep(d * 4 / 5)
	running.Store(false)
	wg.Wait()
	if first != nil {
		return result{}, first
	}
	slices.Sort(all)
	return result{perSecond: rate, p50: all[len(all)/2], p99: all[len(all)*99/100]}, nil
}

// request is the bytes of one HTTP request.
func request(method, path, token, body string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n", method, path, token)
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.WriteString(body)
	return b.Bytes()
}
