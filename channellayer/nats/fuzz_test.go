package nats_test

import (
	"testing"

	client "github.com/nats-io/nats.go"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/nats"
)

// entries collects what a broker passes on.
type entries struct {
	channellayer.Receiver
	all []channellayer.Entry
}

func (e *entries) Entry(_ string, entry channellayer.Entry) { e.all = append(e.all, entry) }

// Whatever the headers of a message are, it is an entry with a whole position, or none.
func FuzzEntry(f *testing.F) {
	b := open(f, "nats://127.0.0.1")
	f.Add("portico.log.E.g", "7", "3", "T", "", "2026-01-02T03:04:05.6Z")
	f.Add("portico.log.E.g", "7", "3", "T", "E.3.T", "")
	f.Add("portico.log.", "-7", "99999999999999999999", "", "", "now")
	f.Fuzz(func(t *testing.T, subject, sequence, last, tag, place, stamp string) {
		m := &client.Msg{Subject: "h.g", Data: []byte("x"), Header: client.Header{
			"Nats-Subject": {subject}, "Nats-Sequence": {sequence}, "Nats-Last-Sequence": {last}, "Portico-Tag": {tag},
			"Nats-Num-Pending": {last}, "Nats-Time-Stamp": {stamp},
		}}
		if place != "" {
			m.Header.Set("Portico-Place", place)
		}
		_ = nats.ParseStored(m)
		var got entries
		nats.Deliver(b, &got, m)
		for _, e := range got.all {
			if p, err := channellayer.ParsePosition(e.Position.String()); err != nil || p != e.Position || p.Offset == 0 || e.Previous >= e.Offset || place != "" {
				t.Errorf("delivered %+v", e)
			}
		}
	})
}
