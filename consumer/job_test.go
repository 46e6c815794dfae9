package consumer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

type photo struct{ ID int }

// job drives jobs as a worker does, and returns what the application failed with.
func job(t *testing.T, app protocol.Application, j *workqueue.Job) error {
	t.Helper()
	c := communicator.New(t, app, &protocol.Request{Protocol: "channel", Channel: "thumbnails"})
	c.Open(j)
	if ev, err := c.Receive(); err != nil {
		return err
	} else if r, ok := ev.(*protocol.Reject); ok {
		return r
	}
	return nil
}

func TestJobsReachTheirHandler(t *testing.T) {
	t.Parallel()
	var got []any
	refuse := protocol.Rejectf(409, "enough")
	jobs := &consumer.Jobs{
		Handlers: consumer.JobHandlers{"photo.added": consumer.Do(func(_ context.Context, j *consumer.Job, p photo) error {
			got = append(got, p.ID, j.ID, j.Conn.Scope().Channel(), errors.Is(j.Conn.GroupSend(t.Context(), "g", "e", 1), consumer.ErrNoLayer))
			return refuse
		})},
		Unhandled: func(_ context.Context, j *consumer.Job) error {
			got = append(got, j.Type)
			return refuse
		},
	}
	for _, j := range []*workqueue.Job{
		{ID: "1", Type: "photo.added", Payload: []byte(`{"ID":7}`)},
		{ID: "2", Type: "photo.gone"},
	} {
		if err := job(t, jobs, j); err == nil || !strings.Contains(err.Error(), "enough") {
			t.Errorf("job %s: %v, expected the handler's error", j.ID, err)
		}
	}
	if len(got) != 5 || got[0] != 7 || got[1] != "1" || got[2] != "thumbnails" || got[3] != true || got[4] != "photo.gone" {
		t.Errorf("the handlers saw %v", got)
	}
}

func TestJobsThatFail(t *testing.T) {
	t.Parallel()
	jobs := &consumer.Jobs{Handlers: consumer.JobHandlers{"photo.added": consumer.Do(func(context.Context, *consumer.Job, photo) error { return nil })}}
	for name, c := range map[string]struct {
		job       *workqueue.Job
		want      string
		permanent bool
	}{
		"unknown": {&workqueue.Job{Type: "photo.gone"}, `"photo.gone" has no handler`, false},
		"value":   {&workqueue.Job{Type: "photo.added", Payload: []byte(`"seven"`)}, `"photo.added" is no consumer_test.photo`, true},
	} {
		err := job(t, jobs, c.job)
		if err == nil || !strings.Contains(err.Error(), c.want) || workqueue.IsPermanent(err) != c.permanent {
			t.Errorf("%s: %v, permanent %v; expected %q, %v", name, err, workqueue.IsPermanent(err), c.want, c.permanent)
		}
	}
	_, err := communicator.WebSocket(t, jobs, "/").Connect()
	if err == nil || !strings.Contains(err.Error(), "jobs of a worker") {
		t.Errorf("a WebSocket: %v", err)
	}
}

func TestJobsAreChecked(t *testing.T) {
	t.Parallel()
	for want, jobs := range map[string]*consumer.Jobs{
		"no Handlers":       {},
		"nil handler":       {Handlers: consumer.JobHandlers{"x": nil}},
		"control character": {Handlers: consumer.JobHandlers{"a\nb": func(context.Context, *consumer.Job) error { return nil }}},
	} {
		if err := protocol.Check(jobs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, expected %q", err, want)
		}
	}
}
