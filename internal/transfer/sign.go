// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
)

// Sign is what a file is recognized by without reading all of it.
type Sign struct {
	// Like is the same for all files of that length, beginning and end which are treated alike, wherever they lie and however
	// old they are. Most likely they are one file; only their checksums tell.
	Like string
	// Same is the same for that very file as long as nobody writes to it: its path, inode and times count as well.
	Same string
}

// Sign reads the beginning and the end of the file. Errors are a *FileError or the context's.
func (c Content) Sign(ctx context.Context) (Sign, error) {
	return promptly(ctx, func() (Sign, error) {
		file, _, err := open(c.File.Path)
		if err != nil {
			return Sign{}, err
		}
		defer func() { _ = file.Close() }()
		ends, err := ends(file, c.File.Size)
		if err != nil {
			return Sign{}, c.File.unreadable(ctx, err)
		}
		seen := c.File.seen(c.Treatment)
		seen.ModTime, seen.Changed = seen.ModTime.UTC(), seen.Changed.UTC()
		return Sign{
			Like: fingerprint(ends, seen.FileSize, seen.Decompress, seen.Pad),
			Same: fingerprint(ends, seen),
		}, nil
	})
}

// endSize is how much of each end of a file tells it from others, in bytes.
const endSize = 1 << 20

// ends is the checksum of the first and the last MiB of a file.
func ends(file *os.File, size int64) (string, error) {
	sum := sha256.New()
	for _, from := range []int64{0, max(0, size-endSize)} {
		if _, err := io.Copy(sum, io.NewSectionReader(file, from, endSize)); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func fingerprint(facts ...any) string {
	text, _ := json.Marshal(facts) // a path that is no text is written with replacements, which is as good
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
