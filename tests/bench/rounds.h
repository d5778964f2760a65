/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rounds.h - how long something takes: measured some times, of which the median counts.
 */
#ifndef ROUNDS_H
#define ROUNDS_H

#define ROUNDS 9

double rounds_cpu_us(void); /* of this process */
double rounds_wall_us(void);
/* Sorts them. */
double rounds_median(double rounds[ROUNDS]);

#endif
