package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// CheckCatalogue reads a catalogue file, and says what it holds or how many mistakes it has, and each mistake with its
// line. The error is of a file that cannot be had.
func CheckCatalogue(file string) (said string, mistakes []string, err error) {
	parsed, err := readCatalogue(file)
	var f *fault.Error
	if errors.As(err, &f) {
		for _, d := range f.Details {
			mistakes = append(mistakes, fmt.Sprintf("%s: %s: %s", file, d.Attribute, d.Message))
		}
		if len(mistakes) == 0 {
			mistakes = []string{file + ": " + f.Message}
		}
		return fmt.Sprintf("%s has %d mistakes", file, len(mistakes)), mistakes, nil
	}
	if err != nil {
		return "", nil, err
	}
	counts := map[string]int{}
	for _, o := range parsed.Offerings {
		counts[o.OfferingType]++
	}
	parts := []string{fmt.Sprintf("%d categories, %d tariffs, %d offerings", len(parsed.Categories), len(parsed.Tariffs), len(parsed.Offerings))}
	for _, kind := range catalog.Kinds() {
		if counts[kind] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
		}
	}
	return file + " is good: " + strings.Join(parts, ", "), nil, nil
}

func readCatalogue(file string) (*catalog.File, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return catalog.Read(text, "", "")
}

// LoadPlans brings a service provider's catalogue to what a file says.
func (h *House) LoadPlans(ctx context.Context, spid int, file string) (string, error) {
	parsed, err := readCatalogue(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	changed, err := h.Catalog.Load(h.As(ctx, spid), parsed)
	return fmt.Sprintf("%d of %d entries of the catalogue of service provider %d are new or changed", changed, parsed.Len(), spid), err
}
