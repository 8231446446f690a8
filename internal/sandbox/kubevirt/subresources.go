// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// groupPath is where the subresources are served.
const groupPath = "/apis/" + kubevirtv1.SubresourceGroupName

var (
	errNotRunning       = errors.New("VM is not running")
	errInstanceStopped  = errors.New("VMI is not running")
	errInstanceUnpaused = errors.New("VMI is not paused")
)

// change does what a subresource is for. body is what the client sent, never empty.
type change func(ctx context.Context, at types.NamespacedName, body []byte) error

// Subresources returns the part of KubeVirt's API that acts on machines and instances, to be served below
// /apis/subresources.kubevirt.io.
func (k *KubeVirt) Subresources() http.Handler {
	mux := http.NewServeMux()
	changes := map[string]map[string]change{
		"virtualmachines": {"start": k.startMachine, "stop": k.stopMachine, "restart": k.restartMachine},
		"virtualmachineinstances": {
			"pause": k.pause, "unpause": k.unpause, "softreboot": k.softReboot, "reset": k.softReboot,
			"freeze": k.freeze("frozen"), "unfreeze": k.freeze(""),
		},
	}
	var resources []metav1.APIResource
	for resource, actions := range changes {
		for action, do := range actions {
			mux.HandleFunc("PUT "+groupPath+"/{version}/namespaces/{namespace}/"+resource+"/{name}/"+action, serve(do))
			resources = append(resources, metav1.APIResource{Name: resource + "/" + action, Namespaced: true, Verbs: metav1.Verbs{"update"}})
		}
	}
	slices.SortFunc(resources, func(a, b metav1.APIResource) int { return cmp.Compare(a.Name, b.Name) })
	mux.HandleFunc("GET "+groupPath, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, group()) })
	mux.HandleFunc("GET "+groupPath+"/{version}", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, resourceList(r.PathValue("version"), resources))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, apierrors.NewGenericServerResponse(http.StatusNotFound, r.Method, schema.GroupResource{}, "", "", 0, true))
	})
	return mux
}

func serve(do change) http.HandlerFunc {
	const maxBody = 1 << 20
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			writeError(w, apierrors.NewBadRequest(err.Error()))
			return
		}
		if len(body) == 0 {
			body = []byte("{}")
		}
		if err := do(r.Context(), key(r.PathValue("namespace"), r.PathValue("name")), body); err != nil {
			writeError(w, err)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

func group() metav1.APIGroup {
	version := metav1.GroupVersionForDiscovery{GroupVersion: kubevirtv1.SubresourceStorageGroupVersion.String(), Version: kubevirtv1.ApiLatestVersion}
	return metav1.APIGroup{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"},
		Name:     kubevirtv1.SubresourceGroupName,
		Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
	}
}

func resourceList(version string, resources []metav1.APIResource) metav1.APIResourceList {
	return metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: kubevirtv1.SubresourceGroupName + "/" + version,
		APIResources: resources,
	}
}

func (k *KubeVirt) machine(ctx context.Context, at types.NamespacedName) (*kubevirtv1.VirtualMachine, kubevirtv1.VirtualMachineRunStrategy, error) {
	machine := &kubevirtv1.VirtualMachine{}
	if err := k.api.Get(ctx, at, machine); err != nil {
		return nil, "", err
	}
	strategy, err := machine.RunStrategy()
	return machine, strategy, err
}

func (k *KubeVirt) startMachine(ctx context.Context, at types.NamespacedName, body []byte) error {
	var options kubevirtv1.StartOptions
	if err := decode(body, &options); err != nil {
		return err
	}
	machine, strategy, err := k.machine(ctx, at)
	if err != nil {
		return err
	}
	instance, err := k.instance(ctx, at)
	if err != nil {
		return err
	}
	if instance != nil && !instance.IsFinal() && instance.Status.Phase != kubevirtv1.Unknown && instance.Status.Phase != kubevirtv1.VmPhaseUnset {
		return conflict(at, errors.New("VM is already running"))
	}
	request := kubevirtv1.VirtualMachineStateChangeRequest{Action: kubevirtv1.StartRequest}
	if options.Paused {
		request.Data = map[string]string{kubevirtv1.StartRequestDataPausedKey: kubevirtv1.StartRequestDataPausedTrue}
	}
	switch strategy {
	case kubevirtv1.RunStrategyHalted:
		return k.setRunning(ctx, machine, true)
	case kubevirtv1.RunStrategyManual, kubevirtv1.RunStrategyRerunOnFailure:
		if instance != nil && instance.IsFinal() {
			return k.request(ctx, machine, stopRequest(instance), request)
		}
		return k.request(ctx, machine, request)
	}
	return conflict(at, fmt.Errorf("%v does not support manual start requests", strategy))
}

func (k *KubeVirt) stopMachine(ctx context.Context, at types.NamespacedName, body []byte) error {
	var options kubevirtv1.StopOptions
	if err := decode(body, &options); err != nil {
		return err
	}
	machine, strategy, err := k.machine(ctx, at)
	if err != nil {
		return err
	}
	instance, err := k.instance(ctx, at)
	if err != nil {
		return err
	}
	runs := instance != nil && !instance.IsFinal()
	shorter := runs && options.GracePeriod != nil && instance.Spec.TerminationGracePeriodSeconds != nil && *options.GracePeriod < *instance.Spec.TerminationGracePeriodSeconds
	if runs && options.GracePeriod != nil {
		instance.Spec.TerminationGracePeriodSeconds = options.GracePeriod
		if err := k.api.Update(ctx, instance); err != nil {
			return err
		}
	}
	switch {
	case strategy == kubevirtv1.RunStrategyAlways || strategy == kubevirtv1.RunStrategyOnce:
		return k.setRunning(ctx, machine, false)
	case !runs:
		return conflict(at, errNotRunning)
	case strategy == kubevirtv1.RunStrategyHalted && !shorter:
		return conflict(at, fmt.Errorf("%v only supports manual stop requests with a shorter graceperiod", strategy))
	}
	return k.request(ctx, machine, stopRequest(instance))
}

