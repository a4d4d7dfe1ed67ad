package hub

import (
	"fmt"
	"net/netip"
)

// Guard says which addresses demarc may call on behalf of a client. Without one, a client could reach what
// only this server can: the loopback, the operator's network, a cloud's metadata service.
type Guard interface {
	// Allow gives an error when the address may not be called. It is asked each time a connection is made.
	Allow(addr netip.Addr) error
}

// PublicOnly allows addresses of the public internet, and those of the prefixes excepted.
type PublicOnly struct{ Except []netip.Prefix }

// Allow implements Guard.
func (g PublicOnly) Allow(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	for _, p := range g.Except {
		if p.Contains(addr) {
			return nil
		}
	}
	if !public(addr) {
		return fmt.Errorf("%s is not a public address", addr)
	}
	return nil
}

// special are the blocks that the IANA registries of special-purpose addresses keep from the public
// internet and that package netip does not tell by itself.
func special() []string {
	return []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", // IPv4
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
		"fec0::/10", // IPv6, those that embed an IPv4 address among them
	}
}

func public(addr netip.Addr) bool {
	if !addr.IsValid() || !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return false
	}
	for _, block := range special() {
		if netip.MustParsePrefix(block).Contains(addr) {
			return false
		}
	}
	return true
}
