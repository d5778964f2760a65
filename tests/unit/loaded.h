/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loaded.h - a configuration from text, with its modules and hook tables, and everything that was wrong with it.
 */
#ifndef LOADED_H
#define LOADED_H

#include "conf.h"
#include "hooks.h"
#include "module.h"

/* Where the build has put them. */
#define MODULES SG_BUILD "/modules/.libs/"
#define TEST_MODULES SG_BUILD "/tests/modules/.libs/"
#define BAD_MODULES SG_BUILD "/tests/modules/bad/.libs/"

struct loaded {
    struct sg_diag *diag;
    struct sg_conf *conf;
    struct sg_instances *all;
    struct sg_hooks *hooks;
    char *messages; /* one a line, as "test.conf:LINE: TEXT" */
};

/* Reads, loads and builds as a generation does. */
void loaded_from(struct loaded *loaded, const char *text);
void loaded_free(struct loaded *loaded);

#endif
