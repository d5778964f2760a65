/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_core.h - the core's side of images (sockgate/image.h): who reads, who watches, who swaps.
 *
 *   generation   sg_images_look(), once a second: a file that has changed and settled is read anew; the new block is a
 *                sealed memfd, and each worker is sent what is newer than what it was sent before
 *   worker       sg_images_take(): maps the new block, unmaps the old one
 */
#ifndef SG_IMAGE_CORE_H
#define SG_IMAGE_CORE_H

#include <sockgate/image.h>

struct sg_msg;

/*
 * Looks at all files. A change is read once it has stayed the same from one look to the next, so that a file which is
 * being written is not read in the middle. What goes wrong is told in the error log once, and the old block stays. May
 * block.
 */
void sg_images_look(void);
/* Every block that was ever made is a change and has a number, from 1 on. How many there have been. */
unsigned sg_images_changes(void);
/* Of the images whose block is newer than this change, the one with the oldest; NULL: there is none. */
const struct sg_image *sg_images_after(unsigned change);
/* Tells a worker or helper what is newer than the change *known. -1 and errno: not all; the rest is for the next time. */
int sg_images_send(int channel, unsigned *known);
unsigned sg_image_number(const struct sg_image *image);
int sg_image_fd(const struct sg_image *image); /* of the block; stays the image's */

/*
 * A worker's or helper's new block; takes the descriptor, -1 if there was no room for it. -1: it cannot be mapped, which the
 * log says, and the old one stays.
 */
int sg_images_take(unsigned number, int fd);
/* The same from SG_MSG_IMAGE; the generation, at the other end of `channel`, is asked to send again what cannot be had. */
void sg_images_receive(struct sg_msg *msg, int channel);
/* How many a worker has taken so far: whoever keeps verdicts that may rest on images looks whether it has changed. */
unsigned sg_images_taken(void);
void sg_images_free(void);

#endif
