/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status.c - `key=value` lines; the text is the last and goes to the end.
 */
#include "status.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_NAME "status"

int
sg_status_write(const char *runtime_dir, const struct sg_status *status)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    FILE *out;
    bool bad;

    (void)snprintf(path, sizeof path, "%s/" STATUS_NAME, runtime_dir);
    (void)snprintf(temporary, sizeof temporary, "%s/" STATUS_NAME ".new", runtime_dir);
    (void)unlink(temporary);
    out = fopen(temporary, "wxe");
    if (out == NULL)
        return -1;
    (void)fprintf(out, "load_began_ms=%" PRId64 "\nresult=%s\ngeneration=%u\nwho_pid=%ld\nwho_uid=%ld\ntext=%s\n",
                  status->load_began_ms, status->ok ? "ok" : "failed", status->generation, (long)status->who_pid,
                  (long)status->who_uid, status->text);
    bad = ferror(out) != 0;
    bad = fclose(out) != 0 || bad;
    return bad ? -1 : rename(temporary, path);
}

/* The rest of `line` behind `key=`, or NULL. */
static const char *
status_value(const char *line, const char *key)
{
    const size_t len = strlen(key);

    return strncmp(line, key, len) == 0 && line[len] == '=' ? line + len + 1 : NULL;
}

static void
status_line(struct sg_status *status, const char *line, const char **text_out)
{
    const char *value;

    if ((value = status_value(line, "load_began_ms")) != NULL)
        status->load_began_ms = strtoll(value, NULL, 10);
    else if ((value = status_value(line, "result")) != NULL)
        status->ok = strncmp(value, "ok", 2) == 0;
    else if ((value = status_value(line, "generation")) != NULL)
        status->generation = (unsigned)strtoul(value, NULL, 10);
    else if ((value = status_value(line, "who_pid")) != NULL)
        status->who_pid = (pid_t)strtol(value, NULL, 10);
    else if ((value = status_value(line, "who_uid")) != NULL)
        status->who_uid = (uid_t)strtol(value, NULL, 10);
    else
        *text_out = status_value(line, "text");
}

int
sg_status_read(const char *runtime_dir, struct sg_status *status_out)
{
    char path[PATH_MAX], bytes[sizeof status_out->text + 512];
    const char *line = bytes, *text = NULL;
    FILE *in;
    size_t len;

    *status_out = (struct sg_status){ 0 };
    (void)snprintf(path, sizeof path, "%s/" STATUS_NAME, runtime_dir);
    in = fopen(path, "re");
    if (in == NULL)
        return -1;
    len = fread(bytes, 1, sizeof bytes - 1, in);
    (void)fclose(in);
    while (len > 0 && bytes[len - 1] == '\n')
        len--;
    bytes[len] = '\0';
    while (line != NULL && text == NULL) {
        status_line(status_out, line, &text);
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    if (text == NULL)
        return -1;
    (void)snprintf(status_out->text, sizeof status_out->text, "%s", text);
    return 0;
}
