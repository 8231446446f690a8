// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package redact makes text that comes from elsewhere, such as the messages of
// a server, fit to be shown: secrets in it are hidden, control characters are escaped, and what is
// endless is cut.
package redact

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limit is how much of a text is shown, in bytes.
const Limit = 4 << 10

// most is how much of a text is looked at. What looks for secrets may take the square of it.
const most = 4 * Limit

// slack is room for the note that a text was cut, so that a text that was cut is not cut again.
const slack = 64

// Text makes a text fit for a diagnostic. Newlines and tabs stay.
func Text(text string) string {
	whole := len(text)
	// Escapes come first: a control character inside a secret would hide it from what looks for it. The
	// cut comes last: half a URL does not show which part of it is secret.
	return cut(secrets(escape(excerpt(text))), whole)
}

// Line is Text in one line, for logs and terminals.
func Line(text string) string { return Text(strings.Join(strings.Fields(text), " ")) }

// excerpt keeps the work small where a server sends megabytes. It ends between two words.
func excerpt(text string) string {
	if len(text) <= most {
		return text
	}
	if end := strings.LastIndexAny(text[:most], " \t\n\""); end > Limit {
		return text[:end]
	}
	return text[:most]
}

// escape shows what a terminal would obey or hide: control characters, marks that turn the
// direction of writing, invisible characters and bytes that are no text.
func escape(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if strings.IndexFunc(text, hidden) < 0 && utf8.ValidString(text) {
		return text
	}
	var shown strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&shown, `\x%02x`, text[0])
		case hidden(r):
			shown.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			shown.WriteRune(r)
		}
		text = text[size:]
	}
	return shown.String()
}

func hidden(r rune) bool {
	return r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

func cut(text string, whole int) string {
	if len(text) <= Limit+slack && whole <= most {
		return text
	}
	end := min(Limit, len(text))
	for end > 0 && end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s … (cut, it has %d bytes)", text[:end], whole)
}

var (
	// JSON may write "/" as "\/".
	scheme = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*:\\?/\\?/`)
	// The first line of a request has a URL without its host.
	pathWithQuery = regexp.MustCompile(`(/[^\s"'?#<>]*)\?[^\s"<>]*=[^\s"<>]*`)
	bearer        = regexp.MustCompile(`(?i)\b(bearer)[ \t]+[^\s"'<>,;]{8,}`)
)

// secrets hides the passwords, query strings and fragments of all URLs in a text, as in
// https://ci:***@host/disk.raw?…, and bearer tokens. A query is hidden whole, because each store has a
// name of its own for its signature.
func secrets(text string) string {
	text = pathWithQuery.ReplaceAllString(urls(text), "$1?…")
	return bearer.ReplaceAllString(text, "$1 ***")
}

// urls masks the last URL first: one may stand inside another, which then has nothing to hide there any more.
func urls(text string) string {
	for _, found := range slices.Backward(scheme.FindAllStringIndex(text, -1)) {
		before, rest := text[:found[1]], text[found[1]:]
		end := extent(rest, found[0] > 0 && text[found[0]-1] == '"')
		text = before + withoutSecrets(rest[:end]) + rest[end:]
	}
	return text
}

// extent is the length of a URL at the beginning of a text. One in quotes may hold spaces, if it is none.
func extent(text string, quoted bool) int {
	if end := strings.IndexAny(text, "\"\\\n"); quoted && end >= 0 && text[end] == '"' {
		return end
	}
	if end := strings.IndexAny(text, " \t\n\"<>"); end >= 0 {
		return end
	}
	return len(text)
}

// withoutSecrets masks what follows the "//" of a URL.
func withoutSecrets(rest string) string {
	whole := strings.TrimRight(rest, `.,:;!)]}'\`) // the sentence's, not the URL's
	end := rest[len(whole):]
	user, address := userinfo(whole)
	if i := strings.IndexAny(address, "?#"); i >= 0 && i+1 < len(address) {
		address = address[:i+1] + "…"
	}
	return user + address + end
}

// userinfo splits off the user and masks the password. A password may hold characters that
// it ought not to, such as a slash: then what looks like the host is none.
func userinfo(rest string) (masked, address string) {
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = strings.TrimRight(rest[:i], `\`)
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 && !host.MatchString(authority) {
		at = strings.LastIndexByte(rest, '@')
	}
	name, password, _ := strings.Cut(rest[:max(at, 0)], ":")
	switch {
	case at >= 0 && (password == "" || len(name) > longestUser):
		return "***@", rest[at+1:] // a token in the place of the user
	case at >= 0:
		return name + ":***@", rest[at+1:]
	case host.MatchString(authority), wordAndPort.MatchString(authority):
		return "", rest
	}
	name, _, _ = strings.Cut(authority, ":")
	return name + ":***", rest[len(authority):]
}

// longestUser: what is longer is rather a token than the name of somebody.
const longestUser = 20

var (
	host = regexp.MustCompile(`^(\[[0-9A-Za-z:.%]*\](:[0-9]*)?|[^:]*|([^:]*[.][^:]*|localhost):[0-9]*)$`)
	// What stands here may also be a user and a password that begins with digits and goes on after a slash.
	wordAndPort = regexp.MustCompile(`^[^:]*:[0-9]*$`)
)
