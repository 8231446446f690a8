// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// imageAnnotation is where Harvester says which of its images a backing image is for, as namespace/name.
const imageAnnotation = "harvesterhci.io/imageId"

// podMissing is the message of an import whose pod went away.
const podMissing = "cannot find the pod dedicated to prepare the first backing image file"

// reconcile brings a backing image one step further.
func (l *Longhorn) reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	image, err := l.image(ctx, request.Name)
	if apierrors.IsNotFound(err) {
		l.stopPod(request.Name)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	if image.DeletionTimestamp != nil {
		return reconcile.Result{}, settled(l.remove(ctx, image))
	}
	if image.Status.UUID == "" {
		image.Status.UUID = newUUID()
		if err := l.api.Status().Update(ctx, image); err != nil {
			return reconcile.Result{}, err
		}
	}
	source, err := l.ensureSource(ctx, image)
	if err != nil {
		return reconcile.Result{}, err
	}
	return l.advance(ctx, image, source)
}

// settled forgets the error of an object that has gone already.
func settled(err error) error { return client.IgnoreNotFound(err) }

// advance moves a data source to its next state and lets the backing image show it.
func (l *Longhorn) advance(ctx context.Context, image *lhv1beta2.BackingImage, source *lhv1beta2.BackingImageDataSource) (again reconcile.Result, err error) {
	next := l.decide(image, source)
	if next.start {
		l.startPod(ctx, jobOf(image, source))
	}
	if next.Checksum != "" && l.hides(image) {
		next.Checksum, again.RequeueAfter = "", time.Second
	}
	if err := l.recordSource(ctx, source, next.fileInfo); err != nil {
		return again, err
	}
	if err := l.recordImage(ctx, image, next.fileInfo); err != nil {
		return again, err
	}
	switch next.State {
	case lhv1beta2.BackingImageStateReady:
		l.stopPod(image.Name)
		l.backoff.DeleteEntry(image.Name)
		return again, l.markTransferred(ctx, source)
	case lhv1beta2.BackingImageStateFailed:
		// Not before all is recorded: the pod is the only one that knows why it failed.
		l.stopPod(image.Name)
		if retriable(source.Spec.SourceType) {
			again.RequeueAfter = l.backoff.Get(image.Name) + time.Second
		}
	}
	return again, nil
}

func (l *Longhorn) decide(image *lhv1beta2.BackingImage, source *lhv1beta2.BackingImageDataSource) step {
	recorded := fileInfo{State: source.Status.CurrentState, Progress: source.Status.Progress, Message: source.Status.Message}
	recorded.Size, recorded.Checksum = source.Status.Size, source.Status.Checksum
	var seen *fileInfo
	if p := l.podOf(image.Name); p != nil && p.uuid == image.Status.UUID {
		observed := p.observed()
		seen = &observed
	}
	var stored *fileMeta
	if meta, finished := l.store.meta(image.Name, image.Status.UUID); finished {
		stored = &meta
	}
	mayRetry := retriable(source.Spec.SourceType) && !l.backoff.IsInBackOffSinceUpdate(image.Name, time.Now())
	return nextStep(recorded, seen, stored, mayRetry)
}

// step is what to record of a data source, and whether to start a pod for it.
type step struct {
	fileInfo
	start bool
}

// nextStep decides what becomes of a data source: recorded is what is known of it, seen what its pod says (nil: it has
// none), stored the finished file (nil: there is none).
func nextStep(recorded fileInfo, seen *fileInfo, stored *fileMeta, mayRetry bool) step {
	switch {
	case seen != nil:
		return step{fileInfo: *seen}
	case stored != nil:
		return step{fileInfo: fileInfo{fileMeta: *stored, State: lhv1beta2.BackingImageStateReady, Progress: 100}}
	case recorded.State == "" || recorded.State == lhv1beta2.BackingImageStatePending:
		return step{fileInfo: recorded, start: true}
	case recorded.State == lhv1beta2.BackingImageStateFailed && mayRetry:
		return step{start: true}
	case recorded.State == lhv1beta2.BackingImageStateFailed:
		return step{fileInfo: recorded}
	default:
		recorded.State, recorded.Message = lhv1beta2.BackingImageStateFailed, podMissing
		return step{fileInfo: recorded}
	}
}

