package protocol

import "unsafe"

// Kept returns how many timers and cleanups a connection keeps.
func Kept(c *Conn) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rec.mu.Lock()
	defer c.rec.mu.Unlock()
	kept := 0
	if c.rare != nil {
		kept += len(c.rare.timers)
	}
	if c.rec.notes != nil {
		kept += cap(c.rec.notes.cleanups)
	}
	return kept
}

// Sizes are the bytes of what stays in memory with a connection.
func Sizes() map[string]uintptr {
	return map[string]uintptr{
		"Lifecycle": unsafe.Sizeof(Lifecycle{}),
		"Conn":      unsafe.Sizeof(Conn{}),
		"record":    unsafe.Sizeof(record{}),
		"Scope":     unsafe.Sizeof(Scope{}),
		"asked":     unsafe.Sizeof(asked{}),
	}
}
