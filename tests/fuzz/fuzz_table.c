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

#include <sockgate/event.h>

#include "fuzz.h"
#include "fields.h"
#include "table_read.h"

#define SLOTS 2
#define RING 64
#define HEAD 64

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
    MUST(len < SG_EVENT_JSON_MAX && line[0] == '{' && line[len - 2] == '}' && line[len - 1] == '\n' &&
         line[len] == '\0');
    for (size_t i = 0; i < len - 1; i++)
        MUST((uint8_t)line[i] >= 0x20 && (uint8_t)line[i] != 0x7f);
}

static void
check_record(const struct sg_record *rec, const struct sg_record_names *names)
{
    char line[SG_EVENT_JSON_MAX];

    for (int event = 0; event < SG_EVENT_COUNT; event++) {
        const struct sg_event_info info = { (enum sg_event)event, rec, names };
        const size_t len = sg_event_json(&info, line, sizeof line);

        check_line(line, len);
    }
    MUST(sg_record_event(rec) < SG_EVENT_COUNT);
}

static void
check_table(int fd, size_t size)
{
    struct sg_table table;

    if (sg_table_open(&table, fd)) {
        MUST(sg_table_size(table.n_slots, table.ring_size) <= size);
        for (uint32_t slot = 0; slot < table.n_slots; slot++) {
            const struct sg_record *rec = sg_table_live(&table, slot);

            if (rec != NULL)
                check_record(rec, &table.names);
        }
        sg_table_close(&table);
    }
    if (sg_table_map(&table, fd)) {
        for (uint32_t slot = 0; slot < table.n_slots; slot++)
            check_record(sg_table_record(&table, slot), &table.names);
        (void)sg_table_entry(&table, sg_table_put(&table));
        (void)sg_table_use(&table, 0);
        sg_table_close(&table);
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
