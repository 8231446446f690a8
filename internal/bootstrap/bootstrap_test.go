// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package bootstrap

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

const (
	oldPassword = "the-old-password"
	newPassword = "the-new-password"
)

// fake is as much of Rancher as these tests need; the acceptance tests use the sandbox's.
type fake struct {
	password string
	drop     bool // the next change of the password is not answered
	status   int  // for that many requests the server is still starting
	asked    []string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked = append(f.asked, r.URL.Path)
	var body struct{ Password, CurrentPassword, NewPassword string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	switch {
	case f.status > 0:
		f.status--
		w.WriteHeader(http.StatusServiceUnavailable)
	case strings.HasSuffix(r.URL.Path, "/local") && r.URL.Query().Get("action") == "login":
		if body.Password != f.password {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":"token-1","type":"token","token":"token-1:secret"}`))
	case strings.HasSuffix(r.URL.Path, "/users"):
		if body.CurrentPassword != f.password {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = w.Write([]byte(`{"message":"` + body.NewPassword + ` cannot replace ` + body.CurrentPassword + `"}`))
			return
		}
		f.password = body.NewPassword
		if f.drop {
			f.drop = false
			panic(http.ErrAbortHandler)
		}
	}
}

func meet(t *testing.T, f *fake) *contact {
	t.Helper()
	server := httptest.NewTLSServer(f)
	t.Cleanup(server.Close)
	m := &model{APIURL: types.StringValue(server.URL), InitialPassword: types.StringValue(oldPassword)}
	c, diags := (&Resource{mode: &session.Bootstrap{}}).contact(m, newPassword)
	if diags.HasError() {
		t.Fatal(diags)
	}
	return c
}

// Official bug T5: a password could not be changed. What an interrupted apply did is found as it is, also when only the answer was lost.
func TestSettle(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cluster fake
		before  string
		want    string // of the password, "" for an error
		initial bool
	}{
		"fresh":            {fake{password: oldPassword}, oldPassword, newPassword, true},
		"changed before":   {fake{password: newPassword}, oldPassword, newPassword, false},
		"stays":            {fake{password: newPassword}, newPassword, newPassword, false},
		"answer lost":      {fake{password: oldPassword, drop: true}, oldPassword, newPassword, true},
		"still starting":   {fake{password: oldPassword, status: 1}, oldPassword, newPassword, true},
		"another password": {fake{password: "another"}, oldPassword, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := meet(t, &test.cluster)
			diags := c.settle(t.Context(), test.before, newPassword)
			if diags.HasError() != (test.want == "") || !diags.HasError() && (test.cluster.password != test.want || c.initial != test.initial || c.login.ID == "") {
				t.Errorf("got %q, initial %t, %v", test.cluster.password, c.initial, diags)
			}
		})
	}
}

// Official bug T6: errors lacked what the server said, and nothing could be cancelled. Passwords are not repeated.
func TestFailures(t *testing.T) {
	t.Parallel()
	c := meet(t, &fake{password: oldPassword})
	err := c.changePassword(t.Context(), "", "a wrong password", newPassword)
	diags := c.failed("change it on", "left", err)
	if text := diags[0].Detail(); !strings.Contains(text, "*** cannot replace") || strings.Contains(text, newPassword) {
		t.Errorf("got %s", text)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	c = meet(t, &fake{status: 1000})
	if diags := c.settle(ctx, oldPassword, newPassword); !diags.HasError() || time.Since(begun) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(begun), diags)
	}
}

// Official bug T1: the password was sent to whoever answers.
func TestTrust(t *testing.T) {
	t.Parallel()
	f := &fake{password: oldPassword}
	server := httptest.NewTLSServer(f)
	defer server.Close()
	ask := func(trust trust) (string, error) {
		r, err := connect(server.URL, trust)
		if err != nil {
			return "", err
		}
		_, err = r.login(t.Context(), oldPassword)
		return r.met, err
	}
	met, err := ask(trust{})
	if err != nil || len(met) != 64 {
		t.Fatalf("the first time: %q, %v", met, err)
	}
	if again, err := ask(trust{pinned: met}); err != nil || again != met {
		t.Errorf("the second time: %q, %v", again, err)
	}
	asked := len(f.asked)
	if _, err := ask(trust{pinned: strings.Repeat("0", 64)}); !errors.As(err, new(*certificateError)) || transient(err) {
		t.Errorf("another certificate: %v", err)
	}
	if _, err := ask(trust{authority: otherAuthority(t)}); err == nil || transient(err) {
		t.Errorf("another authority: %v", err)
	}
	if len(f.asked) != asked {
		t.Error("the password was sent to a server that is not trusted")
	}
	if met, err := ask(trust{anyone: true}); err != nil || met != "" {
		t.Errorf("insecure: %q, %v", met, err)
	}
}

