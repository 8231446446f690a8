// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package setting

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Official bugs S1, S2 and S4: only two settings were compared by their meaning, and the credentials that the server
// takes out were a change for ever.
func TestSame(t *testing.T) {
	t.Parallel()
	const target = `{"type":"s3","endpoint":"http://s","accessKeyId":"id","secretAccessKey":"key","bucketName":"b","bucketRegion":"r"}`
	for name, test := range map[string]struct {
		setting, a, b string
		same, stored  bool
	}{
		"text":                        {"ui-index", "a", "a", true, true},
		"other text":                  {"ui-index", "a", "b", false, false},
		"JSON of no known setting":    {"new-in-1.9", `{"a":1}`, `{ "a": 1 }`, false, false},
		"space and order":             {"overcommit-config", `{"cpu":1,"memory":2}`, `{ "memory": 2, "cpu": 1 }`, true, true},
		"what is missing is zero":     {"vm-force-reset-policy", `{"enable":false,"period":1}`, `{"period":1}`, true, true},
		"what is missing is not zero": {"kubevirt-migration", `{"allowPostCopy":false}`, `{}`, false, false},
		"null":                        {"storage-network", `{"vlan":1,"exclude":null}`, `{"vlan":1}`, true, true},
		"excluded in any order":       {"storage-network", `{"exclude":["b","a"]}`, `{"exclude":["a","b"]}`, true, true},
		"excluded within":             {"rwx-network", `{"network":{"exclude":["b","a"]}}`, `{"network":{"exclude":["a","b"]}}`, true, true},
		"servers in order":            {"ntp-servers", `{"ntpServers":["b","a"]}`, `{"ntpServers":["a","b"]}`, false, false},
		"keys of a registry":          {"containerd-registry", `{"mirrors":{"Docker.io":{"endpoints":["https://M"]}}}`, `{"Mirrors":{"docker.io":{"Endpoints":["https://M"],"Rewrites":null}},"Configs":{}}`, true, true},
		"keys of others":              {"ntp-servers", `{"NTPSERVERS":["a"]}`, `{"ntpServers":["a"]}`, false, false},
		"no JSON":                     {"ntp-servers", `{`, `{ `, false, false},
		"empty and empty object":      {"ssl-parameters", ``, `{}`, false, false},
		"target without keys":         {"backup-target", target, `{"type":"s3","endpoint":"http://s","accessKeyId":"","secretAccessKey":"","bucketName":"b","bucketRegion":"r","virtualHostedStyle":false}`, false, true},
		"target with other keys":      {"backup-target", target, strings.Replace(target, `"key"`, `"other"`, 1), false, false},
		"other target without keys":   {"backup-target", target, `{"type":"s3","endpoint":"http://s","bucketName":"c","bucketRegion":"r"}`, false, false},
		"registry without passwords": {
			"containerd-registry", `{"Configs":{"h":{"Auth":{"Username":"u","Password":"p"}}}}`, `{"Mirrors":null,"Configs":{"h":{"Auth":null,"TLS":null}},"Auths":null}`, false, true,
		},
		"registry with another password": {"containerd-registry", `{"Configs":{"h":{"Auth":{"Password":"p"}}}}`, `{"Configs":{"h":{"Auth":{"Password":"q"}}}}`, false, false},
	} {
		if got := same(test.setting, test.a, test.b); got != test.same {
			t.Errorf("%s: same is %t", name, got)
		}
		if got := sameAsStored(test.setting, test.a, test.b); got != test.stored {
			t.Errorf("%s: same as stored is %t", name, got)
		}
	}
	if fingerprint("backup-target", target) != fingerprint("backup-target", strings.NewReplacer(`"id"`, `""`, `"key"`, `""`).Replace(target)) {
		t.Error("the fingerprint of a target tells something of its keys")
	}
}