// retriable says whether Longhorn retries a failed import of a type by itself.
func retriable(source lhv1beta2.BackingImageDataSourceType) bool {
	return source == lhv1beta2.BackingImageDataSourceTypeDownload || source == lhv1beta2.BackingImageDataSourceTypeExportFromVolume
}

func (l *Longhorn) ensureSource(ctx context.Context, image *lhv1beta2.BackingImage) (*lhv1beta2.BackingImageDataSource, error) {
	source, err := l.source(ctx, image.Name)
	if apierrors.IsNotFound(err) {
		node, err := l.readyNode(ctx)
		if err != nil {
			return nil, err
		}
		source := sourceFor(image, node)
		return source, l.api.Create(ctx, source)
	}
	if err == nil && !metav1.IsControlledBy(source, image) {
		// It belongs to an image of the same name that has gone.
		return nil, fmt.Errorf("data source %s of an earlier image is still there", source.Name)
	}
	return source, err
}

func sourceFor(image *lhv1beta2.BackingImage, node string) *lhv1beta2.BackingImageDataSource {
	owner := metav1.NewControllerRef(image, lhv1beta2.SchemeGroupVersion.WithKind("BackingImage"))
	source := &lhv1beta2.BackingImageDataSource{
		ObjectMeta: metav1.ObjectMeta{Name: image.Name, Namespace: Namespace, OwnerReferences: []metav1.OwnerReference{*owner}},
		Spec: lhv1beta2.BackingImageDataSourceSpec{
			NodeID: node, UUID: image.Status.UUID, DiskUUID: diskUUID, DiskPath: diskPath,
			Checksum: image.Spec.Checksum, SourceType: image.Spec.SourceType, Parameters: map[string]string{},
		},
	}
	maps.Copy(source.Spec.Parameters, image.Spec.SourceParameters)
	if image.Spec.SourceType == lhv1beta2.BackingImageDataSourceTypeExportFromVolume {
		source.Labels = map[string]string{"longhorn.io/export-from-volume": image.Spec.SourceParameters[lhv1beta2.DataSourceTypeExportFromVolumeParameterVolumeName]}
	}
	return source
}

func (l *Longhorn) readyNode(ctx context.Context) (string, error) {
	var nodes corev1.NodeList
	if err := l.api.List(ctx, &nodes); err != nil {
		return "", err
	}
	names := make([]string, 0, len(nodes.Items))
	for _, node := range nodes.Items {
		names = append(names, node.Name)
	}
	if len(names) == 0 {
		return "", nil
	}
	return slices.Min(names), nil
}

func jobOf(image *lhv1beta2.BackingImage, source *lhv1beta2.BackingImageDataSource) job {
	namespace, name, _ := strings.Cut(image.Annotations[imageAnnotation], "/")
	return job{
		name: image.Name, uuid: image.Status.UUID,
		image:  types.NamespacedName{Namespace: namespace, Name: name},
		source: source.Spec.SourceType, parameters: source.Spec.Parameters, checksum: source.Spec.Checksum,
	}
}

func (l *Longhorn) recordSource(ctx context.Context, source *lhv1beta2.BackingImageDataSource, file fileInfo) error {
	before := source.Status.DeepCopy()
	status := &source.Status
	status.CurrentState, status.Message = file.State, file.Message
	status.Progress, status.Size, status.Checksum = file.Progress, file.Size, file.Checksum
	status.RunningParameters = source.Spec.Parameters
	if equality.Semantic.DeepEqual(before, status) {
		return nil
	}
	return l.api.Status().Update(ctx, source)
}

// markTransferred notes that a finished file is no longer the data source's business.
func (l *Longhorn) markTransferred(ctx context.Context, source *lhv1beta2.BackingImageDataSource) error {
	if source.Spec.FileTransferred {
		return nil
	}
	source.Spec.FileTransferred = true
	return l.api.Update(ctx, source)
}

