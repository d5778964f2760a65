/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.c - makers of events.
 */
#include "events.h"

#include <string.h>

#include "journal.h"
#include "session.h"

#define TEXT_MAX 127

/* The first line of a message. */
static void
event_text(struct sg_record *rec, const char *text)
{
    size_t len = text != NULL ? strcspn(text, "\n") : 0;

    if (len > TEXT_MAX)
        len = TEXT_MAX;
    (void)sg_record_put(rec, &rec->reason_text, text, len);
}

void
sg_event_login(const struct sg_session *s, bool ok, const char *text)
{
    struct sg_record *rec = sg_journal_event(ok ? SG_EVENT_AUTH_OK : SG_EVENT_AUTH_FAILED, s->rec);

    if (rec == NULL)
        return;
    event_text(rec, text);
    sg_journal_publish(rec, SG_RECORD_ENDED);
}

void
sg_event_module(const struct sg_instance *inst, const struct sg_session *s, const char *text)
{
    struct sg_record *rec = sg_journal_event(SG_EVENT_MODULE_ERROR, s != NULL ? s->rec : NULL);

    if (rec == NULL)
        return;
    rec->module = sg_journal_name(inst->name);
    event_text(rec, text);
    sg_journal_publish(rec, SG_RECORD_ENDED);
}

/* A path that is too long for a record is told from its end. */
static void
event_file(struct sg_record *rec, const struct sg_digest *digest)
{
    const size_t len = strlen(digest->path), skip = len > UINT8_MAX ? len - UINT8_MAX : 0;

    (void)sg_record_put(rec, &rec->file, digest->path + skip, len - skip);
    (void)sg_record_put(rec, &rec->digest, digest->sha256, sizeof digest->sha256);
}

/* `reload` is only an id: its own record may be gone by now. */
static void
event_loaded(const struct sg_record *reload, const struct sg_digest *digest)
{
    struct sg_record *rec = sg_journal_event(SG_EVENT_FILE_LOADED, reload);

    if (rec == NULL)
        return;
    event_file(rec, digest);
    sg_journal_publish(rec, SG_RECORD_ENDED);
}

void
sg_event_reload(const struct sg_record_reload *reload, const struct sg_load *load, const char *text)
{
    struct sg_record *rec = sg_journal_event(SG_EVENT_RELOAD, NULL);
    struct sg_record cause = { .state = 0 };
    const struct sg_digest *files = NULL;
    size_t n_files = 0;

    if (rec == NULL)
        return;
    if (load != NULL)
        files = sg_conf_text_files(load->text, &n_files);
    rec->reload = *reload;
    event_text(rec, text);
    if (n_files > 0)
        event_file(rec, &files[0]);
    cause.id_high = rec->id_high;
    cause.id_low = rec->id_low;
    sg_journal_publish(rec, SG_RECORD_ENDED);
    for (size_t i = 1; i < n_files; i++)
        event_loaded(&cause, &files[i]);
    for (const struct sg_loaded *mod = load != NULL ? load->instances->loaded : NULL; mod != NULL; mod = mod->next)
        event_loaded(&cause, &mod->digest);
}
