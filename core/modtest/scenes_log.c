/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenes_log.c - the role `log`: events with everything in them, commits, a successor that finds what is there, a full disk.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "fields.h"
#include "modtest/modtest.h"

#define EVENTS 8

static struct sg_record *records[EVENTS];
static bool seen[EVENTS];

static const char *
log_name(const struct sg_record_names *names, uint16_t number)
{
    (void)names, (void)number;
    return "modtest";
}

/* Ends of sessions, by users whose names want to be lines of their own. */
static void
log_events(uint64_t serial)
{
    char user[255];

    memset(user, '"', sizeof user);
    memcpy(user, "\n{\"event\":\"forged\"}\r\n\x1b[2J\xff", 25);
    for (uint64_t i = 0; i < EVENTS; i++) {
        if (records[i] == NULL)
            records[i] = calloc(1, SG_RECORD_SIZE);
        if (records[i] == NULL)
            return;
        memset(records[i], 0, SG_RECORD_SIZE);
        records[i]->id_high = 0x6d6f6474657374;
        records[i]->id_low = serial << 16 | i;
        records[i]->identified = true;
        (void)sg_record_put(records[i], &records[i]->user, user, i % 2 == 0 ? sizeof user : 0);
        seen[i] = false;
    }
}

/* How many event() has taken; the commit's answer goes to *status_out. */
static unsigned
log_write(struct sg_instance *inst, int *status_out)
{
    const struct sg_record_names names = { log_name };
    unsigned taken = 0;

    for (size_t i = 0; i < EVENTS && records[i] != NULL; i++) {
        const struct sg_event_info info = { SG_EVENT_SESSION_END, records[i], &names };

        if (inst->mod->log->event(inst, &info) == 0)
            taken++;
    }
    *status_out = taken == EVENTS ? inst->mod->log->commit(inst) : -1;
    return taken;
}

static void
log_seen(void *arg, const char *id, const char *name)
{
    char own[33];

    (void)arg, (void)name;
    for (size_t i = 0; i < EVENTS; i++) {
        (void)snprintf(own, sizeof own, "%016llx%016llx", (unsigned long long)records[i]->id_high,
                       (unsigned long long)records[i]->id_low);
        seen[i] = seen[i] || strcmp(own, id) == 0;
    }
}

/* A successor in the same process: what the commit has made safe must be found again. */
static void
log_recover(struct sg_instance *inst)
{
    if (inst->mod->log->recover == NULL)
        return;
    if (inst->mod->log->recover(inst, -1, log_seen, NULL) == -1) {
        mt_mistake("recover() fails behind a commit() that has succeeded");
        return;
    }
    for (size_t i = 0; i < EVENTS; i++)
        if (!seen[i]) {
            mt_mistake("recover() does not find an event that commit() has made safe: it will be written twice");
            return;
        }
}

static bool
log_start(struct sg_instance *inst)
{
    if (inst->mod->start == NULL || inst->mod->start(inst, SG_PROCESS_LOGGER) == 0)
        return true;
    mt_start_failed("logger");
    return false;
}

static void
log_stop(struct sg_instance *inst)
{
    if (inst->mod->stop != NULL)
        inst->mod->stop(inst);
}

/* Whose descriptor is a file cannot have written when no file may grow. */
static void
log_full(struct sg_instance *inst)
{
    const struct rlimit none = { 0, RLIM_INFINITY };
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct rlimit before;
    struct stat st;
    int status, fd;

    if (inst->mod->log->descriptor == NULL || (fd = inst->mod->log->descriptor(inst)) == -1 || fstat(fd, &st) == -1 ||
        !S_ISREG(st.st_mode))
        return;
    (void)sigaction(SIGXFSZ, &ignore, NULL);
    (void)getrlimit(RLIMIT_FSIZE, &before);
    (void)setrlimit(RLIMIT_FSIZE, &none);
    log_events(3);
    if (log_write(inst, &status) == EVENTS && status == 0)
        mt_mistake("commit() says 0 although nothing could be written: say -1, and all comes again");
    (void)setrlimit(RLIMIT_FSIZE, &before);
    log_events(4);
    if (log_write(inst, &status) < EVENTS || status != 0)
        mt_mistake("event() or commit() still fails when there is room again");
}

void
mt_scene_log(unsigned n)
{
    struct sg_instance *inst;
    struct mt_world w;
    int status;

    (void)n;
    if (mt_world_load(&w, false) == -1)
        return;
    inst = w.inst;
    mt_wrap_process(SG_PROCESS_LOGGER);
    if (!log_start(inst))
        return;
    log_events(1);
    if (inst->mod->log->recover != NULL)
        (void)inst->mod->log->recover(inst, -1, log_seen, NULL);
    if (log_write(inst, &status) == EVENTS && status == 0) {
        if (inst->mod->log->reopen != NULL)
            (void)inst->mod->log->reopen(inst);
        log_stop(inst);
        if (!log_start(inst))
            return;
        log_recover(inst);
        log_full(inst);
    }
    log_stop(inst);
    mt_world_unload(&w);
    mt_log_read();
}
