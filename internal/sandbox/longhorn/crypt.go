// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// headerSize is how much longer an encrypted file is than what is in it, as with LUKS.
const headerSize = 16 << 20

const (
	saltSize   = 32
	iterations = 10_000 // few, because the secrets are of tests
)

var magic = []byte("LUKS\xba\xbe\x00\x02")

var errNoKey = errors.New("No key available with this passphrase.\n: exit status 2")

// encrypting reads plain and gives an encrypted file: magic, salt, a check of the passphrase, blank up to headerSize,
// then the bytes. It is no LUKS, but it has its size and its start, and needs the passphrase as LUKS does.
func encrypting(plain io.Reader, passphrase string) (io.Reader, error) {
	salt := make([]byte, saltSize)
	// Read never fails.
	_, _ = rand.Read(salt)
	stream, check, err := derive(passphrase, salt)
	if err != nil {
		return nil, err
	}
	header := make([]byte, headerSize)
	copy(header, bytes.Join([][]byte{magic, salt, check}, nil))
	return io.MultiReader(bytes.NewReader(header), cipher.StreamReader{S: stream, R: plain}), nil
}

// decrypting undoes encrypting.
func decrypting(encrypted io.Reader, passphrase string) (io.Reader, error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(encrypted, header); err != nil {
		return nil, fmt.Errorf("device is not a valid LUKS device: %w", err)
	}
	rest, isLUKS := bytes.CutPrefix(header, magic)
	if !isLUKS {
		return nil, errors.New("device is not a valid LUKS device")
	}
	stream, check, err := derive(passphrase, rest[:saltSize])
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(check, rest[saltSize:saltSize+len(check)]) {
		return nil, errNoKey
	}
	return cipher.StreamReader{S: stream, R: encrypted}, nil
}

// derive makes the key stream of a passphrase, and a value that tells whether it is the right one.
func derive(passphrase string, salt []byte) (cipher.Stream, []byte, error) {
	const keySize = 32
	keys, err := pbkdf2.Key(sha256.New, passphrase, salt, iterations, 2*keySize)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(keys[:keySize])
	if err != nil {
		return nil, nil, err
	}
	return cipher.NewCTR(block, salt[:aes.BlockSize]), keys[keySize:], nil
}
