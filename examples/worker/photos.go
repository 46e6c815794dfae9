package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

// A photo is what is uploaded, and the job.
type photo struct {
	ID     string `json:"id"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// A thumbnail is what comes of it.
type thumbnail struct {
	ID      string `json:"id"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Attempt int    `json:"attempt"`
}

// listenersOf is the group of those who are told.
const listenersOf = "photos"

// upload enqueues a job and answers that it will be done. The photo's ID is the key, so a client that sends it twice gets one thumbnail.
func upload(queue *workqueue.Queue) protocol.Application {
	return consumer.HTTPFunc(func(ctx context.Context, x *consumer.Exchange) error {
		var p photo
		if err := json.Unmarshal(x.Body(), &p); err != nil || p.ID == "" {
			return protocol.Rejectf(http.StatusBadRequest, "expected a photo: id, width, height")
		}
		receipt, err := queue.Enqueue(ctx, "thumbnails", channellayer.Event{Type: "photo.added", Value: p}, workqueue.Key(p.ID))
		switch {
		case errors.Is(err, workqueue.ErrFull):
			return protocol.Rejectf(http.StatusServiceUnavailable, "too many photos at the moment")
		case errors.Is(err, channellayer.ErrInvalidName):
			return protocol.Rejectf(http.StatusBadRequest, "the id is too long, or has control characters")
		case err != nil:
			return err
		}
		return x.JSON(http.StatusAccepted, receipt)
	})
}

// listeners are the WebSockets that are told of thumbnails.
func listeners(hub *channellayer.Hub) protocol.Application {
	return &consumer.Messages[struct{}]{Layer: hub, Groups: []string{listenersOf}}
}

// thumbnails does the jobs.
func thumbnails(hub *channellayer.Hub) protocol.Application {
	return &consumer.Jobs{
		Layer: hub,
		Handlers: consumer.JobHandlers{"photo.added": consumer.Do(func(ctx context.Context, job *consumer.Job, p photo) error {
			t, err := shrink(p)
			if err != nil {
				return workqueue.Permanent(err) // it will not get better
			}
			t.Attempt = job.Attempt
			return job.Conn.Broadcast(ctx, listenersOf, "thumbnail.ready", t)
		})},
	}
}

// shrink makes a thumbnail of 160 pixels.
func shrink(p photo) (thumbnail, error) {
	const most, largest = 160, 100_000
	longer := max(p.Width, p.Height)
	if min(p.Width, p.Height) <= 0 || longer > largest {
		return thumbnail{}, errors.New("no photo has this size")
	}
	scale := func(n int) int { return max(1, n*min(most, longer)/longer) }
	return thumbnail{ID: p.ID, Width: scale(p.Width), Height: scale(p.Height)}, nil
}