// otherAuthority is one that vouches for nobody here.
func otherAuthority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://192.0.2.10": true, "https://harvester.example.com:8443/path": true, "http://192.0.2.10": true,
		"192.0.2.10": false, "https://": false, "https://admin:secret@h": false, "https://h/?token=a": false, "ftp://h": false, "": false,
	} {
		if _, err := connect(address, trust{}); (err == nil) != want || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

const kubeconfigOf = `apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://192.0.2.10/k8s/clusters/local"}}]
`

// Official bug T3: the user's own kubeconfig was overwritten.
func TestFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, test := range map[string]struct {
		text string
		want string // part of the refusal
	}{
		"empty":   {" \n", ""},
		"same":    {kubeconfigOf, ""},
		"others":  {strings.ReplaceAll(kubeconfigOf, "192.0.2.10", "192.0.2.11"), "another cluster"},
		"no YAML": {"a: [", "no kubeconfig"},
		"notes":   {"a: b", "no kubeconfig"},
	} {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := replaceable(file, "https://192.0.2.10"); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
	file := filepath.Join(folder, "new", "config")
	if got := replaceable(file, "https://192.0.2.10"); got != "" {
		t.Errorf("absent: %q", got)
	}
	if err := write(file, "one"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has the mode %v (%v)", info, err)
	}
	link := filepath.Join(folder, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := write(link, "two"); err != nil {
		t.Fatal(err)
	}
	text, _ := content(file)
	if info, _ := os.Lstat(link); text != "two" || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("through a link: %q, %v", text, info.Mode())
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "*", ".kubeconfig-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := write(filepath.Join(file, "below"), "three"); err == nil {
		t.Error("a file below a file was written")
	}
}

// Official bug T7: nothing warned of a password that changes nothing, or that Harvester refuses.
func TestValidate(t *testing.T) {
	t.Parallel()
	text := types.StringValue
	for name, test := range map[string]struct {
		config model
		want   []string
	}{
		"plain":         {model{Password: text(newPassword)}, nil},
		"unknown":       {model{Password: types.StringUnknown()}, nil},
		"write-only":    {model{PasswordWO: text(newPassword), PasswordWOVersion: types.Int64Value(1)}, nil},
		"none":          {model{}, []string{"Missing argument"}},
		"both":          {model{Password: text(newPassword), PasswordWO: text(newPassword), PasswordWOVersion: types.Int64Value(1)}, []string{"Contradicting arguments"}},
		"no version":    {model{PasswordWO: text(newPassword)}, []string{"Contradicting arguments"}},
		"initial":       {model{Password: text("admin")}, []string{"Password not changed"}},
		"short":         {model{Password: text("short")}, []string{"Short password"}},
		"no authority":  {model{Password: text(newPassword), CACertificate: text("x")}, []string{"Invalid certificate"}},
		"no difference": {model{Password: text(newPassword), CACertificate: text("x"), Insecure: types.BoolValue(true)}, []string{"Contradicting arguments", "Invalid certificate"}},
	} {
		var got []string
		for _, found := range test.config.validate() {
			got = append(got, found.Summary())
			if strings.Contains(found.Detail(), newPassword) {
				t.Errorf("%s: the finding repeats the password", name)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// A state of the official provider has the kubeconfig in the file alone. T2 and T4: a refresh neither makes a new one nor
// forgets the resource when it cannot log in.
func TestUpgradeOfficialState(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(kubeconfigOf, "192.0.2.10", "127.0.0.1:1")+"contexts: [{name: a, context: {cluster: a, user: a}}]\ncurrent-context: a\nusers: [{name: a, user: {token: t}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	raw := `{"id":"token-abc","api_url":"https://127.0.0.1:1","initial_password":"admin","password":"` + newPassword + `","kubeconfig":"` + file + `","should_update_password":true}`
	r, s := NewResource().(*Resource), bootstrapSchema()
	var resp resource.UpgradeStateResponse
	r.UpgradeState(t.Context())[0].StateUpgrader(t.Context(), resource.UpgradeStateRequest{RawState: &tfprotov6.RawState{JSON: []byte(raw)}}, &resp)
	if resp.Diagnostics.HasError() {
		t.Fatal(resp.Diagnostics)
	}
	value, err := resp.DynamicValue.Unmarshal(s.Type().TerraformType(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	state := tfsdk.State{Schema: s, Raw: value}
	read := resource.ReadResponse{State: state}
	r.Read(t.Context(), resource.ReadRequest{State: state}, &read)
	var m model
	if read.Diagnostics.Append(read.State.Get(t.Context(), &m)...); read.Diagnostics.HasError() {
		t.Fatal(read.Diagnostics)
	}
	if read.Diagnostics.WarningsCount() != 1 || m.ID.ValueString() != "token-abc" || !strings.Contains(m.KubeconfigContent.ValueString(), "127.0.0.1:1") || m.Password.ValueString() != newPassword {
		t.Errorf("read as %v with %v", m.ID, read.Diagnostics)
	}
	plan := resource.ModifyPlanResponse{Plan: tfsdk.Plan{Schema: s, Raw: read.State.Raw}}
	r.ModifyPlan(t.Context(), resource.ModifyPlanRequest{State: read.State, Plan: plan.Plan}, &plan)
	if !plan.Plan.Raw.Equal(read.State.Raw) || plan.Diagnostics.HasError() {
		t.Errorf("the plan is not empty: %v", plan.Diagnostics)
	}
}
