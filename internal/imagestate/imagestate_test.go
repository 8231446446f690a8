// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagestate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

// image builds an object with conditions given as "Type=Status/Reason/Message".
func image(sourceType string, progress int64, conditions ...string) *api.VirtualMachineImage {
	object := &api.VirtualMachineImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ubuntu", UID: "u1"},
		Spec:       api.VirtualMachineImageSpec{DisplayName: "Ubuntu", SourceType: sourceType},
		Status:     api.VirtualMachineImageStatus{Progress: progress},
	}
	for _, c := range conditions {
		conditionType, rest, _ := strings.Cut(c, "=")
		parts := append(strings.SplitN(rest, "/", 3), "", "")
		object.Status.Conditions = append(object.Status.Conditions,
			api.Condition{Type: conditionType, Status: parts[0], Reason: parts[1], Message: parts[2]})
	}
	return object
}

// ofCDI is an upload of the backend cdi, of which Harvester has noted the size.
func ofCDI(size int64) *api.VirtualMachineImage {
	object := image("upload", 0, "Initialized=True/Initialized", "Imported=Unknown/Importing")
	object.Spec.Backend, object.Status.Size = api.BackendCDI, size
	return object
}

func unverified(object *api.VirtualMachineImage) *api.VirtualMachineImage {
	object.Annotations = map[string]string{api.AnnotationUnverified: "true"}
	return object
}

func deleting(object *api.VirtualMachineImage) *api.VirtualMachineImage {
	now := metav1.Now()
	object.DeletionTimestamp = &now
	return object
}

func TestOf(t *testing.T) {
	t.Parallel()
	const initialized, importing = "Initialized=True/Initialized", "Imported=Unknown/Importing"
	for name, test := range map[string]struct {
		object     *api.VirtualMachineImage
		state      imagestate.State
		terminal   bool
		message    string
		awaitsData bool
		broke      bool
	}{
		"fresh object":            {object: image("upload", 0), state: imagestate.Initializing},
		"initialized, awaits":     {object: image("upload", 0, initialized, importing), state: imagestate.Uploading, awaitsData: true},
		"bytes arrive":            {object: image("upload", 40, initialized, importing), state: imagestate.Uploading},
		"cdi, awaits":             {object: ofCDI(0), state: imagestate.Uploading, awaitsData: true},
		"cdi, bytes arrive":       {object: ofCDI(10 << 20), state: imagestate.Uploading},
		"all bytes, verifying":    {object: image("upload", 99, initialized, importing), state: imagestate.Uploading},
		"download":                {object: image("download", 7, initialized, importing), state: imagestate.Downloading},
		"export":                  {object: image("export-from-volume", 7, initialized, importing), state: imagestate.Exporting},
		"restore":                 {object: image("restore", 7, initialized, importing), state: imagestate.Restoring},
		"clone":                   {object: image("clone", 7, initialized, importing), state: imagestate.Cloning},
		"imported":                {object: image("upload", 100, initialized, "Imported=True/Imported"), state: imagestate.Active},
		"imported, old message":   {object: image("upload", 100, initialized, "Imported=True/Imported/old trouble"), state: imagestate.Active},
		"imported, not compared":  {object: unverified(image("upload", 100, initialized, "Imported=True/Imported")), state: imagestate.Verifying},
		"not imported, marked":    {object: unverified(image("upload", 40, initialized, importing)), state: imagestate.Uploading},
		"marked, deleting":        {object: deleting(unverified(image("upload", 100, initialized, "Imported=True"))), state: imagestate.Terminating, terminal: true},
		"progress is not ready":   {object: image("download", 100, initialized, importing), state: imagestate.Downloading},
		"deleting":                {object: deleting(image("upload", 100, initialized, "Imported=True")), state: imagestate.Terminating, terminal: true},
		"old message, retrying":   {object: image("upload", 0, initialized, "Imported=Unknown/Importing/client disconnected"), state: imagestate.Uploading, awaitsData: true},
		"upload failed":           {object: image("upload", 99, initialized, "Imported=False/UploadFailed/connection reset"), state: imagestate.Failed, message: "connection reset", broke: true},
		"failed without message":  {object: image("upload", 99, initialized, "Imported=False/UploadFailed"), state: imagestate.Failed, message: "UploadFailed", broke: true},
		"first failure, retrying": {object: image("download", 0, initialized, importing, "RetryLimitExceeded=False//failed due to error: 404"), state: imagestate.Downloading, message: "failed due to error: 404"},
		"limit exceeded": {
			object: image("download", 0, initialized, "Imported=False//x", "RetryLimitExceeded=True//retry attempted 3/3 failed due to error: 404"),
			state:  imagestate.Failed, terminal: true, message: "retry attempted 3/3 failed due to error: 404",
		},
		"initialization failed": {object: image("download", 0, "Initialized=False//no such host"), state: imagestate.Failed, message: "no such host"},
		"imported beats the limit": {
			object: image("upload", 100, initialized, "Imported=True", "RetryLimitExceeded=True//x"), state: imagestate.Active,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := imagestate.Of(test.object)
			if got.State != test.state || got.Terminal != test.terminal || got.Message != test.message || got.AwaitsData != test.awaitsData || got.Broke != test.broke {
				t.Errorf("got state %s, terminal %v, message %q, awaits data %v, broke %v; want %s, %v, %q, %v, %v",
					got.State, got.Terminal, got.Message, got.AwaitsData, got.Broke, test.state, test.terminal, test.message, test.awaitsData, test.broke)
			}
		})
	}
}

