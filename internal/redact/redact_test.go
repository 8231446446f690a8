// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package redact_test

import (
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          "",
		"url https://host/disk.raw": "url https://host/disk.raw",
		"https://ci:pass@host/disk.raw?X-Amz-Signature=dead": "https://ci:***@host/disk.raw?…",
		"https://ci:pass@host:8443/a":                        "https://ci:***@host:8443/a",
		"https://ci:***@host/disk.raw?…":                     "https://ci:***@host/disk.raw?…",
		"https://token@host/a":                               "https://***@host/a",
		"https://token:@host/a":                              "https://***@host/a",
		"https://ghp_0123456789012345678901:x@host/a":        "https://***@host/a",
		"https://host/a#token=x":                             "https://host/a#…",
		"https://host/a?":                                    "https://host/a?",
		"see https://host/a?b=c.":                            "see https://host/a?….",
		"(https://host/a?b=c): refused":                      "(https://host/a?…): refused",
		`Get "https://ci:p@host/a?b": dial tcp`:              `Get "https://ci:***@host/a?…": dial tcp`,
		`Get \"https://ci:p@host/a?b\": dial tcp`:            `Get \"https://ci:***@host/a?…\": dial tcp`,
		`{"url":"https:\/\/ci:p@host\/a?b=c","x":1}`:         `{"url":"https:\/\/ci:***@host\/a?…","x":1}`,
		"two: ftp://a:b@c/d, s3://e:f@g/h":                   "two: ftp://a:***@c/d, s3://e:***@g/h",
		"https://ci:pa/ss@host/a":                            "https://ci:***@host/a",
		"https://ci:12/ss@host/a":                            "https://ci:***@host/a",
		"https://ci:pa#ss@host/a":                            "https://ci:***@host/a",
		"https://ci:pa@ss@host/a":                            "https://ci:***@host/a",
		"http://proxy/https://ci:pass@host/a?b=c":            "http://proxy/https://ci:***@host/a?…",
		"a://b@https://ci:pass@host/a":                       "a://***@https://ci:***@host/a",
		"https://ci:pa://ss@host/a":                          "https://ci:***@host/a",
		`"a://@ https://ci:pass@host/a"`:                     `"a://***@ https://ci:***@host/a"`,
		`{"a":"http:\/\/nginx:8080\/a"}`:                     `{"a":"http:\/\/nginx:8080\/a"}`,
		`parse "https://ci:pa ss@host/a": invalid`:           `parse "https://ci:***@host/a": invalid`,
		"https://ci:pass":                                    "https://ci:***",
		"http://nginx:8080/a":                                "http://nginx:8080/a",
		"http://[::1]:6443/a and http://[fe80::1%25e]/a":     "http://[::1]:6443/a and http://[fe80::1%25e]/a",
		"http://10.0.0.1:80/a@b":                             "http://10.0.0.1:80/a@b",
		"docker://registry.io/repo@sha256:abc":               "docker://registry.io/repo@sha256:abc",
		"file:///etc/a":                                      "file:///etc/a",
		"https://<address of Harvester>/k8s/clusters/local":  "https://<address of Harvester>/k8s/clusters/local",
		"GET /disk.raw?sig=dead HTTP/1.1":                    "GET /disk.raw?… HTTP/1.1",
		"Is it /dev/vda? No":                                 "Is it /dev/vda? No",
		"Authorization: Bearer kubeconfig-u-x:abcdef":        "Authorization: Bearer ***",
	} {
		if got := redact.Text(text); got != want {
			t.Errorf("%q\n became %q,\n not    %q", text, got, want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"two\nlines\tand a tab":            "two\nlines\tand a tab",
		"DOS\r\nlines":                     "DOS\nlines",
		"grün, 日本, 👍":                      "grün, 日本, 👍",
		"\x1b[31mred\x1b[0m":               `\x1b[31mred\x1b[0m`,
		"over\rwritten":                    `over\rwritten`,
		"bell\a del\x7f nul\x00":           `bell\a del\x7f nul\x00`,
		"C1 \u009b31m":                     `C1 \u009b31m`,
		"bidi \u202a\u202e\u2066\u2069":    `bidi \u202a\u202e\u2066\u2069`,
		"mark \u200b\u200f\ufeff":          `mark \u200b\u200f\ufeff`,
		"lines\u2028and\u2029":             `lines\u2028and\u2029`,
		"no text \xff\xc3":                 `no text \xff\xc3`,
		"https://ci:pa\x1bss@host/a?b=\r1": "https://ci:***@host/a?…",
	} {
		if got := redact.Text(text); got != want {
			t.Errorf("%q became %q, not %q", text, got, want)
		}
	}
	if got := redact.Line(" two\nlines \x1b "); got != `two lines \x1b` {
		t.Errorf("in one line: %q", got)
	}
}

func TestTextIsCut(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"letters":            strings.Repeat("x", 5000),
		"runes":              strings.Repeat("ü", 3000),
		"binary":             strings.Repeat("\x00\xff", 1<<20),
		"words":              strings.Repeat("word ", 1<<18),
		"a URL at the brink": strings.Repeat("x", redact.Limit-12) + " https://ci:secretpassword@host/a",
		"a URL far away":     strings.Repeat("x", 4*redact.Limit-12) + " https://ci:secretpassword@host/a",
		"nothing but a URL":  "https://ci:secretpassword@host/a?" + strings.Repeat("x", 1<<20),
	} {
		got := redact.Text(text)
		if !utf8.ValidString(got) || len(got) > redact.Limit+64 || strings.Contains(got, "secret") {
			t.Errorf("%s: %d bytes, ending in %q", name, len(got), got[max(0, len(got)-80):])
		}
		if name != "a URL at the brink" && !strings.Contains(got, " … (cut, it has ") {
			t.Errorf("%s: nothing says that it was cut: %q", name, got[max(0, len(got)-80):])
		}
		if again := redact.Text(got); again != got {
			t.Errorf("%s: the second time it is another", name)
		}
	}
	if whole := strings.Repeat("x", redact.Limit); redact.Text(whole) != whole {
		t.Error("what fits was cut")
	}
}

// A server cannot keep the provider busy with what it says.
func TestTextIsQuick(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"a://", "\"a://", "a:b@c://", "/?a=", "bearer ", "\x00", "a", "@"} {
		text, began := strings.Repeat(part, 1<<20), time.Now()
		_ = redact.Text(text)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%q takes %s", part, took)
		}
	}
}

// What is shown of any text can be printed and is short, and the secrets of a URL in it are not there.
func FuzzText(f *testing.F) {
	f.Fuzz(func(t *testing.T, before, password, query, after string) {
		const secret = "s3cr3tPassw0rd"
		address := url.URL{
			Scheme: "https", User: url.UserPassword("ci", password+secret), Host: "host.example",
			Path: "/disk.raw", RawQuery: "sig=" + url.QueryEscape(query+secret),
		}
		for _, said := range []string{address.String(), `Get "` + address.String() + `": dial tcp`} {
			got := redact.Text(before + " " + said + after)
			if strings.Contains(got, secret) && !strings.Contains(before+after, "s3cr3t") {
				t.Errorf("the secret is in %q", got)
			}
			if len(got) > redact.Limit+64 || !utf8.ValidString(got) {
				t.Errorf("%d bytes", len(got))
			}
			for _, r := range got {
				if r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf) {
					t.Errorf("%q is in %q", r, got)
				}
			}
		}
	})
}
