// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cdi

import (
	"context"
	"maps"

	harvesterv1 "github.com/harvester/harvester/pkg/apis/harvesterhci.io/v1beta1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	cdiv1 "kubevirt.io/containerized-data-importer-api/pkg/apis/core/v1beta1"
	cc "kubevirt.io/containerized-data-importer/pkg/controller/common"
	"kubevirt.io/containerized-data-importer/pkg/storagecapabilities"
	"kubevirt.io/containerized-data-importer/pkg/util"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// overhead is the share of a file system that CDI leaves to it.
	overhead = 0.06
	// smallest is the smallest disk that CDI makes.
	smallest = 1 << 20
	// notValid is the reason of events about a specification that no claim can be made from.
	notValid = "ErrClaimNotValid"
)

// kind is where the bytes of a data volume come from.
type kind string

// The kinds that Harvester makes.
const (
	uploaded   kind = "upload"
	downloaded kind = "http"
	copied     kind = "pvc"
	blank      kind = "blank"
	unknown    kind = ""
)

func kindOf(data *cdiv1.DataVolume) kind {
	switch source := data.Spec.Source; {
	case source == nil:
		return unknown
	case source.Upload != nil:
		return uploaded
	case source.HTTP != nil:
		return downloaded
	case source.PVC != nil:
		return copied
	case source.Blank != nil:
		return blank
	}
	return unknown
}

// sourceOf is the claim that a data volume is a copy of.
func sourceOf(data *cdiv1.DataVolume) types.NamespacedName {
	return types.NamespacedName{Namespace: data.Spec.Source.PVC.Namespace, Name: data.Spec.Source.PVC.Name}
}

// isImage says whether a data volume is that of one of Harvester's images.
func isImage(data *cdiv1.DataVolume) bool {
	for _, owner := range data.OwnerReferences {
		if owner.APIVersion == harvesterv1.SchemeGroupVersion.String() && owner.Kind == "VirtualMachineImage" {
			return true
		}
	}
	return false
}

// specOf is what a data volume asks of its claim.
func specOf(data *cdiv1.DataVolume) corev1.PersistentVolumeClaimSpec {
	if spec := data.Spec.PVC; spec != nil {
		return *spec.DeepCopy()
	}
	if spec := data.Spec.Storage; spec != nil {
		spec = spec.DeepCopy()
		return corev1.PersistentVolumeClaimSpec{
			AccessModes: spec.AccessModes, Selector: spec.Selector, Resources: spec.Resources, VolumeName: spec.VolumeName,
			StorageClassName: spec.StorageClassName, VolumeMode: spec.VolumeMode,
			DataSource: spec.DataSource, DataSourceRef: spec.DataSourceRef,
		}
	}
	return corev1.PersistentVolumeClaimSpec{}
}

// defaults are what the storage class of a data volume says where that itself says nothing.
type defaults struct {
	class      string
	properties []cdiv1.ClaimPropertySet
}

func (c *CDI) defaultsFor(ctx context.Context, data *cdiv1.DataVolume) (defaults, error) {
	class, err := c.classOf(ctx, specOf(data).StorageClassName)
	if err != nil || class == nil {
		return defaults{}, err
	}
	profile := &cdiv1.StorageProfile{}
	err = c.api.Get(ctx, types.NamespacedName{Name: class.Name}, profile)
	if client.IgnoreNotFound(err) != nil {
		return defaults{}, err
	}
	if len(profile.Spec.ClaimPropertySets) > 0 {
		return defaults{class.Name, profile.Spec.ClaimPropertySets}, nil
	}
	capabilities, _ := storagecapabilities.GetCapabilities(c.api, class)
	return defaults{class.Name, propertiesOf(capabilities)}, nil
}

// classOf gets the storage class of this name, or the default one; nil if there is none.
func (c *CDI) classOf(ctx context.Context, name *string) (*storagev1.StorageClass, error) {
	var classes storagev1.StorageClassList
	if err := c.api.List(ctx, &classes); err != nil {
		return nil, err
	}
	for _, class := range classes.Items {
		isDefault := class.Annotations["storageclass.kubernetes.io/is-default-class"] == "true"
		if name != nil && class.Name == *name || name == nil && isDefault {
			return &class, nil
		}
	}
	return nil, nil
}

func propertiesOf(capabilities []storagecapabilities.StorageCapabilities) (properties []cdiv1.ClaimPropertySet) {
	for _, capability := range capabilities {
		properties = append(properties, cdiv1.ClaimPropertySet{
			AccessModes: []corev1.PersistentVolumeAccessMode{capability.AccessMode}, VolumeMode: &capability.VolumeMode,
		})
	}
	return properties
}

// newClaim is the claim that CDI makes for a data volume.
func newClaim(data *cdiv1.DataVolume, from defaults) (*corev1.PersistentVolumeClaim, error) {
	spec := specOf(data)
	if data.Spec.Storage != nil {
		if err := complete(&spec, from); err != nil {
			return nil, err
		}
	}
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: data.Namespace, Name: data.Name,
			Labels:      map[string]string{"app": "containerized-data-importer", "app.kubernetes.io/managed-by": "cdi-controller"},
			Annotations: annotations(data),
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(data, cdiv1.SchemeGroupVersion.WithKind("DataVolume")),
			},
		},
		Spec: spec,
	}
	maps.Copy(claim.Labels, data.Labels)
	return claim, nil
}

// annotations are those of a new claim. They tell CDI's controllers what to do with it.
func annotations(data *cdiv1.DataVolume) map[string]string {
	all := map[string]string{
		cc.AnnPodRestarts:            "0",
		cc.AnnContentType:            string(cdiv1.DataVolumeKubeVirt),
		cc.AnnPreallocationRequested: "false",
		cc.AnnCreatedForDataVolume:   string(data.UID),
	}
	maps.Copy(all, data.Annotations)
	switch kindOf(data) {
	case uploaded:
		all[cc.AnnUploadRequest] = ""
	case downloaded:
		all[cc.AnnSource], all[cc.AnnEndpoint] = "http", data.Spec.Source.HTTP.URL
	case copied:
		all[cc.AnnCloneRequest] = sourceOf(data).String()
	case blank:
		all[cc.AnnSource] = "none"
	}
	return all
}

// complete adds to the specification of a claim what the data volume has left open.
func complete(spec *corev1.PersistentVolumeClaimSpec, from defaults) error {
	if from.class != "" {
		spec.StorageClassName = &from.class
	}
	for _, set := range from.properties {
		if len(spec.AccessModes) == 0 && (spec.VolumeMode == nil || *spec.VolumeMode == *set.VolumeMode) {
			spec.AccessModes, spec.VolumeMode = set.AccessModes, set.VolumeMode
		}
	}
	if len(spec.AccessModes) == 0 {
		return &blocker{cdiv1.Pending, notValid, "PVC spec is missing accessMode and no storageClass to choose profile"}
	}
	size := spec.Resources.Requests.Storage().Value()
	switch {
	case size == 0:
		return &blocker{cdiv1.Pending, notValid, "PVC Spec is not valid - missing storage size"}
	case size < smallest:
		return &blocker{cdiv1.Pending, notValid, "PVC Spec is not valid - storage size should be at least 1MiB"}
	case !isBlock(spec.VolumeMode):
		spec.Resources.Requests[corev1.ResourceStorage] = *resource.NewQuantity(util.GetRequiredSpace(overhead, size), resource.BinarySI)
	}
	return nil
}

func isBlock(mode *corev1.PersistentVolumeMode) bool {
	return util.ResolveVolumeMode(mode) == corev1.PersistentVolumeBlock
}
