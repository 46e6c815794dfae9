package layertest

// Clauses returns the names of all clauses.
func Clauses() []string {
	var names []string
	for _, list := range [][]clause{aloneClauses, brokerClauses, togetherClauses, outageClauses, historyClauses, historyTogetherClauses} {
		for _, c := range list {
			names = append(names, c.name)
		}
	}
	return names
}