func TestWrong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ setting, value, want string }{
		{"ntp-servers", `{"ntpServers":["a"]}`, ""},
		{"ntp-servers", "", ""},
		{"ntp-servers", "{\n  \"a\": }", "line 2, byte 8"},
		{"ntp-servers", `["a"]`, "JSON object"},
		{"ntp-servers", `null`, "JSON object"},
		{"ntp-servers", `{} {}`, "must be JSON"},
		{"vip-pools", "10.0.0.0/24", "must be JSON"},
		{"log-level", "debug", ""},
		{"log-level", "loud", "one of panic"},
		{"support-bundle-timeout", "0", ""},
		{"support-bundle-timeout", "-1", "whole number"},
		{"support-bundle-timeout", "1.5", "whole number"},
		{"kubeconfig-default-token-ttl-minutes", "52560001", "to 52560000"},
		{"additional-guest-memory-overhead-ratio", "0", ""},
		{"additional-guest-memory-overhead-ratio", "0.5", "1.0 to 10.0"},
		{"auto-rotate-rke2-certs", `{"enable":true,"expiringInHours":8760}`, "from 1 to 8759"},
		{"auto-rotate-rke2-certs", `{"enable":true,"expiringInHours":240}`, ""},
		{"additional-ca", "abc", "PEM"},
		{"support-bundle-file-name", "A_B", "lower case"},
		{"support-bundle-file-name", "bundle-1", ""},
		{"longhorn-v2-data-engine-enabled", "yes", "one of true, false"},
		{"backup-target", `{"type":"s3","bucketName":"b"}`, "bucketRegion"},
		{"backup-target", `{"type":"s3","bucketName":"b","bucketRegion":"r","accessKeyId":"a"}`, "both"},
		{"backup-target", `{"type":"nfs"}`, "endpoint"},
		{"backup-target", `{"type":"nfs","endpoint":"nfs://a:/b","bucketName":"b"}`, "no accessKeyId"},
		{"backup-target", `{"type":"ftp"}`, "s3 or nfs"},
		{"backup-target", `{"type":1}`, "another type"},
		{"backup-target", `{"type":"","endpoint":""}`, ""},
		{"new-in-1.9", "{", ""},
	} {
		got := strings.Join(of(test.setting).wrong(test.value), "; ")
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s %q: got %q, want %q", test.setting, test.value, got, test.want)
		}
	}
}

