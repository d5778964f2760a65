/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration loader, without its files: any text is accepted or refused, and nothing is left behind. What the scan
 * lets pass libconfig must be able to read; what was saved loads as it was; what is printed is read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "conf.h"

static void
ignore_line(void *arg, int level, const char *text)
{
    (void)arg, (void)level, (void)text;
}

/* All that a generation does with text, but for the modules. NULL if something was wrong. Takes it over. */
static struct sg_conf *
read_text(struct sg_conf_text *text, struct sg_diag *diag)
{
    struct sg_conf *conf = sg_conf_read(text, diag);

    sg_diag_show(diag, text, ignore_line, NULL);
    if (sg_diag_errors(diag) == 0)
        return conf;
    sg_conf_free(conf);
    return NULL;
}

static char *
print(const struct sg_conf *conf)
{
    char *printed = NULL;
    size_t size;
    FILE *out = open_memstream(&printed, &size);

    MUST(out != NULL);
    sg_conf_print(out, conf, NULL, NULL);
    (void)fclose(out);
    return printed;
}

static void
check_print(const struct sg_conf *conf, struct sg_diag *diag)
{
    char *first = print(conf), *second;
    struct sg_conf *again = read_text(sg_conf_text_from("printed", first, strlen(first), diag), diag);

    MUST(again != NULL);
    second = print(again);
    MUST(strcmp(first, second) == 0);
    free(first);
    free(second);
    sg_conf_free(again);
}

static void
check_parse(const struct sg_conf_text *text)
{
    config_t tree;

    config_init(&tree);
    if (config_read_string(&tree, sg_conf_text_expanded(text)) != CONFIG_TRUE)
        MUST(strcmp(config_error_text(&tree), "duplicate setting name") == 0);
    config_destroy(&tree);
}

static void
check_save(const struct sg_conf_text *text, struct sg_diag *diag)
{
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    struct sg_conf_text *again;

    MUST(fd != -1 && sg_conf_text_save(text, fd) == 0);
    again = sg_conf_text_load(fd, diag);
    MUST(sg_conf_text_good(again) && strcmp(sg_conf_text_expanded(text), sg_conf_text_expanded(again)) == 0);
    sg_conf_text_free(again);
    (void)close(fd);
}

static struct sg_conf_text *
load(const uint8_t *data, size_t size, struct sg_diag *diag)
{
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    struct sg_conf_text *text;

    MUST(fd != -1 && write(fd, data, size) == (ssize_t)size);
    text = sg_conf_text_load(fd, diag);
    (void)close(fd);
    return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const bool saved = size > 23 && memcmp(data, "sockgate-configuration ", 23) == 0;
    struct sg_diag *diag = sg_diag_new();
    struct sg_conf_text *text =
        saved ? load(data, size, diag) : sg_conf_text_from("fuzz", (const char *)data, size, diag);
    struct sg_conf *conf;

    MUST(sg_conf_text_good(text) == (sg_diag_errors(diag) == 0));
    if (sg_conf_text_good(text)) {
        check_parse(text);
        check_save(text, diag);
    }
    conf = read_text(text, diag);
    if (conf != NULL) {
        check_print(conf, diag);
        sg_conf_free(conf);
    }
    sg_diag_free(diag);
    return 0;
}
