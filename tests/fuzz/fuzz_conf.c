/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration loader, without its files: any text is accepted or refused, and nothing is left behind.
 */
#include <stdint.h>

#include "conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ignore_line(void *arg, int level, const char *text)
{
    (void)arg, (void)level, (void)text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_diag *diag = sg_diag_new();
    struct sg_conf_text *text = sg_conf_text_from("fuzz", (const char *)data, size, diag);
    struct sg_conf *conf = NULL;

    if (text != NULL && sg_diag_errors(diag) == 0)
        conf = sg_conf_read(text, diag);
    sg_diag_show(diag, text, ignore_line, NULL);
    if (conf != NULL)
        sg_conf_free(conf);
    else
        sg_conf_text_free(text);
    sg_diag_free(diag);
    return 0;
}
