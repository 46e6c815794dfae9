module github.com/portico-go/portico/channellayer/redis

go 1.26.0

require (
	github.com/portico-go/portico v0.0.0
	github.com/redis/rueidis v1.0.79
	go.uber.org/goleak v1.3.0
)

require golang.org/x/sys v0.49.0 // indirect

replace github.com/portico-go/portico => ../..
