/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_check.h - what tables cannot say about the core's configuration and what needs no module.
 */
#ifndef SG_CONF_CHECK_H
#define SG_CONF_CHECK_H

#include "conf.h"

void sg_conf_check(const struct sg_conf *conf, struct sg_diag *diag);
/* Is the listener's address reachable from this machine alone? */
bool sg_listener_is_loopback(const struct sg_listener_conf *listener);
/*
 * Does `clients` keep most of the world out? Each family apart, all ranges together must hold less than half of the
 * addresses from which strangers come: all of IPv4, and of IPv6 the eighth that is in use, 2000::/3. So neither a /1 nor
 * two halves nor many pieces that make them up are narrow.
 */
bool sg_listener_clients_narrow(const struct sg_listener_conf *listener);

#endif
