// Texts that are no paths, or look like others.
#include "corpus.h"

static const struct row rows[] = {
	{"empty", READ, S(""), .want = NOENT},
	{"empty mkdir", MKDIR, S(""), .want = NOENT},
	{"empty unlink", UNLINK, S(""), .want = NOENT},
	{"empty symlink body", SYMLINK, S("t-empty"), S(""), NOENT},
	{"empty rename", RENAME, S("file"), S(""), NOENT},
	{"NUL at the end", READ, S("file\0"), .want = INVAL},
	{"NUL inside", READ, S("file\0/../../outside/secret"), .want = INVAL},
	{"NUL alone", READ, S("\0"), .want = INVAL},
	{"NUL created", CREATE, S("new\0name"), .want = INVAL},
	{"NUL in a link", SYMLINK, S("t-nul"), S("a\0b"), INVAL},
	{"NUL in stat", STAT, S("file\0"), .want = INVAL},
	{"NUL in rename", RENAME, S("file"), S("a\0b"), INVAL},
	{"invalid UTF-8", READ, S("dir/\xff"), .want = ILSEQ},
	{"invalid UTF-8 that exists", READ, S("inval\xff"), .want = ILSEQ},
	{"invalid UTF-8 created", CREATE, S("\xfe\xff"), .want = ILSEQ},
	{"invalid UTF-8 mkdir", MKDIR, S("\x80"), .want = ILSEQ},
	{"invalid UTF-8 renamed to", RENAME, S("file"), S("\xc3\x28"), ILSEQ},
	{"invalid UTF-8 in a link", SYMLINK, S("t-utf8"), S("\xff"), ILSEQ},
	{"overlong slash", READ, S("..\xc0\xaf..\xc0\xaf" "etc/passwd"), .want = ILSEQ},
	{"overlong slash of three", READ, S("..\xe0\x80\xaf" "outside"), .want = ILSEQ},
	{"overlong dots", READ, S("\xc0\xae\xc0\xae/outside/secret"), .want = ILSEQ},
	{"overlong NUL", READ, S("file\xc0\x80"), .want = ILSEQ},
	{"half of a surrogate", READ, S("\xed\xa0\x80"), .want = ILSEQ},
	{"beyond Unicode", READ, S("\xf4\x90\x80\x80"), .want = ILSEQ},
	{"cut short", READ, S("file\xe2\x82"), .want = ILSEQ},
	{"division slash", READ, S("..\xe2\x88\x95..\xe2\x88\x95" "outside"), .want = NOENT},
	{"fullwidth dots", READ, S("\xef\xbc\x8e\xef\xbc\x8e/outside/secret"), .want = NOENT},
	{"one dot leader", READ, S("\xe2\x80\xa4\xe2\x80\xa4/outside/secret"), .want = NOENT},
	{"composed", READ, S("\xc3\xbcn\xc3\xaf"), S("image:\xc3\xbcn\xc3\xaf")},
	{"decomposed", READ, S("u\xcc\x88ni\xcc\x88"), .want = NOENT},
	{"byte order mark", READ, S("\xef\xbb\xbf" "file"), .want = NOENT},
	{"right to left", READ, S("\xe2\x80\xae" "elif"), .want = NOENT},
	{"zero width", READ, S("fi\xe2\x80\x8ble"), .want = NOENT},
	{"upper case", READ, S("FILE"), .want = NOENT},
	{"dotless i", READ, S("f\xc4\xb1le"), .want = NOENT},
	{"other case exists", READ, S("Case"), S("image:Case")},
	{"other case does not", READ, S("case"), .want = NOENT},
	{"backslashes", READ, S("..\\..\\outside\\secret"), .want = NOENT},
	{"backslash is a name", READ, S("back\\slash"), S("image:back\\slash")},
	{"a drive", READ, S("C:\\etc\\passwd"), .want = NOENT},
	{"a URL", READ, S("file:///etc/passwd"), .want = NOENT},
	{"percent signs", READ, S("%2e%2e/outside/secret"), .want = NOENT},
	{"percent slash", READ, S("..%2foutside%2fsecret"), .want = NOENT},
	{"a tilde", READ, S("~/.ssh/id_rsa"), .want = NOENT},
	{"a tilde for root", LIST, S("~root"), .want = NOENT},
	{"a variable", READ, S("$HOME/x"), .want = NOENT},
	{"a wildcard", READ, S("fil?"), .want = NOENT},
	{"a newline is a name", READ, S("new\nline"), S("image:new\nline")},
	{"a space at the end", READ, S("file "), .want = NOENT},
	{"a dot at the end", READ, S("file."), .want = NOENT},
	{"a stream", READ, S("file::$DATA"), .want = NOENT},
	{"a terminal's escape", READ, S("\x1b[2J"), .want = NOENT},
	{"slash at the end", READ, S("file/"), .want = NOTDIR},
	{"slashes at the end", READ, S("file///"), .want = NOTDIR},
	{"dot at the end", READ, S("file/."), .want = NOTDIR},
	{"below a file", READ, S("file/x"), .want = NOTDIR},
	{"slashes inside", READ, S("dir///nested//file"), S("image:dir/nested/file")},
	{"dots inside", READ, S("./dir/./nested/./file"), S("image:dir/nested/file")},
	{"slash on a new name", CREATE, S("t-new/"), .want = ISDIR},
	{"slash on a new link", SYMLINK, S("t-link/"), S("x"), NOENT},
};

static char path[1 << 17];

// fill repeats a text and returns a path of n bytes.
static struct text fill(const char *unit, int n) {
	for (int i = 0, u = length(unit); i < n; i++) path[i] = unit[i % u];
	return (struct text){path, n};
}

static int read_path(struct text t) {
	u32 fd;
	int e = open_at(ROOT, t, FOLLOW, 0, R_READING, &fd);
	if (e == OK) fd_close(fd);
	return e;
}

static void long_name(void) {
	expect("255 bytes", read_path(fill("n", 255)), OK);
	expect("256 bytes", read_path(fill("n", 256)), NAMETOOLONG);
	struct text t = fill("n", 256);
	expect("mkdir", path_create_directory(ROOT, P(t)), NAMETOOLONG);
}

static void long_path(void) {
	expect("4095 bytes", read_path(fill("./", 4095)), OK); // ends in a dot
	expect("4096 bytes", read_path(fill("./", 4096)), NAMETOOLONG);
	expect("64 KiB", read_path(fill("./", 1 << 16)), NAMETOOLONG);
	struct text t = fill("x", 4097);
	expect("a link's body", path_symlink(P(t), ROOT, PTR("t-long"), 6), NAMETOOLONG);
}

static void deep_path(void) {
	expect("2000 dots", read_path(fill("../", 3000)), NOTCAPABLE);
	expect("2000 folders", read_path(fill("a/", 4000)), NOENT);
	expect("slashes", read_path(fill("/", 4000)), NOTCAPABLE);
	fill("./", 4095);
	memcpy(path + 4086, "dir/../..", 9);
	expect("a climb at the end", read_path((struct text){path, 4095}), NOTCAPABLE);
}

static const struct action actions[] = {{"long names", long_name}, {"long paths", long_path}, {"deep paths", deep_path}};

const struct family texts = {"texts", ROWS(rows), ACTIONS(actions)};
