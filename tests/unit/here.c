/* SPDX-License-Identifier: BSD-2-Clause */
#include "here.h"

#include <criterion/criterion.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

void
here_open(struct here *here)
{
    here->log_fd = memfd_create("log", MFD_CLOEXEC);
    cr_assert_neq(here->log_fd, -1);
    sg_log_init(here->log_level);
    sg_log_take_fd(dup(here->log_fd));
    here->conf.core.limits.sessions = 2;
    here->conf.core.timeouts = here->timeouts;
    here->conf.core.resolver = (struct sg_resolver_conf){ .timeout = 1000, .tries = 1, .cache_entries = 16 };
    here->listener_conf = (struct sg_listener_conf){ .name = here->names[0], .protocols = SG_PROTOCOL_SOCKS5 };
    here->listener = (struct sg_worker_listener){ .conf = &here->listener_conf, .hooks = &here->hooks, .fd = -1 };
    here->boot = (struct sg_worker_boot){ .conf = &here->conf,
                                          .n_records = 8,
                                          .instances = &here->instances,
                                          .status = &here->status,
                                          .n_workers = 1,
                                          .id_epoch = 0x0123456789abcdef,
                                          .id_serial = 7 };
    tables_open(&here->tables, here->boot.n_records, here->names);
    here->boot.journal = here->tables.worker;
    here->boot.journal.bell = -1;
    cr_assert_eq(sg_worker_open(&here->boot), 0);
}

void
here_close(struct here *here)
{
    sg_worker_close();
    tables_close(&here->tables);
    (void)close(here->log_fd);
}

struct sg_session *
here_session(struct here *here, int *client_out)
{
    const struct sg_addr client = { .family = SG_FAMILY_IPV4, .port = 40000, .ip = { 192, 0, 2, 1 } };
    int pair[2];

    cr_assert(sg_session_reserve());
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    *client_out = pair[1];
    return sg_session_new(&here->listener, pair[0], &client, &client);
}
