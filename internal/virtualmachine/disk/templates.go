// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package disk

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
)

// Template is an entry of the annotation from which Harvester makes the
// machine's volumes.
type Template struct {
	corev1.PersistentVolumeClaim `json:",inline"`

	// TargetVolume names the volume the data is being moved to, during a storage migration.
	TargetVolume string `json:"targetVolume,omitempty"`
}

// Templates are all of a machine.
type Templates []Template

// ParseTemplates reads the annotation. One that cannot be read, which Harvester
// itself refuses to store, counts as empty.
func ParseTemplates(object metav1.Object) Templates {
	var templates Templates
	if err := json.Unmarshal([]byte(object.GetAnnotations()[api.AnnotationVolumeClaimTemplates]), &templates); err != nil {
		return nil
	}
	return templates
}

// Of returns the template of a volume, nil if there is none.
func (t Templates) Of(volume string) *Template {
	for i := range t {
		if volume != "" && (t[i].Name == volume || t[i].TargetVolume == volume) {
			return &t[i]
		}
	}
	return nil
}

// annotate writes the templates to the machine, unless it has the same already:
// their text may differ in form.
func (t Templates) annotate(object metav1.Object) error {
	if equality.Semantic.DeepEqual(ParseTemplates(object), t) {
		return nil
	}
	if t == nil {
		t = Templates{}
	}
	text, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode the volume templates: %w", err)
	}
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[api.AnnotationVolumeClaimTemplates] = string(text)
	object.SetAnnotations(annotations)
	return nil
}

// keep drops the templates of volumes that are not attached any more.
func (t Templates) keep(attached func(volume string) bool) Templates {
	return slices.DeleteFunc(slices.Clone(t), func(template Template) bool {
		return !attached(template.Name) && !attached(template.TargetVolume)
	})
}

// with adds or updates the template of a disk's own volume.
func (t Templates) with(d Disk, namespace string) Templates {
	template := t.Of(d.VolumeName.ValueString())
	if template == nil {
		return append(t, newTemplate(d, namespace))
	}
	if size, err := resource.ParseQuantity(d.Size.ValueString()); err == nil && size.Cmp(*template.Spec.Resources.Requests.Storage()) > 0 {
		template.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: size}
	}
	template.mark(d)
	return t
}

func newTemplate(d Disk, namespace string) Template {
	mode := corev1.PersistentVolumeMode(d.VolumeMode.ValueString())
	size, _ := resource.ParseQuantity(d.Size.ValueString()) // validated
	template := Template{PersistentVolumeClaim: corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: d.VolumeName.ValueString()},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.PersistentVolumeAccessMode(d.AccessMode.ValueString())},
			VolumeMode:  &mode,
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: size}},
		},
	}}
	if class := d.StorageClassName.ValueString(); class != "" {
		template.Spec.StorageClassName = &class
	}
	if d.source() == sourceImage {
		template.Annotations = map[string]string{api.AnnotationImageID: arg.Qualified(d.Image, namespace)}
	}
	template.mark(d)
	return template
}

// mark notes whether the volume goes with the machine.
func (t *Template) mark(d Disk) {
	if !d.AutoDelete.ValueBool() {
		delete(t.Annotations, AnnotationAutoDelete)
		return
	}
	if t.Annotations == nil {
		t.Annotations = map[string]string{}
	}
	t.Annotations[AnnotationAutoDelete] = "true"
}

// image returns the image the volume was made from, as namespace/name; "" if
// it was not, or nothing is known about it.
func (t *Template) image(namespace string) string {
	reference := t.Annotations[api.AnnotationImageID]
	if reference == "" {
		return ""
	}
	imageNamespace, name, err := tfbase.ParseReference(reference, namespace)
	if err != nil {
		return ""
	}
	return tfbase.ID(imageNamespace, name)
}
