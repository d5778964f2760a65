/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * visibility.h - what the daemon shows to modules and modules to the daemon; everything else is hidden.
 */
#ifndef SOCKGATE_VISIBILITY_H
#define SOCKGATE_VISIBILITY_H

/* Marks the functions that the daemon exports to modules. */
#define SG_API __attribute__((visibility("default")))

/* Marks the one symbol that a module exports: its descriptor. */
#define SG_EXPORT __attribute__((visibility("default")))

/* Arguments of a function that formats as printf(3) does. */
#define SG_PRINTF(nth, first) __attribute__((format(printf, nth, first)))

/* A result that must not be ignored. */
#define SG_CHECK __attribute__((warn_unused_result))

#endif
