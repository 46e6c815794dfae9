package load

// The door for the tests.
var (
	ResponseLength = responseLength
	NextFrame      = nextFrame
)
