// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/qcow2img"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// disk is data with holes, small and large.
func disk() []byte {
	content := make([]byte, 3<<20+512)
	source := rand.NewChaCha8([32]byte{1})
	for _, part := range [][2]int{{0, 100 << 10}, {1 << 20, 1<<20 + 1}, {2<<20 - 4096, 2<<20 + 70000}, {3<<20 + 500, 3<<20 + 512}} {
		_, _ = source.Read(content[part[0]:part[1]])
	}
	return content
}

func sha512of(content []byte) string {
	sum := sha512.Sum512(content)
	return hex.EncodeToString(sum[:])
}

// fetch downloads what the handler serves.
func fetch(t *testing.T, d *transfer.Download, handler http.HandlerFunc) (*transfer.Received, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	d.URL, _ = url.Parse(server.URL)
	if d.Target.Path == "" {
		d.Target = transfer.Target{Path: filepath.Join(t.TempDir(), "new", "disk.img"), FileMode: 0o640, DirMode: 0o750}
	}
	return d.Receive(t.Context(), server.Client())
}

func sends(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }
}

// files are the names in the target's folder.
func files(t *testing.T, target transfer.Target) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(target.Path))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestReceive(t *testing.T) {
	t.Parallel()
	content := disk()
	var image bytes.Buffer
	if _, err := (qcow2img.Image{VirtualSize: 4 << 20, DataSize: 1 << 20}).WriteTo(&image); err != nil {
		t.Fatal(err)
	}
	iso := append(append(make([]byte, 0x8001), "CD001"...), make([]byte, 100000)...)
	for name, test := range map[string]struct {
		download *transfer.Download
		sent     []byte
		saved    []byte
		format   transfer.Format
	}{
		"raw":                {&transfer.Download{Packed: true, Size: int64(len(content)), SHA512: sha512of(content)}, gzipped(content), content, transfer.Raw},
		"raw, nothing known": {&transfer.Download{Packed: true}, gzipped(content), content, transfer.Raw},
		"qcow2":              {&transfer.Download{Packed: true, Size: int64(image.Len())}, gzipped(image.Bytes()), image.Bytes(), transfer.QCOW2},
		"ISO":                {&transfer.Download{Packed: true}, gzipped(iso), iso, transfer.ISO},
		"empty":              {&transfer.Download{Packed: true}, gzipped(nil), nil, transfer.Raw},
		"kept":               {&transfer.Download{Packed: true, Keep: true, Size: int64(len(content)), SHA512: sha512of(content)}, gzipped(content), gzipped(content), transfer.Gzip},
		"not packed":         {&transfer.Download{Disk: 4 << 20}, image.Bytes(), image.Bytes(), transfer.QCOW2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := test.download
			received, err := fetch(t, d, func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Accept-Encoding"); got != "identity" {
					t.Errorf("it accepts the encoding %q", got)
				}
				sends(test.sent)(w, r)
			})
			if err != nil {
				t.Fatal(err)
			}
			if names := files(t, d.Target); len(names) != 1 || !strings.HasPrefix(names[0], ".disk.img.harvester-") {
				t.Errorf("before the end there is %q", names)
			}
			if err := received.Commit(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(d.Target.Path)
			if err != nil || !bytes.Equal(got, test.saved) {
				t.Errorf("%d bytes were saved that differ (%v)", len(got), err)
			}
			sum := sha256.Sum256(test.saved)
			if received.Size != int64(len(test.saved)) || received.SHA512 != sha512of(test.saved) ||
				received.SHA256 != hex.EncodeToString(sum[:]) || received.Format != test.format {
				t.Errorf("it reports %+v", received.Digest)
			}
			info, err := os.Stat(d.Target.Path)
			if err != nil || info.Mode().Perm() != 0o640 || !received.Unchanged(info) {
				t.Errorf("the file is %v (%v)", info, err)
			}
			if names := files(t, d.Target); len(names) != 1 {
				t.Errorf("there is more than the file: %q", names)
			}
			examined, err := transfer.Examine(t.Context(), d.Target.Path)
			if err != nil || examined.SHA256 != received.SHA256 || !examined.ModTime.Equal(received.ModTime) || examined.Format != received.Format {
				t.Errorf("examined as %+v (%v)", examined, err)
			}
		})
	}
}

