// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sshkey

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

const (
	keyA         = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHHnG2Z2f9WjDhCoCWXgi8CIa8Lz8QSQ8SJcVBrR1Jd2 a@example.com"
	keyB         = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFRZlMyOxAGjJ1GtXHwEPpVVJ0oBrfZIFn1uVn7SDAgO b@example.com"
	fingerprintA = "5b:d3:63:cd:8f:b9:9c:73:74:78:df:06:82:52:84:a8"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	const secret = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"
	for name, test := range map[string]struct {
		text    string
		summary string // of the only finding; "" if there is none
		warning bool
	}{
		"plain":                   {text: keyA},
		"newline at its end":      {text: keyA + "\n"},
		"carriage return too":     {text: keyA + "\r\n"},
		"without a comment":       {text: strings.TrimSuffix(keyA, " a@example.com")},
		"comment with spaces":     {text: keyA + " on my laptop"},
		"options":                 {text: `from="10.0.0.0/8",no-pty ` + keyA},
		"comment PRIVATE KEY":     {text: keyA + " -----BEGIN PRIVATE KEY-----"},
		"two keys":                {text: keyA + "\n" + keyB, summary: "SSH key of several lines", warning: true},
		"comment line before":     {text: "# mine\n" + keyA, summary: "SSH key of several lines", warning: true},
		"empty":                   {text: "", summary: "Missing SSH key"},
		"blank":                   {text: " \n", summary: "Missing SSH key"},
		"cut off":                 {text: keyA[:60], summary: "Not an SSH key"},
		"type of another key":     {text: "ssh-rsa " + strings.Fields(keyA)[1], summary: "Not an SSH key"},
		"words":                   {text: "your ssh public key", summary: "Not an SSH key"},
		"path":                    {text: "~/.ssh/id_ed25519.pub", summary: "Not an SSH key"},
		"OpenSSH private key":     {text: "-----BEGIN OPENSSH PRIVATE KEY-----\n" + secret + "\n-----END OPENSSH PRIVATE KEY-----\n", summary: "Private key refused"},
		"RSA private key":         {text: "\n  -----BEGIN RSA PRIVATE KEY-----\n" + secret, summary: "Private key refused"},
		"PKCS#8 private key":      {text: "-----BEGIN PRIVATE KEY-----\n" + secret, summary: "Private key refused"},
		"encrypted private key":   {text: "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + secret, summary: "Private key refused"},
		"ssh.com private key":     {text: "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n" + secret, summary: "Private key refused"},
		"PuTTY private key":       {text: "PuTTY-User-Key-File-3: ssh-ed25519\n" + secret, summary: "Private key refused"},
		"private key after a key": {text: keyA + "\n-----BEGIN OPENSSH PRIVATE KEY-----\n" + secret, summary: "Private key refused"},
		"PKCS#8 public key":       {text: "-----BEGIN PUBLIC KEY-----\n" + secret, summary: "SSH key in another format"},
		"RFC 4716 public key":     {text: "---- BEGIN SSH2 PUBLIC KEY ----\n" + secret, summary: "SSH key in another format"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			diags := check(test.text)
			if test.summary == "" {
				if len(diags) > 0 {
					t.Fatalf("refused: %v", diags)
				}
				return
			}
			if len(diags) != 1 || diags[0].Summary() != test.summary || (diags[0].Severity() == diag.SeverityWarning) != test.warning {
				t.Fatalf("got %v, want %q", diags, test.summary)
			}
			if strings.Contains(diags[0].Detail(), secret) {
				t.Error("the finding repeats the key")
			}
			if _, pointsAtKey := diags[0].(diag.DiagnosticWithPath); pointsAtKey && test.summary == "Private key refused" {
				t.Error("the finding is on the attribute, so Terraform prints the key from the configuration")
			}
		})
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{keyA: fingerprintA, "\n" + keyA + "\n": fingerprintA, "no key": ""} {
		if got := fingerprint(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func pairA(conditions ...api.Condition) *api.KeyPair {
	return &api.KeyPair{Spec: api.KeyPairSpec{PublicKey: keyA}, Status: api.KeyPairStatus{Conditions: conditions}}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	const waiting = "Harvester has not validated the key yet."
	for name, test := range map[string]struct {
		pair           *api.KeyPair
		state, message string
	}{
		"new":          {pairA(), stateNotValidated, waiting},
		"other":        {pairA(api.Condition{Type: "other", Status: "True"}), stateNotValidated, waiting},
		"unknown":      {pairA(api.Condition{Type: api.ConditionValidated, Status: "Unknown"}), stateNotValidated, waiting},
		"true":         {pairA(api.Condition{Type: api.ConditionValidated, Status: "True"}), stateValidated, ""},
		"false":        {pairA(api.Condition{Type: api.ConditionValidated, Status: "False", Message: "bad", Reason: "Bad"}), stateNotValidated, "bad"},
		"false reason": {pairA(api.Condition{Type: api.ConditionValidated, Status: "False", Reason: "no key found"}), stateNotValidated, "no key found"},
	} {
		if state, message := verdict(test.pair); state != test.state || message != test.message {
			t.Errorf("%s: got %q, %q", name, state, message)
		}
	}
}

// The validation of an earlier key must not count for the one that was just sent.
func TestValidatedIgnoresOlderGenerations(t *testing.T) {
	t.Parallel()
	object := func(generation int64, status string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"generation": generation},
			"spec":     map[string]any{"publicKey": keyA},
			"status":   map[string]any{"conditions": []any{map[string]any{"type": "validated", "status": status, "reason": "because"}}},
		}}
	}
	condition := validated(3)
	if progress, err := condition(object(2, "True")); progress.Done || err != nil {
		t.Errorf("older, valid: %+v, %v", progress, err)
	}
	if progress, err := condition(object(2, "False")); progress.Done || err != nil {
		t.Errorf("older, not valid: %+v, %v", progress, err)
	}
	if progress, err := condition(object(3, "True")); !progress.Done || err != nil {
		t.Errorf("valid: %+v, %v", progress, err)
	}
	if _, err := condition(object(4, "False")); err == nil || err.Error() != "because" {
		t.Errorf("not valid: %v", err)
	}
	if _, err := condition(nil); err == nil {
		t.Error("gone, but still waiting")
	}
}

func TestReadKeepsSpelling(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ prior, want types.String }{
		"newline at its end": {types.StringValue(keyA + "\n"), types.StringValue(keyA + "\n")},
		"another key":        {types.StringValue(keyB), types.StringValue(keyA)},
		"imported":           {types.StringNull(), types.StringValue(keyA)},
	} {
		m := model{PublicKey: test.prior}
		if test.prior.IsNull() {
			m.State = types.StringNull()
		} else {
			m.State = types.StringValue(stateValidated)
		}
		fillWith(t, &m, pairA())
		if !m.PublicKey.Equal(test.want) {
			t.Errorf("%s: got %s", name, m.PublicKey)
		}
		if m.Fingerprint.ValueString() != fingerprintA {
			t.Errorf("%s: fingerprint %s", name, m.Fingerprint)
		}
	}
}

