// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagestate

import (
	"fmt"
	"strings"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
	"github.com/harvester-community/terraform-provider-harvester/internal/units"
)

// Operation is something that uses an image.
type Operation string

// The operations that need a complete image.
const (
	CreateVM     Operation = "create the virtual machine"
	StartVM      Operation = "start the virtual machine"
	CreateVolume Operation = "create the volume"
	Encrypt      Operation = "encrypt the image"
	Decrypt      Operation = "decrypt the image"
	Download     Operation = "download the image"
	Export       Operation = "export the volume"
	Use          Operation = "use the image" // for whatever comes next
)

// Operations lists every operation, for documentation and tables.
func Operations() []Operation {
	return []Operation{CreateVM, StartVM, CreateVolume, Encrypt, Decrypt, Download, Export, Use}
}

// demand is what an operation needs of an image besides being ready.
type demand struct {
	encryption encryption
	longhorn   bool // only the backend backingimage can do it
	guarded    bool // Harvester itself refuses an image that is not ready
}

type encryption int

const (
	either encryption = iota
	mustBeEncrypted
	mustNotBeEncrypted
)

// demands is the one table of what each operation needs. Harvester enforces the
// encryption rules itself (webhook and download handler); readiness only where it is guarded. An
// encrypted or decrypted copy of an image of the backend cdi it accepts, and fails to make.
var demands = map[Operation]demand{
	CreateVM:     {},
	StartVM:      {},
	CreateVolume: {},
	Encrypt:      {encryption: mustNotBeEncrypted, longhorn: true, guarded: true},
	Decrypt:      {encryption: mustBeEncrypted, longhorn: true, guarded: true},
	Download:     {encryption: mustNotBeEncrypted, guarded: true},
	Export:       {encryption: mustNotBeEncrypted},
	Use:          {},
}

// Refusal says why something must not be done, such as an operation on an image, or encryption with a
// storage class. The zero value of a *Refusal, nil, means that it may.
type Refusal struct {
	// Summary is general; it names no object.
	Summary string
	// Reason says what is wrong and what state the image is in.
	Reason string
	// Remedy says what to do about it.
	Remedy string
	// Absent says that what is needed does not exist, which may be a matter of time.
	Absent bool
}

// Detail is the whole refusal of an operation: what cannot be done, why, and what
// to do about it.
func (r *Refusal) Detail(op Operation) string {
	return fmt.Sprintf("Cannot %s. %s\n\n%s", op, r.Reason, r.Remedy)
}

// Check decides whether op may run against the image.
func Check(image Image, op Operation) *Refusal {
	demand := demands[op]
	switch {
	case demand.longhorn && image.Backend == api.BackendCDI:
		return otherBackend(image)
	case !image.Ready():
		return notReady(image, demand.guarded)
	case demand.encryption == mustNotBeEncrypted && image.Encrypted:
		return alreadyEncrypted(image, op)
	case demand.encryption == mustBeEncrypted && !image.Encrypted:
		return &Refusal{
			Summary: "Image is not encrypted",
			Reason:  fmt.Sprintf("The image %s is not encrypted, so there is nothing to decrypt.", image.Title()),
			Remedy: "Use the image as it is, or name one that Harvester has encrypted " +
				"(harvester_encrypted_image, or crypto_operation = \"encrypt\").",
		}
	}
	return nil
}

// otherBackend comes before readiness: waiting would not help.
func otherBackend(image Image) *Refusal {
	return &Refusal{
		Summary: "Backend cannot encrypt or decrypt",
		Reason: fmt.Sprintf("The image %s has the backend %s. Harvester encrypts and decrypts only images of the backend %s, which is Longhorn's.",
			image.Title(), image.Backend, api.BackendBackingImage),
		Remedy: fmt.Sprintf("Import the same data into an image with the backend %s, and name that one.", api.BackendBackingImage),
	}
}

func alreadyEncrypted(image Image, op Operation) *Refusal {
	if op == Encrypt {
		return &Refusal{
			Summary: "Image is encrypted",
			Reason:  fmt.Sprintf("The image %s is encrypted already, and Harvester encrypts only once.", image.Title()),
			Remedy:  "Use the image as it is. For another key, decrypt it into a new image first, and encrypt that one.",
		}
	}
	return &Refusal{
		Summary: "Image is encrypted",
		Reason:  fmt.Sprintf("The image %s is encrypted, and Harvester does not %s in that form.", image.Title(), op),
		Remedy:  "Decrypt it into a new image first, and use that one.",
	}
}

// Absent is the refusal for an image that is not in the cluster.
func Absent(id string) *Refusal {
	return &Refusal{
		Summary: "Image not found",
		Reason:  fmt.Sprintf("The image %q does not exist in this cluster.", id),
		Remedy: "Check the namespace and the name (not the display name). If this configuration creates the image, refer to it as " +
			"harvester_image.<name>.id, so that Terraform makes it first.",
		Absent: true,
	}
}

