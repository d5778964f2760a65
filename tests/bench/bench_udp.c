/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_udp.c - what a datagram costs the gateway: the CPU time of all its processes, and round trips a second.
 *
 *   client (here) --> gateway --> echo (a child) --> gateway --> client       `window` datagrams are under way at once
 *
 * `bench_udp SOCKGATE [SOCKGATE...]` measures one or more builds in turn, so that they can be compared: only ratios within
 * one run mean anything.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 7
#define DATAGRAMS 60000
#define HEADER 10

static char folder[] = "/tmp/sockgate-bench-XXXXXX";
static struct sockaddr_in echo_at, gateway_at, relay_at;

static void
fail(const char *what)
{
    perror(what);
    exit(1);
}

static int
bound(int type, struct sockaddr_in *at_out)
{
    const struct sockaddr_in loopback = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof *at_out;
    const int fd = socket(AF_INET, type, 0);

    if (fd == -1 || bind(fd, (const struct sockaddr *)&loopback, sizeof loopback) == -1 ||
        getsockname(fd, (struct sockaddr *)at_out, &len) == -1)
        fail("a socket on loopback");
    return fd;
}

/* A child that sends back what comes, until it is killed. */
static pid_t
echo_start(void)
{
    const int fd = bound(SOCK_DGRAM, &echo_at);
    const pid_t pid = fork();
    static uint8_t octets[65536];

    while (pid == 0) {
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        const ssize_t n = recvfrom(fd, octets, sizeof octets, 0, (struct sockaddr *)&from, &len);

        if (n >= 0)
            (void)sendto(fd, octets, (size_t)n, 0, (const struct sockaddr *)&from, len);
    }
    (void)close(fd);
    return pid;
}

static pid_t
gateway_start(const char *binary)
{
    char path[128];
    pid_t pid;
    FILE *conf;

    (void)close(bound(SOCK_STREAM, &gateway_at)); /* a port that is free now */
    (void)snprintf(path, sizeof path, "%s/sockgate.conf", folder);
    conf = fopen(path, "w");
    if (conf == NULL)
        fail(path);
    (void)fprintf(
        conf,
        "core = { workers = 1; runtime_dir = \"%s\"; error_log = { level = \"err\"; }; };\n"
        "modules = ( { name = \"none\"; file = \"auth_none.so\"; }, { name = \"udp\"; file = \"cmd_udp.so\"; },\n"
        "  { name = \"rules\"; file = \"access_rules.so\"; settings = { rules = (\n"
        "    { allow = { }; special = [ \"loopback\" ]; } ); }; } );\n"
        "hooks = { auth = [ \"none\" ]; access = [ \"rules\" ]; command = { udp_associate = \"udp\"; }; };\n"
        "listeners = ( { name = \"l\"; address = \"127.0.0.1\"; port = %u; } );\n",
        folder, ntohs(gateway_at.sin_port));
    (void)fclose(conf);
    pid = fork();
    if (pid == 0) {
        (void)setsid();
        (void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* records */
        (void)execl(binary, binary, "-c", path, (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* Nanoseconds that the processes of that session have run. */
static uint64_t
cpu_ns(pid_t session)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    uint64_t sum = 0;

    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        char path[64], line[128];
        FILE *stat;

        if (pid <= 0 || getsid(pid) != session)
            continue;
        (void)snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
        stat = fopen(path, "r");
        if (stat != NULL && fgets(line, sizeof line, stat) != NULL)
            sum += strtoull(line, NULL, 10);
        if (stat != NULL)
            (void)fclose(stat);
    }
    if (proc != NULL)
        (void)closedir(proc);
    return sum;
}

static bool
answered(int fd, size_t len)
{
    uint8_t octets[64];

    return recv(fd, octets, len, MSG_WAITALL) == (ssize_t)len && octets[1] == 0;
}

/* The connection of an association; where datagrams go is in relay_at. */
static int
associate(void)
{
    static const uint8_t hello[] = { 5, 1, 0 }, wanted[] = { 5, 3, 0, 1, 0, 0, 0, 0, 0, 0 };
    uint8_t reply[HEADER];
    int fd = -1;

    for (unsigned i = 0; i < 200; i++) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (const struct sockaddr *)&gateway_at, sizeof gateway_at) == 0)
            break;
        (void)close(fd);
        (void)poll(NULL, 0, 50);
    }
    if (send(fd, hello, sizeof hello, 0) == -1 || !answered(fd, 2) || send(fd, wanted, sizeof wanted, 0) == -1 ||
        recv(fd, reply, sizeof reply, MSG_WAITALL) != HEADER || reply[1] != 0)
        fail("UDP ASSOCIATE");
    relay_at = (struct sockaddr_in){ .sin_family = AF_INET };
    memcpy(&relay_at.sin_addr, reply + 4, 4);
    memcpy(&relay_at.sin_port, reply + 8, 2);
    return fd;
}

