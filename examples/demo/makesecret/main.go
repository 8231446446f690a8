// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Command makesecret puts the key for encrypted images into a cluster, as its
// administrator would: makesecret NAME. The cluster is that of HARVESTER_KUBECONFIG.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: makesecret NAME")
		os.Exit(2)
	}
	if err := create(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "makesecret:", err)
		os.Exit(1)
	}
}

func create(name string) error {
	client, err := kube.Connect(kube.Connection{Kubeconfig: os.Getenv(kube.EnvKubeconfig)}, "makesecret")
	if err != nil {
		return err
	}
	_, err = kube.For[corev1.Secret](client, api.Secrets, "Secret").Create(context.Background(), "default", &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		StringData: map[string]string{
			"CRYPTO_KEY_VALUE": rand.Text(), "CRYPTO_KEY_PROVIDER": "secret", "CRYPTO_KEY_CIPHER": "aes-xts-plain64",
			"CRYPTO_KEY_HASH": "sha256", "CRYPTO_KEY_SIZE": "256", "CRYPTO_PBKDF": "argon2i",
		},
	})
	return err
}
