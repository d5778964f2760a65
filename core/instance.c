/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * instance.c - what a module can ask and say about its own instance.
 */
#include <string.h>

#include "clock.h"
#include "events.h"
#include "module.h"
#include "session.h"

#define INSTANCE_LINES_PER_SECOND 10
#define INSTANCE_TEXT_MAX 768

const void *
sg_instance_conf(const struct sg_instance *inst)
{
    return inst->settings;
}

const char *
sg_instance_name(const struct sg_instance *inst)
{
    return inst->name;
}

int64_t
sg_instance_timeout(const struct sg_instance *inst)
{
    return inst->conf->helper.timeout;
}

void
sg_instance_set_data(struct sg_instance *inst, void *data)
{
    inst->data = data;
}

void *
sg_instance_data(const struct sg_instance *inst)
{
    return inst->data;
}

void
sg_conf_error(struct sg_instance *inst, const struct sg_where *where, const char *format, ...)
{
    char text[INSTANCE_TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (inst->diag != NULL)
        sg_diag_error(inst->diag, where != NULL && where->line != 0 ? where : &inst->conf->where, NULL,
                      "module \"%s\": %s", inst->name, text);
    else if (where != NULL && where->line != 0)
        sg_logf(SG_LOG_ERR, "%s:%u: module \"%s\": %s", where->file, where->line, inst->name, text);
    else
        sg_logf(SG_LOG_ERR, "module \"%s\": %s", inst->name, text);
}

struct sg_where
sg_conf_where(const struct sg_instance *inst, const char *name)
{
    const config_setting_t *settings = inst->conf->settings;
    const config_setting_t *setting = settings != NULL ? config_setting_get_member(settings, name) : NULL;
    const struct sg_conf_item *item = inst->mod->conf;

    if (setting != NULL)
        return sg_conf_text_where(inst->whole->text, config_setting_source_line(setting));
    while (item != NULL && item->name != NULL && strcmp(item->name, name) != 0)
        item++;
    if (item == NULL || item->name == NULL)
        return inst->conf->where;
    return (struct sg_where){ inst->conf->where.file, 0 };
}

bool
sg_conf_has_listener(const struct sg_instance *inst, const char *name)
{
    const struct sg_conf *conf = inst->whole;

    for (size_t i = 0; i < conf->listeners.n; i++) {
        const struct sg_listener_conf *l = sg_conf_listener(conf, i);

        if (l->name != NULL && strcmp(l->name, name) == 0)
            return true;
    }
    return false;
}

void
sg_log(struct sg_instance *inst, enum sg_log_level level, const char *format, ...)
{
    char text[INSTANCE_TEXT_MAX];
    va_list args;

    if (!sg_log_wants(level))
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sg_logf(level, "module \"%s\": %s", inst->name, text);
}

/* What a stranger can provoke: so many lines a second and instance, then a count. */
static bool
instance_may_log(struct sg_instance *inst)
{
    struct sg_instance_lines *lines = &inst->lines;
    const int64_t second = sg_mono_ms() / 1000;

    if (lines->second != second) {
        lines->second = second;
        lines->written = 0;
    }
    if (lines->written == INSTANCE_LINES_PER_SECOND) {
        lines->left_out++;
        return false;
    }
    lines->written++;
    if (lines->left_out > 0)
        sg_logf(SG_LOG_WARN, "module \"%s\": %u lines before this one were left out", inst->name, lines->left_out);
    lines->left_out = 0;
    return true;
}

static void
instance_slog(struct sg_instance *inst, const struct sg_session *s, enum sg_log_level level, const char *text)
{
    char client[SG_ADDR_TEXT];

    if (!sg_log_wants(level) || !instance_may_log(inst))
        return;
    if (s != NULL)
        sg_logf(level, "module \"%s\": session %s, client %s, while %s: %s", inst->name, sg_session_id(s),
                sg_addr_format(sg_session_client(s), client, sizeof client),
                s->doing != NULL ? s->doing : sg_state_name(s->state), text);
    else
        sg_logf(level, "module \"%s\": %s", inst->name, text);
}

void
sg_slog(struct sg_instance *inst, struct sg_session *s, enum sg_log_level level, const char *format, ...)
{
    char text[INSTANCE_TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    instance_slog(inst, s, level, text);
}

void
sg_module_error(struct sg_instance *inst, const struct sg_session *s, const char *format, ...)
{
    static const char head[] = "module_error: ";
    char text[INSTANCE_TEXT_MAX];
    va_list args;

    memcpy(text, head, sizeof head);
    va_start(args, format);
    (void)vsnprintf(text + sizeof head - 1, sizeof text - sizeof head + 1, format, args);
    va_end(args);
    instance_slog(inst, s, SG_LOG_ERR, text);
    sg_event_module(inst, s, text + sizeof head - 1);
}