// TooSmall is the refusal for a disk smaller than the image it is made from.
// Both sizes are in bytes.
func TooSmall(image Image, size int64, sizeText string) *Refusal {
	if image.VirtualSize == 0 || size >= image.VirtualSize {
		return nil
	}
	return &Refusal{
		Summary: "Disk smaller than its image",
		Reason: fmt.Sprintf("The disk has a size of %s, but the image %s holds a disk of %d bytes (%s).",
			sizeText, image.Title(), image.VirtualSize, units.Bytes(image.VirtualSize)),
		Remedy: fmt.Sprintf("Set the size to at least %s.", fitting(image.VirtualSize)),
	}
}

// Title names the image for people: its id, with the display name if it differs.
func (i Image) Title() string {
	if i.DisplayName == "" || i.DisplayName == i.Name {
		return fmt.Sprintf("%q", i.ID())
	}
	return fmt.Sprintf("%q (%s)", i.ID(), redact.Line(i.DisplayName))
}

// Status describes the state in a few words: "Uploading, 40 %".
func (i Image) Status() string {
	words := []string{string(i.State)}
	if i.Importing() {
		words = append(words, fmt.Sprintf("%d %%", i.Progress))
	}
	if i.Attempts > 0 && i.State != Active {
		words = append(words, fmt.Sprintf("%d failed of %d allowed attempts", i.Attempts, i.RetryLimit+1))
	}
	return strings.Join(words, ", ")
}

func notReady(image Image, guarded bool) *Refusal {
	switch image.State {
	case Terminating:
		return &Refusal{
			Summary: "Image is being deleted",
			Reason:  fmt.Sprintf("The image %s is being deleted.", image.Title()),
			Remedy:  "Name another image, or create this one again once it is gone.",
		}
	case Failed:
		return &Refusal{
			Summary: "Image import failed",
			Reason:  fmt.Sprintf("The image %s is not usable: its import failed.%s", image.Title(), said(image)),
			Remedy:  failedRemedy(image),
		}
	case Verifying:
		return &Refusal{
			Summary: "Image is not ready",
			Reason: fmt.Sprintf("The image %s is being verified: Harvester has all its data, but what arrived has not been compared yet with what was sent. "+
				"Harvester would accept this now.", image.Title()),
			Remedy: fmt.Sprintf("Wait until the image is Active, then plan again. If the run that uploaded it has ended, apply its configuration again, which verifies it. "+
				"To use the image as it is, take the annotation %s off it.", api.AnnotationUnverified),
		}
	case Initializing, Downloading, Uploading, Exporting, Restoring, Cloning, Active:
	}
	return &Refusal{
		Summary: "Image is not ready",
		Reason:  fmt.Sprintf("The image %s is not complete yet: %s.%s%s", image.Title(), image.Status(), said(image), danger(guarded)),
		Remedy:  waitRemedy(image),
	}
}

// danger says why this matters: Harvester's own rule, or what happens where it has none.
func danger(guarded bool) string {
	if guarded {
		return " Harvester does this with complete images only."
	}
	return " Harvester would accept this now, but what is made from an incomplete image hangs and can make the image unrecoverable."
}

func waitRemedy(image Image) string {
	if image.SourceType == api.SourceUpload && image.AwaitsData {
		idle := "Harvester reports whole percents: either nobody is sending its data, or less than one percent has arrived. If it is being uploaded, " +
			"wait until it is Active. Otherwise finish"
		if image.Backend == api.BackendCDI { // the first byte would show
			idle = "Nobody is sending its data at the moment. Finish"
		}
		return idle + " the upload (with harvester_image, terraform apply does it), then plan again."
	}
	return "Wait until the image is Active, then plan again. If this configuration manages the image, refer to it as " +
		"harvester_image.<name>.id: apply then finishes the image first."
}

func failedRemedy(image Image) string {
	if image.Terminal {
		return "Harvester will not try again. Remove the cause, then delete and re-create the image " +
			"(terraform apply -replace=... where Terraform manages it)."
	}
	return "Harvester may still retry by itself: look again in a minute. Otherwise remove the cause and re-create the image."
}

func said(image Image) string {
	if image.Message == "" {
		return ""
	}
	return fmt.Sprintf(" Harvester says: %s", strings.TrimSuffix(image.Message, ".")) + "."
}

// fitting is the smallest quantity in whole GiB (or MiB below one GiB) that holds n bytes.
func fitting(n int64) string {
	const mib, gib = 1 << 20, 1 << 30
	if n > gib {
		return fmt.Sprintf("%dGi", (n+gib-1)/gib)
	}
	return fmt.Sprintf("%dMi", (n+mib-1)/mib)
}
