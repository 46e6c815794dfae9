package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/portico-go/portico/channellayer"
)

// StreamOptions say how a JetStream stream is made. They count for one that there is not yet: change the others with "nats stream edit".
type StreamOptions struct {
	// Replicas is on how many servers of a cluster the stream is; zero means one. With three, it outlives one of them.
	Replicas int
	// Memory keeps the stream in the servers' memory, which is gone with them, and not in files.
	Memory bool
	// MaxBytes is how large the stream may become; zero is without a limit but the server's.
	MaxBytes int64
}

// apply fills in a stream's configuration.
func (o StreamOptions) apply(c *jetstream.StreamConfig) {
	c.Replicas, c.MaxBytes, c.Storage = max(o.Replicas, 1), o.MaxBytes, jetstream.FileStorage
	if o.MaxBytes == 0 {
		c.MaxBytes = -1
	}
	if o.Memory {
		c.Storage = jetstream.MemoryStorage
	}
}

func (o StreamOptions) check(name string) error {
	if o.Replicas < 0 || o.Replicas > 5 || o.MaxBytes < 0 {
		return fmt.Errorf("nats: options: %s has Replicas %d and MaxBytes %d, expected 0 to 5 and not less than 0", name, o.Replicas, o.MaxBytes)
	}
	return nil
}

// errUnfit means that a server, or a stream on it, is not as it must be. Trying again does not mend that.
var errUnfit = errors.New("nats: the server is not set up for this")

// streamName makes a stream's name of a prefix, which may have dots, and names may not.
func streamName(prefix, what string) string { return strings.ReplaceAll(prefix, ".", "~") + what }

// fit checks that a server has JetStream, of a version that can do what is asked of it here.
func fit(ctx context.Context, conn *nats.Conn, js jetstream.JetStream) error {
	var major, minor int
	if _, err := fmt.Sscanf(conn.ConnectedServerVersion(), "%d.%d", &major, &minor); err == nil && major*1000+minor < 2011 {
		return fmt.Errorf("%w: it is nats-server %s, expected 2.11 or newer", errUnfit, conn.ConnectedServerVersion())
	}
	return enabled(func() error { _, err := js.AccountInfo(ctx); return err }())
}

// enabled says what to do if err means that there is no JetStream.
func enabled(err error) error {
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return fmt.Errorf("%w: it has no JetStream for this account; start it with -js, or put jetstream into its configuration: %w", errUnfit, err)
	}
	return err
}

// A pubAck is a stream's answer to a message.
type pubAck struct {
	Stream    string              `json:"stream"`
	Sequence  uint64              `json:"seq"`
	Duplicate bool                `json:"duplicate"`
	Error     *jetstream.APIError `json:"error"`
}

// store sends a message to a stream, and returns when that has it. While another one with its key is on the way it waits. An error may be a *jetstream.APIError, or match nats.ErrNoResponders: no stream has the subject.
func store(ctx context.Context, conn *nats.Conn, m *nats.Msg) (pubAck, error) {
	for {
		ack, err := storeOnce(ctx, conn, m)
		if api, ok := errors.AsType[*jetstream.APIError](err); !ok || api.ErrorCode != duplicateUnderWay || !pause(ctx) {
			return ack, err
		}
	}
}

// duplicateUnderWay is the code of an error that a stream on several servers answers.
const duplicateUnderWay jetstream.ErrorCode = 10158

// pause lets the servers agree, and reports whether ctx goes on.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(20 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

func storeOnce(ctx context.Context, conn *nats.Conn, m *nats.Msg) (pubAck, error) {
	answer, err := conn.RequestMsgWithContext(ctx, m)
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return pubAck{}, fmt.Errorf("%w: it has %d bytes, and the NATS server's max_payload is %d", channellayer.ErrTooLarge, len(m.Data), conn.MaxPayload())
	case err != nil:
		return pubAck{}, err
	}
	var ack pubAck
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return pubAck{}, fmt.Errorf("the stream answered what it never does: %w", err)
	}
	if ack.Error != nil && ack.Error.ErrorCode == jetstream.JSErrCodeStreamMessageExceedsMaximum {
		return pubAck{}, fmt.Errorf("%w: it has %d bytes, and the stream takes less", channellayer.ErrTooLarge, len(m.Data))
	}
	if ack.Error != nil {
		return pubAck{}, ack.Error
	}
	if ack.Stream == "" || ack.Sequence == 0 {
		return pubAck{}, errors.New("the stream answered what it never does")
	}
	return ack, nil
}

// wrongSequence reports whether a stream refused a message because its subject has another last sequence than the message expected.
func wrongSequence(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// The API's subject for reading one message, of the stream's leader.
const getMessage = "$JS.API.STREAM.MSG.GET."

// A storedMsg is a message as the API has it.
type storedMsg struct {
	Subject  string    `json:"subject"`
	Sequence uint64    `json:"seq"`
	Header   []byte    `json:"hdrs"`
	Data     []byte    `json:"data"`
	Time     time.Time `json:"time"`
}

// fetchMsg reads one message: the last of a subject, or that of a sequence. Without it the error is jetstream.ErrMsgNotFound.
func fetchMsg(ctx context.Context, conn *nats.Conn, stream string, ask any) (m *nats.Msg, sequence uint64, stamp time.Time, err error) {
	request, err := json.Marshal(ask)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	answer, err := conn.RequestWithContext(ctx, getMessage+stream, request)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	var got struct {
		Message *storedMsg          `json:"message"`
		Error   *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return nil, 0, time.Time{}, fmt.Errorf("the server answered what it never does: %w", err)
	}
	switch {
	case got.Error != nil && got.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, 0, time.Time{}, jetstream.ErrMsgNotFound
	case got.Error != nil:
		return nil, 0, time.Time{}, got.Error
	case got.Message == nil:
		return nil, 0, time.Time{}, errors.New("the server answered what it never does: no message")
	}
	m = &nats.Msg{Subject: got.Message.Subject, Data: got.Message.Data}
	if len(got.Message.Header) > 0 {
		if m.Header, err = nats.DecodeHeadersMsg(got.Message.Header); err != nil {
			return nil, 0, time.Time{}, err
		}
	}
	return m, got.Message.Sequence, got.Message.Time, nil
}

type (
	lastOf struct {
		Subject string `json:"last_by_subj"`
	}
	atSequence struct {
		Sequence uint64 `json:"seq"`
	}
)

// purge drops the messages of subjects, but for the newest.
func purge(ctx context.Context, conn *nats.Conn, stream, subject string, keep int) error {
	answer, err := conn.RequestWithContext(ctx, "$JS.API.STREAM.PURGE."+stream, fmt.Appendf(nil, `{"filter":%q,"keep":%d}`, subject, keep))
	if err != nil {
		return err
	}
	var done struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &done); err != nil {
		return err
	}
	if done.Error != nil {
		return done.Error
	}
	return nil
}
