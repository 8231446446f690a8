// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinitsecret

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	corev1 "k8s.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

const script = "#!/bin/sh\necho hello\n"

func text(value string) types.String { return types.StringValue(value) }

func in64(value string) types.String { return text(base64.StdEncoding.EncodeToString([]byte(value))) }

// folded is base64 as the base64 command writes it.
func folded(value string) types.String {
	encoded := base64.StdEncoding.EncodeToString([]byte(value))
	return text(encoded[:8] + "\n" + encoded[8:] + "\n")
}

// data are the user data of a model, for tables.
type data struct {
	text, encoded types.String
	version       types.Int64
}

// model is one that was not imported.
func (d data) model() *model {
	m := &model{UserData: d.text, UserDataBase64: d.encoded, UserDataWOVersion: d.version}
	m.State = text("")
	return m
}

func dataOf(m *model) data { return data{m.UserData, m.UserDataBase64, m.UserDataWOVersion} }

const packed = "\x1f\x8b\x08\x00\xff"

func TestDerive(t *testing.T) {
	t.Parallel()
	null, unknown, one := types.StringNull(), types.StringUnknown(), types.Int64Value(1)
	both := data{text: text(script), encoded: in64(script)}
	for name, test := range map[string]struct{ config, prior, want data }{
		"nothing":                          {},
		"text":                             {config: data{text: text(script)}, want: both},
		"base64":                           {config: data{encoded: in64(script)}, want: both},
		"base64 as written":                {config: data{encoded: folded(script)}, want: data{text: text(script), encoded: folded(script)}},
		"base64 of what is no text":        {config: data{encoded: in64(packed)}, want: data{encoded: in64(packed)}},
		"both, the same":                   {config: both, want: both},
		"both set to nothing":              {config: data{text: text(""), encoded: text("")}, want: data{text: text(""), encoded: text("")}},
		"text and empty base64":            {config: data{text: text(script), encoded: text("")}, want: data{text: text(script), encoded: text("")}},
		"unknown text":                     {config: data{text: unknown}, prior: both, want: data{text: unknown, encoded: unknown}},
		"unknown base64, empty text":       {config: data{text: text(""), encoded: unknown}, want: data{text: text(""), encoded: unknown}},
		"imported, then text":              {config: data{text: text(script)}, prior: both, want: both},
		"imported, then base64":            {config: data{encoded: in64(script)}, prior: both, want: both},
		"imported, then folded base64":     {config: data{encoded: folded(script)}, prior: both, want: both},
		"folded before, text now":          {config: data{text: text(script)}, prior: data{text(script), folded(script), types.Int64Null()}, want: data{text: text(script), encoded: folded(script)}},
		"other content":                    {config: data{text: text("#!")}, prior: both, want: data{text: text("#!"), encoded: in64("#!")}},
		"other content in base64":          {config: data{encoded: folded("#!/bin/sh")}, prior: both, want: data{text: text("#!/bin/sh"), encoded: folded("#!/bin/sh")}},
		"removed":                          {prior: both, want: data{text: null, encoded: null}},
		"write-only":                       {config: data{version: one}, want: data{version: one}},
		"write-only instead":               {config: data{version: one}, prior: both, want: data{version: one}},
		"text instead of write-only":       {config: data{text: text(script)}, prior: data{version: one}, want: both},
		"official state, not yet complete": {config: data{text: text(script)}, prior: data{text: text(script)}, want: both},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := test.config.model()
			plan := *config // what Terraform proposes differs only where nothing is configured
			plan.derive(config, test.prior.model(), nil)
			if got := dataOf(&plan); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	one := types.Int64Value(1)
	both := data{text: text(script), encoded: in64(script)}
	for name, test := range map[string]struct {
		prior data
		live  string
		want  data
	}{
		"nothing":                    {},
		"others added some":          {live: script, want: both},
		"others added some, no text": {live: packed, want: data{encoded: in64(packed)}},
		"unchanged":                  {prior: both, live: script, want: both},
		"unchanged, folded":          {prior: data{text: text(script), encoded: folded(script)}, live: script, want: data{text: text(script), encoded: folded(script)}},
		"unchanged, empty base64":    {prior: data{text: text(script), encoded: text("")}, live: script, want: data{text: text(script), encoded: text("")}},
		"unchanged, empty":           {prior: data{text: text("")}, want: data{text: text("")}},
		"changed":                    {prior: both, live: "#!", want: data{text: text("#!"), encoded: in64("#!")}},
		"changed, to no text":        {prior: both, live: packed, want: data{encoded: in64(packed)}},
		"removed":                    {prior: both, want: data{}},
		"write-only":                 {prior: data{version: one}, live: script, want: data{version: one}},
		"write-only, and removed":    {prior: data{version: one}, want: data{}},
		"official, not yet complete": {prior: data{text: text(script)}, live: script, want: both},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := test.prior.model()
			fillWith(t, m, &corev1.Secret{Data: map[string][]byte{keyUserData: []byte(test.live)}})
			if got := dataOf(m); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
}

// Whatever form the configuration has, it finds what it says after an import. Official
// bug: only the base64 forms were filled, so that a configuration in text showed a change.
func TestImportMatchesEveryForm(t *testing.T) {
	t.Parallel()
	imported := func(live string) *model {
		var m model
		fillWith(t, &m, &corev1.Secret{Data: map[string][]byte{keyUserData: []byte(live)}})
		return &m
	}
	for live, configs := range map[string][]data{
		script: {{text: text(script)}, {encoded: in64(script)}, {encoded: folded(script)}, {text: text(script), encoded: in64(script)}},
		packed: {{encoded: in64(packed)}},
		"":     {{}, {text: text("")}, {encoded: text("")}, {text: text(""), encoded: text("")}},
	} {
		for _, config := range configs {
			for _, still := range [][]string{everything, nil} { // until, and after, the configuration states everything
				state, plan := imported(live), *config.model()
				plan.derive(config.model(), state, still)
				if !reflect.DeepEqual(dataOf(&plan), dataOf(state)) {
					t.Errorf("%q, configured as %v, imported %q: planned %v", live, config, still, dataOf(&plan))
				}
			}
		}
	}
}

// Official bug: an update dropped the other keys of the Secret.
func TestPatch(t *testing.T) {
	t.Parallel()
	one, two := types.Int64Value(1), types.Int64Value(2)
	both := data{text: text(script), encoded: in64(script)}
	for name, test := range map[string]struct {
		before, plan data
		want         string
	}{
		"unchanged":             {both, both, `{}`},
		"other spelling":        {both, data{text: text(script), encoded: folded(script)}, `{}`},
		"changed":               {both, data{text: text("#!"), encoded: in64("#!")}, `{"data":{"userdata":"IyE="}}`},
		"removed":               {both, data{}, `{"data":{"userdata":null}}`},
		"emptied":               {both, data{text: text("")}, `{"data":{"userdata":null}}`},
		"null to empty":         {data{}, data{text: text("")}, `{}`},
		"same version":          {data{version: one}, data{version: one}, `{}`},
		"next version":          {data{version: one}, data{version: two}, `{"data":{"userdata":"aGlkZGVu"}}`},
		"write-only instead":    {both, data{version: one}, `{"data":{"userdata":"aGlkZGVu"}}`},
		"text instead":          {data{version: one}, both, `{"data":{"userdata":"` + in64(script).ValueString() + `"}}`},
		"write-only is removed": {data{version: one}, data{}, `{"data":{"userdata":null}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, plan := test.plan.model(), test.plan.model()
			config.UserDataWO = text("hidden")
			plan.takeWriteOnly(config)
			patch, diags := tfbase.Changes[model, corev1.Secret](t.Context(), plan, test.before.model())
			if patch == nil {
				patch = map[string]any{}
			}
			got, err := json.Marshal(patch)
			if err != nil || diags.HasError() || string(got) != test.want {
				t.Errorf("got  %s (%v, %v)\nwant %s", got, err, diags, test.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	one, large := types.Int64Value(1), strings.Repeat("x", 600<<10)
	for name, test := range map[string]struct {
		config model
		want   string // attribute: summary
	}{
		"nothing":                     {},
		"text":                        {config: model{UserData: text(script), NetworkData: text("version: 2")}},
		"one of each form":            {config: model{UserDataBase64: in64(script), NetworkData: text("version: 2")}},
		"empty beside":                {config: model{UserData: text(""), UserDataBase64: in64(script)}},
		"the same twice":              {config: model{UserData: text(script), UserDataBase64: folded(script)}},
		"different":                   {config: model{UserData: text(script), UserDataBase64: in64("#!")}, want: "user_data_base64: Contradicting arguments"},
		"unknown":                     {config: model{UserData: types.StringUnknown(), UserDataBase64: in64("#!")}},
		"no base64":                   {config: model{NetworkDataBase64: text("version: 2")}, want: "network_data_base64: Invalid base64"},
		"cut-off base64":              {config: model{UserDataBase64: text("IyE")}, want: "user_data_base64: Invalid base64"},
		"write-only":                  {config: model{UserDataWO: text(script), UserDataWOVersion: one}},
		"write-only, unknown":         {config: model{UserDataWO: types.StringUnknown(), UserDataWOVersion: types.Int64Unknown()}},
		"write-only beside empty":     {config: model{UserDataWO: text(script), UserDataWOVersion: one, UserData: text("")}},
		"write-only without version":  {config: model{UserDataWO: text(script)}, want: "user_data_wo: Missing argument"},
		"version alone":               {config: model{NetworkDataWOVersion: one}, want: "network_data_wo_version: Missing argument"},
		"write-only and empty":        {config: model{UserDataWO: text(""), UserDataWOVersion: one}, want: "user_data_wo: Missing data"},
		"write-only and text":         {config: model{UserDataWO: text(script), UserDataWOVersion: one, UserData: text(script)}, want: "user_data_wo: Contradicting arguments"},
		"write-only and base64":       {config: model{NetworkDataWO: text("a: b"), NetworkDataWOVersion: one, NetworkDataBase64: in64("a: b")}, want: "network_data_wo: Contradicting arguments"},
		"write-only, other text":      {config: model{UserDataWO: text(script), UserDataWOVersion: one, NetworkData: text("version: 2")}},
		"600 KiB":                     {config: model{UserData: text(large)}},
		"too much in all":             {config: model{UserData: text(large), NetworkDataBase64: in64(large + "y")}, want: "network_data: Too much data"},
		"too much, partly write-only": {config: model{UserDataWO: text(large + "y"), UserDataWOVersion: one, NetworkData: text(large)}, want: "user_data: Too much data"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := first(test.config.check()); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func first(diags diag.Diagnostics) string {
	if len(diags) == 0 {
		return ""
	}
	at := ""
	if located, ok := diags[0].(diag.DiagnosticWithPath); ok {
		at = located.Path().String()
	}
	return at + ": " + diags[0].Summary()
}

func TestAdvice(t *testing.T) {
	t.Parallel()
	m := &model{UserDataWO: text("no header"), NetworkDataBase64: in64("- a\n")}
	diags := m.advise()
	if len(diags) != 2 || diags.HasError() || first(diags) != "user_data_wo: User data may not work" || first(diags[1:]) != "network_data_base64: Network data may not work" {
		t.Errorf("got %v", diags)
	}
}

// States as the official provider 1.8 writes them. After a look at the cluster the plan is empty.
func TestUpgradeOfficialState(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	encoded := in64(script)
	for name, state := range map[string]string{
		"made":     `"user_data":"` + strings.ReplaceAll(script, "\n", `\n`) + `","user_data_base64":""`,
		"imported": `"user_data":"","user_data_base64":"` + encoded.ValueString() + `"`,
	} {
		raw := `{"id":"default/seed","name":"seed","namespace":"default","description":"","labels":{},"tags":null,` + state +
			`,"network_data":"","network_data_base64":"","state":null,"message":null,"timeouts":{"create":"3m","default":null,"delete":null,"read":null,"update":null}}`
		var resp resource.UpgradeStateResponse
		Kind.NewResource().(resource.ResourceWithUpgradeState).UpgradeState(ctx)[0].StateUpgrader(ctx, resource.UpgradeStateRequest{RawState: &tfprotov6.RawState{JSON: []byte(raw)}}, &resp)
		if resp.Diagnostics.HasError() {
			t.Fatal(resp.Diagnostics)
		}
		s := secretSchema()
		value, err := resp.DynamicValue.Unmarshal(s.Type().TerraformType(ctx))
		if err != nil {
			t.Fatal(err)
		}
		var m model
		if diags := (tfsdk.State{Schema: s, Raw: value}).Get(ctx, &m); diags.HasError() {
			t.Fatal(diags)
		}
		secret := &corev1.Secret{Data: map[string][]byte{keyUserData: []byte(script), "other": []byte("x")}}
		secret.Labels = map[string]string{"of": "others"}
		fillWith(t, &m, secret)
		if got, want := dataOf(&m), (data{text: text(script), encoded: encoded}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
		if m.NetworkData != text("") || m.NetworkDataBase64 != text("") || !m.Description.IsNull() || !m.Labels.IsNull() || m.Timeouts.Create.ValueString() != "3m" {
			t.Errorf("%s: got %+v", name, m)
		}
		for _, config := range []*model{
			{UserData: text(script)}, {UserDataBase64: encoded}, {UserData: text(script), NetworkData: text("")}, {UserData: text(script), NetworkDataBase64: text("")},
		} {
			plan := *config
			plan.derive(config, &m, nil)
			if dataOf(&plan) != dataOf(&m) || plan.NetworkData != m.NetworkData || plan.NetworkDataBase64 != m.NetworkDataBase64 {
				t.Errorf("%s: planned %+v from %+v", name, plan, m)
			}
		}
	}
}

func fillWith(t *testing.T, m *model, secret *corev1.Secret) {
	t.Helper()
	if diags := tfbase.Fill[model, corev1.Secret, *model, *corev1.Secret](t.Context(), m, secret); diags.HasError() {
		t.Fatal(diags)
	}
}

// everything is what an import notes.
var everything = (&model{}).unstated()

// What was imported and is not stated, as where the configuration was generated, is left as it is. Setting it to
// nothing is refused, because nobody has seen it.
func TestImportedDataStay(t *testing.T) {
	t.Parallel()
	both := data{text: text(script), encoded: in64(script)}
	for name, test := range map[string]struct {
		config, want data
		stated       bool
		refused      string
	}{
		"generated":      {want: both},
		"the same":       {config: data{text: text(script)}, want: both, stated: true},
		"other":          {config: data{text: text("#!")}, want: data{text: text("#!"), encoded: in64("#!")}, stated: true},
		"nothing":        {config: data{text: text("")}, want: data{text: text("")}, stated: true, refused: "user_data: Imported data would be emptied"},
		"no base64":      {config: data{encoded: text("")}, want: data{encoded: text("")}, stated: true, refused: "user_data_base64: Imported data would be emptied"},
		"not known yet":  {config: data{text: types.StringUnknown()}, want: data{text: types.StringUnknown(), encoded: types.StringUnknown()}, stated: true},
		"now write-only": {config: data{version: types.Int64Value(1)}, want: data{version: types.Int64Value(1)}, stated: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, state := test.config.model(), both.model()
			plan := *config
			plan.derive(config, state, everything)
			if got := dataOf(&plan); !reflect.DeepEqual(got, test.want) {
				t.Errorf("planned %v, want %v", got, test.want)
			}
			if patch, _ := plan.Changes(t.Context(), state); name == "generated" && len(patch) > 0 {
				t.Errorf("sent %v", patch)
			}
			if got := config.parts()[0].stated(); got != test.stated {
				t.Errorf("stated: %t", got)
			}
			refused := ""
			if diags := config.checkEmptied(state, everything); diags.HasError() {
				refused = first(diags)
			}
			if refused != test.refused {
				t.Errorf("refused: %q, want %q", refused, test.refused)
			}
		})
	}
}

// What was imported counts as such until a configuration states it, in whichever form.
func TestUnstated(t *testing.T) {
	t.Parallel()
	one := types.Int64Value(1)
	for name, test := range map[string]struct {
		config model
		want   []string
	}{
		"nothing":          {want: []string{"user_data", "network_data"}},
		"user data":        {config: model{UserData: text(script), UserDataBase64: in64(script)}, want: []string{"network_data"}},
		"network data":     {config: model{NetworkDataBase64: in64("version: 2")}, want: []string{"user_data"}},
		"both":             {config: model{UserData: text(script), NetworkDataBase64: in64("version: 2")}},
		"both empty":       {config: model{UserDataBase64: text(""), NetworkData: text("")}},
		"both write-only":  {config: model{UserDataWOVersion: one, NetworkDataWOVersion: one}},
		"not known yet":    {config: model{UserData: types.StringUnknown(), NetworkDataBase64: types.StringUnknown()}},
		"of two forms":     {config: model{UserDataWOVersion: one, NetworkData: text("version: 2")}},
		"one is left open": {config: model{UserDataWOVersion: one}, want: []string{"network_data"}},
	} {
		if got := test.config.unstated(); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q is left open", name, got)
		}
	}
}
