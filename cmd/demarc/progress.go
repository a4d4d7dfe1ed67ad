package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// progress shows how far something is: a bar that moves on a terminal, a line now and then elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	began    time.Time
	last     time.Time
	tenth    int64
}

const (
	barWidth = 30
	barEvery = 100 * time.Millisecond
)

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, began: clock.Real{}.Now()}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// show tells how much of a total is done, with a note. Where it is no terminal, every tenth is told.
func (p *progress) show(done, total int64, note string) {
	if total <= 0 {
		return
	}
	now := clock.Real{}.Now()
	if !p.terminal {
		if tenth := done * 10 / total; tenth > p.tenth {
			p.tenth = tenth
			_, _ = fmt.Fprintf(p.w, "%3d %%  %s  %s\n", done*100/total, p.spent(now), note)
		}
		return
	}
	if now.Sub(p.last) < barEvery && done < total {
		return
	}
	p.last = now
	full := int(done * barWidth / total)
	_, _ = fmt.Fprintf(p.w, "\r\033[K[%s%s] %3d %%  %s  %s", strings.Repeat("█", full), strings.Repeat("·", barWidth-full), done*100/total, p.spent(now), note)
}

func (p *progress) spent(now time.Time) string { return now.Sub(p.began).Round(time.Second).String() }

// end leaves the last state of the bar standing.
func (p *progress) end() {
	if p.terminal {
		_, _ = fmt.Fprintln(p.w)
	}
}
