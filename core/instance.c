/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * instance.c - what a module can ask and say about its own instance.
 */
#include <string.h>

#include "clock.h"
#include "module.h"
#include "session.h"

#define INSTANCE_SLOG_PER_SECOND 10

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
    char text[768];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (inst->diag != NULL)
        sg_diag_error(inst->diag, where != NULL && where->line != 0 ? where : &inst->conf->where, NULL,
                      "module \"%s\": %s", inst->name, text);
    else
        sg_logf(SG_LOG_ERR, "module \"%s\": %s", inst->name, text);
}

struct sg_where
sg_conf_where(const struct sg_instance *inst, const char *name)
{
    const config_setting_t *settings = inst->conf->settings;
    const config_setting_t *setting = settings != NULL ? config_setting_get_member(settings, name) : NULL;

    if (setting == NULL)
        return (struct sg_where){ inst->conf->where.file, 0 };
    return sg_conf_text_where(inst->whole->text, config_setting_source_line(setting));
}

void
sg_log(struct sg_instance *inst, enum sg_log_level level, const char *format, ...)
{
    char text[768];
    va_list args;

    if (!sg_log_wants(level))
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sg_logf(level, "module \"%s\": %s", inst->name, text);
}

/* A stranger can provoke these: so many a second and instance, then a count. */
static bool
instance_may_log(struct sg_instance *inst)
{
    struct sg_log_limit *limit = &inst->slog_limit;
    const int64_t second = sg_mono_ms() / 1000;

    if (limit->second != second) {
        const unsigned left_out =
            limit->left_out > INSTANCE_SLOG_PER_SECOND ? limit->left_out - INSTANCE_SLOG_PER_SECOND : 0;

        limit->second = second;
        limit->left_out = 0;
        if (left_out > 0)
            sg_logf(SG_LOG_WARN, "module \"%s\": %u messages left out", inst->name, left_out);
    }
    return limit->left_out++ < INSTANCE_SLOG_PER_SECOND;
}

void
sg_slog(struct sg_instance *inst, struct sg_session *s, enum sg_log_level level, const char *format, ...)
{
    char text[640], client[SG_ADDR_TEXT];
    va_list args;

    if (!sg_log_wants(level) || !instance_may_log(inst))
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sg_logf(level, "module \"%s\": session %s, client %s, while %s: %s", inst->name, sg_session_id(s),
            sg_addr_format(sg_session_client(s), client, sizeof client),
            s->doing != NULL ? s->doing : sg_state_name(s->state), text);
}
