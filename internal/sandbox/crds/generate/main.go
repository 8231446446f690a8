// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Command generate collects the CustomResourceDefinitions that a Harvester
// cluster has and writes them, without their descriptions, to one compressed
// file for package crds to embed.
//
// The definitions come from the charts in Harvester's own module, from the Go
// packages of KubeVirt and CDI, and, for the kinds of Rancher and friends that
// Harvester only watches, from a table of names.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cdi "kubevirt.io/containerized-data-importer/pkg/operator/resources"
	kubevirt "kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
	"sigs.k8s.io/yaml"
)

// collection is every definition found so far, by name.
type collection map[string]*extv1.CustomResourceDefinition

func main() {
	output := flag.String("output", "crds.json.gz", "file to write")
	flag.Parse()
	definitions, err := collect()
	if err != nil {
		log.Fatal(err)
	}
	if err := definitions.write(*output); err != nil {
		log.Fatal(err)
	}
}

func collect() (collection, error) {
	found := collection{}
	for _, source := range []func(collection) error{fromCharts, fromKubeVirt, fromCDI, fromTable} {
		if err := source(found); err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(found, func(name string, _ *extv1.CustomResourceDefinition) bool { return unused[name] })
	for _, definition := range found {
		slim(definition)
	}
	return found, nil
}

// fromCharts reads the charts in Harvester's module.
func fromCharts(found collection) error {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/harvester/harvester").Output()
	if err != nil {
		return fmt.Errorf("finding Harvester's module: %w", err)
	}
	charts := filepath.Join(strings.TrimSpace(string(module)), "deploy", "charts")
	plain, err := filepath.Glob(filepath.Join(charts, "harvester-crd", "templates", "*.yaml"))
	if err != nil {
		return err
	}
	for _, path := range plain {
		if err := found.addFile(path); err != nil {
			return err
		}
	}
	for _, chart := range packagedCharts {
		if err := found.addChart(filepath.Join(charts, "harvester", "charts"), chart); err != nil {
			return err
		}
	}
	return nil
}

func (c collection) addFile(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return c.addYAML(content)
}

// addChart reads the definitions of a packaged chart of any version.
func (c collection) addChart(folder, chart string) error {
	paths, err := filepath.Glob(filepath.Join(folder, chart+"-[0-9]*.tgz"))
	if err != nil || len(paths) != 1 {
		return fmt.Errorf("one chart %q expected in %s, have %v", chart, folder, paths)
	}
	file, err := os.Open(paths[0])
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	return c.addArchive(tar.NewReader(unzipped))
}

func (c collection) addArchive(archive *tar.Reader) error {
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !strings.Contains(header.Name, "/crds") {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		if err := c.addYAML(content); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
}

// addYAML adds the definitions of a file; its template lines, which only add
// labels, are left out.
func (c collection) addYAML(content []byte) error {
	lines := slices.DeleteFunc(bytes.Split(content, []byte("\n")), func(line []byte) bool {
		return bytes.Contains(line, []byte("{{"))
	})
	for document := range bytes.SplitSeq(bytes.Join(lines, []byte("\n")), []byte("\n---")) {
		definition := &extv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(document, definition); err != nil {
			return err
		}
		if definition.Kind == "CustomResourceDefinition" {
			c[definition.Name] = definition
		}
	}
	return nil
}

func fromKubeVirt(found collection) error {
	for _, newDefinition := range []func() (*extv1.CustomResourceDefinition, error){
		kubevirt.NewVirtualMachineCrd,
		kubevirt.NewVirtualMachineInstanceCrd,
		kubevirt.NewVirtualMachineInstanceMigrationCrd,
		kubevirt.NewKubeVirtCrd,
	} {
		definition, err := newDefinition()
		if err != nil {
			return err
		}
		found[definition.Name] = definition
	}
	return nil
}

func fromCDI(found collection) error {
	for _, name := range []string{"cdi", "datavolume", "storageprofile", "volumeimportsource"} {
		definition, ok := cdi.CDICRDs[name]
		if !ok {
			return fmt.Errorf("CDI has no definition %q, only %v", name, slices.Sorted(maps.Keys(cdi.CDICRDs)))
		}
		if err := found.addYAML([]byte(definition)); err != nil {
			return err
		}
	}
	return nil
}

func fromTable(found collection) error {
	for _, kind := range watchedKinds {
		definition := kind.definition()
		found[definition.Name] = definition
	}
	return nil
}

// slim leaves out what costs the API server memory and start time, and which
// nobody reads here: descriptions, and conversion by webhooks that do not run.
func slim(definition *extv1.CustomResourceDefinition) {
	definition.ObjectMeta = metav1.ObjectMeta{Name: definition.Name, Annotations: approval(definition)}
	definition.Status = extv1.CustomResourceDefinitionStatus{}
	definition.Spec.Conversion = nil
	definition.Spec.PreserveUnknownFields = false
	for i := range definition.Spec.Versions {
		version := &definition.Spec.Versions[i]
		for j := range version.AdditionalPrinterColumns {
			version.AdditionalPrinterColumns[j].Description = ""
		}
		if opened[definition.Name] {
			version.Schema = anything()
		}
		if version.Schema != nil {
			undescribe(version.Schema.OpenAPIV3Schema)
		}
	}
}

// approval keeps the annotation without which the API server refuses
// definitions in Kubernetes' own groups.
func approval(definition *extv1.CustomResourceDefinition) map[string]string {
	value, ok := definition.Annotations[extv1.KubeAPIApprovedAnnotation]
	if !ok {
		return nil
	}
	return map[string]string{extv1.KubeAPIApprovedAnnotation: value}
}

// undescribe removes the descriptions of a schema and of all below it.
func undescribe(schema *extv1.JSONSchemaProps) {
	if schema == nil {
		return
	}
	schema.Description = ""
	undescribeAll(schema.Properties)
	undescribeAll(schema.PatternProperties)
	if schema.Items != nil {
		undescribe(schema.Items.Schema)
	}
	if schema.AdditionalProperties != nil {
		undescribe(schema.AdditionalProperties.Schema)
	}
	for _, some := range [][]extv1.JSONSchemaProps{schema.AllOf, schema.AnyOf, schema.OneOf} {
		for i := range some {
			undescribe(&some[i])
		}
	}
	undescribe(schema.Not)
}

func undescribeAll(properties map[string]extv1.JSONSchemaProps) {
	for name, property := range properties {
		undescribe(&property)
		properties[name] = property
	}
}

// write stores one definition a line, sorted by name, so that the file only
// changes when the definitions do.
func (c collection) write(path string) error {
	var content bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&content, gzip.BestCompression)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(zipped)
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if err := lines.Encode(c[name]); err != nil {
			return err
		}
	}
	if err := zipped.Close(); err != nil {
		return err
	}
	log.Printf("%d definitions, %d bytes", len(c), content.Len())
	return os.WriteFile(path, content.Bytes(), 0o644)
}
