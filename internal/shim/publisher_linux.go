package shim

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	forward "github.com/containerd/containerd/api/services/ttrpc/events/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	// maxEvents bounds what waits for a containerd that is away.
	maxEvents = 2048
	// eventTries is how often an event is sent before it is dropped, as in
	// containerd's own publisher.
	eventTries = 5
	// namespaceHeader carries the namespace (containerd pkg/namespaces).
	namespaceHeader = "containerd-namespace-ttrpc"
)

// publisher sends events to containerd, in order, from one goroutine. Without
// an address it drops them: the embedded engine uses Wait.
type publisher struct {
	address, namespace string
	log                *slog.Logger
	queue              chan *types.Envelope
	stop, done         chan struct{}
	stopOnce           sync.Once
	client             *ttrpc.Client // of the goroutine
}

func newPublisher(address, namespace string, log *slog.Logger) *publisher {
	p := &publisher{address: strings.TrimPrefix(address, "unix://"), namespace: namespace, log: log}
	if address == "" {
		return p
	}
	p.queue = make(chan *types.Envelope, maxEvents)
	p.stop, p.done = make(chan struct{}), make(chan struct{})
	go p.run()
	return p
}

// publish queues an event. It does not wait.
func (p *publisher) publish(topic string, event proto.Message) {
	if p.queue == nil {
		return
	}
	data, err := proto.Marshal(event)
	if err != nil {
		p.log.Error("encode an event", "topic", topic, "error", err)
		return
	}
	e := &types.Envelope{
		Timestamp: timestamppb.Now(),
		Namespace: p.namespace,
		Topic:     topic,
		// containerd's typeurl uses the message's bare name.
		Event: &anypb.Any{TypeUrl: string(event.ProtoReflect().Descriptor().FullName()), Value: data},
	}
	select {
	case p.queue <- e:
	default:
		p.log.Error("drop an event: too many wait for containerd", "topic", topic)
	}
}

// close sends what is queued, once each, and ends.
func (p *publisher) close() {
	if p.queue == nil {
		return
	}
	p.stopOnce.Do(func() { close(p.stop) })
	<-p.done
}

func (p *publisher) run() {
	defer close(p.done)
	defer func() {
		if p.client != nil {
			p.client.Close()
		}
	}()
	for {
		select {
		case e := <-p.queue:
			p.send(e)
		case <-p.stop:
			for {
				select {
				case e := <-p.queue:
					p.send(e)
				default:
					return
				}
			}
		}
	}
}

// send tries an event, and again after a longer pause each time.
func (p *publisher) send(e *types.Envelope) {
	for try := 1; ; try++ {
		err := p.forward(e)
		if err == nil {
			return
		}
		if p.client != nil {
			p.client.Close()
			p.client = nil
		}
		stopping := false
		if try < eventTries {
			select {
			case <-time.After(time.Duration(try) * time.Second / 4):
			case <-p.stop:
				stopping = true
			}
		}
		if try == eventTries || stopping {
			p.log.Error("drop an event: containerd does not take it", "topic", e.Topic, "error", err)
			return
		}
	}
}

func (p *publisher) forward(e *types.Envelope) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if p.client == nil {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", p.address)
		if err != nil {
			return err
		}
		p.client = ttrpc.NewClient(conn)
	}
	ctx = ttrpc.WithMetadata(ctx, ttrpc.MD{namespaceHeader: []string{p.namespace}})
	_, err := forward.NewEventsClient(p.client).Forward(ctx, &forward.ForwardRequest{Envelope: e})
	return err
}

// topics of the events that the shim publishes (containerd
// core/runtime/events.go).
const (
	topicCreate = "/tasks/create"
	topicStart  = "/tasks/start"
	topicExit   = "/tasks/exit"
	topicDelete = "/tasks/delete"
	topicOOM    = "/tasks/oom"
	topicPaused = "/tasks/paused"

	topicExecAdded   = "/tasks/exec-added"
	topicExecStarted = "/tasks/exec-started"

	topicResumed = "/tasks/resumed"
)
