package dag

import "slices"

// Parameters are values by name, put into jobs in place of {{NAME}}.
type Parameters map[string]Value

// A Value is a parameter's value: a scalar, which is substituted, or a list,
// which multiplies every task that refers to it. Make one with [Scalar] or
// [List]. The zero Value is the scalar "".
type Value struct {
	scalar string
	list   []string
	isList bool
}

// Scalar returns a value that is substituted only.
func Scalar(s string) Value { return Value{scalar: s} }

// List returns a value that multiplies the tasks that refer to it, one
// instance an element. A list of one still multiplies; an empty list is an
// error when the DAG is validated.
func List(values ...string) Value { return Value{list: slices.Clone(values), isList: true} }

// IsList reports whether v multiplies.
func (v Value) IsList() bool { return v.isList }

// Len is the number of values: 1 for a scalar.
func (v Value) Len() int {
	if v.isList {
		return len(v.list)
	}
	return 1
}

// At returns the i-th value. A scalar has one, at 0.
func (v Value) At(i int) string {
	if v.isList {
		return v.list[i]
	}
	return v.scalar
}
