/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formats of logs: FORMAT, a line feed, a user, a line feed, a host. Any format is compiled or refused with a reason; what
 * it prints is one line without controls that can be read back; and any octets at all may stand in a file that is read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sockgate/event.h>

#include "fuzz.h"
#include "format.h"

static const char *
no_name(const struct sg_record_names *names, uint16_t number)
{
    (void)names, (void)number;
    return NULL;
}

static void
note(void *arg, const char *id, const char *name)
{
    MUST(strlen(id) < 64 && strlen(name) < 64);
    *(unsigned *)arg += 1;
}

/* Takes the octets up to a line feed, which goes too. */
static const uint8_t *
part(const uint8_t **data, size_t *size, size_t *len_out)
{
    const uint8_t *start = *data, *newline = *size > 0 ? memchr(start, '\n', *size) : NULL;

    *len_out = newline != NULL ? (size_t)(newline - start) : *size;
    *data += *len_out + (newline != NULL);
    *size -= *len_out + (newline != NULL);
    return start;
}

static void
check_print(const struct sg_event_format *format, const struct sg_event_info *info, size_t size)
{
    char *line = malloc(size);
    const size_t len = sg_event_print(format, info, line, size);
    unsigned found = 0;

    MUST(len > 0 && len < size && strlen(line) == len && strchr(line, '\n') == line + len - 1);
    for (size_t i = 0; i < len - 1; i++)
        MUST((uint8_t)line[i] >= ' ' || line[i] == '\t');
    MUST(sg_event_scan(format, line, len - 1, note, &found) == (found == 1));
    free(line);
}

static void
check_scan(const struct sg_event_format *format, const uint8_t *octets, size_t len)
{
    char *line = malloc(len > 0 ? len : 1);
    unsigned found = 0;

    memcpy(line, octets, len);
    MUST(sg_event_scan(format, line, len, note, &found) == (found == 1));
    free(line);
}

/* Values that are no text: lists, counts. */
static void
fill_more(struct sg_record *rec, uint32_t number)
{
    const struct sg_addr addr = { .family = SG_FAMILY_IPV4, .port = (uint16_t)number, .ip = { 192, 0, 2, 1 } };
    uint32_t *drops = sg_record_udp_drops(rec);

    sg_record_add_tried(rec, &addr);
    sg_record_add_tried(rec, &addr);
    rec->tried_more = true;
    if (drops != NULL)
        drops[SG_UDP_DROP_HEADER] = drops[SG_UDP_DROP_RATE] = number + 1;
}

static void
check_format(const struct sg_event_format *format, const uint8_t *data, size_t size)
{
    static const struct sg_record_names names = { no_name };
    struct sg_record *rec = calloc(1, SG_RECORD_SIZE);
    const struct sg_event_info info = { .event = SG_EVENT_SESSION_END, .rec = rec, .names = &names };
    size_t user_len;
    const uint8_t *user;

    check_scan(format, data, size);
    user = part(&data, &size, &user_len);
    rec->instance = 1;
    rec->identified = true;
    rec->ver = 5;
    rec->requested = true;
    (void)sg_record_put(rec, &rec->user, user, user_len);
    (void)sg_record_put(rec, &rec->name, data, size);
    fill_more(rec, (uint32_t)size);
    check_print(format, &info, SG_EVENT_LINE_MIN);
    check_print(format, &info, SG_EVENT_LINE_MAX);
    free(rec);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[256] = "";
    size_t len;
    const uint8_t *start = part(&data, &size, &len);
    char *text = strndup((const char *)start, len);
    struct sg_event_format *format = sg_format_compile(text, error, sizeof error);

    MUST((format == NULL) == (error[0] != '\0'));
    if (format != NULL)
        check_format(format, data, size);
    sg_event_format_free(format);
    free(text);
    return 0;
}
