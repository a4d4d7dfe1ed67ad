// Package files reads and writes files of other servers over HTTP, for import and export jobs.
package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Options are what a Client needs.
type Options struct {
	// Allow gives an error for an address that may not be called. It is asked each time a connection is made, so that
	// a name cannot lead elsewhere than it did when it was looked at.
	Allow func(addr netip.Addr) error
	// Timeout bounds one file, from the connection to its last byte (default 30 s).
	Timeout time.Duration
}

// Client reads and writes files. It goes through no proxy of the environment and follows no redirect.
type Client struct {
	http *http.Client
}

// longestHeader bounds the head of an answer, in bytes.
const longestHeader = 64 << 10

// New makes a client.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	dialer := &net.Dialer{
		Timeout: o.Timeout,
		Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			if err := o.Allow(to.Addr()); err != nil {
				return forbidden{err}
			}
			return nil
		},
	}
	return &Client{http: &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: o.Timeout, ResponseHeaderTimeout: o.Timeout,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: longestHeader, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// forbidden is an address that may not be called.
type forbidden struct{ error }

// Fetch reads a file of at most so many bytes. A server that cannot be reached, or says that it is at fault itself, is
// an Unavailable fault: asking again may help. Everything else that is not the file is an Invalid one.
func (c *Client) Fetch(ctx context.Context, address string, most int64) (body []byte, mediaType string, err error) {
	answer, err := c.do(ctx, http.MethodGet, address, "", nil)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	if body, err = io.ReadAll(io.LimitReader(answer.Body, most+1)); err != nil {
		return nil, "", unavailable("the file broke off")
	}
	if int64(len(body)) > most {
		return nil, "", fault.Invalidf("url", "the file has more than %d bytes", most)
	}
	return body, answer.Header.Get("Content-Type"), nil
}

// Put writes a file; faults are those of Fetch.
func (c *Client) Put(ctx context.Context, address, mediaType string, body []byte) error {
	answer, err := c.do(ctx, http.MethodPut, address, mediaType, body)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, longestHeader)) // what it says beyond its status does not matter
	return answer.Body.Close()
}

func (c *Client) do(ctx context.Context, method, address, mediaType string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil || r.URL.Host == "" {
		return nil, fault.Invalidf("url", "the url is not one of http or https with a host")
	}
	r.Header.Set("User-Agent", "demarc")
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, unreached(err)
	}
	if answer.StatusCode/100 == 2 {
		return answer, nil
	}
	_ = answer.Body.Close()
	switch said := fmt.Sprintf("the server of the file answered %s", answer.Status); {
	case answer.StatusCode/100 == 5, answer.StatusCode == http.StatusTooManyRequests, answer.StatusCode == http.StatusRequestTimeout:
		return nil, unavailable(said)
	case answer.StatusCode/100 == 3:
		return nil, fault.Invalidf("url", "%s, and redirects are not followed", said)
	default:
		return nil, fault.Invalidf("url", "%s", said)
	}
}

// unreached tells why no answer came, without the address: its query may hold a secret.
func unreached(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	if not, ok := errors.AsType[forbidden](err); ok {
		return fault.Invalidf("url", "the server of the file may not be called: %s", not.Error())
	}
	return fault.New(fault.Unavailable, fault.CodeUnavailable, "the server of the file does not answer").Because(err)
}

func unavailable(why string) error {
	return fault.New(fault.Unavailable, fault.CodeUnavailable, "%s", why)
}