static double
seconds(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct figures {
    double cpu_us, per_second; /* of a datagram; round trips */
};

static struct figures
measure(pid_t gateway, size_t size, unsigned window)
{
    static uint8_t octets[65536] = { 0, 0, 0, 1 };
    struct sockaddr_in own;
    const int fd = bound(SOCK_DGRAM, &own);
    const double began = seconds();
    const uint64_t before = cpu_ns(gateway);
    unsigned lost = 0;

    if (connect(fd, (const struct sockaddr *)&relay_at, sizeof relay_at) == -1)
        fail("connect");
    memcpy(octets + 4, &echo_at.sin_addr, 4);
    memcpy(octets + 8, &echo_at.sin_port, 2);
    for (unsigned i = 0; i < window; i++)
        (void)send(fd, octets, HEADER + size, 0);
    for (unsigned i = 0; i < DATAGRAMS / 2; i++) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };

        if (poll(&ready, 1, 1000) != 1)
            lost++;
        else if (recv(fd, octets, sizeof octets, 0) != (ssize_t)(HEADER + size))
            fail("a datagram of that size");
        (void)send(fd, octets, HEADER + size, 0);
    }
    if (lost > 0)
        (void)printf("%u were lost\n", lost);
    (void)close(fd);
    return (struct figures){ (double)(cpu_ns(gateway) - before) / 1e3 / DATAGRAMS,
                             DATAGRAMS / 2 / (seconds() - began) };
}

static int
by_cpu(const void *a, const void *b)
{
    const double difference = ((const struct figures *)a)->cpu_us - ((const struct figures *)b)->cpu_us;

    return (difference > 0) - (difference < 0);
}

static struct figures
one(const char *binary, size_t size, unsigned window)
{
    const pid_t gateway = gateway_start(binary);
    const int control = associate();
    const struct figures figures = measure(gateway, size, window);

    (void)close(control);
    (void)kill(gateway, SIGTERM);
    (void)waitpid(gateway, NULL, 0);
    return figures;
}

int
main(int argc, char **argv)
{
    static const size_t sizes[] = { 64, 1200 };
    static const unsigned windows[] = { 1, 8, 32 };
    static struct figures all[8][ROUNDS];
    const int builds = argc - 1 < 8 ? argc - 1 : 8;
    pid_t echo;

    if (builds < 1 || mkdtemp(folder) == NULL)
        fail("usage: bench_udp SOCKGATE...");
    echo = echo_start();
    (void)printf("octets window  build  CPU-us/datagram  round trips/s  (medians of %d)\n", ROUNDS);
    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (unsigned w = 0; w < sizeof windows / sizeof windows[0]; w++) {
            for (unsigned round = 0; round < ROUNDS; round++)
                for (int b = 0; b < builds; b++)
                    all[b][round] = one(argv[1 + b], sizes[s], windows[w]);
            for (int b = 0; b < builds; b++) {
                qsort(all[b], ROUNDS, sizeof all[b][0], by_cpu);
                (void)printf("%6zu %6u  %5d  %15.2f  %13.0f\n", sizes[s], windows[w], b + 1, all[b][ROUNDS / 2].cpu_us,
                             all[b][ROUNDS / 2].per_second);
                (void)fflush(stdout);
            }
        }
    (void)kill(echo, SIGTERM);
    return 0;
}
