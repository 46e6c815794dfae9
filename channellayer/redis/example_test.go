package redis_test

import (
	"fmt"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer/redis"
)

func ExampleOpen() {
	_, err := redis.Open("redis://:secret@redis.internal:6379/first")
	fmt.Println(err)
	// Output: redis: URL redis://:xxxxx@redis.internal:6379/first: redis: invalid database number: "first"
}

func ExampleNew() {
	_, err := redis.New(redis.Options{
		Client: rueidis.ClientOption{
			InitAddress: []string{"sentinel-1:26379", "sentinel-2:26379", "sentinel-3:26379"},
			Sentinel:    rueidis.SentinelOption{MasterSet: "chat"},
		},
		Prefix: "{chat}",
	})
	fmt.Println(err)
	// Output: redis: options: Prefix "{chat}" has a brace, which Redis takes for a hash tag
}
