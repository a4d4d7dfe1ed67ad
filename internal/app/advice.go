package app

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// Advice is an error that says how to mend what is wrong. Commands show both.
type Advice struct {
	Err error
	// Do says what to do, as the end of "To mend it: …".
	Do string
}

// Error implements error.
func (a *Advice) Error() string { return a.Err.Error() }

// Unwrap gives the error itself.
func (a *Advice) Unwrap() error { return a.Err }

func advise(err error, do string) error { return &Advice{Err: err, Do: do} }

// listenAdvice says what to do about an address that cannot be listened on.
func listenAdvice(address string, err error) error {
	wrapped := fmt.Errorf("demarc cannot listen on %s: %w", address, err)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return advise(wrapped, "another program listens there, perhaps a demarc already running: stop it, or choose another address with --listen 127.0.0.1:8081")
	case errors.Is(err, syscall.EACCES):
		return advise(wrapped, "a port below 1024 needs privileges: choose a higher one with --listen")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return advise(wrapped, "the address is not one of this machine's: choose another with --listen")
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return advise(wrapped, "the host's name is not known here: use its address in --listen")
	}
	return wrapped
}

// databaseAdvice says what to do about a database that cannot be used.
func databaseAdvice(url string, err error) error {
	text := err.Error()
	var dns *net.DNSError
	switch {
	case strings.Contains(text, "schemaTooNew"):
		return advise(err, "a newer demarc migrated the database: run that version, or restore the backup made before")
	case strings.HasPrefix(url, "sqlite:") && (strings.Contains(text, "locked") || strings.Contains(text, "SQLITE_BUSY")):
		return advise(err, "another program writes to the file: stop it, or choose another database with --db")
	case strings.HasPrefix(url, "sqlite:"):
		return advise(err, "check that the folder of the file is there, may be written to by this user and has room")
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &dns), strings.Contains(text, "timeout"):
		return advise(err, "PostgreSQL does not answer there: check host and port in --db, and that it runs")
	case strings.Contains(text, "28P01"), strings.Contains(text, "28000"):
		return advise(err, "PostgreSQL refuses the user or password: check both in --db, and pg_hba.conf")
	case strings.Contains(text, "3D000"):
		return advise(err, "the database does not exist: create it, as with `createdb demarc`")
	case strings.Contains(text, "42501"):
		return advise(err, "the user may not create tables: make it the owner of the database")
	}
	return err
}