const (
	copyError = "failed to copy download content to target(disk.gz), err: unexpected EOF"
	longhorn  = `{"code":"Internal Server Error","message":"failed to find a default backing image manager","status":500,"type":"error"}`
)

// Every stream that is not the whole image is noticed, and leaves nothing.
func TestReceiveNoticesBrokenStreams(t *testing.T) {
	t.Parallel()
	content := disk()
	whole := gzipped(content)
	size := int64(len(content))
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 0x10
	for name, test := range map[string]struct {
		sent   []byte
		sum    string
		wants  string
		again  bool
		broken bool // the connection
	}{
		"cut with the text of an error": {join(whole[:len(whole)/2], []byte(copyError)), "", `(ended early|damaged) after .*wrote into the stream: ` + regexp.QuoteMeta(copyError), true, false},
		"cut":                           {whole[:len(whole)/2], "", `ended early after`, true, false},
		"cut in the header":             {whole[:5], "", `ended early`, true, false},
		"cut in the trailer":            {whole[:len(whole)-3], "", `ended early`, true, false},
		"connection cut":                {whole[:len(whole)/2], "", `the connection broke after .*EOF`, true, true},
		"damaged":                       {flipped, "", `damaged|holds`, true, false},
		"damaged checksum":              {join(whole[:len(whole)-8], []byte("12345678")), "", `damaged`, true, false},
		"short, but valid":              {gzipped(content[:size-512]), "", fmt.Sprintf(`ended properly, but holds %d bytes of the %d`, size-512, size), true, false},
		"short, valid, and a text":      {join(gzipped(content[:100]), []byte("read /data/backing: input/output error")), "", `holds 100 bytes.*wrote into the stream: read /data/backing: input/output error`, true, false},
		"text after the end":            {join(whole, []byte(copyError)), "", `goes on after the image.*` + regexp.QuoteMeta(copyError), true, false},
		"something after the end":       {join(whole, []byte{0, 1, 2}), "", `goes on after the image`, true, false},
		"another packed part":           {join(whole, gzipped([]byte("more"))), "", `goes on after the image`, true, false},
		"too long":                      {gzipped(append(bytes.Clone(content), 0)), "", `more than the`, false, false},
		"other content":                 {whole, strings.Repeat("0", 128), `SHA-512 is .* not what was imported`, false, false},
		"text instead":                  {[]byte("please wait a moment"), "", `not the image; the server wrote into the stream: please wait a moment`, true, false},
		"JSON instead":                  {[]byte(longhorn), "", `not the image; the server wrote into the stream: failed to find a default backing image manager$`, true, false},
		"something else instead":        {[]byte("\x00\x01\x02\x03"), "", `not the image$`, true, false},
		"not packed":                    {content, "", `not the image$`, true, false},
		"nothing":                       {nil, "", `the stream is empty`, true, false},
	} {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/keep=%v", name, keep), func(t *testing.T) {
				t.Parallel()
				d := &transfer.Download{Packed: true, Keep: keep, Size: size, SHA512: test.sum}
				_, err := fetch(t, d, func(w http.ResponseWriter, r *http.Request) {
					sends(test.sent)(w, r)
					if test.broken {
						http.NewResponseController(w).Flush()
						panic(http.ErrAbortHandler)
					}
				})
				var stream *transfer.StreamError
				if !errors.As(err, &stream) || !regexp.MustCompile(test.wants).MatchString(err.Error()) {
					t.Fatalf("got %T %v, want %s", err, err, test.wants)
				}
				if transfer.Again(err, 1) != test.again {
					t.Errorf("another try: %v", !test.again)
				}
				if names := files(t, d.Target); len(names) > 0 {
					t.Errorf("it leaves %q", names)
				}
			})
		}
	}
}

// endless writes the same for ever, and counts.
func endless(head, more []byte, sent *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(head)
		for err == nil {
			var n int
			n, err = w.Write(more)
			sent.Add(int64(n))
		}
	}
}

