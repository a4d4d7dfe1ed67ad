package credential

import (
	"context"
	"strconv"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/message"
	"github.com/demarc-bss/demarc/internal/provider"
)

// Issue sends a line a one-time password, in the place of one that it was sent before. It is good once, for minutes; tries
// at it are counted over all that are sent. Faults: Limit while tries at it are locked, or when one was sent too often;
// those of message.Send.
func (s *Service) Issue(ctx context.Context, line id.ID) (expires time.Time, err error) {
	h, err := s.hashes()
	if err != nil {
		return expires, err
	}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if _, err := s.line(ctx, line); err != nil {
			return err
		}
		rules, err := s.rules(ctx)
		if err != nil {
			return err
		}
		if err := s.issue(ctx, OTP, line, false); err != nil {
			return err
		}
		code, err := draw(provider.Or(rules.OTPLength, defaultOTPLength))
		if err != nil {
			return err
		}
		hash, err := h.of(ctx, OTP, code)
		if err != nil {
			return err
		}
		minutes := provider.Or(rules.OTPMinutes, defaultOTPMinutes)
		expires = s.store.Now(ctx).Add(time.Duration(minutes) * time.Minute)
		if err := s.keep(ctx, OTP, line, Prepared{hash: hash, origin: generated}, &expires); err != nil {
			return err
		}
		_, err = s.Messages.Send(ctx, message.Order{
			Template: "otp.issued", Line: line, Data: map[string]string{"minutes": strconv.Itoa(minutes)}, Secret: map[string]string{"code": code},
		})
		return err
	})
	return expires, err
}

// Redeem checks a one-time password and takes it off when it is right: of two who have it one alone is let in. Call it
// outside any transaction. Refusals as those of Verify.
func (s *Service) Redeem(ctx context.Context, line id.ID, code string) (refusal, err error) {
	if !digits(code) || len(code) > mostSecret {
		return nil, fault.Invalidf("code", "a code has digits alone")
	}
	if _, err := s.line(ctx, line); err != nil {
		return nil, err
	}
	_, refusal, err = s.try(ctx, OTP, line, code)
	if f := fault.From(refusal); f != nil && f.Code == CodeWrong {
		refusal = f.At("code")
	}
	return refusal, err
}
