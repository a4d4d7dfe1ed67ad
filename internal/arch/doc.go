// Package arch holds the tests that hold the house to its plan, ARCHITECTURE.md: which package may import
// which, how large things may grow, which names and calls are refused and where.
package arch
