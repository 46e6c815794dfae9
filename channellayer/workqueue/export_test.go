package workqueue

// Channels returns how many channels the store remembers.
func (m *Memory) Channels() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.channels)
}
