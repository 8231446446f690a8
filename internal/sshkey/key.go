// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sshkey

import (
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"golang.org/x/crypto/ssh"
)

// same says that two texts are the same key: what surrounds it does not count, such
// as the newline at the end of a file.
func same(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }

// fingerprint is the one Harvester shows: the MD5 of the key, in hexadecimal with
// colons; "" if the text holds no key.
func fingerprint(text string) string {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return ""
	}
	return ssh.FingerprintLegacyMD5(key)
}

var (
	privateKey = regexp.MustCompile(`(?m)^\s*(-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-)`)
	otherForm  = regexp.MustCompile(`^\s*-{4,5} ?BEGIN `)
	pathLike   = regexp.MustCompile(`^\s*[~./]\S*\s*$|^\s*\S*\.pub\s*$`)
)

// check looks at a key the way Harvester's webhook does (pkg/webhook/resources/keypair),
// and further. No finding repeats the text: it may be the wrong half of the pair.
func check(text string) diag.Diagnostics {
	at := path.Root("public_key")
	wrong := func(summary, detail string) diag.Diagnostics {
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, summary, detail)}
	}
	switch {
	case privateKey.MatchString(text):
		// Not on the attribute, or Terraform would print the lines of the configuration that hold it.
		return diag.Diagnostics{diag.NewErrorDiagnostic("Private key refused",
			"public_key holds a private key. It belongs on the machine you log in from and nowhere else. Nothing was sent.\n\n"+
				"Give the public key: the content of the file that ends with .pub, or the output of ssh-keygen -y -f <private key>.")}
	case strings.TrimSpace(text) == "":
		return wrong("Missing SSH key", "public_key is empty. Give a line such as \"ssh-ed25519 AAAA… you@example.com\".")
	case otherForm.MatchString(text):
		return wrong("SSH key in another format", "Harvester wants the key as OpenSSH writes it, in one line: \"ssh-ed25519 AAAA… you@example.com\".\n\n"+
			"ssh-keygen -i converts others: -m PKCS8 for BEGIN PUBLIC KEY, -m RFC4716 for BEGIN SSH2 PUBLIC KEY.")
	case pathLike.MatchString(text):
		return wrong("Not an SSH key", "public_key is the key itself, not the name of a file. Use public_key = file(\"…\").")
	case fingerprint(text) == "":
		return wrong("Not an SSH key", "The text is no public key in OpenSSH's format: one line such as \"ssh-ed25519 AAAA… you@example.com\", with nothing missing at its end.")
	case strings.Contains(strings.TrimSpace(text), "\n"):
		return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(at, "SSH key of several lines",
			"The first key in it counts; the other lines are passed on to virtual machines as they are, which can break their user data. "+
				"Make a harvester_ssh_key for each key.")}
	}
	return nil
}
