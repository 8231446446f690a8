// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package harvester

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// chart is the name of Harvester's chart.
const chart = "harvester"

// release is Helm's record of the installation of Harvester's chart. Harvester
// takes container images from its values.
func release() (*unstructured.Unstructured, error) {
	values, err := packed(map[string]any{
		"name": chart, "namespace": Namespace, "version": 1,
		"info": map[string]any{"status": "deployed"},
		"chart": map[string]any{
			"metadata": map[string]any{"apiVersion": "v2", "name": chart, "version": Version},
			"values": map[string]any{
				"kubevirt-operator": map[string]any{"containers": map[string]any{
					"handler": map[string]any{"image": map[string]any{"repository": "registry.suse.com/suse/sles/15.7/virt-handler", "tag": "1.7.0"}},
				}},
				"generalJob": map[string]any{"image": map[string]any{"repository": "rancher/harvester-general-job", "tag": Version}},
			},
		},
	})
	if err != nil {
		return nil, err
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "sh.helm.release.v1." + chart + ".v1", Namespace: Namespace,
			Labels: map[string]string{"name": chart, "owner": "helm", "status": "deployed", "version": "1"},
		},
		Type: "helm.sh/release.v1",
		Data: map[string][]byte{"release": values},
	})
	return &unstructured.Unstructured{Object: object}, err
}

// packed packs a release as Helm does.
func packed(release map[string]any) ([]byte, error) {
	content, err := json.Marshal(release)
	if err != nil {
		return nil, err
	}
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	if _, err := writer.Write(content); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return []byte(base64.StdEncoding.EncodeToString(compressed.Bytes())), nil
}
