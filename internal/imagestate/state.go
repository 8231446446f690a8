// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package imagestate turns an image object into one vocabulary of states and
// decides what may be done with an image in each of them. It is pure: no
// network, no Terraform.
package imagestate

import (
	"strings"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// State is one word for where an image is. The words are those of the official
// provider where it has one.
type State string

// The states of an image.
const (
	Initializing State = "Initializing" // the cluster has not prepared to receive the data yet
	Downloading  State = "Downloading"  // the cluster fetches the data from a URL
	Uploading    State = "Uploading"    // a client sends the data, or will
	Exporting    State = "Exporting"    // the data comes from a volume
	Restoring    State = "Restoring"    // the data comes from a backup
	Cloning      State = "Cloning"      // the data is encrypted or decrypted from another image
	Verifying    State = "Verifying"    // Harvester has the data, and whoever sent it has yet to compare it
	Active       State = "Active"       // complete: the only state in which an image can be used
	Failed       State = "Failed"       // the import failed; see Terminal
	Terminating  State = "Terminating"  // being deleted
)

// States lists every state, for documentation and tables.
func States() []State {
	return []State{Initializing, Downloading, Uploading, Exporting, Restoring, Cloning, Verifying, Active, Failed, Terminating}
}

// reasonUploadFailed marks a broken upload.
const reasonUploadFailed = "UploadFailed"

// Image is what matters of an image object.
type Image struct {
	Namespace   string
	Name        string
	UID         string
	DisplayName string
	SourceType  string
	Backend     string

	State State
	// Progress is a percentage, 0 to 100. It is for people: Harvester shows 99
	// while it verifies, as an image in the state Verifying does, and 100 for a moment after some failures.
	Progress int64
	// Size and VirtualSize are in bytes; 0 while unknown.
	Size        int64
	VirtualSize int64
	// StorageClassName is the class for volumes made from the image. It is set
	// before the data is there, so it says nothing about readiness.
	StorageClassName string
	Encrypted        bool
	// Attempts counts the failures so far, RetryLimit the retries Harvester makes.
	Attempts   int64
	RetryLimit int64
	// Message is the most telling thing the server says about the state; empty
	// when all is well.
	Message string
	// Terminal says that a failed image stays failed: no retry will come.
	Terminal bool
	// Broke says that the failure is a broken upload, which is tentative: the data may have arrived all the same, and otherwise
	// Harvester prepares for another upload.
	Broke bool
	// AwaitsData says that the server is ready for the bytes of an upload and has none of
	// them, as far as whole percents tell.
	AwaitsData bool
}

// ID is the Terraform id, namespace/name.
func (i Image) ID() string { return i.Namespace + "/" + i.Name }

// Ready says whether the image can be used.
func (i Image) Ready() bool { return i.State == Active }

// Imported says that Harvester has all of the image, be it verified or not.
func (i Image) Imported() bool { return i.State == Active || i.State == Verifying }

// Importing says whether data is on its way, or being verified by Harvester.
func (i Image) Importing() bool {
	switch i.State {
	case Downloading, Uploading, Exporting, Restoring, Cloning:
		return true
	case Initializing, Verifying, Active, Failed, Terminating:
	}
	return false
}

// defaultRetry is Harvester's own default for spec.retry.
const defaultRetry = 3

// verifying is the progress that Harvester shows while it verifies.
const verifying = 99

// Of reads the state out of an image object. Imported=True alone makes it
// Active (as Harvester itself decides) unless its content is marked as unverified, RetryLimitExceeded=True makes a failure
// final, and a message left in a condition by an earlier try is no failure.
func Of(obj *api.VirtualMachineImage) Image {
	image := Image{
		Namespace:        obj.Namespace,
		Name:             obj.Name,
		UID:              string(obj.UID),
		DisplayName:      obj.Spec.DisplayName,
		SourceType:       obj.Spec.SourceType,
		Backend:          obj.Spec.Backend,
		Progress:         obj.Status.Progress,
		Size:             obj.Status.Size,
		VirtualSize:      obj.Status.VirtualSize,
		StorageClassName: obj.Status.StorageClassName,
		Encrypted:        encrypted(obj),
		Attempts:         obj.Status.Failed,
		RetryLimit:       defaultRetry,
	}
	if obj.Spec.Retry != nil {
		image.RetryLimit = *obj.Spec.Retry
	}
	image.State, image.Terminal = stateOf(obj)
	imported := obj.Condition(api.ImageImported)
	image.Broke = image.State == Failed && imported.Status == "False" && imported.Reason == reasonUploadFailed
	if image.State == Verifying {
		image.Progress = min(image.Progress, verifying)
	}
	image.Message = messageOf(obj, image.State)
	image.AwaitsData = awaitsData(obj, image.State)
	return image
}

func stateOf(obj *api.VirtualMachineImage) (state State, terminal bool) {
	initialized, imported := obj.Condition(api.ImageInitialized), obj.Condition(api.ImageImported)
	switch {
	case obj.DeletionTimestamp != nil:
		return Terminating, true
	case imported.Status == "True" && obj.Unverified():
		return Verifying, false
	case imported.Status == "True":
		return Active, false
	case obj.Condition(api.ImageRetryLimitExceeded).Status == "True":
		return Failed, true
	case imported.Status == "False", initialized.Status == "False" && initialized.Message != "":
		return Failed, false
	case initialized.Status != "True":
		return Initializing, false
	}
	return importing(obj.Spec.SourceType), false
}

func importing(sourceType string) State {
	switch sourceType {
	case api.SourceDownload:
		return Downloading
	case api.SourceExport:
		return Exporting
	case api.SourceRestore:
		return Restoring
	case api.SourceClone:
		return Cloning
	}
	return Uploading
}

// messageOf prefers the message that explains the state over leftovers. While
// an import is being retried, the retry counter's message is the telling one.
func messageOf(obj *api.VirtualMachineImage, state State) string {
	limit := obj.Condition(api.ImageRetryLimitExceeded).Message
	switch state {
	case Verifying, Active, Terminating:
		return ""
	case Failed:
		return first(limit, falseMessage(obj, api.ImageImported), falseMessage(obj, api.ImageInitialized))
	case Initializing, Downloading, Uploading, Exporting, Restoring, Cloning:
	}
	return limit
}

func falseMessage(obj *api.VirtualMachineImage, conditionType string) string {
	if c := obj.Condition(conditionType); c.Status == "False" {
		return first(c.Message, c.Reason)
	}
	return ""
}

func first(candidates ...string) string {
	for _, c := range candidates {
		if c = strings.TrimSpace(c); c != "" {
			return c
		}
	}
	return ""
}

// awaitsData: an upload that is initialized, not imported and at 0 % is either
// fresh or started over by Harvester after a failure; both want all the bytes. CDI reports no progress
// of uploads, but with it Harvester notes the size as soon as it has seen the first bytes.
func awaitsData(obj *api.VirtualMachineImage, state State) bool {
	begun := obj.Spec.Backend == api.BackendCDI && obj.Status.Size > 0
	return state == Uploading && obj.Status.Progress == 0 && !begun
}

func encrypted(obj *api.VirtualMachineImage) bool {
	p := obj.Spec.SecurityParameters
	return obj.Spec.SourceType == api.SourceClone && p != nil && p.CryptoOperation == api.CryptoEncrypt
}
