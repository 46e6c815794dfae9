package msgpack_test

import (
	"context"
	"fmt"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/msgpack"
)

func ExampleCodec() {
	hub, err := channellayer.New(channellayer.Config{Codec: msgpack.Codec{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer hub.Close()
	sub, _ := hub.Subscribe("thumbnails", nil)
	type picture struct{ Data []byte }
	_ = hub.Send(context.Background(), "thumbnails", channellayer.Event{Type: "made", Value: picture{[]byte{1, 2, 3}}})
	m, _ := sub.Next()
	p, err := channellayer.Value[picture](m)
	fmt.Println(p, err, len(m.Payload), "bytes")
	// Output: {[1 2 3]} <nil> 11 bytes
}
