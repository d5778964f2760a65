/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "version.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include <ares.h>
#include <ev.h>
#include <libconfig.h>
#include <sodium.h>

#include <sockgate/module.h>

#include "module_file.h"

void
sg_version_short(FILE *out)
{
    (void)fprintf(out, "sockgate %s\n", PACKAGE_VERSION);
}

static int
version_is_module(const struct dirent *entry)
{
    const size_t len = strlen(entry->d_name);

    return len > 3 && strcmp(entry->d_name + len - 3, ".so") == 0;
}

void
sg_version_long(FILE *out)
{
    const char *dir = sg_module_dir_default();
    struct dirent **names;
    const int n = scandir(dir, &names, version_is_module, alphasort);

    sg_version_short(out);
    (void)fprintf(out, "configure arguments:%s\n", SG_CONFIGURE_ARGS[0] != '\0' ? SG_CONFIGURE_ARGS : " none");
    (void)fprintf(out, "libraries: libev %d.%d, libconfig %d.%d.%d, libsodium %s, c-ares %s\n", ev_version_major(),
                  ev_version_minor(), LIBCONFIG_VER_MAJOR, LIBCONFIG_VER_MINOR, LIBCONFIG_VER_REVISION,
                  sodium_version_string(), ares_version(NULL));
    (void)fprintf(out, "module ABI: %d.%d\n", SG_ABI_MAJOR, SG_ABI_MINOR);
    (void)fprintf(out, "modules built: %s\n", SG_MODULES_BUILT);
    (void)fprintf(out, "stubs among them, which are never selected: %s\n", SG_MODULES_STUBS);
    (void)fprintf(out, "modules in %s:", dir);
    for (int i = 0; i < n; i++) {
        (void)fprintf(out, " %.*s", (int)strlen(names[i]->d_name) - 3, names[i]->d_name);
        free(names[i]);
    }
    (void)fprintf(out, "%s\n", n > 0 ? "" : " none");
    if (n >= 0)
        free(names);
}
