/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosts.h - the names of /etc/hosts, read once by the generation; workers inherit the table and never open the file.
 */
#ifndef SG_HOSTS_H
#define SG_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include <sockgate/addr.h>

struct sg_hosts;

/*
 * Lines that cannot be understood are passed over, as every reader of that file does. NULL and errno: no such file, too
 * large, no memory. May block.
 */
struct sg_hosts *sg_hosts_read(const char *path);
void sg_hosts_free(struct sg_hosts *hosts);
/*
 * Is the name (lower case) listed, in whatever family? If so, its addresses of this family, at most `max`, go to `addrs`
 * and their number to `n_out`. "localhost" and what is below it are always listed (RFC 6761). `hosts` may be NULL.
 */
bool sg_hosts_find(const struct sg_hosts *hosts, const char *name, size_t len, uint8_t family, struct sg_addr *addrs,
                   unsigned max, unsigned *n_out);

#endif
