package presencetest

// Clauses returns the names of all clauses.
func Clauses() []string {
	var names []string
	for _, c := range clauses {
		names = append(names, c.name)
	}
	return names
}
