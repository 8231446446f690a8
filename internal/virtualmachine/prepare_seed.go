// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
)

// prepareSeed resolves the cloud-init data with all that goes into them; nil if
// nothing about them changes, or not all of them is known.
func (c *checking) prepareSeed(ctx context.Context, m machine, before *machine) (*cloudinit.Seed, diag.Diagnostics) {
	if before != nil && m.seedsLike(*before) {
		return nil, nil
	}
	result := cloudinit.SeedOf(m.cloudInit)
	if result.Kind == "" {
		return &result, nil
	}
	keys, diags := c.publicKeys(ctx, m)
	diags.Append(c.checkSecrets(ctx, m, result)...)
	if diags.HasError() || c.open || !tfbase.Known(m.CloudInit, m.SSHKeys, m.Tags) {
		return nil, diags
	}
	if user := m.sshUser(); result.TakesKeys() && (len(keys) > 0 || user != "") && cloudinit.Injectable(result.UserData) {
		result.UserData = cloudinit.WithLogin(result.UserData, user, keys)
	}
	if result == (cloudinit.Seed{Kind: result.Kind}) {
		diags.Append(emptyCloudInit())
	}
	return &result, append(diags, c.checkKeys(ctx, m, result, keys)...)
}

// seedsLike says that the cloud-init data of two machines come out the same.
func (m machine) seedsLike(other machine) bool {
	return m.CloudInit.Equal(other.CloudInit) && m.SSHKeys.Equal(other.SSHKeys) && m.sshUser() == other.sshUser()
}

// publicKeys reads the SSH keys the machine names.
func (c *checking) publicKeys(ctx context.Context, m machine) (keys []string, diags diag.Diagnostics) {
	pairs := kube.For[api.KeyPair](c.Session.Client, api.KeyPairs, "KeyPair")
	for i, id := range m.keyIDs() {
		namespace, name, _ := tfbase.ParseID(id) // validated
		if c.makes(api.KeyPairs, namespace, name) {
			continue
		}
		pair, err := read(c, pairs)(ctx, namespace, name)
		switch {
		case apierrors.IsNotFound(err):
			diags.Append(c.missing(path.Root("ssh_keys").AtListIndex(i), "SSH key not found", fmt.Sprintf("There is no SSH key %q in Harvester.", id),
				"Create it, or refer to it as harvester_ssh_key.<name>.id, so that Terraform makes it first.")...)
		case err != nil && !c.applying:
			c.open = true
			diags.Append(c.unchecked(err)...)
		case err != nil:
			diags.Append(diagnose.API("read", fmt.Sprintf("SSH key %q", id), nothingDone, err))
		default:
			keys = append(keys, strings.TrimSpace(pair.Spec.PublicKey))
		}
	}
	return keys, diags
}

// checkSecrets: a machine whose Secret is missing hangs without a word. They are never listed, as a list would show
// all Secrets of the namespace.
func (c *checking) checkSecrets(ctx context.Context, m machine, s cloudinit.Seed) (diags diag.Diagnostics) {
	namespace := m.Namespace.ValueString()
	for _, use := range []struct{ attribute, name string }{
		{"user_data_secret_name", s.UserDataSecret}, {"network_data_secret_name", s.NetworkDataSecret},
	} {
		if use.name == "" || c.makes(api.Secrets, namespace, use.name) {
			continue
		}
		if _, err := c.secrets.Get(ctx, namespace, use.name); apierrors.IsNotFound(err) {
			diags.Append(c.missing(path.Root("cloudinit").AtListIndex(0).AtName(use.attribute), "Secret not found",
				fmt.Sprintf("There is no Secret %q in the namespace %q, so the %s could not start.", use.name, namespace, m.title()),
				"Create it, or refer to it as harvester_cloudinit_secret.<name>.name, so that Terraform makes it first.")...)
		} else {
			diags.Append(c.unchecked(err)...)
		}
	}
	return diags
}

// checkKeys: keys that do not reach the guest are a surprise at the first login.
func (c *checking) checkKeys(ctx context.Context, m machine, s cloudinit.Seed, keys []string) diag.Diagnostics {
	content := s.Content()
	if s.UserDataSecret != "" {
		secret, err := c.secrets.Get(ctx, m.Namespace.ValueString(), s.UserDataSecret)
		if err != nil {
			return nil
		}
		content = string(secret.Data[cloudinit.KeyUserData])
	}
	var missing []string
	for i, key := range keys {
		if !strings.Contains(content, material(key)) {
			missing = append(missing, m.keyIDs()[i])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("ssh_keys"), "SSH keys not in the user data",
		fmt.Sprintf("The keys %s would not reach the guest: they are not added to user data that are in base64, in a Secret or no cloud-config, "+
			"or that have ssh_authorized_keys already. %s\n\nAdd them to the user data, or remove them from ssh_keys.", strings.Join(missing, ", "), c.left()))}
}

// material is a public key without its comment.
func material(key string) string {
	fields := strings.Fields(key)
	if len(fields) > 2 {
		fields = fields[:2]
	}
	return strings.Join(fields, " ")
}
