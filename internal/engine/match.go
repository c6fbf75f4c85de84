package engine

// Importable reports whether something of type have meets an import of type
// want (Core Specification 4.5.3, import matching). For tables and memories
// have.Min is the current size.
func Importable(want, have ExternType) bool {
	if want.Kind != have.Kind {
		return false
	}
	switch want.Kind {
	case KindFunc, KindTag:
		return want.Func.Equal(have.Func)
	case KindGlobal:
		return want.Value == have.Value && want.Mutable == have.Mutable
	case KindTable:
		if want.Value != have.Value {
			return false
		}
	}
	return have.Min >= want.Min && (!want.HasMax || have.HasMax && have.Max <= want.Max)
}
