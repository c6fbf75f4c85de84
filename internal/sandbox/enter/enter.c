//go:build linux

#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enter.h"

// The form of a plan, and its bounds, as package wall has them.
enum { CALL, FORK, ASK, REST };
enum { NUMBER, REGISTER, BLOB, POKED };
enum { DONE = 1, FAILED, ASKING };
enum { CONTROL = 3, MAGIC = 0x31796877, MAX_STEPS = 8192, MAX_BLOBS = 2 << 20, REGISTERS = 64, EXIT_SETUP = 125 };

struct header {
	uint32_t magic, steps, blobs;
};

struct step {
	uint16_t op;
	uint8_t optional, thread;
	uint16_t skip;
	int16_t out;
	uint32_t number;
	uint8_t kind[12];
	uint64_t arg[6];
};

_Static_assert(sizeof(struct header) == 12 && sizeof(struct step) == 72, "the form of a plan");

int wherry_entered = 0;

static int64_t registers[REGISTERS + 1];

// Reads exactly n bytes; 0 where they do not come.
static int take(void *to, size_t n)
{
	char *p = to;

	while (n > 0) {
		ssize_t got = recv(CONTROL, p, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		p += got;
		n -= (size_t)got;
	}
	return 1;
}

// Says something, or ends the process: then nobody is there any more.
static void say(uint32_t kind, uint32_t step, int why)
{
	uint32_t answer[3] = {kind, step, (uint32_t)why};
	ssize_t n;

	do
		n = send(CONTROL, answer, sizeof answer, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n != sizeof answer)
		_exit(EXIT_SETUP);
}

// Goes on in a child of the same parent. libc keeps the thread's id where the
// kernel is told to clear it; the child's must stand there.
static long split(uint64_t flags)
{
	long *tid = NULL, pid;

	flags |= CLONE_PARENT | SIGCHLD;
#if defined(__GLIBC__) && defined(PR_GET_TID_ADDRESS)
	if (prctl(PR_GET_TID_ADDRESS, &tid, 0, 0, 0) == 0 && tid != NULL)
		flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
	else
		tid = NULL;
#endif
	// The fourth or the fifth argument, by machine; the other is not looked at.
	pid = syscall(SYS_clone, flags, NULL, NULL, tid, tid);
	if (pid > 0)
		_exit(0);
	if (pid == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		_exit(EXIT_SETUP);
	return pid;
}

// Gives an argument its value; 0 where the plan is damaged.
static int value(const struct step *s, int i, char *blobs, uint32_t size, uint64_t *out)
{
	uint64_t v = s->arg[i], at, from;

	switch (s->kind[i]) {
	case NUMBER:
		*out = v;
		return 1;
	case REGISTER:
		if (v < 1 || v > REGISTERS)
			return 0;
		*out = (uint64_t)registers[v];
		return 1;
	case BLOB:
		if (v >= size)
			return 0;
		*out = (uint64_t)(uintptr_t)(blobs + v);
		return 1;
	case POKED:
		at = (v & 0xffffffff) + (v >> 32 & 0xffff), from = v >> 48;
		if (from < 1 || from > REGISTERS || at + sizeof(int32_t) > size)
			return 0;
		int32_t word = (int32_t)registers[from];
		memcpy(blobs + at, &word, sizeof word);
		*out = (uint64_t)(uintptr_t)(blobs + (v & 0xffffffff));
		return 1;
	}
	return 0;
}

// Says that all is done, and waits until nobody is there any more, with no other
// calls than the few that seccomp's strict mode leaves (seccomp(2)).
static void rest(uint32_t steps)
{
	uint32_t answer[3] = {DONE, steps, 0};
	char word;
	ssize_t n = write(CONTROL, answer, sizeof answer);

	while (n > 0 || (n < 0 && errno == EINTR))
		n = read(CONTROL, &word, 1);
	for (;;)
		syscall(SYS_exit, 0);
}

static long perform(const struct step *s, char *blobs, uint32_t size, uint32_t number)
{
	uint64_t a[6];
	char word;

	for (int i = 0; i < 6; i++)
		if (!value(s, i, blobs, size, &a[i])) {
			errno = EBADMSG;
			return -1;
		}
	switch (s->op) {
	case CALL:
		return syscall((long)s->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	case FORK:
		return split(a[0]);
	case ASK:
		say(ASKING, number, 0);
		if (!take(&word, 1))
			_exit(EXIT_SETUP);
		return 0;
	case REST:
		rest(number + 1);
	}
	errno = EBADMSG;
	return -1;
}

// Runs the plan of a container process. Where none comes because nobody is
// there it ends; where descriptor 3 is no socket, Go's main says so.
__attribute__((constructor)) static void enter(int argc, char **argv)
{
	struct header head;
	struct step *steps;
	char *blobs;
	size_t size;
	int type;
	socklen_t len = sizeof type;

	if (argc != 3 || strcmp(argv[1], "guest") != 0 || getsockopt(CONTROL, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
		return;
	if (!take(&head, sizeof head) || head.magic != MAGIC || head.steps > MAX_STEPS || head.blobs > MAX_BLOBS)
		_exit(EXIT_SETUP);
	size = head.steps * sizeof *steps + head.blobs;
	steps = mmap(NULL, size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (steps == MAP_FAILED || !take(steps, size))
		_exit(EXIT_SETUP);
	blobs = (char *)(steps + head.steps); // a zero byte follows the last
	for (uint32_t i = 0; i < head.steps; i++) {
		const struct step *s = &steps[i];
		long got = perform(s, blobs, head.blobs, i);
		int why = errno;
		if (got == -1 && !s->optional) {
			say(FAILED, i, why);
			_exit(EXIT_SETUP);
		}
		if (s->out > 0 && s->out <= REGISTERS)
			registers[s->out] = got;
		if (got == -1)
			i += s->skip;
	}
	(void)munmap(steps, size + 1);
	wherry_entered = 1;
	say(DONE, head.steps, 0);
}
