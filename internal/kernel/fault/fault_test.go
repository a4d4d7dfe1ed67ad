package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

func TestAForeignErrorIsHidden(t *testing.T) {
	secret := errors.New("password=hunter2")
	f := fault.From(fmt.Errorf("reading: %w", secret))
	if f.Kind != fault.Internal || strings.Contains(f.Message, "hunter2") {
		t.Errorf("a foreign error shows as %s: %q", f.Kind, f.Message)
	}
	if !errors.Is(f, secret) {
		t.Error("the log cannot find the cause")
	}
}

func TestAFaultIsFoundInAChain(t *testing.T) {
	inner := fault.NotFoundf("no customer %s", "x")
	f := fault.From(fmt.Errorf("loading: %w", inner))
	if f.Kind != fault.NotFound || f.Message != "no customer x" {
		t.Errorf("got %v", f)
	}
	if fault.From(nil) != nil {
		t.Error("no error became a fault")
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	if err := fault.InvalidAll(nil); err != nil {
		t.Errorf("nothing wrong became %v", err)
	}
	err := fault.InvalidAll([]fault.Detail{{Attribute: "a", Message: "one"}, {Attribute: "b", Message: "two"}})
	f := fault.From(err)
	if f.Attribute != "a" || f.Message != "one" || len(f.Details) != 2 {
		t.Errorf("got %+v", f)
	}
}

func TestSeveralFaultsAreGathered(t *testing.T) {
	var all fault.Several
	if all.Err() != nil || all.Add(nil) != nil {
		t.Error("nothing wrong became a fault")
	}
	taken := fault.Conflictf("taken", "it is taken")
	if err := all.Add(taken); !errors.Is(err, taken) {
		t.Errorf("a conflict came back as %v", err)
	}
	for _, err := range []error{fault.Invalidf("a", "one"), fault.InvalidAll([]fault.Detail{{Attribute: "b", Message: "two"}, {Attribute: "c", Message: "three"}})} {
		if err := all.Add(err); err != nil {
			t.Errorf("came back: %v", err)
		}
	}
	all.Invalidf("d", "fo%s", "ur")
	if f := fault.From(all.Err()); f.Attribute != "a" || len(f.Details) != 4 || f.Details[3].Message != "four" {
		t.Errorf("got %+v", f)
	}
}

func TestCopiesDoNotShare(t *testing.T) {
	base := fault.New(fault.Limit, "tooMany", "slow down")
	if _ = base.At("x"); base.Attribute != "" {
		t.Error("At changed the original")
	}
	if !errors.Is(base.At("x").After(1), base) {
		t.Error("a copy is no longer the same refusal")
	}
}
