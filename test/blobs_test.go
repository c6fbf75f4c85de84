package test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// verifyBlobs hashes every blob below a data root.
func verifyBlobs(t *testing.T, data string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Base(filepath.Dir(path)) != "sha256" {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		if sum := hex.EncodeToString(h.Sum(nil)); sum != d.Name() {
			t.Errorf("blob %s has the content of %s", d.Name(), sum)
		}
		n++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if n == 0 {
		t.Error("no blob was found to verify")
	}
	t.Logf("%d blobs verify", n)
}
