/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addrs.h - the core's side of addresses: from and to the kernel, from text, canonical form.
 */
#ifndef SG_ADDRS_H
#define SG_ADDRS_H

#include <stdbool.h>
#include <sys/socket.h>

#include <sockgate/addr.h>
#include <sockgate/conf.h>

/* Strict text, for configuration: dotted quad or RFC 4291. Port 0. -1 if it is neither. Not made canonical. */
int sg_addr_parse(const char *text, struct sg_addr *addr_out);
/* "192.0.2.1", "192.0.2.1:53", "::1" or "[::1]:53"; without a port it is `port`. -1 if it is neither. */
int sg_addr_parse_port(const char *text, uint16_t port, struct sg_addr *addr_out);
/* As a client may spell it in a name: strict text, or anything that inet_aton(3) takes entirely. Made canonical. */
int sg_addr_parse_loose(const char *text, size_t len, struct sg_addr *addr_out);
/* What sg_addr_format() writes, but without a NUL. The octets written. */
size_t sg_addr_put(const struct sg_addr *addr, char text[SG_ADDR_TEXT]);
/* "10.0.0.0/8"; without the prefix if all bits count. */
const char *sg_range_format(const struct sg_range *range, char *text, size_t size);

/* Unwraps IPv4 out of mapped, compatible, NAT64 and 6to4 addresses, in place; the port stays. */
void sg_addr_canonical(struct sg_addr *addr);
/* Canonical. */
int sg_addr_from_sockaddr(const struct sockaddr_storage *ss, struct sg_addr *addr_out);
socklen_t sg_addr_to_sockaddr(const struct sg_addr *addr, struct sockaddr_storage *ss_out);

/* The addresses of this machine (SG_SPECIAL_SELF): read at worker start, read again when the kernel says they changed. */
int sg_ownaddr_open(void);       /* a netlink descriptor to watch for reading; -1 and errno */
void sg_ownaddr_refresh(int fd); /* call at start and whenever the descriptor is readable; never blocks for long */
bool sg_ownaddr_has(const struct sg_addr *addr);
/* The names of enum sg_special, for configuration, logs and manuals. Ends with NULL. */
extern const struct sg_conf_word sg_special_words[];

#endif
