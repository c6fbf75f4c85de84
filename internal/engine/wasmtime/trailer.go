//go:build cgo && linux && (amd64 || arm64)

package wasmtime

import (
	"encoding/binary"
	"fmt"
	"os"

	"wherry/internal/engine"
	"wherry/internal/engine/signature"
)

// The trailer stands behind wasmtime's ELF file and says what the module
// imports and exports. Its last 24 bytes are the lengths of the ELF file and of
// the trailer's body, little endian, and the magic. So a file that was cut
// short or grew is found out by its length alone. Whether the code fits this
// engine is in the ELF file, and wasmtime checks it.

const (
	trailerMagic = "wherry01"
	trailerTail  = 8 + 8 + len(trailerMagic)
	trailerMax   = 64 << 20
)

func encodeTrailer(sig *signature.Signature, elf int) ([]byte, error) {
	body := sig.Append(nil)
	if len(body) > trailerMax {
		return nil, fmt.Errorf("%w: its imports and exports with their types take %d bytes, more than the %d that are kept", engine.ErrInvalidModule, len(body), trailerMax)
	}
	tail := binary.LittleEndian.AppendUint64(nil, uint64(elf))
	tail = binary.LittleEndian.AppendUint64(tail, uint64(len(body)))
	return append(append(body, tail...), trailerMagic...), nil
}

// readTrailer gives the signature and the length of the ELF file before it.
func readTrailer(path string) (*signature.Signature, int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	damaged := func(why string) (*signature.Signature, int, error) {
		return nil, 0, fmt.Errorf("%w: %s is no compiled code or is damaged: %s", engine.ErrIncompatible, path, why)
	}
	size := st.Size()
	if size < int64(trailerTail) {
		return damaged("it is too short")
	}
	tail := make([]byte, trailerTail)
	if _, err := f.ReadAt(tail, size-int64(trailerTail)); err != nil {
		return nil, 0, err
	}
	if string(tail[16:]) != trailerMagic {
		return damaged("its end is missing")
	}
	elf, n := binary.LittleEndian.Uint64(tail), binary.LittleEndian.Uint64(tail[8:])
	if n > trailerMax || elf > uint64(size) || elf+n+uint64(trailerTail) != uint64(size) {
		return damaged("its length is wrong")
	}
	body := make([]byte, n)
	if _, err := f.ReadAt(body, int64(elf)); err != nil {
		return nil, 0, err
	}
	sig, err := signature.Decode(body)
	if err != nil {
		return damaged(err.Error())
	}
	return sig, int(elf), nil
}
