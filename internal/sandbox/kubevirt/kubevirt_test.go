// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

var at = key("default", "vm")

var requestAt = reconcile.Request{NamespacedName: at}

// rig is a KubeVirt on a fake API with one machine.
type rig struct {
	*KubeVirt
	t *testing.T
}

func newRig(t *testing.T, strategy kubevirtv1.VirtualMachineRunStrategy) *rig {
	t.Helper()
	api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&kubevirtv1.VirtualMachine{}, &corev1.Pod{}, &corev1.PersistentVolumeClaim{}).
		WithInterceptorFuncs(interceptor.Funcs{Create: createWithUID}).Build()
	r := &rig{&KubeVirt{api: api, seen: api, log: manager.Log(nil), pace: pace.Fast}, t}
	machine := machineWith(strategy, "")
	machine.Name, machine.Namespace, machine.UID = at.Name, at.Namespace, "machine"
	machine.Spec.Template.Spec.Volumes = []kubevirtv1.Volume{{Name: "disk", VolumeSource: kubevirtv1.VolumeSource{
		PersistentVolumeClaim: &kubevirtv1.PersistentVolumeClaimVolumeSource{PersistentVolumeClaimVolumeSource: corev1.PersistentVolumeClaimVolumeSource{ClaimName: "disk"}},
	}}}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-0"}, Status: corev1.NodeStatus{
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}}
	for _, object := range []client.Object{machine, node} {
		r.must(api.Create(context.Background(), object))
	}
	return r
}

// createWithUID does what the fake API leaves out.
func createWithUID(ctx context.Context, api client.WithWatch, object client.Object, options ...client.CreateOption) error {
	if object.GetUID() == "" {
		object.SetUID(uuid.NewUUID())
	}
	return api.Create(ctx, object, options...)
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// addClaim creates the claim of the machine, bound.
func (r *rig) addClaim() {
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "disk", Namespace: at.Namespace}}
	r.must(r.api.Create(context.Background(), claim))
	claim.Status.Phase = corev1.ClaimBound
	r.must(r.api.Status().Update(context.Background(), claim))
}

func (r *rig) get() *kubevirtv1.VirtualMachine {
	machine, _, err := r.machine(context.Background(), at)
	r.must(err)
	return machine
}

// await reconciles until the machine is in a state.
func (r *rig) await(want kubevirtv1.VirtualMachinePrintableStatus) *kubevirtv1.VirtualMachine {
	r.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		r.reconcileBoth()
		if machine := r.get(); machine.Status.PrintableStatus == want {
			return machine
		}
	}
	r.t.Fatalf("machine is %+v, want %s", r.get().Status, want)
	return nil
}

func (r *rig) reconcileBoth() {
	for _, reconciler := range []func(context.Context, reconcile.Request) (reconcile.Result, error){r.reconcileMachine, r.reconcileInstance} {
		if _, err := reconciler(context.Background(), reconcile.Request{NamespacedName: at}); err != nil && !apierrors.IsConflict(err) {
			r.t.Fatal(err)
		}
	}
}

// put calls a subresource.
func (r *rig) put(resource, action string) (int, string) {
	answer := httptest.NewRecorder()
	r.Subresources().ServeHTTP(answer, httptest.NewRequest(http.MethodPut, "/apis/subresources.kubevirt.io/v1/namespaces/default/"+resource+"/vm/"+action, nil))
	var status metav1.Status
	_ = json.Unmarshal(answer.Body.Bytes(), &status)
	return answer.Code, status.Message
}

func TestLifeOfAMachine(t *testing.T) {
	r := newRig(t, kubevirtv1.RunStrategyRerunOnFailure)
	r.await(kubevirtv1.VirtualMachineStatusPvcNotFound)
	r.addClaim()
	machine := r.await(kubevirtv1.VirtualMachineStatusRunning)
	if !machine.Status.Created || machine.Status.RunStrategy != kubevirtv1.RunStrategyRerunOnFailure {
		t.Errorf("running: %+v", machine.Status)
	}
	first, err := r.instance(context.Background(), at)
	r.must(err)
	if first.Status.NodeName != "node-0" || len(first.Status.ActivePods) != 1 {
		t.Errorf("instance: %+v", first.Status)
	}

	if code, message := r.put("virtualmachines", "start"); code != http.StatusConflict || !strings.Contains(message, "VM is already running") {
		t.Errorf("start of a running machine: %d %s", code, message)
	}
	if code, message := r.put("virtualmachineinstances", "pause"); code != http.StatusAccepted {
		t.Errorf("pause: %d %s", code, message)
	}
	r.await(kubevirtv1.VirtualMachineStatusPaused)
	if code, message := r.put("virtualmachineinstances", "unpause"); code != http.StatusAccepted {
		t.Errorf("unpause: %d %s", code, message)
	}
	r.await(kubevirtv1.VirtualMachineStatusRunning)

	if code, message := r.put("virtualmachines", "stop"); code != http.StatusAccepted {
		t.Errorf("stop: %d %s", code, message)
	}
	if machine := r.await(kubevirtv1.VirtualMachineStatusStopped); machine.Status.Created || machine.Status.Conditions[0].Reason != "VMINotExists" {
		t.Errorf("stopped: %+v", machine.Status)
	}
	if pods, err := r.pods(context.Background(), first); err != nil || len(pods) != 0 {
		t.Errorf("pods of a stopped machine: %v, %v", pods, err)
	}
	if code, message := r.put("virtualmachines", "stop"); code != http.StatusConflict || !strings.Contains(message, "VM is not running") {
		t.Errorf("stop of a stopped machine: %d %s", code, message)
	}
	if code, message := r.put("virtualmachines", "start"); code != http.StatusAccepted {
		t.Errorf("start: %d %s", code, message)
	}
	r.await(kubevirtv1.VirtualMachineStatusRunning)
}

