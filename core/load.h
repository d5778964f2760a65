/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.h - a configuration with its modules and hook tables: all that is checked before anything starts.
 */
#ifndef SG_LOAD_H
#define SG_LOAD_H

#include "hooks.h"

struct sg_load {
    struct sg_diag *diag;
    struct sg_conf_text *text; /* conf's, if there is one */
    struct sg_conf *conf;
    struct sg_hosts *hosts; /* NULL: none */
    struct sg_instances *instances;
    struct sg_hooks *hooks; /* NULL: something is wrong */
};

/* From a file, from bytes kept in `text_fd` (if not -1), or (path NULL) the embedded default. */
void sg_load(struct sg_load *load, const char *path, int text_fd);
/* The configuration alone, without its modules; `load` has its diag and nothing else. */
void sg_load_conf(struct sg_load *load, const char *path);
/* Whether it is whole. */
bool sg_load_good(const struct sg_load *load);
/* Writes all messages to the error log and, as far as they fit, to `text`. */
void sg_load_show(const struct sg_load *load, char *text, size_t size);
void sg_load_free(struct sg_load *load);

#endif
