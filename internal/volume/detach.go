// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// keyReleased notes, in the plan of a deletion, that the machine which has the volume is planned to let go of it.
const keyReleased = "released"

// planning is how long the plan of a volume waits for that of the machine which has it.
const planning = 10 * time.Second

// planDelete notes whether the machines that have the volume let go of it in the same plan. The state of a
// volume that is gone from the configuration can be older than its attachment.
func planDelete(ctx context.Context, s *session.Session, state *model, private tfbase.Private) diag.Diagnostics {
	ctx, cancel := context.WithTimeout(ctx, planning)
	defer cancel()
	namespace, name := state.Key()
	users, err := clientsOf(s).users(ctx, namespace, name)
	if err != nil {
		return s.Unchecked(err)
	}
	released := len(users) > 0
	for _, machine := range users {
		released = released && s.Machines.Releases(ctx, session.MachineID(machine), name)
	}
	if !released {
		return private.SetKey(ctx, keyReleased, nil)
	}
	return private.SetKey(ctx, keyReleased, []byte("true"))
}

// release is what a deletion does to the machine that has the volume.
type release struct {
	// allowed: the volume may be taken off the machine.
	allowed bool
	// heldBy is the machine that runs with the volume until it is stopped; "" if there is none.
	heldBy string
}

// warning tells of a volume that is deleted later.
func (r *release) warning(state *model) diag.Diagnostics {
	if r.heldBy == "" {
		return nil
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic("Deleted when the machine stops", fmt.Sprintf(
		"The %s was taken off the virtual machine %q, and its deletion is requested. As it was not attached with hot_plug, the machine keeps it until it is "+
			"stopped or restarted; then it is deleted with its data.", state.title(), r.heldBy))}
}

// detach takes the volume off a machine: out of its template, from which KubeVirt unplugs a volume that was
// attached with hot_plug. Any other stays with the instance that runs.
func (c clients) detach(ctx context.Context, state *model, machine, claim string, letGo *release) diag.Diagnostics {
	namespace, name, err := tfbase.ParseID(machine)
	if err == nil {
		err = c.unplug(ctx, namespace, name, claim)
	}
	if err != nil {
		return diag.Diagnostics{diagnose.API("detach", state.title(), fmt.Sprintf("It was not deleted: the virtual machine %q has it.", machine), err)}
	}
	if c.coldPlugged(ctx, namespace, name, claim) {
		letGo.heldBy = machine
	}
	return nil
}

// unplug removes disks and volumes of the claim from a machine's template. Harvester's controllers write to
// machines often, so a conflict is no reason to give up.
func (c clients) unplug(ctx context.Context, namespace, name, claim string) error {
	machines := c.session.Client.Dynamic().Resource(api.VirtualMachines).Namespace(namespace)
	for try := 1; ; try++ {
		live, err := machines.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		patch := unplugged(live, claim)
		if patch == nil || live.GetDeletionTimestamp() != nil {
			return nil
		}
		body, err := json.Marshal(patch)
		if err != nil {
			return fmt.Errorf("encode the patch: %w", err)
		}
		_, err = kube.Retry(ctx, func(ctx context.Context) (*unstructured.Unstructured, error) {
			return machines.Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: kube.FieldManager})
		})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if !apierrors.IsConflict(err) || try == 5 {
			return err
		}
	}
}

// unplugged is the merge patch of a machine that takes a claim off it; nil if it does not have it.
func unplugged(live *unstructured.Unstructured, claim string) map[string]any {
	spec := []string{"spec", "template", "spec"}
	volumes, _, _ := unstructured.NestedSlice(live.Object, append(spec, "volumes")...)
	disks, _, _ := unstructured.NestedSlice(live.Object, append(spec, "domain", "devices", "disks")...)
	var names []string
	volumes = slices.DeleteFunc(volumes, func(volume any) bool {
		if claimOfVolume(volume) != claim {
			return false
		}
		names = append(names, text(volume, "name"))
		return true
	})
	if len(names) == 0 {
		return nil
	}
	disks = slices.DeleteFunc(disks, func(disk any) bool { return slices.Contains(names, text(disk, "name")) })
	metadata := map[string]any{"uid": live.GetUID(), "resourceVersion": live.GetResourceVersion()}
	if templates, changed := withoutTemplate(live.GetAnnotations()[api.AnnotationVolumeClaimTemplates], claim); changed {
		metadata["annotations"] = map[string]any{api.AnnotationVolumeClaimTemplates: templates}
	}
	return map[string]any{"metadata": metadata, "spec": map[string]any{"template": map[string]any{"spec": map[string]any{
		"volumes": volumes, "domain": map[string]any{"devices": map[string]any{"disks": disks}},
	}}}}
}

// withoutTemplate drops what Harvester would make the claim from again.
func withoutTemplate(annotation, claim string) (templates string, changed bool) {
	var all []map[string]any
	if json.Unmarshal([]byte(annotation), &all) != nil {
		return "", false
	}
	kept := slices.DeleteFunc(slices.Clone(all), func(template map[string]any) bool { return text(template, "metadata", "name") == claim })
	if len(kept) == len(all) {
		return "", false
	}
	encoded, _ := json.Marshal(kept) // it was JSON
	return string(encoded), true
}

// coldPlugged says that a machine runs with the claim, and not by hot-plug.
func (c clients) coldPlugged(ctx context.Context, namespace, name, claim string) bool {
	instance, err := c.session.Client.Dynamic().Resource(api.VirtualMachineInstances).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return false // there is none, or the wait for the end says what holds the volume
	}
	volumes, _, _ := unstructured.NestedSlice(instance.Object, "spec", "volumes")
	return slices.ContainsFunc(volumes, func(volume any) bool { return claimOfVolume(volume) == claim && !hotPlugged(volume) })
}

func claimOfVolume(volume any) string {
	if claim := text(volume, "persistentVolumeClaim", "claimName"); claim != "" {
		return claim
	}
	return text(volume, "dataVolume", "name")
}

func hotPlugged(volume any) bool {
	object, _ := volume.(map[string]any)
	for _, source := range []string{"persistentVolumeClaim", "dataVolume"} {
		if hot, _, _ := unstructured.NestedBool(object, source, "hotpluggable"); hot {
			return true
		}
	}
	return false
}

// text is a string in an object; "" if there is none.
func text(object any, path ...string) string {
	fields, _ := object.(map[string]any)
	found, _, _ := unstructured.NestedString(fields, path...)
	return found
}
