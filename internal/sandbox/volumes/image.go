// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volumes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// An image need not be ready for a volume of it to be made: Longhorn makes the volume at once, and a claim is bound. Its
// replica waits for the image when the volume is attached, and with it the pod that uses the claim
// (csi/controller_server.go and controller/replica_controller.go of longhorn-manager).

// backingImage gets the backing image that a class names. It is nil if the class names none, or there is none.
func (v *Volumes) backingImage(ctx context.Context, class *storagev1.StorageClass) (*lhv1beta2.BackingImage, error) {
	name := class.Parameters[lhv1beta2.BackingImageParameterName]
	if name == "" {
		return nil, nil
	}
	return getImage(ctx, v.api, name)
}

func getImage(ctx context.Context, api client.Reader, name string) (*lhv1beta2.BackingImage, error) {
	image := &lhv1beta2.BackingImage{}
	err := api.Get(ctx, types.NamespacedName{Namespace: longhornNamespace, Name: name}, image)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return image, err
}

// prepareImage decides what becomes of the backing image of a new volume: it is there, it is to be made, or there can be
// no volume (checkAndPrepareBackingImage in csi/controller_server.go).
func prepareImage(volume string, parameters map[string]string, image *lhv1beta2.BackingImage) (create *lhv1beta2.BackingImage, err error) {
	name := parameters[lhv1beta2.BackingImageParameterName]
	if name == "" {
		return nil, nil
	}
	kind, checksum := parameters[lhv1beta2.BackingImageParameterDataSourceType], parameters[lhv1beta2.BackingImageParameterChecksum]
	source := map[string]string{}
	if raw := parameters[lhv1beta2.BackingImageParameterDataSourceParameters]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &source); err != nil {
			return nil, fmt.Errorf("volume %s is unable to create missing backing image with parameters %s: %w", volume, raw, err)
		}
	}
	if image == nil {
		return missingImage(volume, name, lhv1beta2.BackingImageDataSourceType(kind), checksum, source)
	}
	if (kind != "" && kind != string(image.Spec.SourceType)) || (len(source) > 0 && !maps.Equal(source, image.Spec.SourceParameters)) {
		return nil, fmt.Errorf("existing backing image %v data source is different from the parameters in the creation request or StorageClass", name)
	}
	for _, known := range []string{image.Status.Checksum, image.Spec.Checksum} {
		if checksum != "" && known != "" && known != checksum {
			return nil, fmt.Errorf("existing backing image %v expected checksum or current checksum doesn't match the specified checksum %v in the request", name, checksum)
		}
	}
	return nil, nil
}

// missingImage is the backing image that a class asks for in case there is none.
func missingImage(volume, name string, kind lhv1beta2.BackingImageDataSourceType, checksum string, source map[string]string) (*lhv1beta2.BackingImage, error) {
	switch kind {
	case lhv1beta2.BackingImageDataSourceTypeDownload:
		if source[lhv1beta2.DataSourceTypeDownloadParameterURL] == "" {
			return nil, fmt.Errorf("volume %s missing parameters %v for preparing backing image", volume, lhv1beta2.DataSourceTypeDownloadParameterURL)
		}
	case lhv1beta2.BackingImageDataSourceTypeExportFromVolume:
		kind, from := lhv1beta2.DataSourceTypeExportParameterExportType, lhv1beta2.DataSourceTypeExportFromVolumeParameterVolumeName
		if source[kind] == "" || source[from] == "" {
			return nil, fmt.Errorf("volume %s missing parameters %v or %v for preparing backing image", volume, kind, from)
		}
	default:
		return nil, fmt.Errorf("volume %s backing image type %v is not supported via CSI", volume, kind)
	}
	return &lhv1beta2.BackingImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: longhornNamespace, Name: name},
		Spec: lhv1beta2.BackingImageSpec{
			Checksum: checksum, SourceType: kind, SourceParameters: source, DataEngine: lhv1beta2.DataEngineTypeV1,
		},
	}, nil
}

