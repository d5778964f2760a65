/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_logger.c - a real worker's journal and a real logger with log_file, each in a process of its own: killed at random
 * moments, stopped in order, met with a table of the layout before, with a torn line, with a table that an enemy wrote.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "journal.h"
#include "loaded.h"
#include "logger.h"
#include "msg.h"
#include "proc.h"
#include "record_old.h"

#define EPOCH 0x0123456789abcdefu
#define SLOTS 32
#define IDS_MAX 200000

static char folder[] = "/tmp/sockgate-logger-XXXXXX";
static char log_path[64];
static int dir, bell[2];
static struct loaded loaded;
static struct sg_worker_status *status;
static struct sg_logger_file files[SG_TABLE_LOGS_MAX];
static const char *const names[] = { "main", "file" };

static void
setup(void)
{
    char text[1024];

    cr_assert(mkdtemp(folder));
    (void)snprintf(log_path, sizeof log_path, "%s/log", folder);
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert(dir != -1 && pipe2(bell, O_NONBLOCK | O_CLOEXEC) == 0);
    (void)snprintf(text, sizeof text,
                   "core = { module_dir = \"" MODULES "\"; };\n"
                   "modules = ( { name = \"none\"; file = \"auth_none.so\"; },\n"
                   "  { name = \"rules\"; file = \"access_rules.so\"; settings = { rules = ( { allow = {}; } ); }; },\n"
                   "  { name = \"connect\"; file = \"cmd_connect.so\"; },\n"
                   "  { name = \"file\"; file = \"log_file.so\"; required = true; settings = { path = \"%s\"; }; } );\n"
                   "hooks = { auth = [ \"none\" ]; access = [ \"rules\" ]; command = { connect = \"connect\"; };\n"
                   "  log = [ \"file\" ]; };\n"
                   "listeners = ( { name = \"main\"; address = \"127.0.0.1\"; port = 1080; } );\n",
                   log_path);
    loaded_from(&loaded, text);
    cr_assert_str_eq(loaded.messages, "");
    status = mmap(NULL, sizeof *status, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(status != MAP_FAILED);
    for (size_t i = 0; i < SG_TABLE_LOGS_MAX; i++)
        files[i].fd = -1;
}

static void
teardown(void)
{
    DIR *list = opendir(folder);
    const struct dirent *entry;

    while ((entry = readdir(list)))
        (void)unlinkat(dir, entry->d_name, 0);
    (void)closedir(list);
    cr_expect_eq(rmdir(folder), 0);
}

TestSuite(logger, .init = setup, .fini = teardown, .timeout = 60);

/* ---- processes */

static int
opened(const char *name, const char *suffix, int flags)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof path, "%s.%s", name, suffix);
    fd = openat(dir, path, flags | O_CLOEXEC);
    cr_assert_neq(fd, -1, "%s", path);
    return fd;
}

struct logger {
    pid_t pid;
    int channel;
};

static struct logger
logger_start(const char *table)
{
    struct logger logger;
    struct sg_msg msg;
    int pair[2];

    cr_assert_eq(sg_proc_channel(pair), 0);
    logger.channel = pair[0];
    logger.pid = fork();
    if (logger.pid == 0) {
        const struct sg_logger_boot boot = { .conf = loaded.conf,
                                             .instances = loaded.all,
                                             .channel = pair[1],
                                             .bell = bell[0],
                                             .lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600),
                                             .status = status,
                                             .files = files,
                                             .epoch = EPOCH,
                                             .master = 0 };

        (void)close(pair[0]);
        _exit(sg_logger_main(&boot));
    }
    (void)close(pair[1]);
    sg_msg_begin(&msg, SG_MSG_TABLE);
    sg_msg_put_str(&msg, SG_TAG_KEY, table);
    sg_msg_put_fd(&msg, SG_TAG_FD, opened(table, "table", O_RDONLY));
    sg_msg_put_fd(&msg, SG_TAG_ACKS_FD, opened(table, "acks", O_RDWR));
    cr_assert_eq(sg_msg_send(logger.channel, &msg), 0);
    return logger;
}

static void
logger_finish(struct logger logger)
{
    struct sg_msg msg;
    int how;

    sg_msg_begin(&msg, SG_MSG_STOP);
    cr_assert_eq(sg_msg_send(logger.channel, &msg), 0);
    cr_assert_eq(waitpid(logger.pid, &how, 0), logger.pid);
    cr_expect(WIFEXITED(how) && WEXITSTATUS(how) == 0, "status %x", (unsigned)how);
    (void)close(logger.channel);
}

