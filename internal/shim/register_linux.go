package shim

import (
	"context"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/ttrpc"
	grpc "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// The names of the task API. containerd 1.7 calls the first and containerd 2
// the second of a shim whose bootstrap says version 2 or 3; the messages are
// the same.
const (
	taskV2 = "containerd.task.v2.Task"
	taskV3 = "containerd.task.v3.Task"
)

// register serves the task API under both its names. It is written out here
// because the generated code of version 3 brings a gRPC server along.
func (s *service) register(srv *ttrpc.Server) {
	methods := map[string]ttrpc.Method{
		"Checkpoint": method(passing(s, "Checkpoint", s.Checkpoint)),
		"CloseIO":    method(passing(s, "CloseIO", s.CloseIO)),
		"Connect":    method(passing(s, "Connect", s.Connect)),
		"Create":     method(s.Create),
		"Delete":     method(s.Delete),
		"Exec":       method(passing(s, "Exec", s.Exec)),
		"Kill":       method(passing(s, "Kill", s.Kill)),
		"Pause":      method(passing(s, "Pause", s.Pause)),
		"Pids":       method(passing(s, "Pids", s.Pids)),
		"ResizePty":  method(passing(s, "ResizePty", s.ResizePty)),
		"Resume":     method(passing(s, "Resume", s.Resume)),
		"Shutdown":   method(s.Shutdown),
		"Start":      method(passing(s, "Start", s.Start)),
		"State":      method(passing(s, "State", s.State)),
		"Stats":      method(passing(s, "Stats", s.Stats)),
		"Update":     method(passing(s, "Update", s.Update)),
		"Wait":       method(passing(s, "Wait", s.Wait)),
	}
	srv.RegisterService(taskV2, &ttrpc.ServiceDesc{Methods: methods})
	srv.RegisterService(taskV3, &ttrpc.ServiceDesc{Methods: methods})
}

// method makes a ttrpc method of a call, and gives its errors their status:
// the one place where that is done.
func method[Q any, R any](call func(context.Context, *Q) (R, error)) ttrpc.Method {
	return func(ctx context.Context, unmarshal func(any) error) (any, error) {
		q := new(Q)
		if err := unmarshal(q); err != nil {
			return nil, err
		}
		r, err := call(ctx, q)
		if err != nil {
			return nil, toStatus(err)
		}
		return r, nil
	}
}

// classes are the words that errdefs' classes add to a text. The status's code
// says it already, and users read the text.
var classes = []error{
	errdefs.ErrNotFound, errdefs.ErrInvalidArgument, errdefs.ErrFailedPrecondition, errdefs.ErrAborted,
	errdefs.ErrNotImplemented, errdefs.ErrAlreadyExists, errdefs.ErrPermissionDenied, errdefs.ErrUnavailable,
}

func toStatus(err error) error {
	st := grpc.Convert(errgrpc.ToGRPC(err))
	text := st.Message()
	for _, c := range classes {
		if short, ok := strings.CutSuffix(text, ": "+c.Error()); ok {
			text = short
			break
		}
	}
	return grpc.Error(st.Code(), text)
}

// marshalAny packs a message under its bare name, as containerd's typeurl
// does.
func marshalAny(m proto.Message) (*anypb.Any, error) {
	data, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	return &anypb.Any{TypeUrl: string(m.ProtoReflect().Descriptor().FullName()), Value: data}, nil
}
