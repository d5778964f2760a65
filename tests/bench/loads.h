/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loads.h - the parts of the load generator.
 *
 *   load.c         what is asked for, the order of things, the line with the figures
 *   load_loop.c    epoll, times, the latencies
 *   load_client.c  clients over TCP: the handshake and what follows it
 *   load_target.c  what they reach: answers requests, over TCP and UDP
 *   load_udp.c     clients that send datagrams
 */
#ifndef LOADS_H
#define LOADS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A request to the target: 64 octets, of which the first eight say how long the answer is; 0: a stream without end. */
#define LOAD_REQUEST 64

enum load_mode { LOAD_STREAMS = 1, LOAD_SESSIONS, LOAD_TRIPS, LOAD_IDLE, LOAD_HANDSHAKES, LOAD_UDP };

/* What was asked for, and what has come of it. */
struct load {
    enum load_mode mode;
    struct sockaddr_in proxy, target;
    bool raw, gate;              /* no SOCKS: the proxy has one target; wait for a line before it begins */
    const char *user, *password; /* NULL: METHOD 00 */
    size_t n_clients, size, window;
    uint64_t max_bytes, max_count; /* 0: no such end */
    int64_t max_ns;

    bool over; /* no more is begun */
    int64_t began_ns, ended_ns;
    uint64_t bytes, count, errors, lost;
};

extern struct load load;

/* ---- load_loop.c */

struct load_watch {
    void (*ready)(struct load_watch *watch, uint32_t events);
    int fd;
};

int64_t load_now_ns(void);
/* Ends the program: the figures would mean nothing. */
void load_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void load_add(struct load_watch *watch, uint32_t events);
void load_change(struct load_watch *watch, uint32_t events);
/* Handles events until the answer is true; fails when nothing happens for a while. */
void load_run(bool (*done)(void));
/* What ends a measurement: has it lasted, or moved, enough? */
bool load_enough(void);
void load_latency(int64_t ns);
/* Microseconds below which so many of a thousand latencies are. */
double load_permille(unsigned permille);

/* ---- load_client.c */

void load_clients_open(void);
bool load_clients_there(void);
void load_clients_go(void);
bool load_clients_done(void);
/* A UDP association, as long as the program runs: where to send datagrams to (BND.ADDR and BND.PORT). May block. */
void load_associate(struct sockaddr_in *bound_out);

/* ---- load_target.c */

void load_target_open(void);

/* ---- load_udp.c */

void load_udp_open(void);
void load_udp_go(void);
bool load_udp_done(void);

#endif
