// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
)

// recorded is a resource that talks to a cluster which has these objects, by path, and the writes
// it gets: their method, path and body. The first writes fail with these codes.
func recorded(t *testing.T, objects map[string]any, codes ...int) (*Resource, *[]string) {
	t.Helper()
	writes := &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, found := objects[r.URL.Path]
		code := http.StatusOK
		if r.Method != http.MethodGet {
			body, _ := io.ReadAll(r.Body)
			*writes = append(*writes, r.Method+" "+r.URL.Path+" "+string(body))
			if len(codes) >= len(*writes) {
				code = codes[len(*writes)-1]
			}
			if !found {
				found, answer = true, json.RawMessage(body)
			}
		}
		if !found {
			code = http.StatusNotFound
		}
		reasons := map[int]metav1.StatusReason{http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusConflict: metav1.StatusReasonConflict, http.StatusForbidden: metav1.StatusReasonForbidden}
		if code != http.StatusOK {
			answer = metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Reason: reasons[code], Code: int32(code)}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	client, err := kube.Connect(kube.Connection{Host: server.URL, Token: "t"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	r := &Resource{}
	r.connect(session.New(client, session.ChecksError, 1))
	return r, writes
}

// Long cloud-init data are written to the machine's own Secret alone; a Secret of others, whatever
// its name, is left as it is.
func TestReseed(t *testing.T) {
	t.Parallel()
	const vmPath, secretPath = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines/vm", "/api/v1/namespaces/default/secrets"
	long := "#cloud-config\n# " + strings.Repeat("x", 3000)
	secret := func(owner string, data string) map[string]any {
		metadata := map[string]any{"namespace": "default", "name": "vm-cloudinit-data", "uid": "uid-secret", "resourceVersion": "7"}
		if owner != "" {
			metadata["ownerReferences"] = []any{map[string]any{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "name": "vm", "uid": owner}}
		}
		return map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": map[string]any{"userdata": data}}
	}
	for name, test := range map[string]struct {
		secret map[string]any
		codes  []int
		writes []string // how they begin
		pinned bool     // the last write is on the condition that the Secret is the one that was read
		fails  bool
	}{
		"its own":                 {secret("uid-vm", "b2xk"), nil, []string{"PATCH " + secretPath + "/vm-cloudinit-data "}, true, false},
		"of others":               {secret("", "b2xk"), nil, []string{"POST " + secretPath + " "}, false, false},
		"of an earlier machine":   {secret("uid-before", "b2xk"), nil, []string{"POST " + secretPath + " "}, false, false},
		"none":                    {nil, nil, []string{"POST " + secretPath + " "}, false, false},
		"somebody else is faster": {secret("uid-vm", "b2xk"), []int{409}, []string{"PATCH " + secretPath, "PATCH " + secretPath}, true, false},
		"refused":                 {secret("uid-vm", "b2xk"), []int{403}, []string{"PATCH " + secretPath}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vm := live(t, settledDown())
			vm.UID, vm.Kind, vm.APIVersion = "uid-vm", "VirtualMachine", "kubevirt.io/v1"
			cloudinit.Seed{Kind: cloudinit.TypeNoCloud, UserDataSecret: "vm-cloudinit-data"}.Onto(&vm.Spec.Template.Spec)
			objects := map[string]any{vmPath: vm}
			if test.secret != nil {
				objects[secretPath+"/vm-cloudinit-data"] = test.secret
			}
			r, writes := recorded(t, objects, test.codes...)
			wanted := &cloudinit.Seed{Kind: cloudinit.TypeNoCloud, UserData: long}
			changed, diags := r.reseed(t.Context(), basic(), wanted)
			if changed == test.fails || diags.HasError() != test.fails {
				t.Fatalf("changed %t, %v", changed, diags)
			}
			if !slices.EqualFunc(*writes, test.writes, strings.HasPrefix) {
				t.Fatalf("it writes %.120q", *writes)
			}
			_, body, _ := strings.Cut((*writes)[len(*writes)-1], " {")
			written := &unstructured.Unstructured{}
			if err := json.Unmarshal([]byte("{"+body), &written.Object); err != nil {
				t.Fatal(err)
			}
			if pinned := fmt.Sprint(written.GetUID(), " ", written.GetResourceVersion()) == "uid-secret 7"; pinned != test.pinned {
				t.Errorf("on the condition that it is the one that was read: %t", pinned)
			}
			if test.fails {
				return
			}
			if named := wanted.UserDataSecret == "vm-cloudinit-data"; wanted.UserData != "" || named != test.pinned {
				t.Errorf("the machine is to take its data from %q", wanted.UserDataSecret)
			}
			if owners := written.GetOwnerReferences(); !test.pinned && (len(owners) != 1 || owners[0].UID != vm.UID) {
				t.Errorf("the new Secret belongs to %v", owners)
			}
		})
	}
}
