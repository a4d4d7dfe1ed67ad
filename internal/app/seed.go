package app

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
)

// LoadNumbers adds mobile numbers to a service provider's pool, as FIRST+COUNT.
func (h *House) LoadNumbers(ctx context.Context, spid int, spec string) (string, error) {
	first, count, err := counted(spec)
	if err != nil {
		return "", err
	}
	added, err := h.Inventory.AddNumbers(h.As(ctx, spid), msisdn.Number(first), count)
	return fmt.Sprintf("%d numbers were added to the pool of service provider %d", added, spid), err
}

// LoadSIMs adds SIMs to a service provider's pool, as ISSUER/NETWORK/FIRST+COUNT.
func (h *House) LoadSIMs(ctx context.Context, spid int, spec string) (string, error) {
	parts := strings.Split(spec, "/")
	if len(parts) != 3 {
		return "", fault.Invalidf("sims", "%q is not ISSUER/NETWORK/FIRST+COUNT", spec)
	}
	first, count, err := counted(parts[2])
	if err != nil {
		return "", err
	}
	serial, err := strconv.Atoi(first)
	if err != nil {
		return "", fault.Invalidf("sims", "%q is not a serial number", first)
	}
	added, err := h.Inventory.AddSIMs(h.As(ctx, spid), inventory.Batch{Issuer: parts[0], Network: parts[1], First: serial, Count: count})
	return fmt.Sprintf("%d SIMs were added to the pool of service provider %d", added, spid), err
}

// counted reads FIRST+COUNT.
func counted(spec string) (first string, count int, err error) {
	first, number, ok := strings.Cut(spec, "+")
	count, bad := strconv.Atoi(number)
	if !ok || bad != nil || count < 1 || count > 1_000_000 {
		return "", 0, fault.Invalidf("", "%q is not FIRST+COUNT, as in 41790000000+100", spec)
	}
	return first, count, nil
}
