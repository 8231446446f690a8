// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package crds installs the CustomResourceDefinitions of a Harvester cluster.
package crds

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	typedextv1 "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

//go:generate go run ./generate -output crds.json.gz

//go:embed crds.json.gz
var compressed []byte

const (
	// fingerprint is the annotation that tells which text a definition in the
	// cluster was made from, so that a restart writes only what has changed.
	fingerprint = "sandbox.terraform-provider-harvester/fingerprint"
	// parallel is how many definitions are written at a time.
	parallel = 16
	// establishTimeout is generous for a busy machine.
	establishTimeout = 2 * time.Minute
	establishPoll    = 50 * time.Millisecond
)

// All returns the embedded definitions.
func All() ([]*extv1.CustomResourceDefinition, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	var all []*extv1.CustomResourceDefinition
	for lines := json.NewDecoder(unzipped); ; {
		var line json.RawMessage
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading the embedded definitions: %w", err)
		}
		definition := &extv1.CustomResourceDefinition{}
		if err := json.Unmarshal(line, definition); err != nil {
			return nil, fmt.Errorf("reading the embedded definitions: %w", err)
		}
		hash := sha256.Sum256(line)
		metav1.SetMetaDataAnnotation(&definition.ObjectMeta, fingerprint, hex.EncodeToString(hash[:8]))
		all = append(all, definition)
	}
}

// Install creates or updates every definition and returns when all are served.
func Install(ctx context.Context, config *rest.Config) error {
	all, err := All()
	if err != nil {
		return err
	}
	installed, err := installed(ctx, config)
	if err != nil {
		return fmt.Errorf("listing definitions: %w", err)
	}
	compact := rest.CopyConfig(config)
	compact.ContentType = runtime.ContentTypeProtobuf
	set, err := clientset.NewForConfig(compact)
	if err != nil {
		return err
	}
	client := set.ApiextensionsV1().CustomResourceDefinitions()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, definition := range all {
		group.Go(func() error { return ensure(ctx, client, definition, installed[definition.Name]) })
	}
	return group.Wait()
}

// installed returns the metadata of the definitions in the cluster, by name. It
// does not ask for their schemas, which are megabytes.
func installed(ctx context.Context, config *rest.Config) (map[string]metav1.ObjectMeta, error) {
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	list, err := client.Resource(extv1.SchemeGroupVersion.WithResource("customresourcedefinitions")).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	found := map[string]metav1.ObjectMeta{}
	for _, item := range list.Items {
		found[item.Name] = item.ObjectMeta
	}
	return found, nil
}

func ensure(ctx context.Context, client typedextv1.CustomResourceDefinitionInterface, wanted *extv1.CustomResourceDefinition, have metav1.ObjectMeta) error {
	if have.Annotations[fingerprint] == wanted.Annotations[fingerprint] {
		return nil
	}
	write := func() (err error) { _, err = client.Create(ctx, wanted, metav1.CreateOptions{}); return err }
	if have.ResourceVersion != "" {
		wanted.ResourceVersion = have.ResourceVersion
		write = func() (err error) { _, err = client.Update(ctx, wanted, metav1.UpdateOptions{}); return err }
	}
	if err := write(); err != nil {
		return fmt.Errorf("installing the definition %s: %w", wanted.Name, err)
	}
	err := wait.PollUntilContextTimeout(ctx, establishPoll, establishTimeout, false, func(ctx context.Context) (bool, error) {
		current, err := client.Get(ctx, wanted.Name, metav1.GetOptions{})
		return err == nil && established(current), err
	})
	if err != nil {
		return fmt.Errorf("waiting for the definition %s: %w", wanted.Name, err)
	}
	return nil
}

func established(definition *extv1.CustomResourceDefinition) bool {
	for _, condition := range definition.Status.Conditions {
		if condition.Type == extv1.Established {
			return condition.Status == extv1.ConditionTrue
		}
	}
	return false
}
