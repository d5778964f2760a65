/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader of session tables, and the writer of lines: whatever an enemy leaves in a table, it is refused, or becomes
 * lines that are whole. A table is mostly empty, so an input holds its parts:
 *
 *   64 octets that the head begins with | octets missing at the end, 2 | length of the names, 2 | names | records
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "table_read.h"

#define SLOTS 2
#define RING 64
#define HEAD 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static void
put(int fd, const void *octets, size_t n, size_t at)
{
    MUST(pwrite(fd, octets, n, (off_t)at) == (ssize_t)n);
}

/* The size of the file; 0: the input is too short to be one. */
static size_t
make(int fd, const uint8_t *data, size_t size)
{
    size_t whole = sg_table_size(SLOTS, RING), missing, names;

    if (size < HEAD + 4)
        return 0;
    missing = (size_t)data[HEAD] << 8 | data[HEAD + 1];
    names = (size_t)data[HEAD + 2] << 8 | data[HEAD + 3];
    put(fd, data, HEAD, 0);
    data += HEAD + 4;
    size -= HEAD + 4;
    names = names < size ? names : size;
    put(fd, data, names, offsetof(struct sg_table_head, names));
    size = size - names < SLOTS * SG_RECORD_SIZE ? size - names : SLOTS * SG_RECORD_SIZE;
    put(fd, data + names, size, sg_table_records_at(RING));
    whole -= missing < whole ? missing : whole;
    MUST(ftruncate(fd, (off_t)whole) == 0);
    return whole;
}

/* One line, and nothing in it that a terminal or the next reader could mistake. */
static void
check_line(const char *line, size_t len)
{
    MUST(len < SG_RECORD_LINE_MAX && line[0] == '{' && line[len - 2] == '}' && line[len - 1] == '\n' &&
         line[len] == '\0');
    for (size_t i = 0; i < len - 1; i++)
        MUST((uint8_t)line[i] >= 0x20 && (uint8_t)line[i] != 0x7f);
}

static void
check_record(const struct sg_record *rec, const struct sg_record_names *names)
{
    static const enum sg_event events[] = { SG_EVENT_SESSION_START, SG_EVENT_SESSION_END, SG_EVENT_SESSION_REFUSED,
                                            SG_EVENT_SESSION_FAILED };
    char line[SG_RECORD_LINE_MAX], command[8];

    check_line(line, sg_record_json_live(rec, names, 1000, line, sizeof line));
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        check_line(line, sg_record_json(rec, events[i], names, line, sizeof line));
    MUST(strlen(sg_record_command(rec, command)) > 0 && sg_record_event(rec) < SG_EVENT_COUNT);
}

static void
check_table(int fd, size_t size)
{
    static _Alignas(struct sg_record) char room[SG_RECORD_SIZE];
    struct sg_record *rec = (struct sg_record *)(void *)room;
    struct sg_table_head *head = sg_table_read_head(fd);
    struct sg_table_view view;

    MUST((head != NULL) == (size >= sizeof *head));
    if (head != NULL && sg_table_view_open(&view, head, size)) {
        MUST(sg_table_size(view.n_slots, view.ring_size) <= size);
        free(head); /* the view needs it no more */
        for (uint32_t slot = 0; slot < view.n_slots; slot++)
            if (sg_table_read_live(&view, fd, slot, rec))
                check_record(rec, &view.names);
        sg_table_view_close(&view);
    } else {
        free(head);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    size_t whole;

    MUST(fd != -1);
    whole = make(fd, data, size);
    if (whole > 0)
        check_table(fd, whole);
    (void)close(fd);
    return 0;
}
