package msisdn_test

import (
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
)

func TestEverySpellingIsTheSameNumber(t *testing.T) {
	for _, s := range []string{"27832000000", "+27832000000", "+27 83 200 0000", "+27 (83) 200-0000", "0027 83 200 0000", " +27.83.200.0000 "} {
		n, err := msisdn.Parse(s, "")
		if err != nil || n != "27832000000" {
			t.Errorf("%q is %q (%v), want 27832000000", s, n, err)
		}
	}
	n, err := msisdn.Parse("083 200 0000", "ZA")
	if err != nil || n != "27832000000" {
		t.Errorf("the national form is %q (%v)", n, err)
	}
	if got := n.E123(); got != "+27 83 200 0000" {
		t.Errorf("shown as %q", got)
	}
}

func TestWhatIsNoNumber(t *testing.T) {
	for _, s := range []string{"", "abc", "083 200 0000", "+", "123456", "1234567890123456", "+27 83 200 OOOO", "٢٧٨٣٢", "27+832000000", "27832000000\x00"} {
		if n, err := msisdn.Parse(s, ""); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q was read as %q (%v)", s, n, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("+27 83 200 0000", "ZA")
	f.Fuzz(func(t *testing.T, s, region string) {
		n, err := msisdn.Parse(s, region)
		if err != nil {
			return
		}
		again, err := msisdn.Parse(n.E123(), "")
		if err != nil || again != n {
			t.Errorf("%q is %q, shown as %q, which is %q (%v)", s, n, n.E123(), again, err)
		}
	})
}
