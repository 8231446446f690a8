// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cdi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	harvesterv1 "github.com/harvester/harvester/pkg/apis/harvesterhci.io/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/qcow2"
)

const (
	// downloaderSuffix is what Harvester adds to the name of an image for the deployment that serves it.
	downloaderSuffix = "-downloader"
	// imagesPath is where such a deployment has its file.
	imagesPath = "/images/"
)

// reconcileDownloader makes a deployment ready that Harvester has made to serve the disk of an image.
func (c *CDI) reconcileDownloader(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	deployment := &appsv1.Deployment{}
	if err := c.api.Get(ctx, request.NamespacedName, deployment); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !isDownloader(deployment) || deployment.Status.ReadyReplicas > 0 || deployment.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	if left := c.pace.PodStart() + c.pace.Convert() - time.Since(deployment.CreationTimestamp.Time); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	deployment.Status = readyStatus(deployment)
	return reconcile.Result{}, c.api.Status().Update(ctx, deployment)
}

func isDownloader(deployment *appsv1.Deployment) bool {
	for _, owner := range deployment.OwnerReferences {
		if owner.APIVersion == harvesterv1.SchemeGroupVersion.String() && owner.Kind == "VirtualMachineImageDownloader" {
			return true
		}
	}
	return false
}

func readyStatus(deployment *appsv1.Deployment) appsv1.DeploymentStatus {
	return appsv1.DeploymentStatus{
		ObservedGeneration: deployment.Generation,
		Replicas:           1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue,
			Reason: "MinimumReplicasAvailable", Message: "Deployment has minimum availability.",
		}},
	}
}

// Downloads returns what Harvester reaches as http://<image>-downloader.<namespace>: the disk of an image as a qcow2 file.
func (c *CDI) Downloads() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		disk, size, err := c.diskOfImage(r.Context(), r.Host, r.URL.Path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		defer disk.Close()
		w.Header().Set("Content-Type", "application/octet-stream")
		if r.Method == http.MethodHead {
			return
		}
		if err := qcow2.Write(w, disk, size); err != nil {
			// The status is sent already: only a broken connection tells the client that the file is not complete.
			panic(http.ErrAbortHandler)
		}
	})
}

// readerAtCloser is an open disk.
type readerAtCloser interface {
	io.ReaderAt
	io.Closer
}

// diskOfImage opens the disk that a deployment serves, and says how large it is.
func (c *CDI) diskOfImage(ctx context.Context, host, path string) (readerAtCloser, int64, error) {
	at, found := imageAt(host, path)
	if !found {
		return nil, 0, errors.New("404 page not found")
	}
	deployment := &appsv1.Deployment{}
	if err := c.api.Get(ctx, types.NamespacedName{Namespace: at.Namespace, Name: at.Name + downloaderSuffix}, deployment); err != nil {
		return nil, 0, err
	}
	claim, err := c.claim(ctx, at)
	if err != nil {
		return nil, 0, err
	}
	disk, err := c.store.open(claim.UID)
	if err != nil {
		return nil, 0, err
	}
	size, err := diskSize(disk, claim)
	return disk, size, err
}

// diskSize is the size of the disk of a claim: that of the whole device, or that of the file in its file system.
func diskSize(disk *os.File, claim *corev1.PersistentVolumeClaim) (int64, error) {
	if isBlock(claim.Spec.VolumeMode) {
		return claim.Status.Capacity.Storage().Value(), nil
	}
	info, err := disk.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// imageAt is the image that a deployment with this host name serves under this path.
func imageAt(host, path string) (types.NamespacedName, bool) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	// Names may have dots, namespaces have none.
	dot := strings.LastIndexByte(host, '.')
	if dot < 0 {
		return types.NamespacedName{}, false
	}
	name, isDownloader := strings.CutSuffix(host[:dot], downloaderSuffix)
	at := types.NamespacedName{Namespace: host[dot+1:], Name: name}
	return at, isDownloader && path == imagesPath+name+".qcow2"
}