func (k *KubeVirt) restartMachine(ctx context.Context, at types.NamespacedName, body []byte) error {
	var options kubevirtv1.RestartOptions
	if err := decode(body, &options); err != nil {
		return err
	}
	machine, strategy, err := k.machine(ctx, at)
	if err != nil {
		return err
	}
	if strategy == kubevirtv1.RunStrategyHalted || strategy == kubevirtv1.RunStrategyOnce {
		return conflict(at, fmt.Errorf("RunStategy %v does not support manual restart requests", strategy))
	}
	instance, err := k.instance(ctx, at)
	if err != nil {
		return err
	}
	if instance == nil {
		return conflict(at, fmt.Errorf("%w: %v", errNotRunning, kubevirtv1.RunStrategyHalted))
	}
	return k.request(ctx, machine, stopRequest(instance), kubevirtv1.VirtualMachineStateChangeRequest{Action: kubevirtv1.StartRequest})
}

func stopRequest(instance *kubevirtv1.VirtualMachineInstance) kubevirtv1.VirtualMachineStateChangeRequest {
	return kubevirtv1.VirtualMachineStateChangeRequest{Action: kubevirtv1.StopRequest, UID: &instance.UID}
}

// request asks the controller of machines for a change. There can be only one at a time.
func (k *KubeVirt) request(ctx context.Context, machine *kubevirtv1.VirtualMachine, requests ...kubevirtv1.VirtualMachineStateChangeRequest) error {
	if len(machine.Status.StateChangeRequests) > 0 {
		return conflict(client.ObjectKeyFromObject(machine), errors.New("unable to complete request: stop/start already underway"))
	}
	machine.Status.StateChangeRequests = requests
	return k.api.Status().Update(ctx, machine)
}

// setRunning switches a machine on or off for good, in the field that it uses.
func (k *KubeVirt) setRunning(ctx context.Context, machine *kubevirtv1.VirtualMachine, running bool) error {
	if machine.Spec.Running != nil {
		machine.Spec.Running = &running
		return k.api.Update(ctx, machine)
	}
	strategy := kubevirtv1.RunStrategyHalted
	if running {
		strategy = kubevirtv1.RunStrategyAlways
	}
	machine.Spec.RunStrategy = &strategy
	return k.api.Update(ctx, machine)
}

// running gets an instance that has to run.
func (k *KubeVirt) running(ctx context.Context, at types.NamespacedName) (*kubevirtv1.VirtualMachineInstance, error) {
	instance := &kubevirtv1.VirtualMachineInstance{}
	if err := k.api.Get(ctx, at, instance); err != nil {
		return nil, err
	}
	if !instance.IsRunning() {
		return nil, instanceConflict(at, errInstanceStopped)
	}
	return instance, nil
}

func (k *KubeVirt) pause(ctx context.Context, at types.NamespacedName, _ []byte) error {
	instance, err := k.running(ctx, at)
	if err != nil {
		return err
	}
	if hasCondition(instance, kubevirtv1.VirtualMachineInstancePaused) {
		return instanceConflict(at, errors.New("VMI is already paused"))
	}
	setCondition(instance, paused())
	return k.api.Update(ctx, instance)
}

func (k *KubeVirt) unpause(ctx context.Context, at types.NamespacedName, _ []byte) error {
	instance, err := k.running(ctx, at)
	if err != nil {
		return err
	}
	if !hasCondition(instance, kubevirtv1.VirtualMachineInstancePaused) {
		return instanceConflict(at, errInstanceUnpaused)
	}
	removeCondition(instance, kubevirtv1.VirtualMachineInstancePaused)
	return k.api.Update(ctx, instance)
}

// softReboot reboots the guest. All that shows is that its agent is away for a moment.
func (k *KubeVirt) softReboot(ctx context.Context, at types.NamespacedName, _ []byte) error {
	instance, err := k.running(ctx, at)
	if err != nil {
		return err
	}
	if hasCondition(instance, kubevirtv1.VirtualMachineInstancePaused) {
		return instanceConflict(at, errors.New("VMI is paused"))
	}
	removeCondition(instance, kubevirtv1.VirtualMachineInstanceAgentConnected)
	return k.api.Update(ctx, instance)
}

// freeze returns the change that freezes file systems, or thaws them.
func (k *KubeVirt) freeze(status string) change {
	return func(ctx context.Context, at types.NamespacedName, _ []byte) error {
		instance, err := k.running(ctx, at)
		if err != nil {
			return err
		}
		instance.Status.FSFreezeStatus = status
		return k.api.Update(ctx, instance)
	}
}

func decode(body []byte, options any) error {
	if err := json.Unmarshal(body, options); err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("Can not unmarshal Request body to struct, error: %v", err))
	}
	return nil
}

func conflict(at types.NamespacedName, why error) error {
	return apierrors.NewConflict(kubevirtv1.Resource("virtualmachine"), at.Name, why)
}

func instanceConflict(at types.NamespacedName, why error) error {
	return apierrors.NewConflict(kubevirtv1.Resource("virtualmachineinstance"), at.Name, why)
}

// writeError answers with a status, as the API server does.
func writeError(w http.ResponseWriter, err error) {
	var known apierrors.APIStatus
	if !errors.As(err, &known) {
		known = apierrors.NewInternalError(err)
	}
	status := known.Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	writeJSON(w, int(status.Code), status)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A client that went away needs no answer.
	_ = json.NewEncoder(w).Encode(v)
}
