/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status.c - `key=value` lines; the text is the last and goes to the end.
 */
#include "status.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
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

int
sg_status_read(const char *runtime_dir, struct sg_status *status_out)
{
    char path[PATH_MAX], result[16];
    FILE *in;
    long pid, uid;
    int n;
    size_t len;

    *status_out = (struct sg_status){ 0 };
    (void)snprintf(path, sizeof path, "%s/" STATUS_NAME, runtime_dir);
    in = fopen(path, "re");
    if (in == NULL)
        return -1;
    n = fscanf(in, "load_began_ms=%" SCNd64 " result=%15s generation=%u who_pid=%ld who_uid=%ld text=",
               &status_out->load_began_ms, result, &status_out->generation, &pid, &uid);
    len = fread(status_out->text, 1, sizeof status_out->text - 1, in);
    (void)fclose(in);
    if (n != 5)
        return -1;
    while (len > 0 && status_out->text[len - 1] == '\n')
        len--;
    status_out->text[len] = '\0';
    status_out->who_pid = (pid_t)pid;
    status_out->who_uid = (uid_t)uid;
    status_out->ok = strcmp(result, "ok") == 0;
    return 0;
}
