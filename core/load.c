/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c - reads, loads, checks; and -t, which does nothing else.
 */
#include "load.h"

#include <errno.h>
#include <string.h>

#include "generation.h"
#include "hosts.h"
#include "log.h"
#include "policy.h"

static void
load_conf(struct sg_load *load, struct sg_conf_text *text)
{
    load->text = text;
    if (text != NULL && sg_diag_errors(load->diag) == 0)
        load->conf = sg_conf_read(text, load->diag);
}

void
sg_load_conf(struct sg_load *load, const char *path)
{
    load_conf(load, path != NULL ? sg_conf_text_read(path, load->diag) : sg_conf_default(load->diag));
}

/* That the usual file is missing is no mistake; that one which is named cannot be read is. */
static void
load_hosts(struct sg_load *load)
{
    const char *path = load->conf->core.resolver.hosts;
    const struct sg_where where =
        sg_conf_key_where(load->conf, "core.resolver.hosts", &load->conf->core.resolver.where);

    if (path[0] == '\0' || (load->hosts = sg_hosts_read(path)) != NULL)
        return;
    if (where.line != 0)
        sg_diag_error(load->diag, &where, "hosts", "hosts: %.200s: %s", path, strerror(errno));
    else
        sg_diag_note(load->diag, &where, "%s: %s: no name is known without a name server", path, strerror(errno));
}

bool
sg_load_good(const struct sg_load *load)
{
    return load->hooks != NULL && sg_diag_errors(load->diag) == 0;
}

void
sg_load(struct sg_load *load, const char *path, int text_fd)
{
    *load = (struct sg_load){ .diag = sg_diag_new() };
    if (text_fd != -1)
        load_conf(load, sg_conf_text_load(text_fd, load->diag));
    else
        sg_load_conf(load, path);
    if (load->conf == NULL || load->conf->listeners.n == 0)
        return;
    load_hosts(load);
    load->instances = sg_instances_load(load->conf, load->diag);
    load->hooks = sg_hooks_build(load->conf, load->instances, load->diag);
}

struct load_text {
    char *text;
    size_t size, len;
    int level;
};

static void
load_line(void *arg, int level, const char *line)
{
    struct load_text *into = arg;
    const size_t len = strlen(line);

    if (level >= 0) {
        into->level = level;
        sg_logf((enum sg_log_level)level, "%s", line);
    } else {
        sg_log_more((enum sg_log_level)into->level, line);
    }
    if (into->text == NULL || into->level != SG_LOG_EMERG || into->len + len + 2 > into->size)
        return;
    memcpy(into->text + into->len, line, len);
    into->len += len;
    into->text[into->len++] = '\n';
    into->text[into->len] = '\0';
}

void
sg_load_show(const struct sg_load *load, char *text, size_t size)
{
    struct load_text into = { text, size, 0, SG_LOG_EMERG };

    if (text != NULL)
        text[0] = '\0';
    sg_diag_show(load->diag, load->text, load_line, &into);
}

void
sg_load_free(struct sg_load *load)
{
    if (load->instances != NULL)
        sg_instances_free(load->instances);
    sg_hosts_free(load->hosts);
    if (load->conf == NULL)
        sg_conf_text_free(load->text);
    sg_conf_free(load->conf);
    sg_diag_free(load->diag);
}

int
sg_generation_test(const char *path, int print, int quiet)
{
    const char *name = path != NULL ? path : "(embedded default)";
    struct sg_load load;
    bool good;

    sg_load(&load, path, -1);
    if (sg_load_good(&load))
        sg_policy_test(&load, INT64_MAX);
    sg_load_show(&load, NULL, 0);
    good = sg_load_good(&load);
    if (good && print)
        sg_conf_print(stdout, load.conf, sg_instances_print_settings, load.instances);
    if (!good)
        sg_logf(SG_LOG_EMERG, "configuration file %s test failed", name);
    else if (!quiet)
        sg_logf(SG_LOG_NOTICE, "configuration file %s test is successful", name);
    sg_load_free(&load);
    return good ? 0 : 1;
}
