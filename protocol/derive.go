package protocol

// derive returns a copy of the scope with more values and captures. The copy has all
// of them in its own memory, mostly in one piece, so that it keeps the scope it came
// from no longer alive than others do.
func (s *Scope) derive(values []Binding, params []Param) *Scope {
	oldValues, oldParams := s.bindings(), s.captures()
	d, valueRoom, paramRoom := newScope(len(oldValues)+len(values), len(oldParams)+len(params))
	*d = *s
	d.bind(append(append(valueRoom, oldValues...), values...))
	d.capture(append(append(paramRoom, oldParams...), params...))
	return d
}

// newScope returns a scope with room for so many values and captures.
func newScope(values, params int) (*Scope, []Binding, []Param) {
	switch {
	case values == 0 && params == 0:
		return new(Scope), nil, nil
	case values <= 2 && params == 0:
		b := new(struct {
			Scope
			values [2]Binding
		})
		return &b.Scope, b.values[:0], nil
	case values <= 2 && params == 1:
		b := new(struct {
			Scope
			values [2]Binding
			params [1]Param
		})
		return &b.Scope, b.values[:0], b.params[:0]
	case values <= 4 && params <= 2:
		b := new(struct {
			Scope
			values [4]Binding
			params [2]Param
		})
		return &b.Scope, b.values[:0], b.params[:0]
	case values <= 4 && params <= 4:
		b := new(struct {
			Scope
			values [4]Binding
			params [4]Param
		})
		return &b.Scope, b.values[:0], b.params[:0]
	}
	return new(Scope), make([]Binding, 0, values), make([]Param, 0, params)
}
