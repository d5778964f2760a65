/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * digest.h - SHA-256 of what was loaded, for those who must be able to say later what was in force.
 */
#ifndef SG_DIGEST_H
#define SG_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define SG_DIGEST_SIZE 32

/* A file that a configuration consists of. */
struct sg_digest {
    const char *path;
    uint8_t sha256[SG_DIGEST_SIZE];
};

void sg_digest_octets(struct sg_digest *digest, const void *octets, size_t len);
/* Of the whole file. -1 and errno. Blocks. */
int sg_digest_file(struct sg_digest *digest, const char *path);

#endif
