package pan_test

import (
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/pan"
	"pgregory.net/rapid"
)

func TestCardNumbersAreFoundHoweverTheyAreWritten(t *testing.T) {
	for _, text := range []string{
		"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "4111.1111.1111.1111", "4111\u00a01111\u00a01111\u00a01111",
		"4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "５５５５ ５５５５ ５５５５ ４４４４", "5555555555554444", "2223003122003222", "378282246310005", "3782 822463 10005",
		"6011111111111117", "3530111333300000", "30569309025904", "6200000000000005", "4222222222222",
		"her card is 4111 1111 1111 1111, valid until 12/29", "visa4111111111111111", "card:4111111111111111.", "no 7 4111 1111 1111 1111", "(4111111111111111)",
		"12/29 4111 1111 1111 1111 123",
	} {
		if !pan.Found(text) {
			t.Errorf("the card number in %q is not found", text)
		}
	}
}

func TestOtherNumbersAreNoCards(t *testing.T) {
	for _, text := range []string{
		"", "1111", "4111111111111112", "411111111111", "41111111111111110", "+41 79 000 00 00", "33640000001", "+62 812 3456 7890 12",
		"8933098000000000005", "89330980000500000028", "356938035643809", "490154203237518", "208981234567890",
		"2026-11-22T03:46:50.123456Z", "20260711123459103", "1234 5678 9012 3456",
		"DE89370400440532013000", "sub_01hx4111111111111111ab", "a4111111111111111", "4111111111111111f",
		"41111111-1111-1111-0000-000000000000", "4111, 1111, 1111, 1111", "4111\n1111\n1111\n1111", strings.Repeat("1", 4000),
	} {
		if pan.Found(text) {
			t.Errorf("%q is taken for a card number", text)
		}
	}
}

// A number of an issuer's range with its check digit is found between any words, and is not with another check digit.
func TestTheCheckDigitDecides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		head := rapid.SampledFrom([]string{"4", "51", "55", "2221", "2720", "6011", "65", "3528", "62"}).Draw(t, "issuer")
		body := head + rapid.StringMatching(`[0-9]{15}`).Draw(t, "rest")[:15-len(head)]
		found := 0
		for check := range 10 {
			number := body + string(rune('0'+check))
			if pan.Is(number) {
				found++
				if !pan.Found("pay with " + number[:4] + " " + number[4:8] + " " + number[8:12] + " " + number[12:] + " please") {
					t.Fatalf("%s is not found in groups", number)
				}
			}
		}
		if found != 1 {
			t.Fatalf("%s has %d check digits", body, found)
		}
	})
}

func FuzzFound(f *testing.F) {
	f.Add("4111 1111 1111 1111")
	f.Add("４111-x\xff")
	f.Fuzz(func(t *testing.T, text string) {
		if pan.Found(text) && !pan.Found("see: "+text+" !") && len(text) > 0 {
			t.Errorf("%q is lost between words", text)
		}
	})
}

func BenchmarkFound(b *testing.B) {
	text := strings.Repeat(`the subscriber +33 640 000 001 called about 12 things; `, 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		pan.Found(text)
	}
}
