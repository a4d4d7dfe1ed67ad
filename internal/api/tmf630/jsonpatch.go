package tmf630

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// CodePatchTest is a test operation of a JSON Patch that does not hold.
const CodePatchTest fault.Code = "patchTestFailed"

// mostOperations bounds a JSON Patch.
const mostOperations = 1000

// patchOperation is one operation of a JSON Patch (RFC 6902).
type patchOperation struct {
	verb       string
	path, from []string
	value      any
}

var errNotObject = errors.New("it stands below a value that is neither an object nor an array")

// jsonPatch applies a JSON Patch to target, which is changed. The fault names the operation.
func jsonPatch(target, patch any) (any, error) {
	list, ok := patch.([]any)
	if !ok {
		return nil, fault.Invalidf("", "a JSON Patch is an array of operations (RFC 6902)")
	}
	if len(list) > mostOperations {
		return nil, fault.Invalidf("", "a JSON Patch has at most %d operations", mostOperations)
	}
	copied := &measure{}
	for i, item := range list {
		o, err := readOperation(item)
		if err == nil {
			target, err = o.apply(target, copied)
		}
		if err != nil {
			return nil, o.fault(i, err)
		}
	}
	return target, nil
}

func (o patchOperation) fault(i int, err error) error {
	at := "[" + strconv.Itoa(i) + "]"
	var f *fault.Error
	if errors.As(err, &f) {
		return f.At(at)
	}
	return fault.Invalidf(at, "operation %d (%s /%s) cannot be applied: %v", i+1, o.verb, strings.Join(o.path, "/"), err)
}

func readOperation(item any) (o patchOperation, err error) {
	object, ok := item.(map[string]any)
	if !ok {
		return o, errors.New("it is not an object")
	}
	o.verb, _ = object["op"].(string)
	var needsFrom, needsValue bool
	switch o.verb {
	case "add", "replace", "test":
		needsValue = true
	case "move", "copy":
		needsFrom = true
	case "remove":
	default:
		return o, errors.New("op is one of add, remove, replace, move, copy, test")
	}
	if o.path, err = pointer(object, "path"); err != nil {
		return o, err
	}
	if needsFrom {
		if o.from, err = pointer(object, "from"); err != nil {
			return o, err
		}
	}
	if o.value, ok = object["value"]; needsValue && !ok {
		return o, errors.New("value is missing")
	}
	return o, nil
}

// pointer reads a JSON pointer (RFC 6901).
func pointer(object map[string]any, name string) ([]string, error) {
	text, ok := object[name].(string)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s is missing", name)
	case text == "":
		return []string{}, nil
	case text[0] != '/':
		return nil, fmt.Errorf("%s is no JSON pointer: it begins with a slash", name)
	}
	steps := strings.Split(text[1:], "/")
	if len(steps) > mostDepth {
		return nil, fmt.Errorf("%s goes deeper than %d levels", name, mostDepth)
	}
	for i, s := range steps {
		if bare := strings.NewReplacer("~0", "", "~1", "").Replace(s); strings.Contains(bare, "~") {
			return nil, fmt.Errorf("%s is no JSON pointer: ~ is written ~0", name)
		}
		steps[i] = strings.ReplaceAll(strings.ReplaceAll(s, "~1", "/"), "~0", "~")
	}
	return steps, nil
}

func (o patchOperation) apply(root any, copied *measure) (any, error) {
	switch o.verb {
	case "add":
		return put(root, o.path, clone(o.value), true)
	case "replace":
		return put(root, o.path, clone(o.value), false)
	case "remove":
		root, _, err := take(root, o.path)
		return root, err
	case "test":
		v, err := find(root, o.path)
		if err == nil && !equal(v, o.value) {
			err = fault.Conflictf(CodePatchTest, "the test of /%s does not hold", strings.Join(o.path, "/"))
		}
		return root, err
	case "copy":
		v, err := find(root, o.from)
		if err != nil {
			return nil, err
		}
		// Copies of copies grow without end if nobody counts.
		if err := copied.add(v, 0); err != nil {
			return nil, err
		}
		return put(root, o.path, clone(v), true)
	}
	if len(o.path) > len(o.from) && slices.Equal(o.path[:len(o.from)], o.from) {
		return nil, errors.New("a value cannot be moved into itself")
	}
	root, v, err := take(root, o.from)
	if err != nil {
		return nil, err
	}
	return put(root, o.path, v, true)
}

// find is the value at a path.
func find(node any, path []string) (any, error) {
	for _, step := range path {
		switch n := node.(type) {
		case map[string]any:
			v, ok := n[step]
			if !ok {
				return nil, fmt.Errorf("there is no %s", step)
			}
			node = v
		case []any:
			i, err := index(step, len(n)-1)
			if err != nil {
				return nil, err
			}
			node = n[i]
		default:
			return nil, errNotObject
		}
	}
	return node, nil
}

// put sets the value at a path: added (inserted, in an array) or, when not adding, in place of one that must
// be there.
func put(node any, path []string, value any, adding bool) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	step, rest := path[0], path[1:]
	switch n := node.(type) {
	case map[string]any:
		inner, ok := n[step]
		if !ok && (len(rest) > 0 || !adding) {
			return nil, fmt.Errorf("there is no %s", step)
		}
		inner, err := put(inner, rest, value, adding)
		n[step] = inner
		return n, err
	case []any:
		if len(rest) == 0 && adding {
			i := len(n)
			if step != "-" {
				var err error
				if i, err = index(step, len(n)); err != nil {
					return nil, err
				}
			}
			return slices.Insert(n, i, value), nil
		}
		i, err := index(step, len(n)-1)
		if err != nil {
			return nil, err
		}
		n[i], err = put(n[i], rest, value, adding)
		return n, err
	}
	return nil, errNotObject
}

// take removes the value at a path and gives it.
func take(node any, path []string) (root, value any, err error) {
	if len(path) == 0 {
		return nil, nil, errors.New("the resource itself cannot be removed")
	}
	parent, err := find(node, path[:len(path)-1])
	if err != nil {
		return nil, nil, err
	}
	if value, err = find(parent, path[len(path)-1:]); err != nil {
		return nil, nil, err
	}
	if object, ok := parent.(map[string]any); ok {
		delete(object, path[len(path)-1])
		return node, value, nil
	}
	list := parent.([]any) // find has found an item of it
	i, err := index(path[len(path)-1], len(list)-1)
	if err != nil {
		return nil, nil, err
	}
	shorter := slices.Delete(list, i, i+1)
	root, err = put(node, path[:len(path)-1], shorter, false)
	return root, value, err
}

// index reads an array index without leading zeros, at most most.
func index(step string, most int) (int, error) {
	i, err := strconv.Atoi(step)
	if err != nil || i < 0 || strconv.Itoa(i) != step {
		return 0, fmt.Errorf("%q is no array index", step)
	}
	if i > most {
		return 0, fmt.Errorf("the array has no index %d", i)
	}
	return i, nil
}
