// Symbolic links of the image and of a mount. What their bodies say is true
// inside the container: none leads out, and none may be followed by the host.
#include "corpus.h"

static const struct row rows[] = {
	// In the image.
	{"absolute within", READ, S("l-abs"), S("image:etc/passwd")},
	{"absolute to the outside", READ, S("l-out"), .want = NOENT},
	{"absolute to the folder outside", READ, S("l-outdir/secret"), .want = NOENT},
	{"absolute folder listed", LIST, S("l-outdir"), .want = NOENT},
	{"climbing to the outside", READ, S("l-climb"), .want = NOENT},
	{"one step to the outside", READ, S("l-near"), .want = NOENT},
	{"one step to the folder outside", READ, S("l-neardir/secret"), .want = NOENT},
	{"one step folder listed", LIST, S("l-neardir"), .want = NOENT},
	{"from a folder two steps", READ, S("dir/l-near"), .want = NOENT},
	{"climbing stops at the root", READ, S("dir/l-over"), S("image:etc/passwd")},
	{"beside", READ, S("app/up"), S("image:lib/a")},
	{"rooted", READ, S("app/rooted"), S("image:lib/a")},
	{"beside by its folder", READ, S("up"), S("image:lib/a"), .at = "app"},
	{"rooted by its folder", READ, S("rooted"), S("image:lib/a"), .at = "app"},
	{"dots after it", READ, S("l-neardir/../etc/passwd"), .want = NOENT},
	{"to procfs", READ, S("l-proc"), .want = NOENT, .or = ACCES},
	{"to a descriptor of the host", READ, S("l-procfd"), .want = NOENT, .or = ACCES},
	{"to the host's working folder", LIST, S("l-cwd"), .want = NOENT, .or = ACCES},
	{"to a device of the host", READ, S("l-dev"), .want = NOENT},
	{"dangling", READ, S("l-dangling"), .want = NOENT},
	{"dangling created", EXCLUSIVE, S("l-dangling"), .want = EXIST},
	{"outside written", WRITE, S("l-out"), .want = NOENT},
	{"outside truncated", TRUNCATE, S("l-out"), .want = NOENT},
	{"outside created", CREATE, S("l-new"), .want = NOENT},
	{"outside created by steps", CREATE, S("l-nearnew"), .want = NOENT},
	{"outside stat", STAT, S("l-out"), .want = NOENT},
	{"outside stat of the link", LSTAT, S("l-out"), .want = OK},
	{"outside times", TIMES, S("l-out"), .want = NOENT},
	{"outside linked", LINKF, S("l-out"), S("stolen"), NOENT},
	{"outside mkdir below", MKDIR, S("l-outdir/new"), .want = NOENT},
	{"outside rmdir below", RMDIR, S("l-outdir/empty"), .want = NOENT},
	{"outside unlink below", UNLINK, S("l-outdir/secret"), .want = NOENT},
	{"outside rename below", RENAME, S("l-outdir/secret"), S("stolen"), NOENT},
	{"outside rename into", RENAME, S("file"), S("l-outdir/new"), NOENT},
	{"outside rename into by steps", RENAME, S("file"), S("l-neardir/new"), NOENT},
	{"outside symlink below", SYMLINK, S("l-outdir/new"), S("x"), NOENT},
	{"not followed", READN, S("l-abs"), .want = LOOP},
	{"outside not followed", READN, S("l-out"), .want = LOOP},
	{"mkdir over", MKDIR, S("l-out"), .want = EXIST},
	{"rmdir of", RMDIR, S("l-outdir"), .want = NOTDIR},
	{"body is the image's own", READLINK, S("l-abs"), S("/etc/passwd")},
	{"body of a file", READLINK, S("file"), .want = INVAL},
	{"body of a folder", READLINK, S("dir"), .want = INVAL},
	{"slash makes it a folder", READ, S("l-abs/"), .want = NOTDIR},
	{"slash in its body", FOLDER, S("l-slash"), .want = OK},
	{"slash in its body over a file", READ, S("l-fileslash"), .want = NOTDIR},
	{"to a mount", READ, S("l-mount"), S("mount:file")},
	{"to a mount absolute", READ, S("l-mountabs"), S("mount:file")},
	{"to a mount's link outside", READ, S("l-mountout"), .want = NOENT},

	// In a mount, whose folder on the host has the secret beside it.
	{"mount absolute to the outside", READ, S("m/l-out"), .want = NOENT},
	{"mount absolute folder", READ, S("m/l-outdir/secret"), .want = NOENT},
	{"mount absolute folder listed", LIST, S("m/l-outdir"), .want = NOENT},
	{"mount one step", READ, S("m/l-near"), .want = NOENT},
	{"mount one step folder", READ, S("m/l-neardir/secret"), .want = NOENT},
	{"mount one step folder listed", LIST, S("m/l-neardir"), .want = NOENT},
	{"mount two steps", READ, S("m/sub/l-near"), .want = NOENT},
	{"mount two steps by its folder", READ, S("l-near"), .want = NOENT, .at = "m/sub"},
	{"mount absolute by its folder", READ, S("l-out"), .want = NOENT, .at = "m"},
	{"mount into the image", READ, S("m/l-image"), S("image:etc/passwd")},
	{"mount into the image by steps", READ, S("m/l-image2"), S("image:etc/passwd")},
	{"mount to procfs", READ, S("m/l-proc"), .want = NOENT, .or = ACCES},
	{"mount written", WRITE, S("m/l-out"), .want = NOENT},
	{"mount created", CREATE, S("m/l-new"), .want = NOENT},
	{"mount created by steps", CREATE, S("m/l-nearnew"), .want = NOENT},
	{"mount truncated", TRUNCATE, S("m/l-near"), .want = NOENT},
	{"mount stat", STAT, S("m/l-out"), .want = NOENT},
	{"mount times", TIMES, S("m/l-near"), .want = NOENT},
	{"mount linked", LINKF, S("m/l-near"), S("m/stolen"), NOENT},
	{"mount unlink below", UNLINK, S("m/l-neardir/secret"), .want = NOENT},
	{"mount mkdir below", MKDIR, S("m/l-neardir/new"), .want = NOENT},
	{"mount rename below", RENAME, S("m/l-neardir/secret"), S("m/stolen"), NOENT},
	{"mount rename into", RENAME, S("m/file"), S("m/l-neardir/new"), NOENT},
	{"mount to a nested mount", READ, S("m/l-inner"), S("inner:file")},
	{"read-only mount", READ, S("ro/l-out"), .want = NOENT},
	{"single file's neighbour", READ, S("etc/l-single"), .want = NOENT},
};

