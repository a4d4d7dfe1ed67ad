// Package fault is how demarc says no.
//
// An Error has a stable code, a kind, a message that is safe to show to a client, the attribute at
// fault and a cause that only logs see. Domains make faults; every façade has one table from kind
// and code to its own status and body.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of refusal an error is; façades derive the HTTP status from it.
type Kind uint8

const (
	// Internal is a failure of demarc itself; its cause is never shown.
	Internal Kind = iota
	// Invalid is input that breaks the form or a rule.
	Invalid
	// NotFound is a thing that does not exist, or that the caller may not know exists.
	NotFound
	// Conflict is a write that the present state of things forbids.
	Conflict
	// Stale is a write based on an old version (If-Match).
	Stale
	// Forbidden is an authenticated caller without the permission.
	Forbidden
	// Unauthenticated is a caller without a valid credential.
	Unauthenticated
	// Limit is a caller that asks too much: rate, quota, lockout.
	Limit
	// TooLarge is a request over a size limit.
	TooLarge
	// Unsupported is a representation or a feature that demarc does not speak.
	Unsupported
	// Unavailable is a dependency that does not answer now; a retry may succeed.
	Unavailable
)

var kindNames = [...]string{"internal", "invalid", "notFound", "conflict", "stale", "forbidden", "unauthenticated", "limit", "tooLarge", "unsupported", "unavailable"}

// String is the name of the kind as it stands in logs and metrics.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Code is a stable identifier of a refusal, in camelCase ("alreadySubscribed"). It never changes
// once released; messages may.
type Code string

// Detail is one of several faults found in the same input.
type Detail struct {
	// Attribute is the path of the value at fault, as the client wrote it ("contactMedium[0].mediumType").
	Attribute string `json:"attribute"`
	// Message says what is wrong with it; safe to show.
	Message string `json:"message"`
}

// Error is a refusal. Its zero value is not useful; make one with New or one of the shorthands.
type Error struct {
	Code      Code
	Kind      Kind
	Message   string
	Attribute string
	// Details lists every fault found when there are several; Attribute and Message repeat the first.
	Details []Detail
	// RetryAfter is how long the caller should wait before it asks again; 0 says nothing.
	RetryAfter time.Duration
	cause      error
}

// Error is for logs: it includes the hidden cause.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Attribute != "" {
		s += " (" + e.Attribute + ")"
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap gives the hidden cause.
func (e *Error) Unwrap() error { return e.cause }

// Is matches two faults by code, so that errors.Is works against a template.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// New makes a fault. The message is shown to clients: it must say what to do and hold no secret.
func New(kind Kind, code Code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// At returns a copy that names the attribute at fault.
func (e *Error) At(attribute string) *Error {
	c := *e
	c.Attribute = attribute
	return &c
}

// Because returns a copy with a hidden cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// After returns a copy that asks the caller to wait d before it retries.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Codes that every part of demarc may answer with. Domains declare their own beside their rules.
const (
	CodeInternal        Code = "internalError"
	CodeInvalid         Code = "invalidValue"
	CodeMalformed       Code = "malformedBody"
	CodeNotFound        Code = "notFound"
	CodeStillReferred   Code = "stillReferredTo"
	CodeStale           Code = "versionConflict"
	CodeForbidden       Code = "forbidden"
	CodeUnauthenticated Code = "unauthenticated"
	CodeUnavailable     Code = "unavailable"
)

// Invalidf is a value that breaks the form or a rule, at an attribute.
func Invalidf(attribute, format string, args ...any) *Error {
	return New(Invalid, CodeInvalid, format, args...).At(attribute)
}

// InvalidAll is one fault for every detail found; nil when there is none.
func InvalidAll(details []Detail) error {
	if len(details) == 0 {
		return nil
	}
	e := New(Invalid, CodeInvalid, "%s", details[0].Message).At(details[0].Attribute)
	if len(details) > 1 {
		e.Details = details
	}
	return e
}

// Several gathers what is wrong with one input, so that a client is told all of it at once. Its zero value
// has nothing.
type Several struct{ found []Detail }

// Add keeps an Invalid fault; any other error, which is nothing to gather, it gives back.
func (s *Several) Add(err error) error {
	if KindOf(err) != Invalid {
		return err
	}
	f := From(err)
	if len(f.Details) > 0 {
		s.found = append(s.found, f.Details...)
	} else {
		s.found = append(s.found, Detail{Attribute: f.Attribute, Message: f.Message})
	}
	return nil
}

// Invalidf keeps one more.
func (s *Several) Invalidf(attribute, format string, args ...any) {
	s.found = append(s.found, Detail{Attribute: attribute, Message: fmt.Sprintf(format, args...)})
}

// Err is one fault for all that was gathered; nil when nothing was.
func (s *Several) Err() error { return InvalidAll(s.found) }

// NotFoundf is a thing that is not there, or not for this caller.
func NotFoundf(format string, args ...any) *Error {
	return New(NotFound, CodeNotFound, format, args...)
}

// Conflictf is a write that the present state forbids.
func Conflictf(code Code, format string, args ...any) *Error {
	return New(Conflict, code, format, args...)
}

// Internalf wraps a failure of demarc's own; the client sees only that something went wrong.
func Internalf(cause error, format string, args ...any) *Error {
	return New(Internal, CodeInternal, format, args...).Because(cause)
}

// From gives the fault in err's chain, or an internal one that hides err. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return New(Internal, CodeInternal, "something went wrong here; the request id finds it in the log").Because(err)
}

// None is the kind of no error at all.
const None Kind = 255

// KindOf is the kind of the fault in err's chain: Internal when there is none, None when err is nil.
func KindOf(err error) Kind {
	if err == nil {
		return None
	}
	return From(err).Kind
}
