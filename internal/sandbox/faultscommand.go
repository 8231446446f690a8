// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/process"
)

func faultsCommand(dir *string) *cobra.Command {
	command := &cobra.Command{
		Use:   "faults",
		Short: "Make imports of images, load balancers and devices go wrong",
		Long: "Make imports of images, load balancers and devices go wrong.\n\nAn object is NAMESPACE/NAME, a device devices/NAME; it need not exist yet. " +
			"\"*\" is every object without a fault of its own.",
	}
	command.AddCommand(listFaultsCommand(dir), setFaultCommand(dir), clearFaultsCommand(dir))
	return command
}

func listFaultsCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Print the faults that are on",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return callFaults(command.Context(), *dir, http.MethodGet, "", nil)
		},
	}
}

func setFaultCommand(dir *string) *cobra.Command {
	var fault faults.Fault
	var cutAfter int64
	var hold int
	command := &cobra.Command{
		Use:   "set NAMESPACE/NAME",
		Short: "Turn faults of an image on, in place of those it had",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			if command.Flags().Changed("cut-after") {
				fault.CutAfterBytes = &cutAfter
			}
			if command.Flags().Changed("hold-progress") {
				fault.HoldProgress = &hold
			}
			return callFaults(command.Context(), *dir, http.MethodPut, arguments[0], fault)
		},
	}
	flags := command.Flags()
	flags.Int64Var(&fault.UploadBytesPerSecond, "bytes-per-second", 0, "slow the upload down to this rate")
	flags.Int64Var(&cutAfter, "cut-after", 0, "cut the upload's connection after this many bytes")
	flags.IntVar(&fault.AnswerStatus, "answer", 0, "answer the upload with this status instead of reading it")
	flags.BoolVar(&fault.AnswerThenFinish, "answer-then-finish", false, "answer 504 after the upload's last byte, but finish the import")
	flags.IntVar(&fault.RefuseUploads, "refuse-uploads", 0, "let Longhorn refuse this many uploads before it has read any of them")
	flags.StringVar(&fault.FailImport, "fail-import", "", "let the import fail with this message")
	flags.IntVar(&fault.FailImportTimes, "fail-times", 0, "how often the import fails; 0 is always")
	flags.IntVar(&hold, "hold-progress", 0, "hold the import at this percentage until the fault is cleared")
	flags.BoolVar(&fault.CorruptStored, "corrupt-stored", false, "damage what Longhorn stores of the import")
	flags.BoolVar(&fault.HideChecksum, "hide-checksum", false, "let Longhorn not show the checksum of what it stores")
	flags.BoolVar(&fault.AgentSilent, "agent-silent", false, "let no node act on the vlanconfig vlanconfigs/NAME")
	flags.StringVar(&fault.SetupError, "setup-error", "", "let the vlanconfig vlanconfigs/NAME fail on every node with this message")
	flags.StringVar(&fault.RouteConnectivity, "route", "", "what comes of looking for a network's gateway: \"DHCP failed\", \"ping failed\" or \"false\"")
	flags.BoolVar(&fault.WebhookDown, "webhook-down", false, "let the webhooks of networks, load balancers or devices not answer about webhooks/NAME")
	flags.BoolVar(&fault.Idle, "idle", false, "give a load balancer no address, do nothing about the device devices/NAME")
	flags.BoolVar(&fault.Unhealthy, "unhealthy", false, "let the backends of a load balancer fail their health check")
	return command
}

func clearFaultsCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "clear [NAMESPACE/NAME]",
		Short: "Turn the faults of an image off, or all faults",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			return callFaults(command.Context(), *dir, http.MethodDelete, strings.Join(arguments, ""), nil)
		},
	}
}

// callFaults calls the running sandbox and prints what it answers.
func callFaults(ctx context.Context, dir, method, image string, body any) error {
	config, client, err := connect(dir)
	if err != nil {
		return err
	}
	url := strings.TrimSuffix(config.Host+faults.Path+"/"+image, "/")
	var content []byte
	if body != nil {
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(content))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		message, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(message))
	}
	return indent(os.Stdout, response.Body)
}

func connect(dir string) (*rest.Config, *http.Client, error) {
	if _, err := process.PID(dir); err != nil {
		return nil, nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "kubeconfig"))
	if err != nil {
		return nil, nil, err
	}
	client, err := rest.HTTPClientFor(config)
	return config, client, err
}

func indent(w io.Writer, r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil || len(content) == 0 {
		return err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, bytes.TrimSpace(content), "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, pretty.String())
	return err
}
