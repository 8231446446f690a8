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
// nothing about them changes.
func (r *Resource) prepareSeed(ctx context.Context, m machine, before *machine) (*cloudinit.Seed, diag.Diagnostics) {
	if before != nil && m.seedsLike(*before) {
		return nil, nil
	}
	result := cloudinit.SeedOf(m.cloudInit)
	if result.Kind == "" {
		return &result, nil
	}
	keys, diags := r.publicKeys(ctx, m)
	diags.Append(r.checkSecrets(ctx, m, result)...)
	if diags.HasError() {
		return nil, diags
	}
	if user := m.sshUser(); result.TakesKeys() && (len(keys) > 0 || user != "") && cloudinit.Injectable(result.UserData) {
		result.UserData = cloudinit.WithLogin(result.UserData, user, keys)
	}
	if result == (cloudinit.Seed{Kind: result.Kind}) {
		diags.Append(emptyCloudInit())
	}
	return &result, append(diags, r.checkKeys(ctx, m, result, keys)...)
}

// seedsLike says that the cloud-init data of two machines come out the same.
func (m machine) seedsLike(other machine) bool {
	return m.CloudInit.Equal(other.CloudInit) && m.SSHKeys.Equal(other.SSHKeys) && m.sshUser() == other.sshUser()
}

// publicKeys reads the SSH keys the machine names.
func (r *Resource) publicKeys(ctx context.Context, m machine) ([]string, diag.Diagnostics) {
	pairs := kube.For[api.KeyPair](r.Session.Client, api.KeyPairs, "KeyPair")
	var keys []string
	var diags diag.Diagnostics
	for i, id := range m.keyIDs() {
		namespace, name, _ := tfbase.ParseID(id) // validated
		pair, err := pairs.Get(ctx, namespace, name)
		at := path.Root("ssh_keys").AtListIndex(i)
		switch {
		case apierrors.IsNotFound(err):
			diags.AddAttributeError(at, "SSH key not found", fmt.Sprintf("There is no SSH key %q in Harvester. %s\n\n"+
				"Create it, or refer to it as harvester_ssh_key.<name>.id, so that Terraform makes it first.", id, nothingDone))
		case err != nil:
			diags.Append(diagnose.API("read", fmt.Sprintf("SSH key %q", id), nothingDone, err))
		default:
			keys = append(keys, strings.TrimSpace(pair.Spec.PublicKey))
		}
	}
	return keys, diags
}

// checkSecrets: a machine whose Secret is missing hangs without a word.
func (r *Resource) checkSecrets(ctx context.Context, m machine, s cloudinit.Seed) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, use := range []struct{ attribute, name string }{
		{"user_data_secret_name", s.UserDataSecret}, {"network_data_secret_name", s.NetworkDataSecret},
	} {
		if use.name == "" {
			continue
		}
		if _, err := r.secrets.Get(ctx, m.Namespace.ValueString(), use.name); apierrors.IsNotFound(err) {
			diags.AddAttributeError(path.Root("cloudinit").AtListIndex(0).AtName(use.attribute), "Secret not found",
				fmt.Sprintf("There is no Secret %q in the namespace %q, so the %s could not start. %s\n\n"+
					"Create it, or refer to it as harvester_cloudinit_secret.<name>.name, so that Terraform makes it first.",
					use.name, m.Namespace.ValueString(), m.title(), nothingDone))
		}
	}
	return diags
}

// checkKeys: keys that do not reach the guest are a surprise at the first login.
func (r *Resource) checkKeys(ctx context.Context, m machine, s cloudinit.Seed, keys []string) diag.Diagnostics {
	content := s.Content()
	if s.UserDataSecret != "" {
		secret, err := r.secrets.Get(ctx, m.Namespace.ValueString(), s.UserDataSecret)
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
			"or that have ssh_authorized_keys already. %s\n\nAdd them to the user data, or remove them from ssh_keys.", strings.Join(missing, ", "), nothingDone))}
}

// material is a public key without its comment.
func material(key string) string {
	fields := strings.Fields(key)
	if len(fields) > 2 {
		fields = fields[:2]
	}
	return strings.Join(fields, " ")
}
