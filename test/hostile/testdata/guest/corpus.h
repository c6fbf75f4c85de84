// What the cases of the corpus are made of.
#pragma once
#include "wasi.h"

// A text with a length, since paths may hold NULs.
struct text { const char *s; int n; };
#define S(x) { x, sizeof(x) - 1 }
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

// What a row of a table does.
enum op {
	READ,    // open following links, and read; `to` is how the content begins
	READN,   // the same not following
	WRITE,   // open for writing
	TRUNCATE, CREATE, EXCLUSIVE,
	FOLDER,  // open as a folder
	LIST,    // open as a folder and list it
	SHUT,    // a folder that cannot be listed, or has nothing in it
	STAT, LSTAT, TIMES,
	READLINK, // `to` is the body
	MKDIR, RMDIR, UNLINK,
	SYMLINK, // a link at path with the body `to`
	LINK, LINKF, // a hard link at `to`; LINKF follows path
	RENAME,  // to `to`
};

// A case that is one operation. In texts @ is the host's path of the folder
// outside, and & that of the folder above it.
struct row {
	const char *name;
	enum op op;
	struct text path, to;
	int want, or; // error numbers, either is right; or is want where it is 0
	const char *at; // the folder that the path is relative to, 0 for the root
};

// A case that is more. It calls fail where something is wrong.
struct action {
	const char *name;
	void (*run)(void);
	bool alone; // it leaves no descriptors for others
};

struct family {
	const char *name;
	const struct row *rows;
	int nrows;
	const struct action *actions;
	int nactions;
};
#define ROWS(r) .rows = r, .nrows = LEN(r)
#define ACTIONS(a) .actions = a, .nactions = LEN(a)

extern const struct family climbing, links, chains, texts, kernel, odd, mounts, moving, linking, masks,
	descriptors, memory, sizes, listing, polling, network, races;

// What the host says of itself, by arguments NAME=value; "" where it does not.
const char *argument(const char *name);
int number(const char *name);

// A descriptor of the root, the only preopen.
#define ROOT 3u

// Judgements. escape is for what must never be seen.
void fail(const char *what, int got, int want);
void escape(const char *what);
void expect(const char *what, int got, int want);
void either(const char *what, int got, int want, int or);
void denied(const char *what, int got); // any error
void look(const void *b, u32 n);        // for the canary

// Calls in shorter form. They look at what they read.
int open_at(u32 fd, struct text path, u32 lookup, u32 oflags, u64 rights, u32 *out);
u32 must_open(const char *path, u32 oflags, u64 rights);
int read_fd(u32 fd, char *buf, u32 size, u32 *n);
int write_fd(u32 fd, const char *s);
int list_fd(u32 fd, char *buf, u32 size, u32 *n);
int run_row(const struct row *r);
struct text expand(struct text t, char *buf, int size);

struct text text(const char *s);
int length(const char *s);
bool same(const char *a, const char *b, int n);
void print(const char *s);
void print_number(long long n);
#define P(t) PTR((t).s), (u32)(t).n
