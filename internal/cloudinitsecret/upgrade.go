// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinitsecret

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// UpgradeState takes over states of the official provider.
func (r *Resource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	upgrade := tfbase.FromOfficial(secretSchema())[0].StateUpgrader
	return map[int64]resource.StateUpgrader{0: {
		StateUpgrader: func(ctx context.Context, req resource.UpgradeStateRequest, resp *resource.UpgradeStateResponse) {
			cleaned, err := cleanOfficial(req.RawState.JSON)
			if err != nil {
				resp.Diagnostics.AddError("Cannot take over the state",
					fmt.Sprintf("The state written by the official provider cannot be read: %s. Please report this to the provider's developers.", err))
				return
			}
			req.RawState = &tfprotov6.RawState{JSON: cleaned}
			upgrade(ctx, req, resp)
		},
	}}
}

// cleanOfficial tells a state from that of an import, which has no state attribute, and
// leaves open the form that the official provider does not fill when it fills the other.
func cleanOfficial(state []byte) ([]byte, error) {
	var object map[string]any
	if err := json.Unmarshal(state, &object); err != nil {
		return nil, err
	}
	object["state"], object["message"] = "", ""
	for _, text := range []string{"user_data", "network_data"} {
		encoded := text + "_base64"
		switch {
		case object[text] == "" && object[encoded] != "":
			object[text] = nil
		case object[text] != "" && object[encoded] == "":
			object[encoded] = nil
		}
	}
	return json.Marshal(object)
}
