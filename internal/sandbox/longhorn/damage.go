// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"os"
	"strings"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
)

// damage changes the first byte of what has arrived, as a bad disk would, if a fault asks for it.
func (p *pod) damage() error {
	if !p.faults.For(p.image.Namespace, p.image.Name).CorruptStored {
		return nil
	}
	file, err := os.OpenFile(p.store.tmpPath(p.name, p.uuid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	first := make([]byte, 1)
	if _, err := file.ReadAt(first, 0); err != nil {
		return err
	}
	first[0] ^= 1
	_, err = file.WriteAt(first, 0)
	return err
}

// hides says that a fault asks not to show the checksum of a backing image.
func (l *Longhorn) hides(image *lhv1beta2.BackingImage) bool {
	namespace, name, _ := strings.Cut(image.Annotations[imageAnnotation], "/")
	return l.faults.For(namespace, name).HideChecksum
}
