// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volumes

import (
	"context"
	"strings"
	"testing"
	"time"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

var claimKey = types.NamespacedName{Namespace: "default", Name: "disk"}

// rig is Volumes on a fake API with one claim.
type rig struct {
	*Volumes
	t      *testing.T
	events *record.FakeRecorder
}

func newRig(t *testing.T, class *storagev1.StorageClass, others ...client.Object) *rig {
	t.Helper()
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: claimKey.Name, Namespace: claimKey.Namespace, UID: "1234"},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class.Name,
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending},
	}
	building := fake.NewClientBuilder().WithScheme(scheme).
		WithStatusSubresource(claim, newSnapshot(), &corev1.PersistentVolume{}, &lhv1beta2.Volume{}, &lhv1beta2.BackingImage{}).
		WithObjects(append(others, class, claim)...)
	for _, i := range indexes {
		building.WithIndex(i.object, i.name, i.values)
	}
	api := building.Build()
	events := record.NewFakeRecorder(1000)
	return &rig{&Volumes{api: api, seen: api, events: events, log: manager.Log(nil), pace: pace.Fast}, t, events}
}

func class(change ...func(*storagev1.StorageClass)) *storagev1.StorageClass {
	c := &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: "class"}, Provisioner: driver, AllowVolumeExpansion: new(true),
		VolumeBindingMode: new(storagev1.VolumeBindingImmediate), Parameters: map[string]string{"numberOfReplicas": "2", "migratable": "true"},
	}
	for _, apply := range change {
		apply(c)
	}
	return c
}

func withImage(c *storagev1.StorageClass) {
	c.Parameters[lhv1beta2.BackingImageParameterName] = "image"
}

func onFirstUse(c *storagev1.StorageClass) {
	c.VolumeBindingMode = new(storagev1.VolumeBindingWaitForFirstConsumer)
}

func image(state lhv1beta2.BackingImageState) *lhv1beta2.BackingImage {
	return &lhv1beta2.BackingImage{
		ObjectMeta: metav1.ObjectMeta{Name: "image", Namespace: longhornNamespace},
		Status:     lhv1beta2.BackingImageStatus{DiskFileStatusMap: map[string]*lhv1beta2.BackingImageDiskFileStatus{"disk": {State: state}}},
	}
}