// A server that never ends does not fill the disk, whether the image is unpacked or not.
func TestReceiveStopsAtTheLengthOfTheImage(t *testing.T) {
	t.Parallel()
	zeros := gzipped(make([]byte, 64<<20)) // the head of a stream whose zeros go on
	var image bytes.Buffer
	if _, err := (qcow2img.Image{VirtualSize: 1 << 20, DataSize: 1 << 20}).WriteTo(&image); err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(noise)
	stored := append([]byte{0, 0xff, 0xff, 0, 0}, noise[:0xffff]...) // a block that is not packed, and not the last
	nothing := bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 10_000)     // such blocks with nothing in them
	gzipHead := []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")
	for name, test := range map[string]struct {
		download   *transfer.Download
		head, more []byte
		wants      string
		most       int64 // what the server can have sent, with all that is under way
	}{
		"kept":                 {&transfer.Download{Packed: true, Keep: true, Size: 1 << 20}, gzipHead, stored, `more than the 1048576 bytes`, 64 << 20},
		"kept, of zeros":       {&transfer.Download{Packed: true, Keep: true, Size: 1 << 20}, zeros, zeros, `more than the 1048576 bytes|longer than`, 64 << 20},
		"kept, of nothing":     {&transfer.Download{Packed: true, Keep: true, Size: 1 << 20}, gzipHead, nothing, `the stream is longer than 2.0 MiB`, 64 << 20},
		"unpacked":             {&transfer.Download{Packed: true, Size: 1 << 20}, gzipHead, stored, `more than the 1048576 bytes`, 64 << 20},
		"unpacked, of nothing": {&transfer.Download{Packed: true, Size: 1 << 20}, gzipHead, nothing, `the stream is longer than 2.0 MiB`, 64 << 20},
		"qcow2":                {&transfer.Download{Disk: 1 << 20}, image.Bytes(), noise, `the stream is longer than 65.1 MiB`, 130 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int64
			_, err := fetch(t, test.download, endless(test.head, test.more, &sent))
			var stream *transfer.StreamError
			if !errors.As(err, &stream) || !regexp.MustCompile(test.wants).MatchString(err.Error()) || !stream.Final {
				t.Errorf("got %v, want %s", err, test.wants)
			}
			if sent.Load() > test.most {
				t.Errorf("the server could send %d bytes", sent.Load())
			}
			if names := files(t, test.download.Target); len(names) > 0 {
				t.Errorf("it leaves %q", names)
			}
		})
	}
}