func (l *Longhorn) recordImage(ctx context.Context, image *lhv1beta2.BackingImage, file fileInfo) error {
	if err := l.recordSpec(ctx, image); err != nil {
		return err
	}
	status := imageStatus(image.Status, file, time.Now())
	if equality.Semantic.DeepEqual(image.Status, status) {
		return nil
	}
	image.Status = status
	return l.api.Status().Update(ctx, image)
}

// recordSpec notes where the file is and, if it is encrypted, with which secret.
func (l *Longhorn) recordSpec(ctx context.Context, image *lhv1beta2.BackingImage) error {
	before := image.Spec.DeepCopy()
	if image.Spec.DiskFileSpecMap[diskUUID] == nil {
		image.Spec.DiskFileSpecMap = map[string]*lhv1beta2.BackingImageDiskFileSpec{diskUUID: {DataEngine: lhv1beta2.DataEngineTypeV1}}
	}
	parameters := image.Spec.SourceParameters
	if image.Spec.SourceType == lhv1beta2.BackingImageDataSourceTypeClone && parameters[lhv1beta2.DataSourceTypeCloneParameterEncryption] == encrypt {
		image.Spec.Secret = parameters[lhv1beta2.DataSourceTypeCloneParameterSecret]
		image.Spec.SecretNamespace = parameters[lhv1beta2.DataSourceTypeCloneParameterSecretNamespace]
	}
	if equality.Semantic.DeepEqual(before, &image.Spec) {
		return nil
	}
	return l.api.Update(ctx, image)
}

// imageStatus is what a backing image shows of its file.
func imageStatus(before lhv1beta2.BackingImageStatus, file fileInfo, now time.Time) lhv1beta2.BackingImageStatus {
	status := *before.DeepCopy()
	disk := lhv1beta2.BackingImageDiskFileStatus{
		DataEngine: lhv1beta2.DataEngineTypeV1, State: file.State, Progress: file.Progress, Message: file.Message,
		LastStateTransitionTime: now.UTC().Format(time.RFC3339),
	}
	if old := before.DiskFileStatusMap[diskUUID]; old != nil && old.State == file.State {
		disk.LastStateTransitionTime = old.LastStateTransitionTime
	}
	status.DiskFileStatusMap = map[string]*lhv1beta2.BackingImageDiskFileStatus{diskUUID: &disk}
	if status.DiskLastRefAtMap == nil {
		status.DiskLastRefAtMap = map[string]string{}
	}
	if file.Size > 0 {
		status.Size = file.Size
	}
	if file.State == lhv1beta2.BackingImageStateReady {
		status.VirtualSize, status.RealSize, status.Checksum = file.VirtualSize, file.RealSize, file.Checksum
	}
	return status
}

// remove lets a deleted backing image go once nothing uses it.
func (l *Longhorn) remove(ctx context.Context, image *lhv1beta2.BackingImage) error {
	l.stopPod(image.Name)
	used, err := l.inUse(ctx, image.Name)
	if err != nil || used {
		return err
	}
	source := &lhv1beta2.BackingImageDataSource{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: image.Name}}
	if err := settled(l.api.Delete(ctx, source)); err != nil {
		return err
	}
	if err := l.store.remove(image.Name, image.Status.UUID); err != nil {
		return err
	}
	l.backoff.DeleteEntry(image.Name)
	kept := slices.DeleteFunc(image.Finalizers, func(f string) bool { return f == finalizer })
	if len(kept) == len(image.Finalizers) {
		return nil
	}
	image.Finalizers = kept
	if err := l.api.Update(ctx, image); err != nil {
		return err
	}
	l.log.Info("backing image is removed", "backingImage", image.Name, "image", image.Annotations[imageAnnotation])
	return nil
}

// inUse reports whether a volume has its data on a backing image.
func (l *Longhorn) inUse(ctx context.Context, name string) (bool, error) {
	var volumes lhv1beta2.VolumeList
	if err := l.api.List(ctx, &volumes, client.InNamespace(Namespace)); err != nil {
		return false, err
	}
	return slices.ContainsFunc(volumes.Items, func(v lhv1beta2.Volume) bool { return v.Spec.BackingImage == name }), nil
}

func newUUID() string {
	raw := make([]byte, 4)
	// Read never fails.
	_, _ = rand.Read(raw)
	return hex.EncodeToString(raw)
}
