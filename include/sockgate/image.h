/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image.h - large files that all workers share: read once by the generation, watched, swapped whole.
 *
 *   init()                   sg_image_new(): the core reads the file, the module's build() turns its text into one block
 *                            of octets without pointers, the core puts that block where every process can map it
 *   any process              sg_image_data(): the block, read-only, the same memory for all
 *   the file has changed     build() runs again in the generation; a block is swapped in between two turns of each
 *                            worker's loop; a file that build() refuses changes nothing, and the error log says so
 */
#ifndef SOCKGATE_IMAGE_H
#define SOCKGATE_IMAGE_H

#include <stddef.h>

#include <sockgate/conf.h>
#include <sockgate/visibility.h>

struct sg_instance;
struct sg_image;

/* The file as build() sees it. Everything is the core's and good until build() returns. */
struct sg_image_source {
    size_t size;      /* sizeof(struct sg_image_source) in the core */
    const char *path; /* absolute; lives as long as the process, for struct sg_where */
    const char *text; /* its octets, not NUL-terminated */
    size_t len;
    void *arg; /* what sg_image_new() was given */
};

/*
 * Turns the text into a block from malloc(3), which passes to the core, and its length. NULL: the file is refused, after
 * at least one sg_conf_error() that says what is wrong in which line (`where` with the file's path). May block.
 */
typedef void *sg_image_build(struct sg_instance *inst, const struct sg_image_source *source, size_t *size_out);

/*
 * Reads the file and keeps the block that @build makes of it. Only in init(). @path may be relative to the folder of the
 * file @where. The same file with the same @build and @arg in the same instance gives the same image again.
 * Owner:  the core owns the image; caller keeps @path. @arg must live as long as the process.
 * Blocks: on the file.
 * Errors: NULL, and what is wrong has been reported at @where: no such file, not a regular one, over 256 MiB, refused by
 *         @build, no memory.
 * RFC:    none.
 */
SG_API struct sg_image *sg_image_new(struct sg_instance *inst, const struct sg_where *where, const char *path,
                                     sg_image_build *build, void *arg) SG_CHECK;

/*
 * The block as it is now. Aligned to a page; the tail of its last page is zeroes.
 * Owner:  the core; good until the callback returns.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API const void *sg_image_data(const struct sg_image *image, size_t *size_out);

/*
 * The path of the file, absolute.
 * Owner:  the core; good as long as the process.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API const char *sg_image_path(const struct sg_image *image);

#endif
