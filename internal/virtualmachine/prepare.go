// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
)

const nothingDone = "Nothing was created or changed."

// diskPath is where an argument of the i-th disk is.
func diskPath(i int, attribute string) path.Path {
	return path.Root("disk").AtListIndex(i).AtName(attribute)
}

// imageUse is the use of an image by a disk.
type imageUse struct {
	disk int
	plancheck.Use
}

// imageUses lists the uses of images that are new since the state before (nil on
// creation). Images that are not known yet are left out.
func (m machine) imageUses(before *machine) []imageUse {
	namespace := m.Namespace.ValueString()
	var uses []imageUse
	for i, d := range m.disks {
		if !d.UsesNewImage(before.disk(d), namespace) || m.Namespace.IsUnknown() && !strings.Contains(d.Image.ValueString(), "/") {
			continue // where a short name belongs to a namespace that is not known yet, nobody knows the image either
		}
		uses = append(uses, imageUse{i, plancheck.Use{
			Image: arg.Qualified(d.Image, namespace), Operation: imagestate.CreateVM, At: diskPath(i, "image"),
			Size: arg.Bytes(d.Size.ValueString()), SizeText: d.Size.ValueString(), SizeAt: diskPath(i, "size"),
		}})
	}
	return uses
}

// disk is the disk of the same name; nil if there is none, or no machine.
func (m *machine) disk(d disk.Disk) *disk.Disk { return disk.Named(m.known(), d.Name.ValueString()) }

// known are the disks of the machine; none if there is no machine.
func (m *machine) known() []disk.Disk {
	if m == nil {
		return nil
	}
	return m.disks
}

// prepare reads what would refuse the machine, right before a first write, and completes it with what only the
// cluster knows. It writes nothing. A nil seed means that the cloud-init data stay as they are.
func (r *Resource) prepare(ctx context.Context, m machine, before *machine) (machine, *cloudinit.Seed, diag.Diagnostics) {
	c := checking{Resource: r, applying: true}
	return c.run(ctx, m, before)
}

// checkImages passes every new use of an image through the gate, and returns the
// images by the disk's place. All refusals are shown together.
func (c *checking) checkImages(ctx context.Context, m machine, before *machine) (map[int]*api.VirtualMachineImage, diag.Diagnostics) {
	var diags diag.Diagnostics
	images := map[int]*api.VirtualMachineImage{}
	for _, use := range m.imageUses(before) {
		image, more := c.image(ctx, use.Use)
		diags.Append(more...)
		if image == nil {
			continue
		}
		images[use.disk] = image
		diags.Append(c.checkClass(m.disks[use.disk], image, use)...)
	}
	return images, diags
}

// image is the image of a use, if it may be used and exists already.
func (c *checking) image(ctx context.Context, use plancheck.Use) (*api.VirtualMachineImage, diag.Diagnostics) {
	if c.applying {
		return plancheck.Apply(ctx, c.Session, use)
	}
	diags := plancheck.Plan(ctx, c.Session, use)
	namespace, name, err := tfbase.ParseID(use.Image)
	if err != nil || len(diags) > 0 || c.Session.Images.Has(session.ImageID(use.Image)) {
		c.open = true
		return nil, diags
	}
	image, err := kube.For[api.VirtualMachineImage](c.Session.Client, api.Images, api.KindImage).Recent(ctx, namespace, name)
	if err != nil || !imagestate.Of(image).Ready() { // with plan_checks = "off" the gate has said nothing
		c.open = true
		return nil, diags
	}
	return image, diags
}

// checkClass: volumes from an image are always of the image's own storage class.
func (c *checking) checkClass(d disk.Disk, image *api.VirtualMachineImage, use imageUse) diag.Diagnostics {
	class := image.Status.StorageClassName
	switch {
	case class == "":
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(use.At, "Image without a storage class",
			fmt.Sprintf("The image %q is ready but names no storage class for volumes made from it, so Harvester could not make any. %s\n\n"+
				"Look at the image in Harvester; re-creating it helps if it is broken.", use.Image, c.left()))}
	case arg.Set(d.StorageClassName) && d.StorageClassName.ValueString() != class:
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(diskPath(use.disk, "storage_class_name"), "Storage class does not fit the image",
			fmt.Sprintf("A volume made from the image %q is of the storage class %q; the configuration asks for %q. %s\n\n"+
				"Remove storage_class_name here. The storage class of an image is chosen when the image is made.",
				use.Image, class, d.StorageClassName.ValueString(), c.left()))}
	}
	return nil
}

func (c *checking) completeDisks(ctx context.Context, m machine, before *machine, images map[int]*api.VirtualMachineImage) (diags diag.Diagnostics) {
	var class string
	for i := range m.disks {
		d := &m.disks[i]
		if !d.NeedsVolume(before.disk(*d)) {
			continue
		}
		if images[i] == nil && !d.FromImage() {
			var more diag.Diagnostics
			class, more = c.class(ctx, i, d.StorageClassName.ValueString(), class)
			if diags.Append(more...); diags.HasError() {
				return diags
			}
		}
		d.Complete(m.Name.ValueString(), images[i], class)
	}
	return diags
}

// class makes sure of the storage class of a disk: the one wanted must exist;
// without one it is the default, found before or looked up.
func (c *checking) class(ctx context.Context, disk int, wanted, found string) (string, diag.Diagnostics) {
	switch {
	case wanted == "" && found == "":
		return c.defaultClass(ctx, disk)
	case wanted == "":
		return found, nil
	case c.planned(c.Session.Classes.Has(session.ClassName(wanted))):
		return found, nil
	}
	_, err := read(c, c.classes)(ctx, "", wanted)
	if !apierrors.IsNotFound(err) {
		return found, c.unchecked(err) // a right that is missing, or the like, is no proof
	}
	return found, c.missing(diskPath(disk, "storage_class_name"), "Storage class not found",
		fmt.Sprintf("There is no storage class %q, so the volume would never be made.", wanted),
		"Choose another, or refer to the resource that creates it, so that Terraform makes it first.")
}

