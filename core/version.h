/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SG_VERSION_H
#define SG_VERSION_H

#include <stdio.h>

void sg_version_short(FILE *out); /* -v */
void sg_version_long(FILE *out);  /* -V: how it was built, with what, and which modules there are */

#endif
