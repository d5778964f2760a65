/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c - a load generator: clients and their target in one program, and one line with what it took.
 *
 * The driver (run) looks at the proxy's CPU time when this says "ready" and when the line comes, so what is counted here is
 * all that has happened in between: no measurement ends before what was begun has ended.
 */
#include "loads.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct load load = { .n_clients = 1, .size = LOAD_REQUEST, .window = 1 };

static const struct {
    const char *name;
    enum load_mode mode;
} load_modes[] = {
    { "streams", LOAD_STREAMS }, { "sessions", LOAD_SESSIONS },     { "trips", LOAD_TRIPS },
    { "idle", LOAD_IDLE },       { "handshakes", LOAD_HANDSHAKES }, { "udp", LOAD_UDP },
};

static const char load_usage[] =
    "usage: load MODE -p PORT [OPTION...]\n"
    "\n"
    "  streams      the target sends to all clients at once, as much as goes\n"
    "  sessions     connect, handshake, request, answer, close; again and again\n"
    "  trips        request, answer; again and again, in sessions that stay\n"
    "  idle         sessions with one request and its answer, then held until standard input ends\n"
    "  handshakes   one octet of a greeting, then held until standard input ends\n"
    "  udp          datagrams there and back\n"
    "\n"
    "  -p PORT      the proxy's, on 127.0.0.1\n"
    "  -t PORT      the target's, on 127.0.0.1; without it any\n"
    "  -r           raw: the proxy speaks no SOCKS, it has this target\n"
    "  -u USER:PASSWORD\n"
    "  -c NUMBER    of clients (1)\n"
    "  -z OCTETS    of an answer, or of a datagram without its header (64)\n"
    "  -w NUMBER    of datagrams that each client has under way (1)\n"
    "  -b OCTETS, -n NUMBER, -d MILLISECONDS\n"
    "               what ends it: so many octets, sessions or trips, or so much time\n"
    "  -g           says \"ready\" and waits for a line before it begins\n";

static uint64_t
load_number(const char *text)
{
    char *end;
    const uint64_t n = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0')
        load_fail("\"%s\" is not a number", text);
    return n;
}

static struct sockaddr_in
load_address(const char *text)
{
    const uint64_t port = load_number(text);

    if (port > 65535)
        load_fail("\"%s\" is not a port", text);
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                 .sin_port = htons((uint16_t)port) };
}

static void
load_login(char *text)
{
    char *colon = strchr(text, ':');

    if (colon == NULL)
        load_fail("a login is USER:PASSWORD");
    *colon = '\0';
    load.user = text;
    load.password = colon + 1;
}

static void
load_option(int option, char *value)
{
    switch (option) {
    case 'p': load.proxy = load_address(value); break;
    case 't': load.target = load_address(value); break;
    case 'r': load.raw = true; break;
    case 'u': load_login(value); break;
    case 'c': load.n_clients = load_number(value); break;
    case 'z': load.size = load_number(value); break;
    case 'w': load.window = load_number(value); break;
    case 'b': load.max_bytes = load_number(value); break;
    case 'n': load.max_count = load_number(value); break;
    case 'd': load.max_ns = (int64_t)load_number(value) * 1000000; break;
    case 'g': load.gate = true; break;
    default: (void)fputs(load_usage, stderr); exit(2);
    }
}

static void
load_options(int argc, char **argv)
{
    int option;

    load.target = load_address("0");
    while ((option = getopt(argc, argv, "p:t:ru:c:z:w:b:n:d:g")) != -1)
        load_option(option, optarg);
    for (size_t i = 0; optind == argc - 1 && i < sizeof load_modes / sizeof *load_modes; i++)
        if (strcmp(argv[optind], load_modes[i].name) == 0)
            load.mode = load_modes[i].mode;
    if (load.mode == 0 || load.proxy.sin_port == 0 || load.n_clients == 0 || load.size < sizeof(int64_t) ||
        load.window == 0) {
        (void)fputs(load_usage, stderr);
        exit(2);
    }
    if (load.max_bytes == 0 && load.max_count == 0 && load.max_ns == 0)
        load.max_ns = 1000000000;
}

/* Clients and targets need a descriptor each. */
static void
load_raise_limit(void)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < load.n_clients * 2 + 32)
        load_fail("%zu clients need more descriptors than RLIMIT_NOFILE allows (%ju)", load.n_clients,
                  (uintmax_t)limit.rlim_cur);
}

static void
load_wait_for_line(void)
{
    int c;

    do
        c = getchar();
    while (c != '\n' && c != EOF);
}

static void
load_print(void)
{
    (void)printf(
        "{\"mode\": \"%s\", \"clients\": %zu, \"seconds\": %.6f, \"bytes\": %" PRIu64 ", \"count\": %" PRIu64
        ", \"errors\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f}\n",
        load_modes[load.mode - 1].name, load.n_clients, (double)(load.ended_ns - load.began_ns) / 1e9, load.bytes,
        load.count, load.errors, load.lost, load_permille(500), load_permille(900), load_permille(990));
    (void)fflush(stdout);
}

int
main(int argc, char **argv)
{
    const bool datagrams = (load_options(argc, argv), load.mode == LOAD_UDP);

    load_raise_limit();
    load_target_open();
    if (datagrams) {
        load_udp_open();
    } else {
        load_clients_open();
        load_run(load_clients_there);
    }
    if (load.gate) {
        (void)puts("ready");
        (void)fflush(stdout);
        load_wait_for_line();
    }
    load.began_ns = load_now_ns();
    (datagrams ? load_udp_go : load_clients_go)();
    load_run(datagrams ? load_udp_done : load_clients_done);
    load.ended_ns = load_now_ns();
    load_print();
    if (load.mode == LOAD_IDLE || load.mode == LOAD_HANDSHAKES)
        while (getchar() != EOF)
            continue;
    return 0;
}
