/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_main.c - stands in for libFuzzer's main: gives every file that is named, or that lies in a folder that is
 * named, to the fuzz function. Each input gets a heap block of exactly its size, so that AddressSanitizer sees an octet
 * read too far.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static size_t n_inputs;

static void
fail(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(2);
}

static void
replay_file(const char *path, size_t size)
{
    uint8_t *data = malloc(size);
    FILE *f = fopen(path, "rb");

    if ((!data && size > 0) || !f || fread(data, 1, size, f) != size)
        fail(path);
    fclose(f);
    fprintf(stderr, "%s\n", path); /* the last one named is the one that broke it */
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    n_inputs++;
}

static void
replay(const char *path)
{
    struct stat st;
    struct dirent **names = NULL;
    int n;

    if (stat(path, &st) == -1)
        fail(path);
    if (!S_ISDIR(st.st_mode)) {
        replay_file(path, (size_t)st.st_size);
        return;
    }
    n = scandir(path, &names, NULL, alphasort);
    if (n == -1)
        fail(path);
    for (int i = 0; i < n; i++) {
        char *inner = NULL;

        if (names[i]->d_name[0] != '.') {
            if (asprintf(&inner, "%s/%s", path, names[i]->d_name) == -1)
                fail(path);
            replay(inner);
            free(inner);
        }
        free(names[i]);
    }
    free(names);
}

int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%zu inputs\n", n_inputs);
    return n_inputs > 0 ? 0 : 1;
}