// refuseRecord says what Longhorn has against a new volume of an image (webhook/resources/volume/validator.go). The size
// of an image that is not ready is 0.
func refuseRecord(record *lhv1beta2.Volume, image *lhv1beta2.BackingImage) error {
	const denied = `admission webhook "validator.longhorn.io" denied the request: `
	switch {
	case image == nil:
		return nil
	case image.Spec.DataEngine != "" && image.Spec.DataEngine != record.Spec.DataEngine:
		return fmt.Errorf(denied + "volume should have the same data engine as the backing image")
	case record.Spec.Size < image.Status.VirtualSize:
		return fmt.Errorf(denied + "volume size should be larger than the backing image size")
	}
	return nil
}

// provision checks that a volume can be made for a claim, and makes what it is to be made of. It returns what the
// provisioner says if it cannot.
func (v *Volumes) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) (*blocker, error) {
	image, err := v.backingImage(ctx, class)
	if err != nil {
		return nil, err
	}
	failed := func(code string, err error) *blocker {
		return &blocker{corev1.EventTypeWarning, "ProvisioningFailed", fmt.Sprintf(
			"failed to provision volume with StorageClass %q: rpc error: code = %s desc = %v", class.Name, code, err)}
	}
	create, err := prepareImage(volumeName(claim), class.Parameters, image)
	if err != nil {
		return failed("InvalidArgument", err), nil
	}
	if create != nil {
		return nil, client.IgnoreAlreadyExists(v.api.Create(ctx, create))
	}
	if err := refuseRecord(newRecord(claim, class), image); err != nil {
		// The answer of Longhorn's API as its client tells it (api/volume.go, manager/volume.go and client/common.go).
		return failed("Internal", fmt.Errorf("Bad response statusCode [500]. Status [500 Internal Server Error]. "+
			"Body: [code=Internal Server Error, detail=, message=failed to create volume: unable to create volume %s: %w] "+
			"from [http://longhorn-backend:9500/v1/volumes]", volumeName(claim), err)), nil
	}
	return nil, nil
}

// AwaitsImage says whether the volume of a claim cannot be attached yet, because its replica waits for the file of its
// backing image.
func AwaitsImage(ctx context.Context, api client.Reader, claim *corev1.PersistentVolumeClaim) (bool, error) {
	record := &lhv1beta2.Volume{}
	err := api.Get(ctx, types.NamespacedName{Namespace: longhornNamespace, Name: claim.Spec.VolumeName}, record)
	if claim.Spec.VolumeName == "" || apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	waits, err := awaited(ctx, api, record)
	return waits != nil, err
}

// awaited is the condition of a volume whose replica waits for its backing image, nil if it does not.
func awaited(ctx context.Context, api client.Reader, record *lhv1beta2.Volume) (*lhv1beta2.Condition, error) {
	if record.Spec.BackingImage == "" {
		return nil, nil
	}
	image, err := getImage(ctx, api, record.Spec.BackingImage)
	waits := &lhv1beta2.Condition{
		Type: lhv1beta2.VolumeConditionTypeWaitForBackingImage, Status: lhv1beta2.ConditionStatusTrue,
		Reason: lhv1beta2.VolumeConditionReasonWaitForBackingImageWaiting,
	}
	switch {
	case err != nil:
		return nil, err
	case image == nil:
		waits.Reason = lhv1beta2.VolumeConditionReasonWaitForBackingImageFailed
		waits.Message = fmt.Sprintf("backingimage.longhorn.io %q not found", record.Spec.BackingImage)
	case ready(image):
		return nil, nil
	}
	return waits, nil
}

// ready says whether there is a finished file of a backing image.
func ready(image *lhv1beta2.BackingImage) bool {
	for _, disk := range image.Status.DiskFileStatusMap {
		if disk.State == lhv1beta2.BackingImageStateReady {
			return true
		}
	}
	return false
}
