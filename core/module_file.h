/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module_file.h - is this file fit to be loaded? Everything that can be said before it is opened by the linker.
 */
#ifndef SG_MODULE_FILE_H
#define SG_MODULE_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A file that was found fit, and which one that was. */
struct sg_module_file {
    char path[PATH_MAX]; /* without symbolic links */
    dev_t dev;
    ino_t ino;
};

/*
 * Judges `file`, an absolute path or one relative to `dir`. Symbolic links are followed, and what they lead to is judged;
 * a relative path must not lead out of `dir`. It must be a regular file that only root or we can have written, likewise
 * its folder, and the folders above up to `dir` if it lies there; and a whole ELF object for this machine. -1: `why`
 * says what is wrong, with the path.
 */
int sg_module_file_check(const char *dir, const char *file, struct sg_module_file *file_out, char *why, size_t size);
/* Is it still the file that was checked? */
bool sg_module_file_same(const struct sg_module_file *file);
/* The module directory: SOCKGATE_MODULE_DIR if the binary's owner is who runs us, else what was compiled in. */
const char *sg_module_dir_default(void);

#endif
