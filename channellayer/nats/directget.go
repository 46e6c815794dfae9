package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// A directGet asks for messages of a subject from a sequence on, in one request. Any server that has the stream may answer, also one that is behind.
type directGet struct {
	From    uint64     `json:"seq,omitempty"`
	Since   *time.Time `json:"start_time,omitempty"` // instead of From
	Subject string     `json:"next_by_subj"`
	Batch   int        `json:"batch"`
	Bytes   int        `json:"max_bytes"`
}

// A batchMsg is a message as such an answer has it.
type batchMsg struct {
	*nats.Msg
	sequence uint64
	behind   uint64 // messages of the subject that come after it
	at       time.Time
}

// getBatch reads one batch of a stream.
func getBatch(ctx context.Context, conn *nats.Conn, stream string, ask directGet) ([]batchMsg, error) {
	request, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	inbox := conn.NewInbox()
	sub, err := conn.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := conn.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, request); err != nil {
		return nil, err
	}
	var batch []batchMsg
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204", "404": // the end of the batch; nothing
			return batch, nil
		case "503":
			return nil, nats.ErrNoResponders
		default:
			return nil, fmt.Errorf("the server answered %s %s", status, m.Header.Get("Description"))
		}
		got, err := parseBatchMsg(m)
		if err != nil {
			return nil, err
		}
		batch = append(batch, got)
	}
}

func parseBatchMsg(m *nats.Msg) (batchMsg, error) {
	sequence, err1 := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	behind, err2 := strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
	at, err3 := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
	return batchMsg{m, sequence, behind, at}, errors.Join(err1, err2, err3)
}
