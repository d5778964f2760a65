/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_record.c - what its record costs a session, in the worker: taken, filled, published three times, and back again;
 * alone, and with a bell for each session that wakes a reader. A worker rings once a turn, so that a busy one rings less.
 * And what its two lines of JSON cost the logger. Prints one line of JSON.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sockgate/event.h>

#include "addrs.h"
#include "clock.h"
#include "fields.h"
#include "journal.h"
#include "rounds.h"

#define SLOTS 4096
#define SESSIONS 100000
/* With a bell each session is also a switch to the reader and back: fewer will do. */
#define RUNG 10000

/* What the session and its states write into a record, in their order. */
static void
record(uint64_t number)
{
    struct sg_record *rec;
    char id[33];

    while (!sg_journal_room())
        (void)sched_yield(); /* the reader has not run for thousands of sessions: it shares our processor */
    rec = sg_journal_take();
    sg_record_id(rec, id);
    rec->listener = sg_journal_name("socks");
    rec->accepted_wall_ms = sg_clock_ms(CLOCK_REALTIME);
    rec->accepted_mono_ms = sg_mono_ms();
    sg_journal_publish(rec, SG_RECORD_OPEN);
    rec->instance = sg_journal_name("none");
    (void)sg_record_put(rec, &rec->name, "www.example.com", strlen("www.example.com"));
    sg_record_set_rule(rec, "local");
    rec->rule_file = sg_journal_name("/etc/sockgate/sockgate.conf");
    sg_record_add_tried(rec, &rec->client);
    rec->started = true;
    rec->connected_mono_ms = sg_mono_ms();
    sg_journal_publish(rec, SG_RECORD_STARTED);
    rec->bytes_up = rec->bytes_down = number;
    rec->reason = SG_REASON_CLOSED;
    rec->ended_mono_ms = sg_mono_ms();
    sg_journal_publish(rec, SG_RECORD_ENDED);
}

static double
median(unsigned n, bool rung)
{
    double rounds[ROUNDS];

    for (unsigned r = 0; r < ROUNDS; r++) {
        const double began = rounds_cpu_us();

        for (unsigned i = 0; i < n; i++) {
            record(i);
            if (rung)
                sg_journal_bell();
        }
        rounds[r] = (rounds_cpu_us() - began) / n;
    }
    return rounds_median(rounds);
}

static const char *
no_name(const struct sg_record_names *self, uint16_t number)
{
    (void)self, (void)number;
    return "name";
}

/* The logger's share: the two lines of JSON of a session. */
static double
lines(void)
{
    static _Alignas(struct sg_record) char octets[SG_RECORD_SIZE];
    const struct sg_record_names names = { no_name };
    struct sg_record *rec = (struct sg_record *)(void *)octets;
    const struct sg_event_info first = { .event = SG_EVENT_SESSION_START, .rec = rec, .names = &names };
    const struct sg_event_info last = { .event = SG_EVENT_SESSION_END, .rec = rec, .names = &names };
    char line[SG_EVENT_JSON_MAX];
    double rounds[ROUNDS];

    (void)sg_record_put(rec, &rec->name, "www.example.com", strlen("www.example.com"));
    sg_record_set_rule(rec, "local");
    (void)sg_addr_parse("192.0.2.1", &rec->client);
    rec->local = rec->target = rec->bind = rec->client;
    rec->listener = rec->instance = rec->rule_file = 1;
    rec->identified = rec->replied = rec->started = 1;
    rec->accepted_wall_ms = sg_clock_ms(CLOCK_REALTIME);
    for (unsigned r = 0; r < ROUNDS; r++) {
        const double began = rounds_cpu_us();

        for (unsigned i = 0; i < RUNG; i++)
            if (sg_event_json(&first, line, sizeof line) == 0 || sg_event_json(&last, line, sizeof line) == 0)
                exit(1);
        rounds[r] = (rounds_cpu_us() - began) / RUNG;
    }
    return rounds_median(rounds);
}

/* Waits for the bell as the logger does, and acknowledges everything at once. */
static void
reader(const char *table, const char *acks, int bell)
{
    const int table_fd = open(table, O_RDONLY | O_CLOEXEC), acks_fd = open(acks, O_RDWR | O_CLOEXEC);
    const struct sg_table_head *head = mmap(NULL, sizeof *head, PROT_READ, MAP_SHARED, table_fd, 0);
    struct sg_table_acks *back = mmap(NULL, sizeof *back, PROT_READ | PROT_WRITE, MAP_SHARED, acks_fd, 0);
    struct pollfd poll_fd = { bell, POLLIN, 0 };
    char rung[4096] = { 0 };

    if (head == MAP_FAILED || back == MAP_FAILED)
        _exit(1);
    while (memchr(rung, 'q', sizeof rung) == NULL) {
        (void)poll(&poll_fd, 1, -1);
        (void)!read(bell, rung, sizeof rung);
        atomic_store(&back->done, atomic_load(&head->put));
    }
    _exit(0);
}

int
main(void)
{
    static const char *const names[] = { "socks", "none", "rules", "connect", "/etc/sockgate/sockgate.conf" };
    char dir[] = "/dev/shm/sockgate-bench-XXXXXX", path[3][64];
    struct sg_journal_boot boot = { .fds = { -1, -1, -1 }, .n_slots = SLOTS, .n_events = 1 };
    struct sg_journal_fds logger_fds;
    double alone, rung;
    int dir_fd, status;
    pid_t pid;

    if (mkdtemp(dir) == NULL || (dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
        return 1;
    (void)snprintf(path[0], sizeof path[0], "%s/t.table", dir);
    (void)snprintf(path[1], sizeof path[1], "%s/t.acks", dir);
    (void)snprintf(path[2], sizeof path[2], "%s/bell", dir);
    if (sg_journal_open(&boot) == -1)
        return 1;
    alone = median(SESSIONS, false);
    sg_journal_close();
    if (sg_journal_create(dir_fd, "t", SLOTS, 1, names, sizeof names / sizeof *names, &boot.fds, &logger_fds) == -1 ||
        mkfifo(path[2], 0600) == -1 || (boot.fds.bell = open(path[2], O_RDWR | O_NONBLOCK | O_CLOEXEC)) == -1 ||
        (pid = fork()) == -1)
        return 1;
    if (pid == 0)
        reader(path[0], path[1], boot.fds.bell);
    if (sg_journal_open(&boot) == -1)
        return 1;
    rung = median(RUNG, true);
    if (write(boot.fds.bell, "q", 1) != 1 || waitpid(pid, &status, 0) != pid || status != 0)
        return 1;
    for (unsigned i = 0; i < 3; i++)
        (void)unlink(path[i]);
    (void)rmdir(dir);
    (void)printf("{\"record_us\": %.3f, \"rung_us\": %.3f, \"lines_us\": %.3f}\n", alone, rung, lines());
    return 0;
}
