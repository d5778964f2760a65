/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_core.h - the core's side of images (sockgate/image.h): who reads, who watches, who swaps.
 *
 *   generation   sg_images_look(), once a second: a file that has changed and settled is read anew; the new block is a
 *                sealed memfd, and each worker is told its number
 *   worker       sg_images_take(): maps the new block, unmaps the old one
 */
#ifndef SG_IMAGE_CORE_H
#define SG_IMAGE_CORE_H

#include <stdbool.h>

#include <sockgate/image.h>

/*
 * Looks at all files. A change is read once it has stayed the same from one look to the next, so that a file which is
 * being written is not read in the middle. What goes wrong is told in the error log once, and the old block stays. True:
 * at least one block is new, and workers have to be told. May block.
 */
bool sg_images_look(void);
/* All images, one after the other: start with NULL; NULL at the end. */
const struct sg_image *sg_images_next(const struct sg_image *image);
unsigned sg_image_number(const struct sg_image *image);
int sg_image_fd(const struct sg_image *image); /* of the block; stays the image's */

/* A worker's new block; takes the descriptor. A block that cannot be mapped changes nothing, which the log says. */
void sg_images_take(unsigned number, int fd);
void sg_images_free(void);

#endif
