// Command shapegen writes the shape files of TM Forum APIs out of their official Swagger 2.0 documents.
//
//	go run ./internal/api/tmf630/shapegen [-check] -to internal/api/tmf630/shapes SPECS [TMF620 TMF622 …]
//
// SPECS is a folder with the documents, each named after its API (TMF629-….swagger.json). Without names it
// writes again every shape file that is there. With -check it writes nothing and fails when a file differs.
//
// It keeps facts alone: names, types, formats, what is mandatory, enumerations. Adding an API is one call.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "shapegen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("shapegen", flag.ContinueOnError)
	to := flags.String("to", "internal/api/tmf630/shapes", "folder of the shape files")
	check := flags.Bool("check", false, "compare instead of writing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("the folder with the Swagger documents is missing")
	}
	specs, wanted := flags.Arg(0), flags.Args()[1:]
	if len(wanted) == 0 {
		var err error
		if wanted, err = present(*to); err != nil {
			return err
		}
	}
	var stale []string
	for _, code := range wanted {
		text, err := shapesOf(specs, code)
		if err != nil {
			return fmt.Errorf("%s: %w", code, err)
		}
		file := filepath.Join(*to, code+".shapes")
		if *check {
			if was, err := os.ReadFile(file); err != nil || !bytes.Equal(was, text) {
				stale = append(stale, file)
			}
			continue
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	if len(stale) > 0 {
		return fmt.Errorf("not what the documents say, run shapegen: %s", strings.Join(stale, ", "))
	}
	return nil
}

var generated = regexp.MustCompile(`^TMF6\d\d\.shapes$`)

// present lists the APIs that have a generated shape file. TMF630 is written by hand: it has no document.
func present(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var codes []string
	for _, e := range entries {
		if generated.MatchString(e.Name()) && e.Name() != "TMF630.shapes" {
			codes = append(codes, strings.TrimSuffix(e.Name(), ".shapes"))
		}
	}
	if len(codes) == 0 {
		return nil, fmt.Errorf("no shape file in %s: name the APIs to begin with", folder)
	}
	return codes, nil
}

func shapesOf(specs, code string) ([]byte, error) {
	entries, err := os.ReadDir(specs)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(entries, func(e os.DirEntry) bool {
		return strings.HasPrefix(e.Name(), code) && strings.HasSuffix(e.Name(), "swagger.json")
	})
	if i < 0 {
		return nil, fmt.Errorf("no Swagger document of it in %s", specs)
	}
	raw, err := os.ReadFile(filepath.Join(specs, entries[i].Name()))
	if err != nil {
		return nil, err
	}
	d, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", entries[i].Name(), err)
	}
	return d.shapes(code)
}
