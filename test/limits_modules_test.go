package test

import "strings"

// hostileModules are modules whose size or shape attacks who looks at them or
// compiles them. Each is made in memory in well under a second.
func hostileModules() map[string]func() []byte {
	const million = 1_000_000
	start := list("\x60\x00\x00")
	// command closes a module: one empty function, exported as _start.
	command := func(before, after string, extra ...string) []byte {
		return []byte("\x00asm\x01\x00\x00\x00" + section(1, start) + section(3, list("\x00")) + before +
			section(7, list(named("_start")+"\x00\x00")) + strings.Join(extra, "") + section(10, list(named("\x00\x0b"))) + after)
	}
	many := func(n int, entry string) string { return number(n) + strings.Repeat(entry, n) }
	function := func(body string) []byte {
		return []byte("\x00asm\x01\x00\x00\x00" + section(1, start) + section(3, list("\x00")) +
			section(7, list(named("_start")+"\x00\x00")) + section(10, list(named(body))))
	}
	functions := func(n int, body string) []byte {
		return []byte("\x00asm\x01\x00\x00\x00" + section(1, start) + section(3, many(n, "\x00")) +
			section(7, list(named("_start")+"\x00\x00")) + section(10, many(n, named(body))))
	}
	return map[string]func() []byte{
		"functions": func() []byte { return functions(million, "\x00\x0b") },
		"imports": func() []byte {
			return []byte("\x00asm\x01\x00\x00\x00" + section(1, start) + section(2, many(million, named("a")+named("b")+"\x00\x00")))
		},
		"exports": func() []byte {
			return []byte("\x00asm\x01\x00\x00\x00" + section(1, start) + section(3, list("\x00")) +
				section(7, many(million, named("a")+"\x00\x00")) + section(10, list(named("\x00\x0b"))))
		},
		"types": func() []byte {
			return []byte("\x00asm\x01\x00\x00\x00" + section(1, number(million)+strings.Repeat("\x60\x00\x00", million)) +
				section(3, list("\x00")) + section(7, list(named("_start")+"\x00\x00")) + section(10, list(named("\x00\x0b"))))
		},
		"globals": func() []byte { return command(section(6, many(million, "\x7f\x00\x41\x00\x0b")), "") },
		"tables":  func() []byte { return command(section(4, many(100_000, "\x70\x00\x01")), "") },
		"segments": func() []byte {
			return command(section(5, list("\x00\x01")), section(11, many(million, "\x00\x41\x00\x0b\x00")))
		},
		"elements": func() []byte {
			return command(section(4, list("\x70\x00\x01")), "", section(9, many(million, "\x01\x00\x00")))
		},
		"custom sections": func() []byte { return command("", strings.Repeat(section(0, named("a")), million)) },
		"names": func() []byte {
			// A name section that names function 0 in 100 MB.
			long := named(strings.Repeat("n", 100<<20))
			return command("", section(0, named("name")+"\x01"+named("\x01\x00"+long)))
		},
		"nested blocks": func() []byte {
			const deep = 3 * million
			return function("\x00" + strings.Repeat("\x02\x40", deep) + strings.Repeat("\x0b", deep) + "\x0b")
		},
		"jump table": func() []byte { return function("\x00\x41\x00\x0e" + many(7*million, "\x00") + "\x00\x0b") },
		"locals": func() []byte {
			// 50,000 locals in each of 100,000 functions.
			return functions(100_000, "\x01"+number(50_000)+"\x7f\x0b")
		},
		"long function": func() []byte {
			return function("\x01" + number(1000) + "\x7f" + strings.Repeat("\x20\x01\x20\x02\x6a\x21\x03", million) + "\x0b")
		},
		"claimed data": func() []byte {
			return command(section(5, list("\x00\x01")), section(11, "\x01\x00\x41\x00\x0b"+number(1<<30)))
		},
		"claimed section": func() []byte {
			return append(command("", ""), append([]byte{11}, number(1<<30)...)...)
		},
	}
}
