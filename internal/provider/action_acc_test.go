// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const powerAction, snapshotAction, waitAction = "harvester_virtualmachine_power", "harvester_virtualmachine_snapshot", "harvester_image_wait"

// diskOf makes a machine with one disk, a volume that is to be made from the image, or empty.
func diskOf(t *testing.T, cluster *acctest.Cluster, name, image string) {
	t.Helper()
	annotations := ""
	if image != "" {
		annotations = fmt.Sprintf(`"annotations":{"harvesterhci.io/imageId":"default/%s"},`, image)
	}
	cluster.Apply(t, api.VirtualMachines, "default", map[string]any{
		"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
		"metadata": map[string]any{"name": name, "annotations": map[string]any{api.AnnotationVolumeClaimTemplates: fmt.Sprintf(
			`[{"metadata":{%s"name":%q},"spec":{"accessModes":["ReadWriteMany"],"volumeMode":"Block","storageClassName":"harvester-longhorn","resources":{"requests":{"storage":"1Gi"}}}}]`,
			annotations, name)}},
		"spec": map[string]any{"runStrategy": "Halted", "template": map[string]any{"spec": map[string]any{
			"domain": map[string]any{
				"cpu": map[string]any{"cores": 1, "sockets": 1, "threads": 1, "maxSockets": 1},
				"devices": map[string]any{
					"interfaces": []any{map[string]any{"name": "default", "masquerade": map[string]any{}}},
					"disks":      []any{map[string]any{"name": "disk", "disk": map[string]any{"bus": "virtio"}}},
				},
				"resources": map[string]any{"limits": map[string]any{"cpu": "1", "memory": "1Gi"}},
			},
			"networks": []any{map[string]any{"name": "default", "pod": map[string]any{}}},
			"volumes":  []any{map[string]any{"name": "disk", "persistentVolumeClaim": map[string]any{"claimName": name}}},
		}}},
	})
}

func instanceOf(t *testing.T, cluster *acctest.Cluster, name string) string {
	t.Helper()
	vmi, err := kube.For[kubevirtv1.VirtualMachineInstance](cluster.Client, api.VirtualMachineInstances, "VirtualMachineInstance").Get(t.Context(), "default", name)
	if err != nil || vmi.Status.Phase != kubevirtv1.Running || vmi.DeletionTimestamp != nil {
		return ""
	}
	return string(vmi.UID)
}

// succeeds wants an action to do its work, and to tell this at last.
func succeeds(t *testing.T, acted acctest.Acted, last string) {
	t.Helper()
	if len(acted.Refused)+len(acted.Warned)+len(acted.Failed) > 0 || len(acted.Progress) == 0 || !strings.Contains(acted.Progress[len(acted.Progress)-1], last) {
		t.Fatalf("it ends with %+v, and should tell %q", acted, last)
	}
}

// fails wants an action, or its plan, to fail with these words.
func fails(t *testing.T, said []string, words ...string) {
	t.Helper()
	text := strings.Join(said, "\n")
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("it says %q, and should say %q", said, word)
		}
	}
}

func TestAccActionPower(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	diskOf(t, cluster, name, "")
	do := func(operation string) acctest.Acted {
		return cluster.Acts(t.Context(), t, powerAction, map[string]any{"virtual_machine": "default/" + name, "operation": operation}, nil)
	}
	fails(t, do("restart").Failed, "Virtual machine not running", `operation = "start"`)
	succeeds(t, do("start"), "runs")
	first := instanceOf(t, cluster, name)
	if first == "" {
		t.Fatal("it does not run after it was started")
	}
	succeeds(t, do("start"), "runs")
	if again := instanceOf(t, cluster, name); again != first {
		t.Errorf("what runs was started again: %s, %s", first, again)
	}
	succeeds(t, do("soft_reboot"), "the guest was asked to reboot")
	succeeds(t, do("restart"), "runs")
	if second := instanceOf(t, cluster, name); second == "" || second == first {
		t.Errorf("a restart leaves the instance %s, and it was %s", second, first)
	}
	succeeds(t, do("stop"), "is off")
	if left := instanceOf(t, cluster, name); left != "" {
		t.Errorf("after a stop there is the instance %s", left)
	}
	succeeds(t, do("stop"), "is off")
	fails(t, do("dance").Refused, "Invalid Attribute Value Match")
	fails(t, cluster.Acts(t.Context(), t, powerAction, map[string]any{"virtual_machine": name, "operation": "stop"}, nil).Refused, "Invalid reference")
	missing := cluster.Acts(t.Context(), t, powerAction, map[string]any{"virtual_machine": "default/no-" + name, "operation": "stop"}, nil)
	fails(t, missing.Warned, "Virtual machine not found")
	fails(t, missing.Failed, "Virtual machine not found", "Nothing was done")
}