func instance() *kubevirtv1.VirtualMachineInstance {
	return &kubevirtv1.VirtualMachineInstance{
		ObjectMeta: metav1.ObjectMeta{Name: "vm", Namespace: claimKey.Namespace},
		Spec: kubevirtv1.VirtualMachineInstanceSpec{Volumes: []kubevirtv1.Volume{{Name: "disk", VolumeSource: kubevirtv1.VolumeSource{
			PersistentVolumeClaim: &kubevirtv1.PersistentVolumeClaimVolumeSource{PersistentVolumeClaimVolumeSource: corev1.PersistentVolumeClaimVolumeSource{ClaimName: claimKey.Name}},
		}}}},
		Status: kubevirtv1.VirtualMachineInstanceStatus{NodeName: "node-0", Phase: kubevirtv1.Running},
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// settle reconciles for longer than anything takes.
func (r *rig) settle() *corev1.PersistentVolumeClaim {
	r.t.Helper()
	ctx := context.Background()
	for end := time.Now().Add(3 * r.pace.Provision()); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		_, err := r.reconcileClaim(ctx, reconcile.Request{NamespacedName: claimKey})
		r.must(err)
		_, err = r.reconcileVolume(ctx, reconcile.Request{NamespacedName: types.NamespacedName{Name: "pvc-1234"}})
		r.must(err)
	}
	claim := &corev1.PersistentVolumeClaim{}
	r.must(client.IgnoreNotFound(r.api.Get(ctx, claimKey, claim)))
	return claim
}

func (r *rig) mustHaveEvent(want string) {
	r.t.Helper()
	for len(r.events.Events) > 0 {
		if strings.Contains(<-r.events.Events, want) {
			return
		}
	}
	r.t.Errorf("no event with %q", want)
}

func (r *rig) volume() (*corev1.PersistentVolume, *lhv1beta2.Volume) {
	r.t.Helper()
	volume := &corev1.PersistentVolume{}
	r.must(r.api.Get(context.Background(), types.NamespacedName{Name: "pvc-1234"}, volume))
	record, err := r.longhornVolume(context.Background(), "pvc-1234")
	r.must(err)
	return volume, record
}

func TestBindBlankVolume(t *testing.T) {
	r := newRig(t, class())
	claim := r.settle()
	if claim.Status.Phase != corev1.ClaimBound || claim.Spec.VolumeName != "pvc-1234" || claim.Annotations[provisioner] != driver || claim.Annotations[bindCompleted] != "yes" {
		t.Errorf("claim %+v", claim)
	}
	volume, record := r.volume()
	if volume.Status.Phase != corev1.VolumeBound || volume.Spec.ClaimRef.UID != claim.UID || volume.Spec.CSI.VolumeHandle != record.Name {
		t.Errorf("volume %+v", volume)
	}
	if record.Spec.Size != 1<<30 || record.Spec.NumberOfReplicas != 2 || !record.Spec.Migratable || record.Spec.AccessMode != lhv1beta2.AccessModeReadWriteMany {
		t.Errorf("record %+v", record.Spec)
	}
	if record.Status.State != lhv1beta2.VolumeStateDetached || record.Status.KubernetesStatus.PVCName != claimKey.Name {
		t.Errorf("record %+v", record.Status)
	}
}

// withSize says how large an image is.
func withSize(image *lhv1beta2.BackingImage, size int64) *lhv1beta2.BackingImage {
	image.Status.VirtualSize = size
	return image
}

func TestReplicaWaitsForTheImage(t *testing.T) {
	t.Parallel()
	user := instance()
	user.Status = kubevirtv1.VirtualMachineInstanceStatus{Phase: kubevirtv1.Scheduling}
	r := newRig(t, class(withImage), image(lhv1beta2.BackingImageStateInProgress), user)
	claim := r.settle()
	if claim.Status.Phase != corev1.ClaimBound {
		t.Errorf("claim %+v", claim.Status)
	}
	if waits, err := AwaitsImage(context.Background(), r.api, claim); !waits || err != nil {
		t.Errorf("waits %v, %v", waits, err)
	}
	_, record := r.volume()
	condition := record.Status.Conditions[len(record.Status.Conditions)-1]
	if record.Spec.BackingImage != "image" || record.Status.State != lhv1beta2.VolumeStateAttaching || record.Status.CurrentNodeID != "" ||
		condition.Type != "WaitForBackingImage" || condition.Status != "True" || condition.Reason != "Waiting" {
		t.Errorf("waiting: %+v", record.Status)
	}
	done := image(lhv1beta2.BackingImageStateReady)
	r.must(r.api.Get(context.Background(), client.ObjectKeyFromObject(done), done))
	done.Status.DiskFileStatusMap["disk"].State = lhv1beta2.BackingImageStateReady
	r.must(r.api.Status().Update(context.Background(), done))
	user.Status.NodeName = "node-0"
	r.must(r.api.Update(context.Background(), user))
	if waits, err := AwaitsImage(context.Background(), r.api, r.settle()); waits || err != nil {
		t.Errorf("waits %v, %v", waits, err)
	}
	_, record = r.volume()
	condition = record.Status.Conditions[len(record.Status.Conditions)-1]
	if record.Status.State != lhv1beta2.VolumeStateAttached || condition.Type != "WaitForBackingImage" || condition.Status != "False" {
		t.Errorf("ready: %+v", record.Status)
	}
}

func TestProvisioningFails(t *testing.T) {
	t.Parallel()
	other := image(lhv1beta2.BackingImageStateReady)
	other.Spec.DataEngine = lhv1beta2.DataEngineTypeV2
	parameter := func(key, value string) func(*storagev1.StorageClass) {
		return func(c *storagev1.StorageClass) { c.Parameters[key] = value }
	}
	for name, test := range map[string]struct {
		image *lhv1beta2.BackingImage
		class *storagev1.StorageClass
		says  string
	}{
		"no image":      {nil, class(withImage), `StorageClass "class": rpc error: code = InvalidArgument desc = volume pvc-1234 backing image type  is not supported via CSI`},
		"no upload":     {nil, class(withImage, parameter("backingImageDataSourceType", "upload")), "volume pvc-1234 backing image type upload is not supported via CSI"},
		"no address":    {nil, class(withImage, parameter("backingImageDataSourceType", "download")), "volume pvc-1234 missing parameters url for preparing backing image"},
		"other source":  {image("ready"), class(withImage, parameter("backingImageDataSourceType", "clone")), "existing backing image image data source is different"},
		"other engine":  {other, class(withImage), "volume should have the same data engine as the backing image"},
		"image of 2 Gi": {withSize(image("ready"), 2<<30), class(withImage), `code = Internal desc = Bad response statusCode [500]. Status [500 Internal Server Error]. Body: [code=Internal Server Error, detail=, message=failed to create volume: unable to create volume pvc-1234: admission webhook "validator.longhorn.io" denied the request: volume size should be larger than the backing image size] from [http://longhorn-backend:9500/v1/volumes]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var others []client.Object
			if test.image != nil {
				others = append(others, test.image)
			}
			r := newRig(t, test.class, others...)
			if claim := r.settle(); claim.Status.Phase != corev1.ClaimPending {
				t.Errorf("claim %+v", claim.Status)
			}
			r.mustHaveEvent(test.says)
			if _, err := r.longhornVolume(context.Background(), "pvc-1234"); !apierrors.IsNotFound(err) {
				t.Errorf("record: %v", err)
			}
		})
	}
}

func TestVolumeAsLargeAsItsImage(t *testing.T) {
	t.Parallel()
	r := newRig(t, class(withImage), withSize(image(lhv1beta2.BackingImageStateReady), 1<<30))
	if claim := r.settle(); claim.Status.Phase != corev1.ClaimBound {
		t.Errorf("claim %+v", claim.Status)
	}
}

func TestMissingImageIsDownloaded(t *testing.T) {
	t.Parallel()
	r := newRig(t, class(withImage, func(c *storagev1.StorageClass) {
		c.Parameters["backingImageDataSourceType"] = "download"
		c.Parameters["backingImageDataSourceParameters"] = `{"url":"http://images.example.com/a.img"}`
	}))
	if claim := r.settle(); claim.Status.Phase != corev1.ClaimBound {
		t.Errorf("claim %+v", claim.Status)
	}
	made, err := getImage(context.Background(), r.api, "image")
	r.must(err)
	if made == nil || made.Spec.SourceType != lhv1beta2.BackingImageDataSourceTypeDownload || made.Spec.SourceParameters["url"] != "http://images.example.com/a.img" {
		t.Errorf("image %+v", made)
	}
}

func TestBindWaitsForItsConsumer(t *testing.T) {
	r := newRig(t, class(onFirstUse))
	if claim := r.settle(); claim.Status.Phase != corev1.ClaimPending {
		t.Errorf("claim %+v", claim.Status)
	}
	r.mustHaveEvent("waiting for first consumer to be created before binding")
	r.must(r.api.Create(context.Background(), instance()))
	if claim := r.settle(); claim.Status.Phase != corev1.ClaimBound {
		t.Errorf("claim %+v", claim.Status)
	}
}

func TestAttachedWhileUsed(t *testing.T) {
	user := instance()
	r := newRig(t, class(), user)
	r.settle()
	if _, record := r.volume(); record.Status.State != lhv1beta2.VolumeStateAttached || record.Status.CurrentNodeID != "node-0" {
		t.Errorf("used: %+v", record.Status)
	}
	r.must(r.api.Delete(context.Background(), user))
	r.settle()
	if _, record := r.volume(); record.Status.State != lhv1beta2.VolumeStateDetached {
		t.Errorf("unused: %+v", record.Status)
	}
}

func TestResize(t *testing.T) {
	for name, allowed := range map[string]bool{"allowed": true, "not allowed": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, class(func(c *storagev1.StorageClass) { c.AllowVolumeExpansion = &allowed }))
			claim := r.settle()
			claim.Spec.Resources.Requests[corev1.ResourceStorage] = resource.MustParse("3Gi")
			r.must(r.api.Update(context.Background(), claim))
			claim = r.settle()
			grown := claim.Status.Capacity.Storage().Cmp(resource.MustParse("3Gi")) == 0
			if grown != allowed || len(claim.Status.Conditions) != 0 {
				t.Errorf("claim %+v", claim.Status)
			}
			if _, record := r.volume(); (record.Spec.Size == 3<<30) != allowed {
				t.Errorf("record %+v", record.Spec)
			}
		})
	}
}

func TestReclaim(t *testing.T) {
	for policy, gone := range map[corev1.PersistentVolumeReclaimPolicy]bool{corev1.PersistentVolumeReclaimDelete: true, corev1.PersistentVolumeReclaimRetain: false} {
		t.Run(string(policy), func(t *testing.T) {
			r := newRig(t, class(func(c *storagev1.StorageClass) { c.ReclaimPolicy = &policy }))
			r.must(r.api.Delete(context.Background(), r.settle()))
			r.settle()
			volume := &corev1.PersistentVolume{}
			err := r.api.Get(context.Background(), types.NamespacedName{Name: "pvc-1234"}, volume)
			if apierrors.IsNotFound(err) != gone {
				t.Errorf("volume: %v, %+v", err, volume.Status)
			}
			if !gone && volume.Status.Phase != corev1.VolumeReleased {
				t.Errorf("volume %+v", volume.Status)
			}
			if _, err := r.longhornVolume(context.Background(), "pvc-1234"); apierrors.IsNotFound(err) != gone {
				t.Errorf("record: %v", err)
			}
		})
	}
}

func TestForeignClaimsAreLeftAlone(t *testing.T) {
	r := newRig(t, class(func(c *storagev1.StorageClass) { c.Provisioner = "other" }))
	if claim := r.settle(); claim.Status.Phase != corev1.ClaimPending || len(claim.Annotations) != 0 {
		t.Errorf("claim %+v", claim)
	}
}

func TestSizesAreRoundedUp(t *testing.T) {
	for size, want := range map[int64]int64{1: 2 << 20, 2 << 20: 2 << 20, 2<<20 + 1: 4 << 20} {
		if got := roundUp(size); got != want {
			t.Errorf("%d: %d, want %d", size, got, want)
		}
	}
}

func TestSnapshotBecomesUsable(t *testing.T) {
	r := newRig(t, class())
	r.settle()
	snapshot := newSnapshot()
	snapshot.SetNamespace(claimKey.Namespace)
	snapshot.SetName("first")
	snapshot.Object["spec"] = map[string]any{"source": map[string]any{"persistentVolumeClaimName": claimKey.Name}}
	r.must(r.api.Create(context.Background(), snapshot))
	_, err := r.reconcileSnapshot(context.Background(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(snapshot)})
	r.must(err)
	r.must(r.api.Get(context.Background(), client.ObjectKeyFromObject(snapshot), snapshot))
	if ready, _, _ := unstructured.NestedBool(snapshot.Object, "status", "readyToUse"); !ready {
		t.Errorf("snapshot %+v", snapshot.Object["status"])
	}
	engine := &lhv1beta2.Engine{}
	r.must(r.api.Get(context.Background(), types.NamespacedName{Namespace: longhornNamespace, Name: "pvc-1234-e-0"}, engine))
	if engine.Labels["longhornvolume"] != "pvc-1234" || engine.Spec.DataEngine != lhv1beta2.DataEngineTypeV1 {
		t.Errorf("engine %+v", engine)
	}
}