// defaultClass finds the default storage class; of several the newest counts, as
// in Kubernetes.
func (c *checking) defaultClass(ctx context.Context, disk int) (string, diag.Diagnostics) {
	list := c.classes.RecentAll
	if c.applying {
		list = func(ctx context.Context, _ string) ([]storagev1.StorageClass, error) {
			return c.classes.List(ctx, "", "")
		}
	}
	classes, err := list(ctx, "")
	switch {
	case err != nil && !c.applying:
		return "", c.unchecked(err)
	case err != nil:
		return "", diag.Diagnostics{diagnose.API("read", "storage classes", nothingDone+" With storage_class_name set they need not be read.", err)}
	}
	var found *storagev1.StorageClass
	for i := range classes {
		candidate := &classes[i]
		if candidate.Annotations[annotationDefaultClass] == "true" &&
			(found == nil || found.CreationTimestamp.Before(&candidate.CreationTimestamp)) {
			found = candidate
		}
	}
	if found == nil {
		return "", c.missing(diskPath(disk, "storage_class_name"), "No default storage class",
			"The disk names no storage class, and the cluster has no default one.", "Set storage_class_name, or make a storage class the default.")
	}
	return found.Name, nil
}

// checkVolumes: a volume to attach must exist, and one to be made must not: Harvester silently
// takes what it finds, and its data would go with the machine.
func (c *checking) checkVolumes(ctx context.Context, m machine, before *machine) (diags diag.Diagnostics) {
	for i, d := range m.disks {
		old := before.disk(d)
		switch {
		case d.Attaches(old):
			diags.Append(c.checkExists(ctx, m, i, d.ExistingVolumeName.ValueString())...)
		case d.NeedsVolume(old):
			diags.Append(c.checkFree(ctx, m, i)...)
		}
	}
	return diags
}

func (c *checking) checkExists(ctx context.Context, m machine, i int, name string) diag.Diagnostics {
	namespace := m.Namespace.ValueString()
	if name == "" || c.makes(api.PersistentVolumeClaims, namespace, name) {
		return nil
	}
	_, err := read(c, c.volumes)(ctx, namespace, name)
	if !apierrors.IsNotFound(err) {
		return c.unchecked(err) // a right that is missing, or the like, is no proof
	}
	return c.missing(diskPath(i, "existing_volume_name"), "Volume not found",
		fmt.Sprintf("There is no volume %q in the namespace %q, so the %s could not start.", name, namespace, m.title()),
		"Create it, or refer to the resource that does, so that Terraform makes it first.")
}

func (c *checking) checkFree(ctx context.Context, m machine, i int) diag.Diagnostics {
	namespace, name := m.Namespace.ValueString(), m.disks[i].VolumeName.ValueString()
	if !c.applying && !c.names(m.disks[i]) {
		return nil // made up a moment ago, for the rehearsal
	}
	volume, err := read(c, c.volumes)(ctx, namespace, name)
	if err != nil || c.begun(ctx, m, name) {
		return c.unchecked(err)
	}
	state := ""
	if volume.DeletionTimestamp != nil {
		state = ", which is being deleted"
	}
	return c.inTheWay(diskPath(i, "volume_name"), "Volume exists already",
		fmt.Sprintf("volume_name names the volume that is to be made, and there is a volume %q in the namespace %q already%s. Harvester would use it as it is.", name, namespace, state),
		fmt.Sprintf("To use that volume with its data, set existing_volume_name = %q in place of volume_name: it is then never deleted with the machine. "+
			"For a new volume choose another volume_name, or leave it out.", name))
}

// checkContent passes volumes that exist already through the gate, before the machine runs with what is in them: those
// that it attaches, and all that it has when it is switched on.
func (c *checking) checkContent(ctx context.Context, m machine, before *machine) (diags diag.Diagnostics) {
	if !m.runs() || m.Namespace.IsUnknown() {
		return nil
	}
	starts := before != nil && !before.runs()
	for i, d := range m.disks {
		name, at := d.ExistingVolumeName.ValueString(), diskPath(i, "existing_volume_name")
		old := before.disk(d)
		switch {
		case d.NeedsVolume(old) || !starts && !d.Attaches(old):
			continue
		case d.Owns():
			name, at = d.VolumeName.ValueString(), diskPath(i, "image")
		}
		diags.Append(c.checkImageOf(ctx, m.Namespace.ValueString(), name, at)...)
	}
	return diags
}

func (c *checking) checkImageOf(ctx context.Context, namespace, volume string, at path.Path) diag.Diagnostics {
	if volume == "" || c.makes(api.PersistentVolumeClaims, namespace, volume) {
		return nil
	}
	use, needed := plancheck.VolumesOf(c.Session, c.applying).Use(ctx, namespace, volume, imagestate.StartVM, at)
	if !needed {
		return nil
	}
	_, diags := c.image(ctx, use)
	return diags
}

// begun says that the machine itself asked for the volume already, in an apply that was interrupted.
// Whether a creation may go on with what has the machine's name, and is refused otherwise, is decided where it is created.
func (c *checking) begun(ctx context.Context, m machine, volume string) bool {
	live, err := read(c, c.machines)(ctx, m.Namespace.ValueString(), m.Name.ValueString())
	return err == nil && live.DeletionTimestamp == nil && objects.Unfinished(live) && disk.ParseTemplates(live).Of(volume) != nil
}
