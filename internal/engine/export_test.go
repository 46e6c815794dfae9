package engine

import "unsafe"

// StreamSize is what each connection keeps besides its scope.
const StreamSize = unsafe.Sizeof(Stream{})
