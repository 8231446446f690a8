// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	certificateLife = 10 * 365 * 24 * time.Hour
	// clockSkew dates certificates back, for clients whose clock is behind.
	clockSkew = time.Hour
)

// Authority is the sandbox's own certificate authority. It is kept in a folder,
// so that kubeconfigs stay valid over restarts.
type Authority struct {
	dir         string
	certificate *x509.Certificate
	key         crypto.Signer
}

// OpenAuthority reads the authority of a folder, or makes it.
func OpenAuthority(dir string) (*Authority, error) {
	authority := &Authority{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(authority.CAFile(), authority.file("ca.key"))
	if errors.Is(err, fs.ErrNotExist) {
		return authority, authority.create()
	}
	if err != nil {
		return nil, fmt.Errorf("reading the certificate authority: %w", err)
	}
	authority.certificate, authority.key = pair.Leaf, pair.PrivateKey.(crypto.Signer)
	return authority, nil
}

// CAFile is the path of the authority's certificate.
func (a *Authority) CAFile() string { return a.file("ca.crt") }

// CA is the authority's certificate in PEM form.
func (a *Authority) CA() []byte { return encode("CERTIFICATE", a.certificate.Raw) }

// Pool holds the authority's certificate.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// Issue writes a certificate for a server or client on the loopback interface
// and returns the paths of the certificate and its key.
func (a *Authority) Issue(name string) (certificateFile, keyFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := newTemplate(name)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return "", "", err
	}
	certificateFile, keyFile = a.file(name+".crt"), a.file(name+".key")
	return certificateFile, keyFile, writePair(certificateFile, keyFile, der, key)
}

// ServerTLS issues a certificate and returns the configuration of a server.
func (a *Authority) ServerTLS(name string) (*tls.Config, error) {
	certificateFile, keyFile, err := a.Issue(name)
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(certificateFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

// signingKey returns the path of the key that signs service account tokens.
// It outlives restarts, as the tokens do.
func (a *Authority) signingKey() (string, error) {
	path := a.file("service-accounts.key")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	return path, writeKey(path, key)
}

func (a *Authority) create() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := newTemplate("harvester-sandbox")
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	a.key = key
	return writePair(a.CAFile(), a.file("ca.key"), der, key)
}

func (a *Authority) file(name string) string { return filepath.Join(a.dir, name) }

func newTemplate(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(certificateLife),
	}
}

func writePair(certificateFile, keyFile string, der []byte, key *ecdsa.PrivateKey) error {
	if err := writeKey(keyFile, key); err != nil {
		return err
	}
	return os.WriteFile(certificateFile, encode("CERTIFICATE", der), 0o644)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, encode("EC PRIVATE KEY", der), 0o600)
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
