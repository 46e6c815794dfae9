module github.com/portico-go/portico/channellayer/msgpack

go 1.26.0

require (
	github.com/portico-go/portico v0.0.0
	github.com/vmihailenco/msgpack/v5 v5.4.1
	go.uber.org/goleak v1.3.0
)

require github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect

replace github.com/portico-go/portico => ../..
