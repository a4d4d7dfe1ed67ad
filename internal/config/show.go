package config

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Show writes what is in force and where each value comes from. Secrets are not shown.
func (l *Loaded) Show(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	group := ""
	for _, f := range Fields() {
		if f.Group != group {
			if group != "" {
				fmt.Fprintln(tw, "\t\t")
			}
			group = f.Group
			fmt.Fprintf(tw, "# %s\t\t\n", group)
		}
		value := f.shown(&l.Settings)
		if value == "" {
			value = `""`
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", f.Name, value, l.From[f.Name])
	}
	return tw.Flush()
}

// Docs writes the page of documentation: every setting with its names, its default and what it means.
func Docs(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Settings

<!-- Generated from internal/config by "make gen"; change it there. -->

A flag wins over the environment variable, the variable over the file, the file over the default. The file
is YAML, a map of the names below; ` + "`--config`" + ` names it, and ` + "`" + DefaultFile + "`" + ` in the working directory is read
when it is there. A list is written with commas, or as a YAML list. ` + "`demarc config`" + ` prints what is in force
and where each value comes from.

` + "```yaml" + `
# ` + DefaultFile + `
listen: 0.0.0.0:8080
public-url: https://api.example.com
db: postgres://demarc@db.example.com/demarc
issuer: https://id.example.com/realms/cm
allowed-client: [obp-apigw]
` + "```" + `
`)
	group := ""
	for _, f := range Fields() {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n## %s\n\n| setting | environment | default | meaning |\n|---|---|---|---|\n", group)
		}
		value := "–"
		if f.Default != "" {
			value = "`" + f.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", f.Name, f.Env, value, strings.ReplaceAll(f.Help, "|", `\|`))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