// What cannot be packed becomes longer by that, and is taken.
func TestReceiveTakesWhatCannotBePacked(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 8<<20)
	_, _ = rand.NewChaCha8([32]byte{3}).Read(noise)
	var stored bytes.Buffer
	writer, err := gzip.NewWriterLevel(&stored, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	for part := noise; len(part) > 0; part = part[4096:] { // a block each
		_, _ = writer.Write(part[:4096])
		_ = writer.Flush()
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	received, err := fetch(t, &transfer.Download{Packed: true, Keep: true, Size: int64(len(noise)), SHA512: sha512of(noise)}, sends(stored.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	received.Discard()
}

// qcow2 files have no checksum; their tables have to do.
func TestReceiveChecksQCOW2(t *testing.T) {
	t.Parallel()
	var image bytes.Buffer
	if _, err := (qcow2img.Image{VirtualSize: 8 << 20, DataSize: 1 << 20}).WriteTo(&image); err != nil {
		t.Fatal(err)
	}
	whole := image.Bytes()
	put := func(at int, value uint64) []byte {
		changed := bytes.Clone(whole)
		binary.BigEndian.PutUint64(changed[at:], value)
		return changed
	}
	l1 := int(binary.BigEndian.Uint64(whole[40:]))
	for name, test := range map[string]struct {
		sent  []byte
		least int64
		wants string
	}{
		"cut":               {whole[:len(whole)-1], 0, `beyond its end`},
		"cut in the header": {whole[:60], 0, `ends within its header`},
		"cut in the tables": {whole[:2*65536+10], 0, `beyond its end`},
		"cut with a text":   {append(bytes.Clone(whole[:len(whole)/2]), copyError...), 0, `beyond its end; the server wrote into the stream: ` + regexp.QuoteMeta(copyError)},
		"text after it":     {append(bytes.Clone(whole), copyError...), 0, `it was cut; .*` + regexp.QuoteMeta(copyError)},
		"more after it":     {append(bytes.Clone(whole), "something else"...), 0, `goes on for 14 bytes.*something else`},
		"smaller disk":      {whole, 9 << 20, `a disk of 8388608 bytes, but the image one of 9437184`},
		"wild first table":  {put(40, 1<<40), 0, `first table lies beyond`},
		"wild second table": {put(l1, 1<<40), 0, `second table lies beyond`},
		"wild counts":       {put(65536, 1<<40), 0, `reference counts lies beyond`},
		"huge first table":  {put(32, 1<<31), 0, `makes no sense`},
		"backing file":      {put(8, 1<<20), 0, `more than itself`},
		"text":              {[]byte("vm image downloader x is not ready"), 0, `not the image; the server wrote into the stream: vm image`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &transfer.Download{Disk: test.least}
			_, err := fetch(t, d, sends(test.sent))
			if err == nil || !regexp.MustCompile(test.wants).MatchString(err.Error()) {
				t.Errorf("got %v, want %s", err, test.wants)
			}
			if names := files(t, d.Target); len(names) > 0 {
				t.Errorf("it leaves %q", names)
			}
		})
	}
}

// What qemu-img makes, as CDI does, is accepted whole and never cut, at whatever byte.
func TestReceiveChecksQCOW2OfQEMU(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("qemu-img is not installed")
	}
	raw := filepath.Join(t.TempDir(), "disk.img")
	content := append(bytes.Repeat([]byte("some data that packs well "), 40000), disk()...)
	if err := os.WriteFile(raw, content[:len(content)/512*512], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range []string{"-c", "", "-c -o compat=0.10", "-c -o cluster_size=4k", "-o extended_l2=on", "-c -o compression_type=zstd"} {
		t.Run(arguments, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "disk.qcow2")
			command := append(append([]string{"convert", "-O", "qcow2"}, strings.Fields(arguments)...), raw, path)
			if output, err := exec.Command("qemu-img", command...).CombinedOutput(); err != nil {
				t.Skipf("this qemu-img cannot: %s", output)
			}
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			received, err := fetch(t, &transfer.Download{Disk: 1 << 20}, sends(whole))
			if err != nil {
				t.Fatal(err)
			}
			received.Discard()
			if strings.Contains(arguments, "zstd") || strings.Contains(arguments, "extended_l2") {
				return // CDI makes neither, and their end is not seen as exactly
			}
			last := bytes.TrimRight(whole, "\x00")
			for _, cut := range []int{1, 2, 100, len(whole) / 3, len(whole) / 2} {
				for _, text := range []string{"", copyError} {
					sent := append(bytes.Clone(last[:len(last)-cut]), text...)
					if _, err := fetch(t, &transfer.Download{}, sends(sent)); err == nil {
						t.Errorf("cut by %d bytes, with text %q: not noticed", cut, text)
					}
				}
			}
		})
	}
}

func TestReceiveRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code  int
		body  string
		wants string
		again []bool // after the first try, after the second
	}{
		"not imported":    {500, "please wait until the image has been imported", `500 Internal Server Error: please wait until`, []bool{false, false}},
		"encrypted":       {500, "encrypted image is not supported for download", `encrypted`, []bool{false, false}},
		"internal":        {500, "failed to send the download request", `failed to send`, []bool{true, true}},
		"no downloader":   {404, "failed to get vm image downloader x: not found", `downloader`, []bool{true, true}},
		"not there":       {404, `{"type":"error","status":"404","message":"not found"}`, `404 Not Found: not found`, []bool{false, false}},
		"unauthorized":    {401, `{"message":"Unauthorized"}`, `401 Unauthorized: Unauthorized`, []bool{true, false}},
		"forbidden":       {403, "no", `403`, []bool{false, false}},
		"gateway":         {502, "<html><head><title>502 Bad Gateway</title></head></html>", `502 Bad Gateway: 502 Bad Gateway`, []bool{true, true}},
		"partial content": {206, "half", `206`, []bool{false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &transfer.Download{Packed: true}
			_, err := fetch(t, d, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.code)
				_, _ = io.WriteString(w, test.body)
			})
			var refused *transfer.RefusedError
			if !errors.As(err, &refused) || !errors.As(err, new(*transfer.StatusError)) || !regexp.MustCompile(test.wants).MatchString(err.Error()) {
				t.Fatalf("got %T %v", err, err)
			}
			for i, want := range test.again {
				if transfer.Again(err, i+1) != want {
					t.Errorf("after try %d: another one is %v", i+1, !want)
				}
			}
			if _, err := os.Stat(filepath.Dir(d.Target.Path)); !os.IsNotExist(err) {
				t.Error("the folder was made")
			}
		})
	}
}