static void
killed(pid_t pid)
{
    cr_assert_eq(kill(pid, SIGKILL), 0);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static void
pause_us(unsigned us)
{
    const struct timespec span = { 0, (long)us * 1000 };

    (void)nanosleep(&span, NULL);
}

/* ---- what the log says, by the counter of the id */

enum { SAYS_START = 1, SAYS_END = 2, SAYS_FAILED = 4, SAYS_EVENT = 8, SAYS_LOST = 16 };

static uint8_t says[IDS_MAX];

static unsigned
line_says(const char *line)
{
    if (strstr(line, "\"session_start\""))
        return SAYS_START;
    if (strstr(line, "\"session_end\""))
        return SAYS_END;
    if (strstr(line, "\"session_failed\"") || strstr(line, "\"session_refused\""))
        return SAYS_FAILED;
    return strstr(line, "\"records_lost\"") ? SAYS_LOST : SAYS_EVENT;
}

/* The number of lines; each is whole, and says what no other says. */
static size_t
read_log(const char *path)
{
    FILE *in = fopen(path, "r");
    char line[SG_EVENT_JSON_MAX];
    size_t n = 0;

    cr_assert(in);
    for (; fgets(line, sizeof line, in); n++) {
        const char *id = strstr(line, ",\"id\":\"");
        const unsigned what = line_says(line);
        unsigned long long counter;

        cr_assert(line[0] == '{' && strcmp(line + strlen(line) - 2, "}\n") == 0 && id, "%s", line);
        counter = strtoull(id + 7 + 20, NULL, 16);
        if (what == SAYS_LOST)
            continue;
        cr_assert_lt(counter, IDS_MAX, "%s", line);
        cr_assert((says[counter] & what) == 0, "twice: %s", line);
        cr_assert(what != SAYS_END || (says[counter] & SAYS_START) != 0, "no start: %s", line);
        says[counter] |= (uint8_t)what;
    }
    (void)fclose(in);
    return n;
}

/* ---- killed at any moment */

/* Sessions of all kinds, as fast as it goes, until it is killed. */
static void
worker_run(const struct sg_journal_fds *fds, unsigned seed)
{
    const struct sg_journal_boot boot = { *fds, SLOTS, 8, EPOCH, 1, false };
    struct sg_record *open_now[8] = { NULL };

    if (sg_journal_open(&boot) == -1)
        _exit(1);
    for (;;) {
        struct sg_record **at = &open_now[(seed = seed * 1103515245u + 12345u) >> 16 & 7];
        const unsigned dice = seed >> 20 & 7;

        if (!*at && !sg_journal_room())
            continue;
        if (dice == 0) {
            struct sg_record *event = sg_journal_event(SG_EVENT_AUTH_FAILED, NULL);

            sg_journal_publish(event, SG_RECORD_ENDED);
        } else if (!*at) {
            *at = sg_journal_take();
            (*at)->listener = sg_journal_name("main");
            (*at)->accepted_mono_ms = (*at)->ended_mono_ms = 1;
            sg_journal_publish(*at, SG_RECORD_OPEN);
        } else if (!(*at)->started && dice < 6) {
            (*at)->started = true;
            sg_journal_publish(*at, SG_RECORD_STARTED);
        } else {
            (*at)->reason = SG_REASON_CLIENT_GONE;
            sg_journal_publish(*at, SG_RECORD_ENDED);
            *at = NULL;
        }
        sg_journal_bell();
    }
}

static size_t
round_of_kills(unsigned seed)
{
    struct sg_journal_fds fds, logger_fds;
    struct logger logger;
    size_t n, last = 0;
    pid_t worker;

    memset(says, 0, sizeof says);
    (void)unlinkat(dir, "t-1.table", 0);
    (void)unlinkat(dir, "t-1.acks", 0);
    (void)unlinkat(dir, "log", 0);
    cr_assert_eq(sg_journal_create(dir, "t-1", SLOTS, EPOCH, names, 2, &fds, &logger_fds), 0);
    fds.bell = bell[1];
    worker = fork();
    if (worker == 0)
        worker_run(&fds, seed);
    cr_assert_eq(pwrite(fds.table, (const int64_t[]){ worker, sg_proc_born(worker) }, 2 * sizeof(int64_t),
                        offsetof(struct sg_table_head, pid)),
                 2 * (ssize_t)sizeof(int64_t));
    for (unsigned i = 0; i < 3; i++) {
        logger = logger_start("t-1");
        pause_us(seed * 7919 * (i + 1) % 9000);
        if (i == seed % 3)
            killed(worker);
        if (i < 2) {
            killed(logger.pid);
            (void)close(logger.channel);
        }
    }
    logger_finish(logger);
    n = read_log(log_path);
    for (size_t i = 0; i < IDS_MAX; i++)
        if (says[i])
            last = i;
    for (size_t i = 0; i <= last && n > 0; i++)
        cr_assert(says[i] == (SAYS_START | SAYS_END) || says[i] == SAYS_FAILED || says[i] == SAYS_EVENT,
                  "seed %u: id %zu of %zu: %x", seed, i, last, says[i]);
    (void)close(fds.table);
    (void)close(fds.acks);
    (void)close(logger_fds.table);
    (void)close(logger_fds.acks);
    return n;
}

/* Publishing, acknowledging and using a slot again are cut short at any instruction: each thing is told once. */
Test(logger, killed_at_any_moment)
{
    const unsigned seed = (unsigned)sg_mono_ms();
    size_t n = 0;

    for (unsigned i = 0; i < 20; i++)
        n += round_of_kills(seed + i);
    cr_expect_gt(n, 100);
    cr_log_info("%zu lines in 20 rounds", n);
}

/* ---- the layout before */

static void
old_record(char *slots, unsigned slot, enum sg_record_state state)
{
    struct sg_record_old *rec = (struct sg_record_old *)(void *)(slots + (size_t)slot * SG_RECORD_SIZE);

    *rec = (struct sg_record_old){ .state = state,
                                   .use = 1,
                                   .id_high = EPOCH + 1,
                                   .id_low = slot,
                                   .accepted_wall_ms = 1769860800000,
                                   .accepted_mono_ms = 1000,
                                   .connected_mono_ms = 1100,
                                   .ended_mono_ms = 1200,
                                   .bytes_up = 5,
                                   .bytes_down = 7,
                                   .client = { .family = SG_FAMILY_IPV4, .port = 40000, .ip = { 192, 0, 2, 1 } },
                                   .port = 443,
                                   .listener = 1,
                                   .instance = 2,
                                   .reason = state == SG_RECORD_ENDED ? SG_REASON_CLOSED : SG_REASON_NONE,
                                   .started = true,
                                   .identified = true,
                                   .ver = 5,
                                   .cmd = 1,
                                   .n_tried = 1,
                                   .rule_len = 3,
                                   .rule = "web",
                                   .user = { 0, 5, 0 },
                                   .arena_used = 5 };
    memcpy(rec->arena, "alice", 5);
    memcpy(slots + (size_t)(slot + 1) * SG_RECORD_SIZE - 19,
           (const char[19]){ SG_FAMILY_IPV4, 80, 0, (char)198, 51, 100, 7 }, 19);
}

/* The two files as the binary before left them. */
static void
old_table(void)
{
    const uint32_t ring_size = 64;
    struct sg_table_head *head = calloc(1, sg_table_size(4, ring_size));
    struct sg_table_acks *acks = calloc(1, sizeof *acks);
    uint32_t *ring = (uint32_t *)(void *)((char *)head + sg_table_ring_at());
    char *slots = (char *)head + sg_table_records_at(ring_size);
    const size_t size = sg_table_size(4, ring_size), acks_size = offsetof(struct sg_table_acks, logs);
    int fd;

    *head = (struct sg_table_head){ .magic = SG_TABLE_MAGIC,
                                    .layout = 1,
                                    .record_size = SG_RECORD_SIZE,
                                    .n_slots = 4,
                                    .ring_size = ring_size,
                                    .n_names = 2,
                                    .epoch = EPOCH + 1,
                                    .pid = INT_MAX,
                                    .born = 1,
                                    .put = 3,
                                    .names = "main\0file" };
    old_record(slots, 0, SG_RECORD_STARTED);
    old_record(slots, 1, SG_RECORD_ENDED);
    ring[0] = SG_TABLE_ENTRY(0u, 1u, 0u);
    ring[1] = SG_TABLE_ENTRY(1u, 1u, 0u);
    ring[2] = SG_TABLE_ENTRY(1u, 1u, 1u);
    acks->magic = SG_TABLE_MAGIC;
    (void)snprintf(acks->old[0].name, sizeof acks->old[0].name, "file");
    acks->old[0].done = 2; /* both starts are written */
    fd = openat(dir, "old-1.table", O_RDWR | O_CREAT, 0600);
    cr_assert(write(fd, head, size) == (ssize_t)size && close(fd) == 0);
    fd = openat(dir, "old-1.acks", O_RDWR | O_CREAT, 0600);
    cr_assert(write(fd, acks, acks_size) == (ssize_t)acks_size && close(fd) == 0);
    free(head);
    free(acks);
}

#define OLD_LINE(slot, rest)                                                                                           \
    "\"event\":\"session_end\",\"id\":\"0123456789abcdf0000000000000000" slot "\",\"listener\":\"main\","              \
    "\"client\":\"192.0.2.1:40000\",\"ver\":5,\"method\":\"00\",\"instance\":\"file\",\"user\":\"alice\","             \
    "\"assurance\":0,"                                                                                                 \
    "\"command\":\"connect\",\"port\":443,\"rule\":\"web\",\"tried\":[\"198.51.100.7:80\"]," rest

Test(logger, reads_the_layout_before)
{
    char lines[2 * SG_EVENT_JSON_MAX] = "";
    int fd;

    old_table();
    logger_finish(logger_start("old-1"));
    fd = open(log_path, O_RDONLY | O_CLOEXEC);
    cr_assert(read(fd, lines, sizeof lines - 1) > 0 && close(fd) == 0);
    cr_expect(
        strstr(lines, OLD_LINE("1", "\"reason\":\"closed\",\"bytes_up\":5,\"bytes_down\":7,\"duration_ms\":200}")),
        "%s", lines);
    cr_expect(strstr(lines, OLD_LINE("0", "\"reason\":\"unclean_stop\",\"bytes_up\":5,\"bytes_down\":7,")), "%s",
              lines);
    cr_expect(!strstr(lines, "session_start"), "%s", lines);
}

/* Fifteen addresses and the longest strings fit into the old arena, not into ours. */
Test(logger, an_old_record_that_is_too_full)
{
    static _Alignas(struct sg_record_old) char old_octets[SG_RECORD_SIZE], octets[SG_RECORD_SIZE];
    struct sg_record_old *old = (struct sg_record_old *)(void *)old_octets;
    struct sg_record *rec = (struct sg_record *)(void *)octets;

    old->user = (struct sg_record_text){ 0, 255, 0 };
    old->name = (struct sg_record_text){ 255, 253, 0 };
    old->reason_text = (struct sg_record_text){ 60000, 127, 0 }; /* an enemy's */
    old->n_tried = 200;
    sg_record_from_old(old, rec);
    cr_expect(rec->user.len == 255 && rec->name.len == 253 && rec->reason_text.len == 0);
    cr_expect(rec->tried_more && rec->n_tried < SG_RECORD_TRIED_MAX);
}

/* ---- what a predecessor leaves behind */

/* A line that a killed write has torn is cut off; what is whole is not told again. */
Test(logger, torn_tail)
{
    static const char torn[] = "{\"time\":\"2026-01-31T12:00:01.200Z\",\"event\":\"session_end\",\"id\":\"0123";
    char lines[2 * SG_EVENT_JSON_MAX] = "";
    struct stat st;
    int fd;

    old_table();
    logger_finish(logger_start("old-1"));
    cr_assert_eq(stat(log_path, &st), 0);
    fd = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    cr_assert(write(fd, torn, strlen(torn)) == (ssize_t)strlen(torn) && close(fd) == 0);
    old_table(); /* as if nothing had been acknowledged */
    fd = opened("old-1", "acks", O_RDWR);
    cr_assert(ftruncate(fd, offsetof(struct sg_table_acks, logs)) == 0 && close(fd) == 0);
    logger_finish(logger_start("old-1"));
    fd = open(log_path, O_RDONLY | O_CLOEXEC);
    cr_assert(read(fd, lines, sizeof lines - 1) == st.st_size && close(fd) == 0, "%s", lines);
}

/* ---- a table that an enemy wrote: any octets; nothing dies, and the logger ends when it should */
Test(logger, enemy)
{
    const size_t size = sg_table_size(4, 64);
    unsigned seed = (unsigned)sg_mono_ms();
    uint8_t *octets = malloc(size);

    cr_log_info("seed %u", seed);
    for (unsigned n = 0; n < 40; n++) {
        int fd;

        old_table();
        fd = opened("old-1", "table", O_RDWR);
        cr_assert_eq(pread(fd, octets, size, 0), (ssize_t)size);
        for (unsigned i = 0; i < 400; i++) {
            const size_t spans[] = { 64, size, sg_table_ring_at() + 256, size };
            const size_t froms[] = { 20, 0, sg_table_ring_at(), sg_table_records_at(64) };
            const unsigned part = (seed = seed * 1103515245u + 12345u) >> 16 & 3;

            octets[froms[part] + (seed >> 3) % (spans[part] - froms[part])] = (uint8_t)(seed >> 24);
        }
        if (n % 4 != 0) { /* most are sound from without */
            ((struct sg_table_head *)(void *)octets)->n_slots = 4;
            ((struct sg_table_head *)(void *)octets)->ring_size = 64;
            ((struct sg_table_head *)(void *)octets)->n_names = 2;
            ((struct sg_table_head *)(void *)octets)->magic = SG_TABLE_MAGIC;
            ((struct sg_table_head *)(void *)octets)->layout = 1 + n % 2;
            ((struct sg_table_head *)(void *)octets)->record_size = SG_RECORD_SIZE;
        }
        ((struct sg_table_head *)(void *)octets)->born = 1;
        ((struct sg_table_head *)(void *)octets)->pid = INT_MAX;
        cr_assert(pwrite(fd, octets, size, 0) == (ssize_t)size && close(fd) == 0);
        logger_finish(logger_start("old-1"));
    }
    free(octets);
}
