package workqueue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// recordVersion is the version that AppendJob writes, and the only one that ParseJob reads.
const recordVersion = 1

// maxID is the greatest length of a job's ID, in bytes.
const maxID = 64

// ErrRecord means that bytes are not a job that this version can read.
var ErrRecord = errors.New("workqueue: bad record")

// AppendJob appends a job to dst in a form in which a store can keep it, and returns the longer slice. The channel is not part of it. Version 1 is
//
//	version    1 byte, 1
//	attempt    number
//	enqueued   milliseconds since 1970
//	expires    the same, 0 for never
//	id         length, bytes: at most 64
//	error      length, bytes: at most MaxError
//	envelope   the rest: channellayer.AppendEnvelope of type, header and payload
//
// where lengths and numbers are unsigned varints (encoding/binary).
func AppendJob(dst []byte, j *Job) []byte {
	dst = append(dst, recordVersion)
	dst = binary.AppendUvarint(dst, uint64(max(j.Attempt, 0)))
	dst = binary.AppendUvarint(dst, millis(j.Enqueued))
	dst = binary.AppendUvarint(dst, millis(j.Expires))
	dst = append(binary.AppendUvarint(dst, uint64(len(j.ID))), j.ID...)
	text := shorten(j.Error)
	dst = append(binary.AppendUvarint(dst, uint64(len(text))), text...)
	return channellayer.AppendEnvelope(dst, &channellayer.Message{Type: j.Type, Header: j.Header, Payload: j.Payload})
}

// millis is a time as a record has it.
func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixMilli(), 0))
}

// ParseJob reads what [AppendJob] wrote. The job shares no memory with data, and has the channel that is given. Every length is checked before anything is
// allocated for it. The error matches [ErrRecord].
func ParseJob(channel string, data []byte) (*Job, error) {
	if len(data) == 0 || data[0] != recordVersion {
		return nil, fmt.Errorf("%w: expected version %d: another process runs another release, or it is something else", ErrRecord, recordVersion)
	}
	r := reader{data: data[1:]}
	job := &Job{
		Channel:  channel,
		Attempt:  int(r.number(1 << 31)),
		Enqueued: moment(r.number(1 << 50)),
		Expires:  moment(r.number(1 << 50)),
		ID:       string(r.bytes(maxID)),
		Error:    string(r.bytes(MaxError)),
	}
	if r.failed {
		return nil, fmt.Errorf("%w: it is cut off, or a length in it is too great", ErrRecord)
	}
	m, err := channellayer.ParseEnvelope(r.data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	job.Type, job.Header, job.Payload = m.Type, m.Header, m.Payload
	return job, nil
}

// moment is the way back from millis.
func moment(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}

// A reader reads a record from front to back. Once it has failed it returns nothing more.
type reader struct {
	data   []byte
	failed bool
}

func (r *reader) number(limit uint64) uint64 {
	v, n := binary.Uvarint(r.data)
	if r.failed || n <= 0 || v > limit {
		r.failed = true
		return 0
	}
	r.data = r.data[n:]
	return v
}

// bytes returns the next length-prefixed bytes, as a part of the data.
func (r *reader) bytes(limit int) []byte {
	n := r.number(uint64(limit))
	if r.failed || n > uint64(len(r.data)) {
		r.failed = true
		return nil
	}
	part := r.data[:n]
	r.data = r.data[n:]
	return part
}
