//go:build linux

#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pathless.h"

int wherry_pathless = -1;

// struct landlock_ruleset_attr of linux/landlock.h, which may be older than the
// kernel.
struct rights {
	uint64_t files, net, scoped;
};

enum { CREATE_RULESET = 444, RESTRICT_SELF = 446, VERSION = 1 };

// Takes all rights that this kernel knows, and grants none. Rights grew with
// landlock's version; Go has the same list.
static int leave(void)
{
	static const uint64_t files[] = {0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff};
	struct rights r = {0, 0, 0};
	size_t size = sizeof r.files;
	long version, set;
	int why = 0;

	if ((version = syscall(CREATE_RULESET, NULL, 0, VERSION)) < 0)
		return errno;
	r.files = files[version < 5 ? version : 5];
	if (version >= 4) {
		r.net = 3;
		size = sizeof r.files + sizeof r.net;
	}
	if (version >= 6) {
		r.scoped = 3;
		size = sizeof r;
	}
	if ((set = syscall(CREATE_RULESET, &r, size, 0)) < 0)
		return errno;
	if (syscall(RESTRICT_SELF, set, 0) != 0)
		why = errno;
	close((int)set);
	return why;
}

__attribute__((constructor)) static void wherry_pathless_begin(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "compile") != 0)
		return;
	wherry_pathless = leave();
}
