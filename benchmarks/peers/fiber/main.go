// Fiber is gofiber/fiber, as its README has it.
package main

import (
	"flag"
	"log"

	"github.com/gofiber/fiber/v3"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen on `HOST:PORT`")
	flag.Parse()
	app := fiber.New()
	app.Get("/hello", func(c fiber.Ctx) error {
		return c.SendString("hello, world\n")
	})
	log.Fatal(app.Listen(*addr, fiber.ListenConfig{DisableStartupMessage: true}))
}
