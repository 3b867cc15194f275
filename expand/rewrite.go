package expand

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxDepth is how deeply options may be nested, as in JSON. Options written in
// Go can contain themselves, so there must be an end.
const maxDepth = 10_000

// A rewriter passes every string in the options of a job through a function:
// strings of any type, in slices, arrays and the values of maps, however they
// are nested. Keys of maps are names and stay as they are, and what is behind
// pointers and in structs belongs to whoever put it there.
//
// It alters nothing: what holds a changed string is copied, the rest shared.
type rewriter struct {
	text func(s string) string
	// path leads from the options to the string that text is given, if it is
	// wanted. Strings then come in the order of their paths.
	wantPath bool
	path     []string
	depth    int
	// tooDeep: something was nested deeper than maxDepth and left alone.
	tooDeep bool
}

// options returns the rewritten options, or the given ones if nothing changed.
func (w *rewriter) options(options map[string]any) map[string]any {
	if len(options) == 0 {
		return options
	}
	if v, changed := w.value(reflect.ValueOf(options)); changed {
		return v.Interface().(map[string]any)
	}
	return options
}

func (w *rewriter) value(v reflect.Value) (out reflect.Value, changed bool) {
	switch v.Kind() {
	case reflect.String:
		return w.string(v)
	case reflect.Interface:
		if v.IsNil() {
			return v, false
		}
		return w.value(v.Elem())
	case reflect.Slice, reflect.Array:
		if v.Len() == 0 || !holdsStrings(v.Type()) || !w.enter() {
			return v, false
		}
		return w.list(v)
	case reflect.Map:
		if v.Len() == 0 || !holdsStrings(v.Type()) || !w.enter() {
			return v, false
		}
		return w.dict(v)
	default:
		return v, false
	}
}

// holdsStrings spares us to look at each of a million numbers.
func holdsStrings(t reflect.Type) bool {
	switch t.Elem().Kind() {
	case reflect.String, reflect.Interface, reflect.Slice, reflect.Array, reflect.Map:
		return true
	default:
		return false
	}
}

func (w *rewriter) enter() bool {
	// Once too deep it gives up altogether: what contains itself twice would
	// take for ever.
	w.tooDeep = w.tooDeep || w.depth == maxDepth
	if !w.tooDeep {
		w.depth++
	}
	return !w.tooDeep
}

func (w *rewriter) leave() { w.depth-- }

func (w *rewriter) string(v reflect.Value) (reflect.Value, bool) {
	old := v.String()
	s := w.text(old)
	if s == old {
		return v, false
	}
	return reflect.ValueOf(s).Convert(v.Type()), true
}

func (w *rewriter) list(v reflect.Value) (out reflect.Value, changed bool) {
	defer w.leave()
	out = v
	for i := range v.Len() {
		if w.wantPath {
			w.path = append(w.path[:w.depth-1], "["+strconv.Itoa(i)+"]")
		}
		if e, differs := w.value(v.Index(i)); differs {
			if !changed {
				out, changed = copyList(v), true
			}
			out.Index(i).Set(e)
		}
	}
	return out, changed
}

func copyList(v reflect.Value) reflect.Value {
	var c reflect.Value
	if v.Kind() == reflect.Array {
		c = reflect.New(v.Type()).Elem()
	} else {
		c = reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	}
	reflect.Copy(c, v)
	return c
}

func (w *rewriter) dict(v reflect.Value) (out reflect.Value, changed bool) {
	defer w.leave()
	out = v
	keys := v.MapKeys()
	if w.wantPath {
		slices.SortFunc(keys, func(a, b reflect.Value) int {
			return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
		})
	}
	for _, key := range keys {
		if w.wantPath {
			w.push(fmt.Sprint(key))
		}
		if e, differs := w.value(v.MapIndex(key)); differs {
			if !changed {
				out, changed = copyDict(v), true
			}
			out.SetMapIndex(key, e)
		}
	}
	return out, changed
}

// push makes the path lead to a member of the map at the present depth.
func (w *rewriter) push(key string) {
	if w.depth > 1 {
		key = "." + key
	}
	w.path = append(w.path[:w.depth-1], key)
}

func copyDict(v reflect.Value) reflect.Value {
	c := reflect.MakeMapWithSize(v.Type(), v.Len())
	for entries := v.MapRange(); entries.Next(); {
		c.SetMapIndex(entries.Key(), entries.Value())
	}
	return c
}