func TestRestartReplacesTheInstance(t *testing.T) {
	r := newRig(t, kubevirtv1.RunStrategyAlways)
	r.addClaim()
	r.await(kubevirtv1.VirtualMachineStatusRunning)
	before, err := r.instance(context.Background(), at)
	r.must(err)
	if code, message := r.put("virtualmachines", "restart"); code != http.StatusAccepted {
		t.Fatalf("restart: %d %s", code, message)
	}
	r.await(kubevirtv1.VirtualMachineStatusStopping)
	r.await(kubevirtv1.VirtualMachineStatusRunning)
	after, err := r.instance(context.Background(), at)
	r.must(err)
	if before.UID == after.UID {
		t.Error("the instance is the same")
	}
	if requests := r.get().Status.StateChangeRequests; len(requests) != 0 {
		t.Errorf("requests left: %+v", requests)
	}
}

func TestChangedTemplateAsksForARestart(t *testing.T) {
	r := newRig(t, kubevirtv1.RunStrategyAlways)
	r.addClaim()
	machine := r.await(kubevirtv1.VirtualMachineStatusRunning)
	machine.Spec.Template.Spec.Domain.CPU = &kubevirtv1.CPU{Cores: 2}
	r.must(r.api.Update(context.Background(), machine))
	r.reconcileBoth()
	for _, c := range r.get().Status.Conditions {
		if c.Type == kubevirtv1.VirtualMachineRestartRequired && c.Status == corev1.ConditionTrue {
			return
		}
	}
	t.Errorf("conditions %+v", r.get().Status.Conditions)
}

func TestDeletedMachineTakesItsInstanceAlong(t *testing.T) {
	r := newRig(t, kubevirtv1.RunStrategyAlways)
	r.addClaim()
	machine := r.await(kubevirtv1.VirtualMachineStatusRunning)
	r.must(r.api.Delete(context.Background(), machine))
	r.await(kubevirtv1.VirtualMachineStatusTerminating)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		r.reconcileBoth()
		if err := r.api.Get(context.Background(), at, machine); apierrors.IsNotFound(err) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the machine is still there")
		}
	}
	if instance, err := r.instance(context.Background(), at); instance != nil || err != nil {
		t.Errorf("instance left: %v, %v", instance, err)
	}
}

func TestManualAndHalted(t *testing.T) {
	r := newRig(t, kubevirtv1.RunStrategyManual)
	r.addClaim()
	r.await(kubevirtv1.VirtualMachineStatusStopped)
	if code, message := r.put("virtualmachines", "start"); code != http.StatusAccepted {
		t.Fatalf("start: %d %s", code, message)
	}
	machine := r.await(kubevirtv1.VirtualMachineStatusRunning)
	machine.Spec.RunStrategy = new(kubevirtv1.RunStrategyHalted)
	r.must(r.api.Update(context.Background(), machine))
	r.await(kubevirtv1.VirtualMachineStatusStopped)
	if code, message := r.put("virtualmachines", "restart"); code != http.StatusConflict || !strings.Contains(message, "RunStategy Halted does not support manual restart requests") {
		t.Errorf("restart of a halted machine: %d %s", code, message)
	}
	if code, message := r.put("virtualmachines", "start"); code != http.StatusAccepted {
		t.Errorf("start: %d %s", code, message)
	}
	if machine := r.await(kubevirtv1.VirtualMachineStatusRunning); *machine.Spec.RunStrategy != kubevirtv1.RunStrategyAlways {
		t.Errorf("run strategy %s", *machine.Spec.RunStrategy)
	}
}

func TestDiscovery(t *testing.T) {
	r := newRig(t, kubevirtv1.RunStrategyHalted)
	for path, want := range map[string]string{
		"/apis/subresources.kubevirt.io":         `"preferredVersion":{"groupVersion":"subresources.kubevirt.io/v1","version":"v1"}`,
		"/apis/subresources.kubevirt.io/v1":      `"name":"virtualmachines/start"`,
		"/apis/subresources.kubevirt.io/v1/nope": `"reason":"NotFound"`,
	} {
		answer := httptest.NewRecorder()
		r.Subresources().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %d %s", path, answer.Code, answer.Body)
		}
	}
}
