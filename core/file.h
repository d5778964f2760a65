/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file.h - reads whole files that operators name.
 */
#ifndef SG_FILE_H
#define SG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/*
 * The octets of a regular file with a NUL behind them, from malloc(3); NULL and errno: EFBIG over `max`, EISDIR, EINVAL no
 * regular file. What the file was when it was read goes to `st_out`. May block.
 */
char *sg_file_read(const char *path, size_t max, size_t *len_out, struct stat *st_out);
/* Do both tell of one state of a file: the same file, size and times? */
bool sg_file_same(const struct stat *a, const struct stat *b);

#endif
