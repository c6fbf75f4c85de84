// SHA-256 (FIPS 180-4).
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint32_t h[8];
	uint64_t bytes;
	uint8_t block[64];
};

void sha256_init(struct sha256 *s);
void sha256_write(struct sha256 *s, const uint8_t *data, size_t n);
// Writes the digest as 64 hexadecimal digits and a zero byte.
void sha256_hex(struct sha256 *s, char out[65]);

#endif
