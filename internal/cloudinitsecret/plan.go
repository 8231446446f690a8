// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinitsecret

import (
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/userdata"
)

// derive fills in what is computed. An empty state is that of a Secret to be made.
// Imported names the parts that nobody has stated since they were imported.
func (m *model) derive(config, state *model, imported []string) {
	configured, prior := config.parts(), state.parts()
	for i, p := range m.parts() {
		p.derive(configured[i], prior[i], slices.Contains(imported, p.name))
	}
	m.State, m.Message = types.StringValue(""), types.StringValue("")
}

// check finds contradictions. Unknown values may still turn out right.
func (m *model) check() diag.Diagnostics {
	var diags diag.Diagnostics
	size, most, at := 0, -1, ""
	for _, p := range m.parts() {
		diags.Append(p.checkEncoded()...)
		diags.Append(p.checkWriteOnly()...)
		length := len(p.configured())
		size += length
		if length > most {
			most, at = length, p.name
		}
	}
	if size > corev1.MaxSecretSize {
		diags.AddAttributeError(path.Root(at), "Too much data", fmt.Sprintf(
			"The data are %d bytes in all; a Kubernetes Secret takes %d.\n\nLet the guest fetch large files itself, for example with #include and a URL, "+
				"or pack the user data with base64gzip() into user_data_base64.", size, corev1.MaxSecretSize))
	}
	return diags
}

// configured is what a configuration gives in any of the forms, as far as it is known.
func (p part) configured() []byte {
	if text := p.writeOnly.ValueString(); text != "" {
		return []byte(text)
	}
	return p.content()
}

// advise finds what the guest would probably not take.
func (m *model) advise() diag.Diagnostics {
	user, network := m.parts()[0], m.parts()[1]
	return append(userdata.Advise(path.Root(user.argument()), user.configured()),
		userdata.AdviseNetwork(path.Root(network.argument()), network.configured())...)
}

// argument is the one that is set.
func (p part) argument() string {
	switch {
	case p.writeOnly.ValueString() != "":
		return p.name + "_wo"
	case p.text.ValueString() != "":
		return p.name
	}
	return p.name + "_base64"
}

func (p part) checkEncoded() diag.Diagnostics {
	at := path.Root(p.name + "_base64")
	encoded := p.encoded.ValueString()
	switch {
	case encoded == "":
	case decode(*p.encoded) == nil:
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Invalid base64",
			fmt.Sprintf("The value is not base64. Use base64encode() or filebase64(), or give the text as it is in %s.", p.name))}
	case p.text.ValueString() != "" && p.text.ValueString() != string(decode(*p.encoded)):
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Contradicting arguments",
			fmt.Sprintf("%[1]s and %[1]s_base64 are both set, and hold different data. Remove one of them.", p.name))}
	}
	return nil
}

func (p part) checkWriteOnly() diag.Diagnostics {
	at, atVersion := path.Root(p.name+"_wo"), path.Root(p.name+"_wo_version")
	wrong := func(at path.Path, summary, format string) diag.Diagnostics {
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, summary, fmt.Sprintf(format, p.name))}
	}
	switch {
	case p.writeOnly.IsNull() && p.version.IsNull():
		return nil
	case p.writeOnly.IsNull():
		return wrong(atVersion, "Missing argument", "%[1]s_wo_version goes with %[1]s_wo. Set that too, or remove this.")
	case p.version.IsNull():
		return wrong(at, "Missing argument", "%[1]s_wo needs %[1]s_wo_version: Terraform does not see when a write-only value changes, but sees another version.")
	case p.text.ValueString() != "" || p.encoded.ValueString() != "":
		return wrong(at, "Contradicting arguments", "%[1]s_wo takes the place of %[1]s and %[1]s_base64. Remove one of them.")
	case !p.writeOnly.IsUnknown() && p.writeOnly.ValueString() == "":
		return wrong(at, "Missing data", "%[1]s_wo is empty. Give it data, or remove it together with %[1]s_wo_version.")
	}
	return nil
}

// checkEmptied refuses to empty what was imported and was never stated, so that nobody has seen
// it here: an empty text may be left over from generating the configuration.
func (m *model) checkEmptied(state *model, imported []string) (diags diag.Diagnostics) {
	prior := state.parts()
	for i, p := range m.parts() {
		if slices.Contains(imported, p.name) && p.empty() && len(prior[i].content()) > 0 {
			diags.AddAttributeError(path.Root(p.emptied()), "Imported data would be emptied", fmt.Sprintf(
				"The Secret was imported with %[1]s, which the configuration sets to nothing. Nothing was changed.\n\n"+
					"Remove %[1]s and %[1]s_base64 to leave the data as they are, or set what they should be. To empty them on purpose, apply other data first.", p.name))
		}
	}
	return diags
}

// empty says that the configuration gives nothing, in so many words.
func (p part) empty() bool {
	return p.stated() && !p.hidden() && !p.text.IsUnknown() && !p.encoded.IsUnknown() && len(p.content()) == 0
}

// emptied is the argument that an empty part is given in.
func (p part) emptied() string {
	if p.text.IsNull() {
		return p.name + "_base64"
	}
	return p.name
}
