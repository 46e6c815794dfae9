module github.com/portico-go/portico/cmd/portico

go 1.26.0

require (
	github.com/portico-go/portico v0.0.0
	github.com/portico-go/portico/channellayer/brokers v0.0.0
)

require (
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/nats-io/nats.go v1.55.0 // indirect
	github.com/nats-io/nkeys v0.4.16 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	github.com/portico-go/portico/channellayer/nats v0.0.0 // indirect
	github.com/portico-go/portico/channellayer/redis v0.0.0 // indirect
	github.com/redis/rueidis v1.0.79 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace (
	github.com/portico-go/portico => ../..
	github.com/portico-go/portico/channellayer/brokers => ../../channellayer/brokers
	github.com/portico-go/portico/channellayer/nats => ../../channellayer/nats
	github.com/portico-go/portico/channellayer/redis => ../../channellayer/redis
)
