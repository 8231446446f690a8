// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func (c Connection) fromKubeconfig() (*rest.Config, error) {
	text, origin, err := kubeconfigText(c.Kubeconfig)
	if err != nil {
		return nil, err
	}
	file, err := clientcmd.Load(text)
	if err != nil {
		// The error of a YAML parser quotes its input, which holds secrets.
		return nil, configError(FieldKubeconfig, "The kubeconfig (%s) is not valid: it cannot be read as YAML of kind Config. %s", origin, notShown)
	}
	// Certificate files in a kubeconfig are relative to the kubeconfig.
	if path, ok := strings.CutPrefix(origin, originFile); ok {
		for _, cluster := range file.Clusters {
			cluster.LocationOfOrigin = path
		}
		for _, user := range file.AuthInfos {
			user.LocationOfOrigin = path
		}
		if err := clientcmd.ResolveLocalPaths(file); err != nil {
			return nil, configError(FieldKubeconfig, "The certificate paths in the kubeconfig (%s) cannot be resolved.", origin)
		}
	}
	return clientConfig(*file, c.Context, FieldKubeconfig, "The kubeconfig ("+origin+")")
}

// fromDefaults follows kubectl: KUBECONFIG, ~/.kube/config, in-cluster.
func (c Connection) fromDefaults() (*rest.Config, error) {
	const title = "The kubeconfig of the environment (KUBECONFIG or ~/.kube/config)"
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.WarnIfAllMissing = false // the warning repeats KUBECONFIG, which may hold a kubeconfig instead of its path
	file, err := rules.Load()
	if err != nil {
		return nil, configError("", "%s cannot be used: %s cannot be read, or is not YAML of kind Config. %s", title, culprit(rules), notShown)
	}
	if c.Context != "" || !clientcmdapi.IsConfigEmpty(file) {
		return clientConfig(*file, c.Context, "", title)
	}
	if config, err := rest.InClusterConfig(); err == nil {
		return config, nil
	}
	return nil, configError("", "No cluster is configured. Set kubeconfig, or host and token, or the environment variable "+EnvKubeconfig+
		", or "+EnvHost+" and "+EnvToken+". Harvester's dashboard offers a kubeconfig under Support.")
}

// culprit names the file that cannot be loaded, if its name may be shown.
func culprit(rules *clientcmd.ClientConfigLoadingRules) string {
	for _, path := range rules.GetLoadingPrecedence() {
		_, err := clientcmd.LoadFromFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && presentable(path) {
			return strconv.Quote(path)
		}
	}
	return "one of its files"
}