// slowly sends the beginning and then nothing until the client is gone.
func slowly(begun chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		whole := gzipped(disk())
		_, _ = w.Write(whole[:len(whole)/2])
		_ = http.NewResponseController(w).Flush()
		if begun != nil {
			close(begun)
		}
		<-r.Context().Done()
	}
}

func TestReceiveStalls(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		d := &transfer.Download{Packed: true, Keep: keep, Stall: 200 * time.Millisecond}
		_, err := fetch(t, d, slowly(nil))
		var stalled *transfer.StalledError
		if !errors.As(err, &stalled) || !transfer.Again(err, 1) {
			t.Errorf("got %v", err)
		}
		if names := files(t, d.Target); len(names) > 0 {
			t.Errorf("it leaves %q", names)
		}
	}
}

func TestReceiveIsInterrupted(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		begun := make(chan struct{})
		server := httptest.NewServer(slowly(begun))
		target := transfer.Target{Path: filepath.Join(t.TempDir(), "disk.img"), FileMode: 0o600, DirMode: 0o700}
		if err := os.WriteFile(target.Path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		address, _ := url.Parse(server.URL)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-begun
			cancel()
		}()
		_, err := (&transfer.Download{URL: address, Packed: true, Keep: keep, Target: target}).Receive(ctx, server.Client())
		server.Close()
		if !errors.Is(err, context.Canceled) || transfer.Again(err, 1) {
			t.Errorf("got %v", err)
		}
		if names := files(t, target); len(names) != 1 {
			t.Errorf("it leaves %q", names)
		}
		if old, err := os.ReadFile(target.Path); string(old) != "old" {
			t.Errorf("the old file holds %q (%v)", old, err)
		}
	}
}

// What a killed download leaves is removed by the next one; what a running one has is not.
func TestReceiveSweeps(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	target := transfer.Target{Path: filepath.Join(folder, "disk.img"), FileMode: 0o600, DirMode: 0o700}
	for _, name := range []string{".disk.img.harvester-ABC.part", ".other.img.harvester-ABC.part", ".disk.img.harvester-keep"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	whole := gzipped(disk())
	first, err := fetch(t, &transfer.Download{Packed: true, Target: target}, sends(whole))
	if err != nil {
		t.Fatal(err)
	}
	second, err := fetch(t, &transfer.Download{Packed: true, Target: target}, sends(whole))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.Commit(), second.Commit()); err != nil {
		t.Error(err)
	}
	if got := strings.Join(files(t, target), " "); got != ".disk.img.harvester-keep .other.img.harvester-ABC.part disk.img" {
		t.Errorf("there is %s", got)
	}
}

// A link to the target stays a link.
func TestReceiveFollowsLinks(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	behind, link := filepath.Join(folder, "behind.img"), filepath.Join(folder, "link.img")
	if err := errors.Join(os.WriteFile(behind, []byte("old"), 0o600), os.Symlink(behind, link)); err != nil {
		t.Fatal(err)
	}
	received, err := fetch(t, &transfer.Download{Packed: true, Target: transfer.Target{Path: link, FileMode: 0o600}}, sends(gzipped([]byte("new"))))
	if err != nil || received.Commit() != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(behind); string(got) != "new" {
		t.Errorf("behind the link is %q (%v)", got, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v (%v)", info, err)
	}
}

func TestTargetCheck(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, wants := range map[string]string{
		filepath.Join(folder, "new"):               "",
		filepath.Join(folder, "file"):              "",
		filepath.Join(folder, "a", "b", "c"):       "",
		"relative.img":                             "",
		folder:                                     "is a directory",
		filepath.Join(folder, "new") + "/":         "is a directory",
		filepath.Join(folder, "file", "below"):     "cannot be written",
		filepath.Join(folder, "file", "a", "deep"): "cannot be written",
		"/dev/null":                                "is not a regular file",
	} {
		err := transfer.Target{Path: path}.Check()
		switch {
		case wants == "" && err != nil:
			t.Errorf("%s: %v", path, err)
		case wants != "" && (err == nil || !strings.Contains(err.Error(), wants)):
			t.Errorf("%s: got %v, want %s", path, err, wants)
		}
	}
	if free := (transfer.Target{Path: filepath.Join(folder, "a", "b")}).Free(); free <= 0 {
		t.Errorf("%d bytes are free", free)
	}
}
