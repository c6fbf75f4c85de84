// One HTTP/1.1 conversation as a state machine without input and output of its
// own: the event loop fills `in`, calls http_step, and sends what is in `out`.
#ifndef HTTP_H
#define HTTP_H

#include "sha256.h"

enum { IN_SIZE = 16384, OUT_SIZE = 16384 };

struct http {
	enum { READ_HEAD, READ_BODY, SEND_BYTES } state;
	enum { TO_NOWHERE, TO_HASH, TO_ECHO } body;
	int close_after;        // no further request follows
	uint64_t left;          // bytes of the body or of the answer still to come
	uint64_t offset, word;  // place in the generated stream, and the word there
	const char *answer;     // sent when an unused body has been read
	struct sha256 hash;
	uint8_t in[IN_SIZE], out[OUT_SIZE];
	uint32_t in_len, out_len, out_sent;
};

// Moves the conversation on as far as `in` and the room in `out` allow.
// Answers 0 if it needs more input.
int http_step(struct http *h);

#endif
