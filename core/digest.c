/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <sodium.h>

_Static_assert(SG_DIGEST_SIZE == crypto_hash_sha256_BYTES, "SHA-256 has 32 octets");

void
sg_digest_octets(struct sg_digest *digest, const void *octets, size_t len)
{
    (void)crypto_hash_sha256(digest->sha256, octets, len);
}

int
sg_digest_file(struct sg_digest *digest, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
    crypto_hash_sha256_state state;
    unsigned char octets[65536];
    ssize_t n;
    int err;

    if (fd == -1)
        return -1;
    (void)crypto_hash_sha256_init(&state);
    while ((n = read(fd, octets, sizeof octets)) > 0 || (n == -1 && errno == EINTR))
        if (n > 0)
            (void)crypto_hash_sha256_update(&state, octets, (size_t)n);
    err = errno;
    (void)close(fd);
    errno = err;
    (void)crypto_hash_sha256_final(&state, digest->sha256);
    return n == 0 ? 0 : -1;
}