const struct family links = {"links", ROWS(rows)};

static const struct row chained[] = {
	{"forty", READ, S("c1"), S("image:c41")},
	{"forty-one", READ, S("c0"), .want = LOOP},
	{"itself", READ, S("loop"), .want = LOOP},
	{"itself as a folder", READ, S("loop/x"), .want = LOOP},
	{"itself with a slash", FOLDER, S("loop/"), .want = LOOP},
	{"two", STAT, S("ping"), .want = LOOP},
	{"two not followed", LSTAT, S("ping"), .want = OK},
	{"folder back and forth", READ, S("dir/back/dir/back/dir/back/file"), S("image:file")},
	{"dot forty times", READ, S("l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/"
		"l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/"
		"l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/"
		"l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/file"), S("image:file")},
	{"dot forty-one times", READ, S("l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/"
		"l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/"
		"l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/"
		"l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/l-self/file"), .want = LOOP},
	{"that doubles", READ, S("x0/file"), .want = LOOP},
	{"a long body", READ, S("l-long"), S("image:file")},
	{"in a mount", READ, S("m/loop"), .want = LOOP},
	{"between image and mount", READ, S("l-there"), .want = LOOP},
	{"to the outside in three", READ, S("o0"), .want = NOENT},
	{"to the outside over a mount", READ, S("o-m"), .want = NOENT},
};

const struct family chains = {"chains", ROWS(chained)};
