/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module_file.h - judges a module's file before any of it is run.
 */
#ifndef SG_MODULE_FILE_H
#define SG_MODULE_FILE_H

#include <limits.h>
#include <stddef.h>

/*
 * Resolves `file` (relative to `dir`, or absolute) and looks at it: a regular file, owned by root or by us, not writable
 * for others, likewise every folder from the file up to and including `dir` (for a file elsewhere: its own folder); a
 * shared object for this machine. 0 and the real path, or -1 and what is wrong.
 */
int sg_module_file_check(const char *dir, const char *file, char path_out[PATH_MAX], char *why, size_t size);

#endif
