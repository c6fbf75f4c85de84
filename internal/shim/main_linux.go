package shim

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	task "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/containerd/api/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"wherry/internal/buildinfo"
	"wherry/internal/shim/delegate"
)

// Main is the shim's main function and gives its exit code. args leaves out
// the program's name.
func Main(args []string, stdout, stderr io.Writer) int {
	if err := run(args, stdout); err != nil {
		fmt.Fprintf(stderr, "%s: %s\n", Name, err)
		return 1
	}
	return 0
}

func run(args []string, stdout io.Writer) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	switch {
	case o.version:
		_, err := fmt.Fprintf(stdout, "%s:\n  Version:  %s\n  Go version: %s\n", os.Args[0], buildinfo.Version, runtime.Version())
		return err
	case o.info:
		return writeProto(stdout, &types.RuntimeInfo{
			Name:    Name,
			Version: &types.RuntimeVersion{Version: buildinfo.Version},
		})
	}
	switch o.action {
	case "start":
		return start(o, stdout)
	case "delete":
		dir, err := o.bundleDir()
		if err != nil {
			return err
		}
		if delegate.Delegated(dir) {
			answer, err := removePassedOn(context.Background(), o, dir)
			if err == nil {
				_, err = stdout.Write(answer)
			}
			return err
		}
		st, err := remove(o, dir)
		if err != nil {
			return err
		}
		return writeProto(stdout, &task.DeleteResponse{
			Pid:        uint32(st.pid),
			ExitStatus: uint32(st.code),
			ExitedAt:   timestamppb.New(st.at),
		})
	case "":
		return serve(o)
	}
	return fmt.Errorf("unknown action %q: wanted start or delete", o.action)
}

func writeProto(w io.Writer, m proto.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// removed is what the delete action reports.
type removed struct {
	pid, code int
	at        time.Time
}
