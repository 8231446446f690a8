// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// planted is as long as the secret of an API key of Rancher.
const planted = "kubeconfig-user-x7k2q:" + "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr3t"

func withToken(token string) string { return strings.Replace(kubeconfig, "secret-token", token, 1) }

func TestKubeconfigForms(t *testing.T) {
	t.Parallel()
	// Letters that make "+" and "/" in base64, in lengths that want each kind of padding.
	for _, text := range []string{kubeconfig, kubeconfig + "# ~~~???\n", kubeconfig + "# ûûû>>>\n\n"} {
		plain, web := base64.StdEncoding.EncodeToString([]byte(text)), base64.URLEncoding.EncodeToString([]byte(text))
		for name, value := range map[string]string{
			"text":                 text,
			"text after a BOM":     "\ufeff" + text,
			"base64":               plain,
			"without padding":      strings.TrimRight(plain, "="),
			"URL alphabet":         web,
			"URL, without padding": strings.TrimRight(web, "="),
			"in lines":             plain[:76] + "\n" + plain[76:152] + "\r\n" + plain[152:] + "\n",
			"with spaces":          " " + plain[:40] + " \t" + plain[40:] + " ",
		} {
			config, err := Connection{Kubeconfig: value}.restConfig()
			if err != nil || config.Host != "https://one.example/k8s/clusters/local" || config.BearerToken != "secret-token" {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
}

// Whatever is wrong with a kubeconfig, no message repeats it.
func TestKubeconfigIsNeverShown(t *testing.T) {
	text := withToken(strconv.Quote(planted)) // its colon would make it another kind of YAML
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	user := func(fields string) string {
		return strings.Replace(text, "{token: "+strconv.Quote(planted)+"}", fields, 1)
	}
	dir := t.TempDir()
	t.Setenv("KUBECONFIG", filepath.Join(dir, "none"))
	broken := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte(text[:len(text)-40]+"\n\t- ]"), 0o600); err != nil {
		t.Fatal(err)
	}
	oneLine := strings.ReplaceAll(text, "\n", " ")
	for name, test := range map[string]struct{ value, says string }{
		"token alone":              {planted, "neither the path"},
		"JSON web token":           {"eyJhbGciOiJSUzI1NiJ9." + planted + ".sig", "neither the path"},
		"one line":                 {oneLine, "neither the path"},
		"half":                     {text[len(text)/2:], "neither the path"},
		"cut in a list":            {text[:strings.Index(text, "s3cr3t")+20], "cannot be read as YAML"},
		"cut before the users":     {"users: [{name: me, user: {token: " + planted, "neither the path"},
		"tabs":                     {strings.ReplaceAll(text, "\n- ", "\n\t- "), "cannot be read as YAML"},
		"a colon too many":         {strings.Replace(text, "kind: Config", "kind: Config\ntoken: a: "+planted, 1), "cannot be read as YAML"},
		"field of a wrong type":    {strings.Replace(text, "users:", "users: "+planted+"\nothers:", 1), "cannot be read as YAML"},
		"JSON, cut":                {`{"kind":"Config","users":[{"user":{"token":"` + planted, "cannot be read as YAML"},
		"JSON of something else":   {`{"token":"` + planted + `"}`, "no cluster"},
		"YAML of something else":   {"kind: Config\ntoken: " + planted, "no cluster"},
		"base64, cut":              {encoded[:len(encoded)/3*2+1], "neither the path"},
		"base64, cut to a path":    {"/" + encoded[:200], "neither the path"},
		"base64 with a dollar":     {"$" + encoded, "neither the path"},
		"base64 of base64":         {base64.StdEncoding.EncodeToString([]byte(encoded)), "neither the path"},
		"base64 of garbage":        {base64.StdEncoding.EncodeToString([]byte("\x00\x01" + planted)), "decoded from base64"},
		"base64 of one line":       {base64.StdEncoding.EncodeToString([]byte(oneLine)), "decoded from base64"},
		"base64 of cut YAML":       {base64.StdEncoding.EncodeToString([]byte(text[:strings.Index(text, "s3cr3t")+20])), "cannot be read as YAML"},
		"home and a token":         {"~/" + planted, "neither the path"},
		"path with a token":        {"/etc/" + planted, "neither the path"},
		"file with broken YAML":    {broken, "cannot be read as YAML"},
		"NUL":                      {"\x00" + planted, "neither the path"},
		"very long":                {strings.Repeat(planted, 200), "neither the path"},
		"key for its path":         {user(`{client-key: "-----BEGIN KEY-----\n` + planted + `"}`), "-data at its end"},
		"key data for its path":    {user(`{client-certificate: /dev/null, client-key: ` + base64.StdEncoding.EncodeToString([]byte(planted)) + `}`), "-data at its end"},
		"token for its file":       {user(`{tokenFile: "` + planted + `"}`), "-data at its end"},
		"CA for its path":          {strings.Replace(text, `certificate-authority-data: "Y2E="`, `certificate-authority: "`+planted+`"`, 1), "-data at its end"},
		"exec without an interest": {user(`{exec: {command: x, args: ["` + planted + `"], env: [{name: "", value: "` + planted + `"}]}}`), "exec"},
		"two ways to log in":       {user(`{token: "` + planted + `", username: me, password: "` + planted + `"}`), "only one is allowed"},
		"token for a name":         {strings.NewReplacer("name: me", `name: "`+planted+`"`, "user: me", `user: "`+planted+`"`).Replace(user(`{exec: {command: ""}}`)), "cannot be used"},
		"proxy with a password":    {strings.Replace(text, "cluster: {", `cluster: {proxy-url: "ftp://me:`+planted+`@proxy", `, 1), "proxy"},
		"no cluster of that name":  {strings.ReplaceAll(text, "cluster: one", "cluster: none"), "cannot be used"},
		"unknown auth provider":    {user(`{auth-provider: {name: oidc, config: {id-token: "` + planted + `"}}}`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Connect(Connection{Kubeconfig: test.value}, "test")
			mistake, ok := errors.AsType[*ConfigError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(mistake.Detail, test.says) {
				t.Errorf("got %q, which does not say %q", mistake.Detail, test.says)
			}
			for _, secret := range []string{"s3cr3t", encoded[:24], encoded[len(encoded)/2 : len(encoded)/2+24], base64.StdEncoding.EncodeToString([]byte(planted))[:24]} {
				if strings.Contains(mistake.Detail, secret) {
					t.Errorf("the secret is in %q", mistake.Detail)
				}
			}
		})
	}
}

// KUBECONFIG is the path of a file. Where it holds the kubeconfig itself, that is not shown either.
func TestKUBECONFIGIsNeverShown(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	broken := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte("kind: Config\nusers: "+planted), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ value, says string }{
		"text":         {withToken(planted), ""},
		"base64":       {base64.StdEncoding.EncodeToString([]byte(withToken(planted))), ""},
		"token":        {planted, "No cluster is configured"},
		"broken file":  {broken, `broken.yaml" cannot be read`},
		"no such file": {filepath.Join(dir, "none"), "No cluster is configured"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", test.value)
			_, err := Connect(Connection{}, "test")
			if err == nil || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "czNjcjN0") || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A token in the wrong argument is not shown.
func TestHostIsNeverShown(t *testing.T) {
	t.Parallel()
	for host, says := range map[string]string{
		planted:                                  "does not begin with https://",
		"token-abcde":                            "does not begin with https://",
		"h.example":                              "does not begin with https://",
		"ftp://" + planted + "@h.example":        "does not begin with https://",
		"https://me:" + planted + "@h.example":   "credentials",
		"https://me:s3cr3t@h.example":            "credentials",
		"https://h.example?token=s3cr3t":         "question mark",
		"https://":                               "no name of a host",
		"https://h.example:s3cr3t":               "no URL",
		"https://h.example/%zz" + planted:        "no URL",
		"https:// h.example" + planted + "\x00x": "no URL",
	} {
		_, err := Connect(Connection{Host: host, Token: planted}, "test")
		mistake, ok := errors.AsType[*ConfigError](err)
		if !ok || mistake.Field != FieldHost || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "token-abcde") {
			t.Errorf("%s: got %v", host, err)
			continue
		}
		if !strings.Contains(mistake.Detail, says) {
			t.Errorf("%s: %q does not say %q", host, mistake.Detail, says)
		}
	}
}

func TestPresentable(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/home/me/.kube/config":            true,
		"~/harvester.yaml":                 true,
		"./kubeconfig":                     true,
		"local.yaml":                       true,
		"kube/config":                      true,
		`C:\Users\me\local.yaml`:           true,
		"/tmp/with space/config":           true,
		"":                                 false,
		"token-abcde":                      false,
		"a/b+c":                            false,
		planted:                            false,
		"/" + strings.Repeat("a", 49):      false,
		"/a/" + strings.Repeat("a/", 130):  false,
		"/home/me\x1b/config":              false,
		"/home/me/config\nx":               false,
		"https://me:pass@host/config.yaml": false,
	} {
		if got := presentable(path); got != want {
			t.Errorf("%q: got %v", path, got)
		}
	}
}

// No text makes the parser panic, and no error holds what may be a secret.
func FuzzKubeconfig(f *testing.F) {
	f.Fuzz(func(t *testing.T, before, after string) {
		text := before + planted + after
		for _, value := range []string{text, base64.StdEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text))} {
			_, err := Connection{Kubeconfig: value}.restConfig()
			if err == nil {
				continue
			}
			if !errors.As(err, new(*ConfigError)) {
				t.Errorf("got a %T", err)
			}
			if strings.Contains(err.Error(), "s3cr3ts3cr3t") || strings.Contains(err.Error(), value) {
				t.Errorf("the secret is in %q", err)
			}
		}
	})
}