// A mistake in a value that can hold secrets neither repeats it nor points at it: Terraform would print the line.
func TestMistakesKeepSecrets(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2"
	for _, name := range []string{"backup-target", "containerd-registry", "http-proxy", "ssl-certificates", "cluster-registration-url"} {
		found := checkValue(name, types.StringValue(`{"secretAccessKey":"`+secret+`",}`))
		_, pointed := found[0].(diag.DiagnosticWithPath)
		if len(found) != 1 || pointed || strings.Contains(found[0].Detail(), secret) {
			t.Errorf("%s: got %v", name, found)
		}
	}
	if _, pointed := checkValue("ntp-servers", types.StringValue("{"))[0].(diag.DiagnosticWithPath); !pointed {
		t.Error("a mistake elsewhere does not point at the value")
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ setting, text, value, want string }{
		"keys":     {"backup-target", "InvalidAccessKeyId: AKIA123 and s3cr3t", `{"accessKeyId":"AKIA123","secretAccessKey":"s3cr3t"}`, "InvalidAccessKeyId: *** and ***"},
		"proxy":    {"http-proxy", "proxyconnect: p4ss refused", `{"httpProxy":"http://u:p4ss@h:1"}`, "proxyconnect: *** refused"},
		"token":    {"cluster-registration-url", `Get "https://r/v3/import/t0k3n.yaml": refused`, `{"url":"https://r/v3/import/t0k3n.yaml"}`, `Get "***": refused`},
		"no JSON":  {"ssl-certificates", "invalid: abc", "abc", "invalid: ***"},
		"registry": {"containerd-registry", "bad p4ssw", `{"Configs":{"h":{"Auth":{"Password":"p4ssw"}}}}`, "bad ***"},
		"public":   {"ntp-servers", "invalid: a.example", `{"ntpServers":["a.example"]}`, "invalid: a.example"},
		"short":    {"containerd-registry", "a bad word", `{"Configs":{"h":{"Auth":{"Password":"a"}}}}`, "a bad word"},
	} {
		if got := shown(test.setting, test.text, test.value); got != test.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func stored(name, value string, condition *api.Condition, hash bool) *api.Setting {
	setting := &api.Setting{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{}}, Value: value, Default: "d"}
	if condition != nil {
		condition.Type = api.ConditionConfigured
		setting.Status.Conditions = []api.Condition{*condition}
	}
	if hash {
		sum := sha256.Sum224([]byte(value))
		setting.Annotations[api.AnnotationSettingHash] = hex.EncodeToString(sum[:])
	}
	return setting
}

// Official bugs S3 and S6: nobody looked whether the value was applied, and most settings had no state.
func TestVerdict(t *testing.T) {
	t.Parallel()
	failed := func() *api.Condition { return &api.Condition{Status: "False", Message: "not found"} }
	empty, yes := &api.Condition{Status: "False"}, &api.Condition{Status: "True"}
	progress := &api.Condition{Status: "False", Reason: inProgress, Message: "waiting for volumes"}
	const conflict = `Operation cannot be fulfilled on backuptargets.longhorn.io "default": the object has been modified; please apply your changes to the latest version and try again`
	overtaken := &api.Condition{Status: "False", Message: conflict}
	const waiting = "Harvester has not applied the value yet."
	for name, test := range map[string]struct {
		setting        *api.Setting
		state, message string
	}{
		"no value":              {stored("ui-index", "", nil, false), stateDefault, ""},
		"read when needed":      {stored("ui-index", "x", nil, false), stateConfigured, ""},
		"of a later version":    {stored("new-in-1.9", "x", failed(), false), stateFailed, "not found"},
		"not applied yet":       {stored("ntp-servers", "{}", nil, false), statePending, waiting},
		"applied":               {stored("ntp-servers", "{}", yes, true), stateConfigured, ""},
		"the value before was":  {stored("ntp-servers", "{}", yes, false), statePending, waiting},
		"failed":                {stored("ntp-servers", "{}", failed(), false), stateFailed, "not found"},
		"reset, its condition":  {stored("vip-pools", "", failed(), false), stateDefault, ""},
		"network in progress":   {stored("storage-network", "{}", progress, false), statePending, "waiting for volumes"},
		"network":               {stored("storage-network", "{}", yes, false), stateConfigured, ""},
		"network being reset":   {stored("storage-network", "", progress, false), statePending, "waiting for volumes"},
		"network never used":    {stored("storage-network", "", nil, false), stateDefault, ""},
		"network reset":         {stored("storage-network", "", yes, false), stateDefault, ""},
		"target":                {stored("backup-target", `{"type":"nfs","endpoint":"e"}`, yes, false), stateConfigured, ""},
		"target, not verified":  {stored("backup-target", `{"type":"nfs","endpoint":"e"}`, empty, false), statePending, waiting},
		"target, with its keys": {stored("backup-target", `{"type":"s3","accessKeyId":"a","secretAccessKey":"b"}`, yes, false), statePending, waiting},
		"target, overtaken":     {stored("backup-target", `{"type":"nfs","endpoint":"e"}`, overtaken, false), statePending, conflict},
		"target, stripped":      {stored("backup-target", `{"type":"s3","accessKeyId":"","secretAccessKey":""}`, yes, false), stateConfigured, ""},
	} {
		if state, message := verdict(test.setting); state != test.state || message != test.message {
			t.Errorf("%s: got %q, %q", name, state, message)
		}
	}
}

// A value that others have set in the place of ours is theirs (official bug S5: it was reset as well).
func TestTakingBack(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		onDestroy     string
		noted, others bool
		want          string
	}{
		"reset":              {"", true, false, `""`},
		"imported":           {"", false, false, `""`},
		"restore":            {destroyRestores, true, false, `"before"`},
		"keep":               {destroyKeeps, true, false, "none"},
		"others":             {"", true, true, "none"},
		"others, to restore": {destroyRestores, true, true, "none"},
	} {
		setting := stored("ui-index", "ours", nil, false)
		if test.noted {
			setting.Annotations[api.AnnotationSettingWritten] = fingerprint("ui-index", "ours")
			setting.Annotations[api.AnnotationSettingPrior] = "before"
		}
		if test.others {
			setting.Value = "theirs"
		}
		state := &model{OnDestroy: types.StringValue(test.onDestroy)}
		state.Labels, state.Description = tfbase.StringMap(map[string]string{"a": "b"}), types.StringValue("x")
		patch, found := takingBack(state, setting)
		got := "none"
		if value, taken := patch["value"]; taken {
			got = fmt.Sprintf("%q", value)
		}
		if got != test.want || len(found) > 0 != test.others {
			t.Errorf("%s: the value becomes %s, with %v", name, got, found)
		}
		if text := fmt.Sprint(patch["metadata"]); !strings.Contains(text, "a:<nil>") || !strings.Contains(text, api.AnnotationDescription+":<nil>") {
			t.Errorf("%s: what the resource put there stays: %s", name, text)
		}
	}
}

