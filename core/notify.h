/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify.h - tells the service manager how the daemon is: the protocol of sd_notify(3), a datagram to the socket that
 * NOTIFY_SOCKET names. Without that variable nothing is told. The master alone speaks.
 */
#ifndef SG_NOTIFY_H
#define SG_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include <sockgate/visibility.h>

/* Takes NOTIFY_SOCKET out of the environment, so that no other process has it. */
void sg_notify_init(void);
/* For the moment in which the master executes a new binary in place: the variable is back. */
void sg_notify_inherit(bool inherit);

enum sg_notify { SG_NOTIFY_STATUS, SG_NOTIFY_READY, SG_NOTIFY_RELOADING, SG_NOTIFY_STOPPING };

/* What has begun, and a line for `systemctl status`; what stands behind its first line feed is left out. */
void sg_notifyf(enum sg_notify what, const char *format, ...) SG_PRINTF(2, 3);

/* WatchdogSec=: says that the master turns, if it is time to. When it is again; INT64_MAX: never. */
int64_t sg_notify_watchdog(int64_t now_ms);

#endif
