/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration loader, without its files: any text is accepted or refused, and nothing is left behind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ignore_line(void *arg, int level, const char *text)
{
    (void)arg, (void)level, (void)text;
}

/* What is kept for a restart reads back the same. */
static void
check_saved(const struct sg_conf_text *text, struct sg_diag *diag)
{
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    struct sg_conf_text *again;

    if (fd == -1 || sg_conf_text_save(text, fd) == -1)
        abort();
    again = sg_conf_text_load(fd, diag);
    if (again == NULL || strcmp(sg_conf_text_expanded(again), sg_conf_text_expanded(text)) != 0)
        abort();
    sg_conf_text_free(again);
    (void)close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_diag *diag = sg_diag_new();
    struct sg_conf_text *text = sg_conf_text_from("fuzz", (const char *)data, size, diag);
    struct sg_conf *conf = NULL;

    if (text != NULL && sg_diag_errors(diag) == 0)
        check_saved(text, diag);
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