// Of a write-only value only the version is in the state, and one that others have set shows in it.
func TestWriteOnly(t *testing.T) {
	t.Parallel()
	setting := stored("ui-index", "secret", nil, false)
	setting.Annotations[api.AnnotationSettingWritten] = fingerprint("ui-index", "secret")
	m := &model{ValueWO: types.StringValue("secret"), ValueWOVersion: types.Int64Value(3)}
	m.State = types.StringValue("")
	read := func() {
		if diags := tfbase.Fill[model, api.Setting](t.Context(), m, setting); diags.HasError() {
			t.Fatal(diags)
		}
	}
	if read(); m.ValueWOVersion.ValueInt64() != 3 || strings.Contains(fmt.Sprint(*m), "secret") {
		t.Errorf("got %+v", m)
	}
	setting.Value = "theirs"
	if read(); m.ValueWOVersion.ValueInt64() != othersVersion || strings.Contains(fmt.Sprint(*m), "theirs") {
		t.Errorf("others set it: got %+v", m)
	}
	plan := &model{ValueWO: types.StringValue("secret"), ValueWOVersion: types.Int64Value(3)}
	if patch, _ := plan.Changes(t.Context(), m); patch["value"] != "secret" {
		t.Errorf("it is not sent again: %v", patch)
	}
}

// States as the official provider writes them; its state "" may become one of ours (S6).
func TestUpgradeOfficialState(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		value  string // as the state has it
		stored string
		want   types.String
	}{
		"value":          {"{\\\"ntpServers\\\":[\\\"a\\\"]}", `{"ntpServers":["a"]}`, types.StringValue(`{"ntpServers":["a"]}`)},
		"other spelling": {"{\\\"ntpServers\\\": [\\\"a\\\"]}", `{"ntpServers":["a"]}`, types.StringValue(`{"ntpServers": ["a"]}`)},
		"no value":       {"", "", types.StringNull()},
	} {
		raw := `{"id":"ntp-servers","name":"ntp-servers","description":"","labels":{},"tags":{},"message":"","state":"","value":"` + test.value + `","timeouts":null}`
		var resp resource.UpgradeStateResponse
		Kind.NewResource().(resource.ResourceWithUpgradeState).UpgradeState(t.Context())[0].StateUpgrader(t.Context(), resource.UpgradeStateRequest{RawState: &tfprotov6.RawState{JSON: []byte(raw)}}, &resp)
		if resp.Diagnostics.HasError() {
			t.Fatal(resp.Diagnostics)
		}
		s := settingSchema()
		value, err := resp.DynamicValue.Unmarshal(s.Type().TerraformType(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		m := &model{}
		if diags := (tfsdk.State{Schema: s, Raw: value}).Get(t.Context(), m); diags.HasError() {
			t.Fatal(diags)
		}
		if diags := tfbase.Fill[model, api.Setting](t.Context(), m, stored("ntp-servers", test.stored, nil, true)); diags.HasError() {
			t.Fatal(diags)
		}
		if !m.Value.Equal(test.want) || !m.Description.IsNull() || !m.Labels.IsNull() || !m.OnDestroy.IsNull() {
			t.Errorf("%s: got %+v", name, m)
		}
	}
}
