// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package controlplane

import (
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// User is the name of an account with a fixed token. All of them may do
// everything; they differ in what Harvester's webhooks make of them.
type User string

// The accounts of the sandbox.
const (
	// Admin is the user of the kubeconfigs.
	Admin User = "admin"
	// Harvester is the account of Harvester's server, to whose requests
	// Harvester's webhooks are lenient.
	Harvester User = "system:serviceaccount:harvester-system:harvester"
	// Simulators is the account of the simulated hardware.
	Simulators User = "system:serviceaccount:longhorn-system:longhorn-service-account"
	// GarbageCollector is the account of Kubernetes' garbage collector, whose
	// deletions Harvester's webhooks let pass.
	GarbageCollector    User = "system:serviceaccount:kube-system:generic-garbage-collector"
	namespaceController User = "system:serviceaccount:kube-system:namespace-controller"
	claimProtection     User = "system:serviceaccount:kube-system:pvc-protection-controller"
	volumeProtection    User = "system:serviceaccount:kube-system:pv-protection-controller"
)

// shortName is the last part of a user's name. Field managers are named after it.
func (u User) shortName() string {
	return string(u[strings.LastIndexByte(string(u), ':')+1:])
}

var everyUser = []User{
	Admin, Harvester, Simulators, GarbageCollector, namespaceController, claimProtection, volumeProtection,
}

// tokens are the accounts' tokens, kept in a file each.
type tokens struct{ dir string }

// openTokens makes the tokens that do not exist yet.
func openTokens(dir string) (tokens, error) {
	t := tokens{dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return t, err
	}
	for i, user := range everyUser {
		path := t.file(user)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.WriteFile(path, []byte(rand.Text()), 0o600); err != nil {
			return t, fmt.Errorf("writing token %d: %w", i, err)
		}
	}
	return t, nil
}

// file is the path of an account's token.
func (t tokens) file(user User) string {
	return filepath.Join(t.dir, strings.ReplaceAll(string(user), ":", "."))
}

func (t tokens) read(user User) (string, error) {
	token, err := os.ReadFile(t.file(user))
	return string(token), err
}

// table writes the file that kube-apiserver reads the accounts from.
func (t tokens) table() (path string, err error) {
	path = filepath.Join(t.dir, "tokens.csv")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	defer file.Close()
	rows := csv.NewWriter(file)
	for _, user := range everyUser {
		token, err := t.read(user)
		if err != nil {
			return "", err
		}
		if err := rows.Write([]string{token, string(user), string(user), "system:masters"}); err != nil {
			return "", err
		}
	}
	rows.Flush()
	return path, rows.Error()
}