// Whoever shows a progress shows the end of it only when the image can be used.
func TestProgressWhileItIsVerified(t *testing.T) {
	t.Parallel()
	for object, want := range map[*api.VirtualMachineImage]int64{
		unverified(image("upload", 100, "Imported=True")): 99, unverified(image("upload", 40)): 40, image("upload", 100, "Imported=True"): 100,
	} {
		if got := imagestate.Of(object); got.Progress != want || got.Ready() && !got.Imported() {
			t.Errorf("got %+v, want %d %%", got, want)
		}
	}
}

func TestOfReadsTheRest(t *testing.T) {
	t.Parallel()
	object := image("clone", 3)
	zero := int64(0)
	object.Spec.Retry = &zero
	object.Spec.SecurityParameters = &api.ImageSecurityParameters{CryptoOperation: "encrypt"}
	object.Status.Failed, object.Status.Size, object.Status.VirtualSize = 1, 10, 20
	object.Status.StorageClassName = "lh-1"
	got := imagestate.Of(object)
	want := imagestate.Image{
		Namespace: "default", Name: "ubuntu", UID: "u1", DisplayName: "Ubuntu", SourceType: "clone", State: imagestate.Initializing,
		Progress: 3, Size: 10, VirtualSize: 20, StorageClassName: "lh-1", Encrypted: true, Attempts: 1, RetryLimit: 0,
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestCheck walks every state and every operation, with plain and encrypted images of both backends.
func TestCheck(t *testing.T) {
	t.Parallel()
	rows := 0
	for _, state := range imagestate.States() {
		for _, operation := range imagestate.Operations() {
			for _, backend := range []string{"", api.BackendBackingImage, api.BackendCDI} {
				for _, encrypted := range []bool{false, true} {
					rows++
					image := imagestate.Image{
						Namespace: "default", Name: "ubuntu", Backend: backend, State: state, Encrypted: encrypted, Progress: 40, Message: "said so.",
					}
					refusal := imagestate.Check(image, operation)
					if got, want := refusal == nil, allowed(state, operation, backend, encrypted); got != want {
						t.Errorf("%s of a %s image (backend %q, encrypted %v): allowed %v, want %v", operation, state, backend, encrypted, got, want)
					}
					if refusal != nil {
						complete(t, *refusal)
					}
				}
			}
		}
	}
	t.Logf("%d combinations", rows)
}

// allowed states the rule independently of the table under test.
func allowed(state imagestate.State, operation imagestate.Operation, backend string, encrypted bool) bool {
	if state != imagestate.Active {
		return false
	}
	switch operation {
	case imagestate.Decrypt:
		return encrypted && backend != api.BackendCDI
	case imagestate.Encrypt:
		return !encrypted && backend != api.BackendCDI
	case imagestate.Download, imagestate.Export:
		return !encrypted
	case imagestate.CreateVM, imagestate.StartVM, imagestate.CreateVolume, imagestate.Use:
	}
	return true
}

func complete(t *testing.T, refusal imagestate.Refusal) {
	t.Helper()
	for part, text := range map[string]string{"summary": refusal.Summary, "reason": refusal.Reason, "remedy": refusal.Remedy} {
		if text == "" {
			t.Errorf("the refusal %+v has no %s", refusal, part)
		}
	}
	if strings.Contains(refusal.Summary, "ubuntu") || strings.HasSuffix(refusal.Summary, ".") {
		t.Errorf("the summary %q should be general and without a full stop", refusal.Summary)
	}
	if !strings.Contains(refusal.Reason, `"default/ubuntu"`) {
		t.Errorf("the reason %q does not name the image", refusal.Reason)
	}
	if strings.Contains(refusal.Reason, "..") {
		t.Errorf("the reason %q has two full stops", refusal.Reason)
	}
}

func TestRefusalTellsWhatToDo(t *testing.T) {
	t.Parallel()
	base := imagestate.Image{Namespace: "default", Name: "ubuntu", DisplayName: "Ubuntu 24.04", SourceType: "upload"}
	with := func(change func(*imagestate.Image)) imagestate.Image { i := base; change(&i); return i }
	for name, test := range map[string]struct {
		image imagestate.Image
		want  []string
	}{
		"uploading": {
			with(func(i *imagestate.Image) { i.State, i.Progress = imagestate.Uploading, 40 }),
			[]string{`"default/ubuntu" (Ubuntu 24.04)`, "Uploading, 40 %", "Wait until the image is Active"},
		},
		"nobody uploads": {
			with(func(i *imagestate.Image) { i.State, i.AwaitsData = imagestate.Uploading, true }),
			[]string{"Uploading, 0 %", "either nobody is sending its data, or less than one percent has arrived", "wait until it is Active"},
		},
		"nobody uploads to cdi": {
			with(func(i *imagestate.Image) {
				i.State, i.AwaitsData, i.Backend = imagestate.Uploading, true, api.BackendCDI
			}),
			[]string{"Uploading, 0 %", "Nobody is sending its data at the moment"},
		},
		"retrying": {
			with(func(i *imagestate.Image) {
				i.State, i.Attempts, i.RetryLimit, i.Message = imagestate.Downloading, 2, 3, "got 404"
			}),
			[]string{"2 failed of 4 allowed attempts", "Harvester says: got 404."},
		},
		"failed for good": {
			with(func(i *imagestate.Image) { i.State, i.Terminal = imagestate.Failed, true }),
			[]string{"will not try again", "-replace"},
		},
		"failed for now": {
			with(func(i *imagestate.Image) { i.State = imagestate.Failed }),
			[]string{"may still retry"},
		},
		"being verified": {
			with(func(i *imagestate.Image) { i.State = imagestate.Verifying }),
			[]string{"is being verified", "has not been compared yet", "Wait until the image is Active", api.AnnotationUnverified},
		},
		"deleting": {
			with(func(i *imagestate.Image) { i.State = imagestate.Terminating }),
			[]string{"is being deleted"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refusal := imagestate.Check(test.image, imagestate.CreateVM)
			text := fmt.Sprintf("%+v", refusal)
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in %s", want, text)
				}
			}
		})
	}
}