// clientConfig makes the configuration of a context. Title is what messages call the kubeconfig.
func clientConfig(file clientcmdapi.Config, context, field, title string) (*rest.Config, error) {
	refused := func(field, wrong string) error {
		return configError(field, "%s cannot be used: %s.", title, withoutSecrets(file, wrong))
	}
	if context != "" && file.Contexts[context] == nil {
		return nil, refused(FieldKubecontext, fmt.Sprintf("it has no context %q. It has: %s", context, cmp.Or(names(file.Contexts), "none")))
	}
	if wrong := unreadable(file); wrong != "" {
		return nil, refused(field, wrong)
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(file, context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, refused(field, "it has no cluster, or no current context")
	case err != nil:
		return nil, refused(field, err.Error())
	}
	return config, nil
}

// unreadable says which of the files that a kubeconfig names cannot be read; "" if none. In the place of
// a path often stands the key itself, which the error of clientcmd would repeat.
func unreadable(file clientcmdapi.Config) string {
	for _, name := range slices.Sorted(maps.Keys(file.Clusters)) {
		if wrong := unreadablePath(file.Clusters[name].CertificateAuthority); wrong != "" {
			return fmt.Sprintf("the certificate-authority of the cluster %q %s", name, wrong)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(file.AuthInfos)) {
		user := file.AuthInfos[name]
		for _, named := range []struct{ field, path string }{
			{"client-certificate", user.ClientCertificate}, {"client-key", user.ClientKey}, {"tokenFile", user.TokenFile},
		} {
			if wrong := unreadablePath(named.path); wrong != "" {
				return fmt.Sprintf("the %s of the user %q %s", named.field, name, wrong)
			}
		}
	}
	return ""
}

func unreadablePath(path string) string {
	if path == "" {
		return ""
	}
	handle, err := os.Open(path)
	if err == nil {
		_ = handle.Close()
		return ""
	}
	if !presentable(path) {
		return "is not the path of a file that can be read. What belongs into the kubeconfig itself goes into the field of that name with -data at its end"
	}
	return fmt.Sprintf("cannot be read: %q: %s", path, reason(err))
}

// withoutSecrets hides in a message about a kubeconfig the secrets that stand in it, and whatever
// is long enough to be one in the wrong place.
func withoutSecrets(file clientcmdapi.Config, text string) string {
	for _, secret := range secretsOf(file) {
		if len(secret) > 3 {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return longWord.ReplaceAllString(text, "***")
}

var longWord = regexp.MustCompile(fmt.Sprintf(`[^\s"'/\[\],;]{%d,}`, longestSegment+1))

func secretsOf(file clientcmdapi.Config) []string {
	var found []string
	for _, user := range file.AuthInfos {
		found = append(found, user.Token, user.Password, string(user.ClientKeyData), string(user.ClientCertificateData))
		if user.Exec != nil {
			found = append(found, user.Exec.Args...)
			for _, variable := range user.Exec.Env {
				found = append(found, variable.Value)
			}
		}
		if user.AuthProvider != nil {
			found = slices.AppendSeq(found, maps.Values(user.AuthProvider.Config))
		}
	}
	return found
}

// Where a kubeconfig comes from, for messages.
const (
	originText   = "given as text"
	originBase64 = "given as base64"
	originFile   = "file "
)

const notShown = "What it holds is not shown here, because there may be secrets in it."

// kubeconfigText returns the kubeconfig and where it comes from. A value that
// is YAML or decodes from base64 to YAML is the text itself, all else is a path. No error holds
// the value, unless it cannot be anything but a path.
func kubeconfigText(value string) (text []byte, origin string, err error) {
	trimmed := strings.TrimSpace(strings.TrimPrefix(value, "\ufeff"))
	if looksLikeKubeconfig(trimmed) {
		return []byte(trimmed), originText, nil
	}
	decoded, isBase64 := decodeBase64(trimmed)
	if isBase64 && looksLikeKubeconfig(string(decoded)) {
		return decoded, originBase64, nil
	}
	path, err := expandHome(trimmed)
	if err != nil {
		return nil, "", err
	}
	text, err = os.ReadFile(path)
	switch {
	case err == nil:
		return text, originFile + path, nil
	case !presentable(trimmed):
		hint := ""
		if isBase64 && len(trimmed) > longestSegment {
			hint = "It can be decoded from base64, but not to a kubeconfig: perhaps it was cut or encoded twice. "
		}
		return nil, "", configError(FieldKubeconfig, "The kubeconfig is neither the path of a file that can be read, nor base64 of a kubeconfig, "+
			"nor its YAML text (with apiVersion, clusters and contexts). %s%s", hint, notShown)
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", configError(FieldKubeconfig, "There is no kubeconfig file %q. The value may also be base64 of a kubeconfig or its YAML text.", path)
	}
	return nil, "", configError(FieldKubeconfig, "The kubeconfig file %q cannot be read: %s.", path, reason(err))
}

func looksLikeKubeconfig(s string) bool {
	return strings.HasPrefix(strings.TrimSpace(s), "{") ||
		strings.Contains(s, "\n") && (strings.Contains(s, "clusters:") || strings.Contains(s, "kind: Config"))
}

// decodeBase64 takes both alphabets, with padding and without, in lines or not.
func decodeBase64(text string) (decoded []byte, ok bool) {
	text = strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	decoded, err := base64.RawStdEncoding.DecodeString(text)
	return decoded, err == nil && len(decoded) > 0
}

var (
	pathStart = regexp.MustCompile(`^(~|\.\.?)?[/\\]|^[A-Za-z]:[/\\]`)
	pathEnd   = regexp.MustCompile(`(^|[/\\])(kube)?config$|\.(ya?ml|json|conf|cfg|config|kubeconfig)$`)
	pathChars = regexp.MustCompile(`^([A-Za-z]:)?[A-Za-z0-9 ._~/\\+-]+$`)
)

// longestSegment is how long a part of a path between slashes may be to be shown. The secret of an
// API key of Rancher has 54 characters, and all other secrets in a kubeconfig have more.
const longestSegment = 48

// presentable says that a value is short, begins or ends like a path, and holds nothing that is long enough to be
// a secret, so that a message may repeat it.
func presentable(path string) bool {
	tooLong := func(segment string) bool { return len(segment) > longestSegment }
	return len(path) <= 256 && pathChars.MatchString(path) && (pathStart.MatchString(path) || pathEnd.MatchString(path)) &&
		!slices.ContainsFunc(strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' }), tooLong)
}

// reason is why a file cannot be read, without its path.
func reason(err error) string {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err.Error()
	}
	return "it cannot be opened"
}

func expandHome(path string) (string, error) {
	if path != "~" && !strings.HasPrefix(path, "~/") {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", configError(FieldKubeconfig, "The kubeconfig starts with ~, but the home directory is unknown.")
	}
	return filepath.Join(home, strings.TrimPrefix(path, "~")), nil
}
