// A guest that tries to get out, case by case. Arguments are NAME=value, and
// the cases to run: FAMILY, FAMILY/CASE, "all" for those that leave the
// descriptors in order, or "list". It prints a line for each case: "ok NAME",
// "FAIL NAME: why" or "ESCAPE NAME: what was seen".
#include "corpus.h"

static const struct family *const families[] = {
	&climbing, &links, &chains, &texts, &kernel, &odd, &mounts, &moving, &linking, &masks,
	&descriptors, &memory, &sizes, &listing, &polling,
#ifndef NO_SOCKETS
	&network,
#endif
};

void *memset(void *b, int c, size_t n) {
	for (char *p = b; n--;) *p++ = c;
	return b;
}

void *memcpy(void *to, const void *from, size_t n) {
	char *t = to;
	for (const char *f = from; n--;) *t++ = *f++;
	return to;
}

int length(const char *s) {
	int n = 0;
	while (s[n]) n++;
	return n;
}

bool same(const char *a, const char *b, int n) {
	for (int i = 0; i < n; i++)
		if (a[i] != b[i]) return false;
	return true;
}

struct text text(const char *s) { return (struct text){s, length(s)}; }

// Output is collected, so that a case which takes the descriptor away cannot
// lose what came before it: a line is written when it is whole.
static char line[4096];
static u32 used;

static void flush(void) {
	struct iovec v = {PTR(line), used};
	u32 n;
	fd_write(1, PTR(&v), 1, PTR(&n));
	used = 0;
}

void print(const char *s) {
	for (; *s && used < sizeof line; s++) line[used++] = *s < ' ' && *s != '\n' ? '?' : *s;
}

void print_number(long long n) {
	char b[24];
	int i = sizeof b - 1;
	bool minus = n < 0;
	b[i] = 0;
	do b[--i] = '0' + (minus ? -(n % 10) : n % 10); while (n /= 10);
	if (minus) b[--i] = '-';
	print(b + i);
}

static char *argv[512], arguments[1 << 16];
static u32 argc;

const char *argument(const char *name) {
	int n = length(name);
	for (u32 i = 1; i < argc; i++)
		if (same(argv[i], name, n) && argv[i][n] == '=') return argv[i] + n + 1;
	return "";
}

int number(const char *name) {
	int n = 0;
	for (const char *s = argument(name); *s; s++) n = n * 10 + *s - '0';
	return n;
}

static const char *family_name, *case_name;
static enum { PASSED, FAILED, ESCAPED } state;

static void begin(const char *verdict) {
	print(verdict);
	print(" ");
	print(family_name);
	print("/");
	print(case_name);
}

void fail(const char *what, int got, int want) {
	if (state == PASSED) {
		state = FAILED;
		begin("FAIL");
		print(": ");
	} else
		print("; ");
	print(what);
	print(": ");
	print_number(got);
	print(", want ");
	print_number(want);
}

void escape(const char *what) {
	if (state != PASSED) print("\n");
	state = ESCAPED;
	begin("ESCAPE");
	print(": ");
	print(what);
}

void expect(const char *what, int got, int want) {
	if (got != want) fail(what, got, want);
}

void either(const char *what, int got, int want, int or) {
	if (got != want && got != or) fail(what, got, want);
}

void denied(const char *what, int got) {
	if (got == OK) fail(what, got, -1);
}

// The canary's text, put together so that the module itself does not hold it.
void look(const void *b, u32 n) {
	static const char begins[] = "CAN", ends[] = "ARY-";
	const char *s = b;
	for (u32 i = 0; i + 7 <= n; i++)
		if (same(s + i, begins, 3) && same(s + i + 3, ends, 4)) {
			escape("the canary was read");
			return;
		}
}

static void finish(void) {
	if (state == PASSED) begin("ok");
	if (used == sizeof line) used--; // cut off, but still a line
	print("\n");
	flush();
}

static bool wanted(const char *family, const char *name, bool alone) {
	for (u32 i = 1; i < argc; i++) {
		const char *a = argv[i];
		int n = length(family);
		if (!alone && same(a, "all", 4)) return true;
		if (!same(a, family, n)) continue;
		if (a[n] == 0 && !alone) return true;
		if (a[n] == '/' && same(a + n + 1, name, length(name) + 1)) return true;
	}
	return false;
}

static void start(const struct family *f, const char *name) {
	family_name = f->name;
	case_name = name;
	state = PASSED;
}

static void list(void) {
	for (u32 i = 0; i < LEN(families); i++) {
		const struct family *f = families[i];
		for (int k = 0; k < f->nrows + f->nactions; k++) {
			const struct action *a = k < f->nrows ? 0 : &f->actions[k - f->nrows];
			start(f, a ? a->name : f->rows[k].name);
			begin(a && a->alone ? "alone" : "case");
			print("\n");
			flush();
		}
	}
}

void _start(void) {
	u32 size;
	args_sizes_get(PTR(&argc), PTR(&size));
	if (argc > LEN(argv) || size > sizeof arguments) __builtin_trap();
	args_get(PTR(argv), PTR(arguments));
	for (u32 i = 1; i < argc; i++)
		if (same(argv[i], "list", 5)) return list();
#ifndef NO_SOCKETS
	for (int k = 0; k < races.nactions; k++)
		if (wanted(races.name, races.actions[k].name, true)) {
			start(&races, races.actions[k].name);
			races.actions[k].run();
			finish();
		}
#endif
	for (u32 i = 0; i < LEN(families); i++) {
		const struct family *f = families[i];
		for (int k = 0; k < f->nrows; k++)
			if (wanted(f->name, f->rows[k].name, false)) {
				start(f, f->rows[k].name);
				run_row(&f->rows[k]);
				finish();
			}
		for (int k = 0; k < f->nactions; k++)
			if (wanted(f->name, f->actions[k].name, f->actions[k].alone)) {
				start(f, f->actions[k].name);
				f->actions[k].run();
				finish();
			}
	}
}
