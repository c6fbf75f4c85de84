package install

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
)

// member is a name and its value in the text of a JSON object, as offsets.
type member struct {
	name                 string
	nameStart            int
	valueStart, valueEnd int
}

// object is the text of a JSON object: where its brackets are and what is
// between them.
type object struct {
	open, end int // of "{" and behind "}"
	members   []member
}

// scan finds the members of the object that begins at or behind start. Nothing
// but white space may stand before it.
func scan(doc []byte, start int) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(doc[start:]))
	at := func() int { return start + int(dec.InputOffset()) }
	t, err := dec.Token()
	if err != nil {
		return object{}, err
	}
	if t != json.Delim('{') {
		return object{}, fmt.Errorf("it is no JSON object, it begins with %v", t)
	}
	o := object{open: at() - 1}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return o, err
		}
		name, ok := t.(string)
		if !ok {
			return o, fmt.Errorf("a name was wanted, %v was found", t)
		}
		m := member{name: name}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return o, err
		}
		m.valueEnd = at()
		m.valueStart = m.valueEnd - len(raw)
		// The first quote behind the member before begins the name.
		from := o.open + 1
		if n := len(o.members); n > 0 {
			from = o.members[n-1].valueEnd
		}
		m.nameStart = from + bytes.IndexByte(doc[from:], '"')
		o.members = append(o.members, m)
	}
	if _, err := dec.Token(); err != nil {
		return o, err
	}
	o.end = at()
	return o, nil
}

func (o object) find(name string) (member, bool) {
	for _, m := range o.members {
		if m.name == name {
			return m, true
		}
	}
	return member{}, false
}

// checkJSON tells whether a text is one JSON object and nothing else.
func checkJSON(doc []byte) error {
	o, err := scan(doc, 0)
	if err == nil && len(bytes.TrimSpace(doc[o.end:])) > 0 {
		err = fmt.Errorf("something follows the object: %.20q", bytes.TrimSpace(doc[o.end:]))
	}
	if err != nil {
		return fmt.Errorf("not valid JSON: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	return nil
}

// setJSON gives a member of an object, or of an object in it, a value, and
// leaves every other byte of the text as it is. Objects on the way are made.
func setJSON(doc []byte, path []string, value any) ([]byte, error) {
	if len(bytes.TrimSpace(doc)) == 0 {
		doc = []byte("{}\n")
	}
	if err := checkJSON(doc); err != nil {
		return nil, err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return set(doc, 0, 0, path, text)
}

func set(doc []byte, start, depth int, path []string, value []byte) ([]byte, error) {
	o, err := scan(doc, start)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errdefs.ErrInvalidArgument)
	}
	m, found := o.find(path[0])
	switch {
	case found && len(path) > 1:
		if doc[m.valueStart] != '{' {
			return nil, fmt.Errorf("%q is %s, an object was wanted: %w", path[0], doc[m.valueStart:m.valueEnd], errdefs.ErrInvalidArgument)
		}
		return set(doc, m.valueStart, depth+1, path[1:], value)
	case found:
		return splice(doc, m.valueStart, m.valueEnd, value), nil
	}
	step, line := indentation(doc, o, depth)
	name, err := json.Marshal(path[0])
	if err != nil {
		return nil, err
	}
	text := append(append(name, ": "...), nested(path[1:], value, line, step)...)
	if n := len(o.members); n > 0 {
		at := o.members[n-1].valueEnd
		return splice(doc, at, at, append([]byte(","+line), text...)), nil
	}
	closing := "\n" + strings.Repeat(step, depth)
	return splice(doc, o.open+1, o.end-1, append(append([]byte(line), text...), closing...)), nil
}

// nested is a value in the objects that a path names.
func nested(path []string, value []byte, line, step string) []byte {
	if len(path) == 0 {
		return value
	}
	name, _ := json.Marshal(path[0]) // a string always has a form
	inner := nested(path[1:], value, line+step, step)
	return fmt.Appendf(nil, "{%s%s: %s%s}", line+step, name, inner, line)
}

// indentation is the step by which a text indents, and what stands before a
// member of an object in it: a line break and white space.
func indentation(doc []byte, o object, depth int) (step, line string) {
	step = "  "
	if len(o.members) > 0 {
		before := string(doc[o.open+1 : o.members[0].nameStart])
		if !strings.Contains(before, "\n") {
			return step, " " // an object on one line stays on one
		}
		line = before[strings.LastIndexByte(before, '\n'):]
		if n := len(line) - 1; depth == 0 && n > 0 {
			step = line[1:]
		}
		return step, line
	}
	return step, "\n" + strings.Repeat(step, depth+1)
}

// getJSON gives the text of a member; nil where there is none.
func getJSON(doc []byte, path []string) (json.RawMessage, error) {
	if len(bytes.TrimSpace(doc)) == 0 {
		return nil, nil
	}
	if err := checkJSON(doc); err != nil {
		return nil, err
	}
	start := 0
	for i, name := range path {
		o, err := scan(doc, start)
		if err != nil {
			return nil, err
		}
		m, ok := o.find(name)
		if !ok {
			return nil, nil
		}
		if i == len(path)-1 {
			return json.RawMessage(doc[m.valueStart:m.valueEnd]), nil
		}
		if doc[m.valueStart] != '{' {
			return nil, nil
		}
		start = m.valueStart
	}
	return nil, nil
}

// removeJSON takes a member out of a text, and with it the objects around it
// that are empty then, but not the whole.
func removeJSON(doc []byte, path []string) ([]byte, error) {
	value, err := getJSON(doc, path)
	if err != nil || value == nil {
		return doc, err
	}
	start := 0
	for _, name := range path[:len(path)-1] {
		o, err := scan(doc, start)
		if err != nil {
			return nil, err
		}
		m, _ := o.find(name)
		start = m.valueStart
	}
	o, err := scan(doc, start)
	if err != nil {
		return nil, err
	}
	if len(o.members) == 1 && len(path) > 1 {
		return removeJSON(doc, path[:len(path)-1])
	}
	for i, m := range o.members {
		if m.name != path[len(path)-1] {
			continue
		}
		switch {
		case len(o.members) == 1:
			return splice(doc, o.open+1, o.end-1, nil), nil
		case i == 0:
			return splice(doc, m.nameStart, o.members[1].nameStart, nil), nil
		default:
			return splice(doc, o.members[i-1].valueEnd, m.valueEnd, nil), nil
		}
	}
	return doc, nil
}

// splice puts text in the place of doc[from:to].
func splice(doc []byte, from, to int, text []byte) []byte {
	out := make([]byte, 0, len(doc)-(to-from)+len(text))
	out = append(out, doc[:from]...)
	out = append(out, text...)
	return append(out, doc[to:]...)
}