// Harvester refuses to copy an incomplete image; a VM it would start from one.
func TestDangerIsNamedWhereHarvesterIsSilent(t *testing.T) {
	t.Parallel()
	image := imagestate.Image{Namespace: "default", Name: "ubuntu", State: imagestate.Uploading}
	for operation, named := range map[imagestate.Operation]bool{imagestate.CreateVM: true, imagestate.Encrypt: false, imagestate.Download: false} {
		if got := strings.Contains(imagestate.Check(image, operation).Reason, "would accept this now"); got != named {
			t.Errorf("%s: the danger is named: %v, want %v", operation, got, named)
		}
	}
}

func TestTooSmall(t *testing.T) {
	t.Parallel()
	ubuntu := imagestate.Image{Namespace: "default", Name: "ubuntu", VirtualSize: 3<<30 + 1}
	if refusal := imagestate.TooSmall(ubuntu, 3<<30+1, "x"); refusal != nil {
		t.Errorf("a disk of exactly the size is refused: %+v", refusal)
	}
	refusal := imagestate.TooSmall(ubuntu, 3<<30, "3Gi")
	if refusal == nil {
		t.Fatal("a disk one byte short is accepted")
	}
	complete(t, *refusal)
	if !strings.Contains(refusal.Remedy, "4Gi") {
		t.Errorf("the remedy %q should name 4Gi", refusal.Remedy)
	}
	ubuntu.VirtualSize = 0
	if refusal := imagestate.TooSmall(ubuntu, 1, "1"); refusal != nil {
		t.Errorf("an unknown virtual size refuses: %+v", refusal)
	}
}

func TestImporting(t *testing.T) {
	t.Parallel()
	want := []imagestate.State{imagestate.Downloading, imagestate.Uploading, imagestate.Exporting, imagestate.Restoring, imagestate.Cloning}
	for _, state := range imagestate.States() {
		if got := (imagestate.Image{State: state}).Importing(); got != slices.Contains(want, state) {
			t.Errorf("%s: got %v", state, got)
		}
	}
}
