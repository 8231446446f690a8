// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const machineText = `{"metadata":{"name":"m","uid":"1","resourceVersion":"7","annotations":{"harvesterhci.io/volumeClaimTemplates":%TEMPLATES%}},
	"spec":{"runStrategy":"Always","template":{"spec":{
		"volumes":[{"name":"root","persistentVolumeClaim":{"claimName":"m-root"}},
			{"name":"data","persistentVolumeClaim":{"claimName":"data","hotpluggable":true}},
			{"name":"again","dataVolume":{"name":"data"}},{"name":"seed","cloudInitNoCloud":{"userData":"x"}}],
		"domain":{"cpu":{"cores":2},"devices":{"disks":[{"name":"root","bootOrder":1},{"name":"data"},{"name":"again"},{"name":"seed"}]}}}}}}`

func machineWith(t *testing.T, templates string) *unstructured.Unstructured {
	t.Helper()
	live := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(replaceTemplates(machineText, templates)), &live.Object); err != nil {
		t.Fatal(err)
	}
	return live
}

func replaceTemplates(text, templates string) string {
	quoted, _ := json.Marshal(templates)
	before, after, _ := strings.Cut(text, "%TEMPLATES%")
	return before + string(quoted) + after
}

// What takes a volume off a machine leaves everything else of it alone.
func TestUnplugged(t *testing.T) {
	t.Parallel()
	const rest = `"spec":{"template":{"spec":{"domain":{"devices":{"disks":[{"bootOrder":1,"name":"root"},{"name":"seed"}]}},` +
		`"volumes":[{"name":"root","persistentVolumeClaim":{"claimName":"m-root"}},{"cloudInitNoCloud":{"userData":"x"},"name":"seed"}]}}}}`
	for name, test := range map[string]struct{ templates, claim, want string }{
		"a volume of its own": {`[]`, "data", `{"metadata":{"resourceVersion":"7","uid":"1"},` + rest},
		"one that the machine would make again": {
			`[{"metadata":{"name":"data"}},{"metadata":{"name":"m-root"},"spec":{"a":1}}]`, "data",
			`{"metadata":{"annotations":{"harvesterhci.io/volumeClaimTemplates":"[{\"metadata\":{\"name\":\"m-root\"},\"spec\":{\"a\":1}}]"},"resourceVersion":"7","uid":"1"},` + rest,
		},
		"one that it does not have": {`[]`, "other", `null`},
		"templates that are broken": {`{`, "data", `{"metadata":{"resourceVersion":"7","uid":"1"},` + rest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(unplugged(machineWith(t, test.templates), test.claim))
			if err != nil || string(got) != test.want {
				t.Errorf("%s\nwant %s (%v)", got, test.want, err)
			}
		})
	}
}

func TestHotPlugged(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"name":"a","persistentVolumeClaim":{"claimName":"c","hotpluggable":true}}`: true,
		`{"name":"a","dataVolume":{"name":"c","hotpluggable":true}}`:                 true,
		`{"name":"a","persistentVolumeClaim":{"claimName":"c"}}`:                     false,
		`{"name":"a","cloudInitNoCloud":{}}`:                                         false,
	} {
		var volume any
		if err := json.Unmarshal([]byte(text), &volume); err != nil {
			t.Fatal(err)
		}
		if hotPlugged(volume) != want {
			t.Errorf("%s is hot-plugged: %t", text, !want)
		}
	}
}
