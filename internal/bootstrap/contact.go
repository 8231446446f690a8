// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package bootstrap

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// contact is a conversation with a cluster.
type contact struct {
	*rancher
	address string
	// hidden are the secrets that no message may repeat.
	hidden []string
	taken  bool // the certificate was taken as it came

	login   login
	initial bool // admin had the initial password
}

func (r *Resource) contact(m *model, secrets ...string) (*contact, diag.Diagnostics) {
	t := trust{
		authority: cmp.Or(m.CACertificate.ValueString(), r.mode.CACertificate), anyone: m.Insecure.ValueBool(),
		pinned: m.CertificateSHA256.ValueString(), proxy: r.mode.ProxyURL,
	}
	if m.Insecure.IsNull() && m.CACertificate.ValueString() == "" {
		t.anyone = r.mode.Insecure
	}
	server, err := connect(m.APIURL.ValueString(), t)
	if err != nil {
		return nil, diag.Diagnostics{diag.NewErrorDiagnostic("Invalid configuration", "Harvester cannot be reached: "+err.Error()+".")}
	}
	return &contact{rancher: server, address: redact.Line(m.APIURL.ValueString()), taken: t.pinned == "", hidden: append(secrets, m.InitialPassword.ValueString())}, nil
}

// first and last bound the pauses between two attempts. A Harvester that was just installed takes minutes to answer.
const (
	first = time.Second
	last  = 15 * time.Second
)

// again repeats a request while it fails on its way or in a server that is still starting, until the time is up.
func again(ctx context.Context, request func() error) error {
	for pause := first; ; pause = min(2*pause, last) {
		err := request()
		if !transient(err) || ctx.Err() != nil {
			return err
		}
		if wait.Pause(ctx, pause); ctx.Err() != nil {
			return err
		}
	}
}

// settle logs in, and makes sure that admin has the password. It may be repeated at any point.
func (c *contact) settle(ctx context.Context, before, password string) diag.Diagnostics {
	tried := before
	err := c.enter(ctx, before)
	if answers(err, http.StatusUnauthorized) && password != before {
		// An earlier apply may have changed it already.
		tried = password
		err = c.enter(ctx, password)
	}
	switch {
	case answers(err, http.StatusUnauthorized):
		return c.failed("log in as admin to", "Neither the password from before (initial_password, or the one in the state) nor the new one is right. Nothing was changed.", err)
	case err != nil:
		return c.failed("log in as admin to", "Nothing was changed.", err)
	case tried == password:
		return nil
	}
	c.initial = true
	err = again(ctx, func() error {
		wrong := c.changePassword(ctx, c.login.Token, before, password)
		if wrong != nil && c.enter(ctx, password) == nil {
			return nil // only the answer was lost
		}
		return wrong
	})
	if err != nil {
		return c.failed("change the password of admin on", "Whether it was changed is not known, if the connection broke; the next apply tries both.", err)
	}
	// The login from before may have ended with the old password.
	if err := c.enter(ctx, password); err != nil {
		return c.failed("log in with the new password to", "The password was changed. Apply again to go on.", err)
	}
	return nil
}

func (c *contact) enter(ctx context.Context, password string) error {
	return again(ctx, func() error {
		found, err := c.rancher.login(ctx, password)
		if err == nil {
			c.login = found
		}
		return err
	})
}

// fetch makes a kubeconfig and writes it to the file.
func (c *contact) fetch(ctx context.Context, m *model) diag.Diagnostics {
	var text string
	err := again(ctx, func() (err error) {
		text, err = c.kubeconfig(ctx, c.login.Token)
		return err
	})
	if err != nil {
		return c.failed("get a kubeconfig from", "The password is set. Apply again to go on.", err)
	}
	m.KubeconfigContent, m.CertificateSHA256 = types.StringValue(text), types.StringValue(c.met)
	return m.save()
}

// save writes the kubeconfig to its file.
func (m *model) save() diag.Diagnostics {
	if err := write(m.Kubeconfig.ValueString(), m.KubeconfigContent.ValueString()); err != nil {
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("kubeconfig"), "File not usable", fmt.Sprintf(
			"The kubeconfig could not be written to %s: %s. The password is set.\n\nCorrect the path or its permissions and apply again to go on.", m.Kubeconfig.ValueString(), cause(err)))}
	}
	return nil
}

// unverified warns of a certificate that was taken as it came.
func (c *contact) unverified() (diags diag.Diagnostics) {
	if c.taken && c.met != "" {
		diags.AddWarning("Certificate not verified", fmt.Sprintf(
			"No authority of this system vouches for the certificate of %s, as is usual for a fresh Harvester. It was taken as it came (SHA-256 %s), and only that one is from now on. "+
				"Somebody on the way could have answered instead, and would know the password.\n\nTo be sure, give the authority in ca_certificate; insecure = true says that it does not matter.", c.address, c.met))
	}
	return diags
}

// failed describes an error without the passwords.
func (c *contact) failed(doing, left string, err error) diag.Diagnostics {
	summary, todo := "Harvester not reachable", "Check api_url, the network between here and there, and proxy settings."
	what := err.Error()
	var refused *refusedError
	switch {
	case errors.Is(err, context.Canceled):
		summary, what, todo = "Interrupted", "the run was interrupted", "Apply again to go on."
	case errors.Is(err, context.DeadlineExceeded):
		summary, what, todo = "Timed out", "the time limit ran out", "Raise the limit in the timeouts block if the cluster is still being installed."
	case errors.As(err, new(*certificateError)):
		summary, todo = "Another certificate", "If Harvester was given another certificate on purpose, name its authority in ca_certificate. Otherwise somebody answers in its place."
	case errors.As(err, new(*tls.CertificateVerificationError)):
		summary, todo = "Certificate not trusted", "Give the authority of the server in ca_certificate, or remove it to take the certificate that is met first."
	case errors.As(err, &refused) && refused.code == http.StatusUnauthorized:
		summary, todo = "Not authorized", "Set the password that admin has in initial_password."
	case errors.As(err, &refused) && refused.code < http.StatusInternalServerError:
		summary, todo = "Refused by Harvester", ""
	case errors.As(err, &refused):
		summary, todo = "Error from Harvester", "If the cluster is still being installed, try again later."
	}
	what = redact.Text(what)
	for _, secret := range c.hidden {
		if len(secret) > 2 && secret != defaultPassword {
			what = strings.ReplaceAll(what, secret, "***")
		}
	}
	detail := diagnose.Paragraphs(fmt.Sprintf("Could not %s %s: %s.", doing, c.address, strings.TrimSuffix(what, ".")), left, todo)
	return diag.Diagnostics{diag.NewErrorDiagnostic(summary, detail)}
}
