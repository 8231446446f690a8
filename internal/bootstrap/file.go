// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package bootstrap

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
)

// expand is the path with the user's home in the place of ~.
func expand(name string) (string, error) {
	if name != "~" && !strings.HasPrefix(name, "~/") {
		return filepath.Abs(name)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, strings.TrimPrefix(name, "~")), nil
}

// content is what the file holds; "" if there is none.
func content(name string) (string, error) {
	file, err := expand(name)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(file) // the user names it
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

// replaceable says why the file must not be overwritten with the kubeconfig of the cluster at an address; "" if nothing
// would be lost: there is none, it is empty, or leads to that same cluster only.
func replaceable(name, address string) string {
	text, err := content(name)
	if err != nil {
		return fmt.Sprintf("it cannot be read (%s)", cause(err))
	}
	if strings.TrimSpace(text) == "" {
		return ""
	}
	found, err := clientcmd.Load([]byte(text))
	if err != nil || len(found.Clusters) == 0 {
		return "it is no kubeconfig"
	}
	wanted, err := url.Parse(address)
	if err != nil {
		return "it leads to another cluster"
	}
	for _, cluster := range found.Clusters {
		if server, err := url.Parse(cluster.Server); err != nil || server.Host != wanted.Host {
			return "it leads to another cluster"
		}
	}
	return ""
}

// write puts the text into the file, which only the user may read, whole or not at all.
func write(name, text string) (err error) {
	file, err := expand(name)
	if err != nil {
		return err
	}
	if target, wrong := filepath.EvalSymlinks(file); wrong == nil {
		file = target // a link stays a link
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), ".kubeconfig-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name())
		}
	}()
	_, err = temporary.WriteString(text)
	if err == nil {
		err = temporary.Sync()
	}
	if wrong := temporary.Close(); err == nil {
		err = wrong
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), file)
}

// cause is an error of a file without its path, which the message names.
func cause(err error) string {
	if of, ok := errors.AsType[*fs.PathError](err); ok {
		return of.Err.Error()
	}
	return err.Error()
}