// A machine with a disk from an image that is not complete is not started: not by the plan, and not by what comes after it.
func TestAccActionPower_gate(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Pending(t, name)
	diskOf(t, cluster, name, name)
	for _, operation := range []string{"start", "restart"} {
		config := map[string]any{"virtual_machine": "default/" + name, "operation": operation}
		fails(t, cluster.Acts(t.Context(), t, powerAction, config, nil).Refused, "Cannot start the virtual machine", name, "Uploading")
		fails(t, cluster.Invokes(t.Context(), t, powerAction, config).Failed, "Cannot start the virtual machine", name, "Nothing was done")
	}
	if instance := instanceOf(t, cluster, name); instance != "" {
		t.Error("it runs")
	}
	stop := cluster.Acts(t.Context(), t, powerAction, map[string]any{"virtual_machine": "default/" + name, "operation": "stop"}, nil)
	succeeds(t, stop, "is off")
}

func TestAccActionSnapshot(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	diskOf(t, cluster, name, "")
	succeeds(t, cluster.Acts(t.Context(), t, powerAction, map[string]any{"virtual_machine": "default/" + name, "operation": "start"}, nil), "runs")
	snapshots := kube.For[api.VirtualMachineBackup](cluster.Client, api.VirtualMachineBackups, "VirtualMachineBackup")
	config := map[string]any{"virtual_machine": "default/" + name, "name": name + "-s"}
	succeeds(t, cluster.Acts(t.Context(), t, snapshotAction, config, nil), "can be used")
	snapshot, err := snapshots.Get(t.Context(), "default", name+"-s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = snapshots.Delete(context.Background(), "default", snapshot.Name, "") })
	if snapshot.Spec.Type != api.TypeSnapshot || snapshot.Status.ReadyToUse == nil || !*snapshot.Status.ReadyToUse {
		t.Errorf("the snapshot is %+v", snapshot)
	}
	fails(t, cluster.Acts(t.Context(), t, snapshotAction, config, nil).Refused, "Snapshot exists already", "Choose another name")
	fails(t, cluster.Invokes(t.Context(), t, snapshotAction, config).Failed, "Snapshot exists already", "Nothing was done")
	delete(config, "name")
	unnamed := cluster.Acts(t.Context(), t, snapshotAction, config, nil)
	succeeds(t, unnamed, "Snapshot default/"+name+"-2")
	all, err := snapshots.List(t.Context(), "default", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if strings.HasPrefix(one.Name, name+"-2") {
			t.Cleanup(func() { _ = snapshots.Delete(context.Background(), "default", one.Name, "") })
		}
	}
}

// The action tells how far the image is while it waits, ends with it, and fails with the server's reason.
func TestAccActionWait(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Pending(t, name)
	sent := make(chan error, 1)
	acted := cluster.Acts(t.Context(), t, waitAction, map[string]any{"image": "default/" + name}, func(text string) {
		if strings.Contains(text, "Uploading") && cap(sent)-len(sent) == 1 {
			sent <- cluster.Send(t, name, 1<<20)
		}
	})
	succeeds(t, acted, "ready after")
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if !strings.Contains(acted.Progress[0], "Image default/"+name+": Uploading") {
		t.Errorf("it tells %q first", acted.Progress)
	}

	cluster.Failed(t, name+"-f", "no space left on the simulated disk")
	failed := map[string]any{"image": "default/" + name + "-f"}
	fails(t, cluster.Acts(t.Context(), t, waitAction, failed, nil).Refused, "no space left on the simulated disk")
	fails(t, cluster.Invokes(t.Context(), t, waitAction, failed).Failed, "no space left on the simulated disk")

	missing := cluster.Acts(t.Context(), t, waitAction, map[string]any{"image": "default/no-" + name}, nil)
	fails(t, missing.Warned, "Image not found")
	fails(t, missing.Failed, "Image not found")

	cluster.Pending(t, name+"-p")
	slow := map[string]any{"image": "default/" + name + "-p", "timeout": "2s"}
	fails(t, cluster.Acts(t.Context(), t, waitAction, slow, nil).Failed, "Timed out", "timeout in the action's configuration")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	fails(t, cluster.Acts(ctx, t, waitAction, map[string]any{"image": "default/" + name + "-p"}, nil).Failed, "Timed out")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it ends %s after it was interrupted", took)
	}
}