// Harvester keeps the fingerprint of the first key for ever; official bug: it was shown as that of the new one.
func TestFingerprintIsThatOfTheKey(t *testing.T) {
	t.Parallel()
	pair := pairA()
	pair.Status.FingerPrint = fingerprint(keyB)
	m := model{PublicKey: types.StringValue(keyB)}
	m.State = types.StringValue(stateValidated)
	fillWith(t, &m, pair)
	if got := m.Fingerprint.ValueString(); got != fingerprintA {
		t.Errorf("got %s", got)
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	before := model{PublicKey: types.StringValue(keyA)}
	spaced := model{PublicKey: types.StringValue(keyA + "\n\n")}
	if patch, _ := tfbase.Changes[model, api.KeyPair](ctx, &spaced, &before); len(patch) != 0 {
		t.Errorf("the same key with other space around is sent: %v", patch)
	}
	other := model{PublicKey: types.StringValue(keyB + "\n")}
	patch, _ := tfbase.Changes[model, api.KeyPair](ctx, &other, &before)
	status, reset := patch["status"]
	if spec := patch["spec"].(map[string]any); spec["publicKey"] != keyB || !reset || status != nil {
		t.Errorf("got %v", patch)
	}
}

func TestDerive(t *testing.T) {
	t.Parallel()
	state := &model{PublicKey: types.StringValue(keyA)}
	plan := model{PublicKey: types.StringValue(keyA + "\n")}
	plan.derive(state)
	if !plan.PublicKey.Equal(state.PublicKey) || plan.Fingerprint.ValueString() != fingerprintA || plan.State.ValueString() != stateValidated {
		t.Errorf("same key: %+v", plan)
	}
	plan = model{PublicKey: types.StringUnknown()}
	plan.derive(state)
	if !plan.Fingerprint.IsUnknown() {
		t.Errorf("unknown key: %+v", plan)
	}
}

// A state as the official provider 1.8 writes it.
func TestUpgradeOfficialState(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	state := `{"id":"default/mine","name":"mine","namespace":"default","description":"","labels":{},"tags":{"team":"blue"},
"public_key":"` + keyA + `","fingerprint":"","state":"Not Validated","message":null,"timeouts":null}`
	var resp resource.UpgradeStateResponse
	Kind.NewResource().(resource.ResourceWithUpgradeState).UpgradeState(ctx)[0].StateUpgrader(ctx, resource.UpgradeStateRequest{RawState: &tfprotov6.RawState{JSON: []byte(state)}}, &resp)
	if resp.Diagnostics.HasError() {
		t.Fatal(resp.Diagnostics)
	}
	s := keySchema()
	raw, err := resp.DynamicValue.Unmarshal(s.Type().TerraformType(ctx))
	if err != nil {
		t.Fatal(err)
	}
	var m model
	if diags := (tfsdk.State{Schema: s, Raw: raw}).Get(ctx, &m); diags.HasError() {
		t.Fatal(diags)
	}
	if !m.Description.IsNull() || !m.Labels.IsNull() || len(m.Tags.Elements()) != 1 || m.PublicKey.ValueString() != keyA {
		t.Errorf("got %+v", m)
	}
}

func fillWith(t *testing.T, m *model, pair *api.KeyPair) {
	t.Helper()
	if diags := tfbase.Fill[model, api.KeyPair, *model, *api.KeyPair](t.Context(), m, pair); diags.HasError() {
		t.Fatal(diags)
	}
}
