#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void put(struct http *h, const void *data, size_t n)
{
	memcpy(h->out + h->out_len, data, n);
	h->out_len += n;
}

static void put_head(struct http *h, const char *status, const char *type, uint64_t length)
{
	char head[256];
	int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %llu\r\n%s\r\n",
		status, type, (unsigned long long)length, h->close_after ? "Connection: close\r\n" : "");
	put(h, head, n);
}

static void put_text(struct http *h, const char *status, const char *text)
{
	put_head(h, status, "text/plain; charset=utf-8", strlen(text));
	put(h, text, strlen(text));
}

// Drops n bytes from the front of the input.
static void take(struct http *h, uint32_t n)
{
	h->in_len -= n;
	memmove(h->in, h->in + n, h->in_len);
}

// The stream of /bytes/N: word k of 8 bytes, little-endian, is output k of
// SplitMix64 seeded with 0.
static uint64_t word(uint64_t k)
{
	uint64_t z = (k + 1) * 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void generate(struct http *h)
{
	while (h->left > 0 && h->out_len < OUT_SIZE) {
		if (h->offset % 8 == 0)
			h->word = word(h->offset / 8);
		h->out[h->out_len++] = h->word >> 8 * (h->offset++ % 8);
		h->left--;
	}
	if (h->left == 0)
		h->state = READ_HEAD;
}

// Finds a header's value in the zero-terminated head; case doesn't matter.
static const char *header(const char *head, const char *name)
{
	size_t n = strlen(name);
	for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
			line += n + 1;
			return line + strspn(line, " \t");
		}
	}
	return NULL;
}

// Whether a comma-separated header holds a word.
static int has_word(const char *value, const char *word)
{
	size_t n = strlen(word);
	while (value != NULL && *value != '\r' && *value != 0) {
		value += strspn(value, " \t,");
		if (strncasecmp(value, word, n) == 0 && strchr(" \t,\r", value[n]) != NULL)
			return 1;
		value += strcspn(value, ",\r");
	}
	return 0;
}

// Reads a decimal number that ends at one of `ends`; 0 if there is none.
static int number(const char *s, const char *ends, uint64_t *n)
{
	char *end;
	if (*s < '0' || *s > '9')
		return 0;
	*n = strtoull(s, &end, 10);
	return *end != 0 && strchr(ends, *end) != NULL && *n < UINT64_MAX / 16;
}

static void refuse(struct http *h, const char *status, const char *text)
{
	h->close_after = 1;
	h->state = READ_HEAD;
	h->in_len = 0;
	put_text(h, status, text);
}

// Acts on a whole head, which is zero-terminated where its last line ends.
static void request(struct http *h, char *head)
{
	const char *length = header(head, "Content-Length");
	char *path = strchr(head, ' ');
	char *version = path == NULL ? NULL : strstr(path + 1, " HTTP/1.");
	uint64_t n = 0;

	h->close_after = version == NULL || version[8] == '0' || has_word(header(head, "Connection"), "close");
	if (version == NULL || version > strstr(head, "\r\n"))
		return refuse(h, "400 Bad Request", "the request line is not METHOD PATH HTTP/1.x\n");
	if (header(head, "Transfer-Encoding") != NULL)
		return refuse(h, "411 Length Required", "send a Content-Length; chunked bodies are not taken\n");
	if (length != NULL && !number(length, "\r \t", &n))
		return refuse(h, "400 Bad Request", "Content-Length is no number\n");
	if (has_word(header(head, "Expect"), "100-continue") && n > 0)
		put(h, "HTTP/1.1 100 Continue\r\n\r\n", 25);

	int get = strncmp(head, "GET ", 4) == 0, post = strncmp(head, "POST ", 5) == 0;
	uint64_t bytes;
	path++;
	*version = ' ';
	version[1] = 0; // so that the path ends with a space
	h->state = READ_BODY;
	h->body = TO_NOWHERE;
	h->left = n;
	if (get && strcmp(path, "/ ") == 0) {
		h->answer = "Hello from wasi/wasm\n";
	} else if (get && n == 0 && strncmp(path, "/bytes/", 7) == 0 && number(path + 7, " ", &bytes)) {
		put_head(h, "200 OK", "application/octet-stream", bytes);
		h->state = SEND_BYTES;
		h->left = bytes;
		h->offset = 0;
	} else if (post && strcmp(path, "/sha256 ") == 0) {
		h->body = TO_HASH;
		sha256_init(&h->hash);
	} else if (post && strcmp(path, "/echo ") == 0) {
		h->body = TO_ECHO;
		put_head(h, "200 OK", "application/octet-stream", n);
	} else {
		h->answer = NULL;
		h->close_after |= !get && !post; // the answer to HEAD has no body
	}
}

static int read_head(struct http *h)
{
	if (h->in_len == 0)
		return 0;
	uint8_t *end = NULL;
	for (uint32_t i = 0; i + 4 <= h->in_len && end == NULL; i++)
		if (memcmp(h->in + i, "\r\n\r\n", 4) == 0)
			end = h->in + i;
	if (end == NULL) {
		if (h->in_len < IN_SIZE)
			return 0;
		refuse(h, "431 Request Header Fields Too Large", "the head is above 16384 bytes\n");
		return 1;
	}
	// The first line end stays inside, so that every line ends with one.
	end[2] = 0;
	uint32_t size = end - h->in + 4;
	request(h, (char *)h->in);
	if (h->in_len > 0)
		take(h, size);
	return 1;
}

static int read_body(struct http *h)
{
	uint64_t n = h->in_len < h->left ? h->in_len : h->left;
	if (h->body == TO_ECHO && n > OUT_SIZE - h->out_len)
		n = OUT_SIZE - h->out_len;
	if (n == 0 && h->left > 0)
		return h->out_len > h->out_sent;
	if (h->body == TO_HASH)
		sha256_write(&h->hash, h->in, n);
	if (h->body == TO_ECHO)
		put(h, h->in, n);
	take(h, n);
	h->left -= n;
	if (h->left > 0)
		return 1;
	h->state = READ_HEAD;
	if (h->body == TO_HASH) {
		char hex[65];
		sha256_hex(&h->hash, hex);
		put_text(h, "200 OK", hex);
	} else if (h->body == TO_NOWHERE) {
		if (h->answer != NULL)
			put_text(h, "200 OK", h->answer);
		else
			put_text(h, "404 Not Found", "there are GET /, GET /bytes/N, POST /sha256, POST /echo\n");
	}
	return 1;
}

int http_step(struct http *h)
{
	// Room for any head and short text is kept, so that put can't overflow.
	if (h->state != READ_BODY && h->state != SEND_BYTES && h->out_len > OUT_SIZE / 2)
		return 1;
	switch (h->state) {
	case READ_HEAD:
		return h->close_after ? 1 : read_head(h);
	case READ_BODY:
		return h->body != TO_ECHO && h->out_len > OUT_SIZE / 2 ? 1 : read_body(h);
	case SEND_BYTES:
		generate(h);
		return 1;
	}
	return 0;
}
