package channellayer

import (
	"errors"
	"fmt"
)

// maxDepth is how deep combinations of conditions may be.
const maxDepth = 8

// where returns the condition that all fields of a header make together, or nil if there is none. The sender calls it to check what
// it sends, and each node to do as it says: what cannot be read is delivered to nobody, for it may have been meant for few.
func (h Header) where() (*Condition, error) {
	var all []Condition
	terms := MaxTerms
	for _, f := range h {
		if f.Key != HeaderWhere {
			continue
		}
		p := conditionParser{parser: parser{data: []byte(f.Value)}, terms: terms}
		c := p.condition(maxDepth)
		if p.err == nil && p.at != len(p.data) {
			p.err = fmt.Errorf("%d bytes follow it", len(p.data)-p.at)
		}
		if p.err != nil {
			return nil, fmt.Errorf("channellayer: condition of a send: %w", p.err)
		}
		terms = p.terms
		all = append(all, c)
	}
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		return &all[0], nil
	}
	return &Condition{op: opAllOf, of: all}, nil
}

// A conditionParser reads a condition. What it is about to allocate it compares with the terms that are left.
type conditionParser struct {
	parser
	terms int
}

// enough says whether n terms are left, and nothing has gone wrong before.
func (p *conditionParser) enough(n int) bool {
	if p.err == nil && n > p.terms {
		p.err = fmt.Errorf("%w: it has more than %d keys, values and combinations", ErrTooLarge, MaxTerms)
	}
	return p.err == nil
}

func (p *conditionParser) condition(depth int) Condition {
	if p.at == len(p.data) {
		p.fail("it is cut off")
	}
	if !p.enough(1) {
		return Condition{}
	}
	c := Condition{op: p.data[p.at]}
	p.at++
	p.terms--
	switch c.op {
	case opIs:
		p.is(&c)
	case opNot:
		c.of = p.conditions(1, depth)
	case opAllOf, opAnyOf:
		c.of = p.conditions(p.number("number of combined conditions", MaxHeaderValue), depth)
	default:
		p.fail(fmt.Sprintf("%q is no condition, expected what Where, Not, AllOf and AnyOf return", c.op))
	}
	return c
}

func (p *conditionParser) is(c *Condition) {
	c.key = p.text("key", MaxHeaderValue)
	n := p.number("number of values", MaxHeaderValue)
	if p.err == nil {
		p.err = checkName("metadata key", c.key)
	}
	if !p.enough(n) {
		return
	}
	p.terms -= n
	c.values = make([]string, n)
	for i := range c.values {
		c.values[i] = p.text("value", MaxHeaderValue)
	}
}

func (p *conditionParser) conditions(n, depth int) []Condition {
	if depth == 0 && p.err == nil {
		p.err = fmt.Errorf("%w: its combinations are more than %d deep", ErrTooLarge, maxDepth)
	}
	if !p.enough(n) { // each takes its own
		return nil
	}
	all := make([]Condition, n)
	for i := range all {
		all[i] = p.condition(depth - 1)
	}
	return all
}

func (p *conditionParser) fail(what string) {
	if p.err == nil {
		p.err = errors.New(what)
	}
}
