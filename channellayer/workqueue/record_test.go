package workqueue_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// aJob has something in every field that a record keeps.
func aJob() *workqueue.Job {
	return &workqueue.Job{
		ID: "id", Channel: "c", Type: "t", Header: channellayer.Header{{Key: "k", Value: "v"}}, Payload: []byte("payload"),
		Enqueued: time.UnixMilli(1700000000123), Expires: time.UnixMilli(1800000000456), Attempt: 300, Error: "why",
	}
}

func TestRecordsKeepEverything(t *testing.T) {
	t.Parallel()
	for _, want := range []*workqueue.Job{aJob(), {Channel: "c", Type: "t"}} {
		data := workqueue.AppendJob([]byte("before"), want)
		if !bytes.HasPrefix(data, []byte("before")) {
			t.Error("what was there before is gone")
		}
		got, err := workqueue.ParseJob("c", data[len("before"):])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; expected %+v", got, err, want)
		}
	}
}

func TestBadRecordsAreErrors(t *testing.T) {
	t.Parallel()
	data := workqueue.AppendJob(nil, aJob())
	for n := range len(data) {
		if _, err := workqueue.ParseJob("c", data[:n]); !errors.Is(err, workqueue.ErrRecord) {
			t.Errorf("the first %d of %d bytes: %v, expected ErrRecord", n, len(data), err)
		}
	}
	for _, bad := range [][]byte{append(bytes.Clone(data), 0), append([]byte{2}, data[1:]...), {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}} {
		if _, err := workqueue.ParseJob("c", bad); !errors.Is(err, workqueue.ErrRecord) {
			t.Errorf("% x…: %v, expected ErrRecord", bad[:5], err)
		}
	}
}

func FuzzParseJob(f *testing.F) {
	f.Add(workqueue.AppendJob(nil, aJob()))
	f.Add(workqueue.AppendJob(nil, &workqueue.Job{Type: "t"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		job, err := workqueue.ParseJob("c", data)
		if err != nil {
			return
		}
		again, err := workqueue.ParseJob("c", workqueue.AppendJob(nil, job))
		if err != nil || !reflect.DeepEqual(again.Payload, job.Payload) || again.ID != job.ID || again.Attempt != job.Attempt {
			t.Errorf("%+v became %+v: %v", job, again, err)
		}
	})
}
