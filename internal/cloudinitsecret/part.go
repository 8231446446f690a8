// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinitsecret

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"

	"github.com/hashicorp/terraform-plugin-framework/types"
)

// part is one of the two things a Secret holds, user data or network data: its key in
// the Secret, and its attributes, which are named after it.
//
// In the state text and encoded both hold the content, however the configuration
// says it. So an imported Secret matches a configuration of either form. A form that
// is set to "" counts as not set. What is write-only leaves nothing but its version.
type part struct {
	key, name                string
	text, encoded, writeOnly *types.String
	version                  *types.Int64
}

// Keys of the data of a Secret, as Harvester's virtual machines expect them.
const (
	keyUserData    = "userdata"
	keyNetworkData = "networkdata"
)

func (m *model) parts() [2]part {
	return [2]part{
		{keyUserData, "user_data", &m.UserData, &m.UserDataBase64, &m.UserDataWO, &m.UserDataWOVersion},
		{keyNetworkData, "network_data", &m.NetworkData, &m.NetworkDataBase64, &m.NetworkDataWO, &m.NetworkDataWOVersion},
	}
}

// hidden says that the content is write-only.
func (p part) hidden() bool { return !p.version.IsNull() }

// content is what text or encoded hold; nil for nothing.
func (p part) content() []byte {
	if text := p.text.ValueString(); text != "" {
		return []byte(text)
	}
	return decode(*p.encoded)
}

// stated says that the content is given, in whichever form.
func (p part) stated() bool { return !p.text.IsNull() || !p.encoded.IsNull() || p.hidden() }

// wanted is the content to send.
func (p part) wanted() []byte {
	if p.hidden() {
		return []byte(p.writeOnly.ValueString())
	}
	return p.content()
}

// derive plans text and encoded from the configuration. The same content keeps the
// spelling of the prior state. What was imported and is not stated is left as it is.
func (p part) derive(config, prior part, imported bool) {
	*p.writeOnly = types.StringNull()
	switch {
	case imported && !config.stated():
		*p.text, *p.encoded = *prior.text, *prior.encoded
	case config.hidden():
		*p.text, *p.encoded = types.StringNull(), types.StringNull()
	case config.text.IsUnknown() || config.encoded.IsUnknown():
		*p.text, *p.encoded = orUnknown(*config.text), orUnknown(*config.encoded)
	default:
		content := config.content()
		unchanged := bytes.Equal(content, prior.content())
		*p.text, *p.encoded = *config.text, *config.encoded
		if text := prior.text; config.text.IsNull() {
			*p.text = pick(unchanged && !text.IsNull(), *text, textOf(content))
		}
		if encoded := prior.encoded; config.encoded.IsNull() {
			*p.encoded = pick(unchanged && !encoded.IsNull(), *encoded, encode(content))
		} else if config.encoded.ValueString() != "" && len(content) > 0 && bytes.Equal(decode(*encoded), content) {
			*p.encoded = *encoded
		}
	}
}

// read takes over what the Secret holds. Of what is write-only it is known only
// whether there is any: if not, the version goes, so that the next apply writes again.
func (p part) read(live []byte, imported bool) {
	*p.writeOnly = types.StringNull()
	if p.hidden() {
		if len(live) == 0 {
			*p.version = types.Int64Null()
		}
		return
	}
	if imported && len(live) == 0 { // matches a configuration with "" and one without
		*p.text, *p.encoded = types.StringValue(""), types.StringValue("")
		return
	}
	same := bytes.Equal(p.content(), live)
	if !same || p.text.IsNull() {
		*p.text = textOf(live)
	}
	if !same || p.encoded.IsNull() {
		*p.encoded = encode(live)
	}
}

// patch is the change of the Secret's key from the state before: its new content, or nil to remove it.
func (p part) patch(before part) (value any, changed bool) {
	if p.hidden() {
		return p.wanted(), !p.version.Equal(*before.version)
	}
	content := p.content()
	if !before.hidden() && bytes.Equal(content, before.content()) {
		return nil, false
	}
	if len(content) == 0 {
		return nil, true
	}
	return content, true // []byte is base64 in JSON, as in a Secret
}

func decode(encoded types.String) []byte {
	content, err := base64.StdEncoding.DecodeString(encoded.ValueString())
	if err != nil {
		return nil // refused by check
	}
	return content
}

func encode(content []byte) types.String {
	if len(content) == 0 {
		return types.StringNull()
	}
	return types.StringValue(base64.StdEncoding.EncodeToString(content))
}

// textOf is null for what is no text, such as data packed with gzip: Terraform's strings are UTF-8.
func textOf(content []byte) types.String {
	if len(content) == 0 || !utf8.Valid(content) {
		return types.StringNull()
	}
	return types.StringValue(string(content))
}

func orUnknown(value types.String) types.String {
	if value.IsNull() {
		return types.StringUnknown()
	}
	return value
}

func pick(first bool, a, b types.String) types.String {
	if first {
		return a
	}
	return b
}
