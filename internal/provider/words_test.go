// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/doctor"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// official are the resources of harvester/harvester, at commit adbcedb (2026-07-23).
var official = []string{
	"bootstrap", "cloudinit_secret", "clusternetwork", "image", "ippool", "loadbalancer", "network", "pcidevice", "schedule_backup",
	"setting", "sriov_network_device", "ssh_key", "storageclass", "virtualmachine", "vlanconfig", "volume",
}

// What the README calls missing is missing, and nothing else is.
func TestReadmeTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	ctx, have := context.Background(), []string{}
	for _, factory := range New("test")().Resources(ctx) {
		var name resource.MetadataResponse
		factory().Metadata(ctx, resource.MetadataRequest{ProviderTypeName: "harvester"}, &name)
		have = append(have, name.TypeName)
	}
	want := []string{}
	for _, name := range official {
		if name = "harvester_" + name; !slices.Contains(have, name) {
			want = append(want, name)
		}
	}
	got := []string{}
	_, after, _ := strings.Cut(page(t, "README.md"), "Not there yet,")
	paragraph, _, _ := strings.Cut(after, "Until they come")
	for _, match := range regexp.MustCompile("`(harvester_[a-z_]+)`").FindAllStringSubmatch(paragraph, -1) {
		got = append(got, match[1])
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("the README calls %q missing; missing are %q", got, want)
	}
}

// Each refusal that the README and the guides quote is what the code says.
func TestQuotedRefusals(t *testing.T) {
	t.Parallel()
	quoted := 0
	for _, name := range []string{"README.md", "templates/guides/images-that-take-long.md"} {
		for _, quote := range quotes(page(t, name)) {
			quoted++
			if !slices.ContainsFunc(said(), func(text string) bool { return quote != "" && strings.HasPrefix(text+"\n\n", quote+"\n\n") }) {
				t.Errorf("%s quotes what nothing says:\n%s\n\nwhat is said:\n%s", name, quote, strings.Join(said(), "\n----\n"))
			}
		}
	}
	if quoted != 4 {
		t.Errorf("%d refusals are quoted, want 4: is one of them not recognized?", quoted)
	}
}

// quotes are the errors that a page shows, without the places that Terraform adds, and with one line a paragraph.
// They may leave out the last paragraphs.
func quotes(page string) (found []string) {
	for i, block := range strings.Split(page, "```") {
		if text := strings.TrimSpace(block); i%2 == 1 && strings.HasPrefix(text, "Error: ") {
			found = append(found, unwrap(regexp.MustCompile(`(?m)^ +(with|on|\d+:) .*\n`).ReplaceAllString(text, "")))
		}
	}
	return found
}

// unwrap puts each paragraph into one line.
func unwrap(text string) string {
	paragraphs := regexp.MustCompile(`\n\s*\n`).Split(text, -1)
	for i := range paragraphs {
		paragraphs[i] = strings.Join(strings.Fields(paragraphs[i]), " ")
	}
	return strings.Join(paragraphs, "\n\n")
}

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// quotedImage is the image of the quotes.
func quotedImage(progress int64, conditions ...api.Condition) *api.VirtualMachineImage {
	image := &api.VirtualMachineImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "trixie"},
		Spec:       api.VirtualMachineImageSpec{DisplayName: "trixie.qcow2", SourceType: api.SourceUpload},
	}
	image.Status.Progress = progress
	image.Status.Conditions = slices.Concat(conditions, []api.Condition{{Type: api.ImageInitialized, Status: "True"}})
	return image
}

// said are the refusals that may be quoted.
func said() (texts []string) {
	uploading := imagestate.Of(quotedImage(40, api.Condition{Type: api.ImageImported, Status: "Unknown"}))
	failed := imagestate.Of(quotedImage(40,
		api.Condition{Type: api.ImageImported, Status: "False", Message: "failed due to error: no space left on device"},
		api.Condition{Type: api.ImageRetryLimitExceeded, Status: "True"}))
	timedOut := &wait.TimeoutError{Waited: 30 * time.Minute, Last: uploading.Status()}
	for _, d := range []diag.Diagnostic{
		plancheck.Planned(session.ChecksError, path.Root("image"), imagestate.CreateVM, imagestate.Check(uploading, imagestate.CreateVM)),
		plancheck.Planned(session.ChecksError, path.Root("image"), imagestate.CreateVM, imagestate.Check(failed, imagestate.CreateVM)),
		diagnose.API("wait for", fmt.Sprintf("image %q", uploading.ID()), "Nothing was changed.", timedOut),
	} {
		texts = append(texts, unwrap("Error: "+d.Summary()+"\n\n"+d.Detail()))
	}
	return texts
}

// The doctor asks for the rights of every resource.
func TestDoctorKnowsEveryResource(t *testing.T) {
	t.Parallel()
	asked := map[string]bool{}
	for _, needed := range doctor.Rights {
		asked[needed.For] = true
	}
	without := map[string]string{
		"harvester_encrypted_image": "it is an image", "harvester_decrypted_image": "it is an image", "harvester_bootstrap": "there are no rights yet",
	}
	for _, factory := range New("test")().Resources(t.Context()) {
		var name resource.MetadataResponse
		factory().Metadata(t.Context(), resource.MetadataRequest{ProviderTypeName: "harvester"}, &name)
		if !asked[name.TypeName] && without[name.TypeName] == "" {
			t.Errorf("the doctor asks for no right of %s", name.TypeName)
		}
	}
}
