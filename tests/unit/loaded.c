/* SPDX-License-Identifier: BSD-2-Clause */
#include "loaded.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "conf_text.h"
#include "diag.h"

/* Excerpts have no level: they are left out. */
static void
loaded_line(void *arg, int level, const char *text)
{
    if (level >= 0)
        (void)fprintf(arg, "%s\n", text);
}

void
loaded_from(struct loaded *loaded, const char *text)
{
    struct sg_conf_text *conf_text;
    FILE *messages;
    size_t len;

    *loaded = (struct loaded){ .diag = sg_diag_new() };
    conf_text = sg_conf_text_from("test.conf", text, strlen(text), loaded->diag);
    if (conf_text)
        loaded->conf = sg_conf_read(conf_text, loaded->diag);
    if (loaded->conf) {
        loaded->all = sg_instances_load(loaded->conf, loaded->diag);
        loaded->hooks = sg_hooks_build(loaded->conf, loaded->all, loaded->diag);
    }
    messages = open_memstream(&loaded->messages, &len);
    cr_assert(messages);
    sg_diag_show(loaded->diag, NULL, loaded_line, messages);
    (void)fclose(messages);
}

void
loaded_free(struct loaded *loaded)
{
    if (loaded->all)
        sg_instances_free(loaded->all);
    sg_conf_free(loaded->conf);
    sg_diag_free(loaded->diag);
    free(loaded->messages);
}
