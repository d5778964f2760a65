/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_advertise.c - what clients are told as BND, and the ports of a list.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "addrs.h"
#include "advertise.h"
#include "session.h"

static struct sg_addr
address(const char *text, uint16_t port)
{
    struct sg_addr addr = { .family = SG_FAMILY_NONE };

    if (text[0] != '\0')
        cr_assert_eq(sg_addr_parse(text, &addr), 0, "%s", text);
    addr.port = port;
    return addr;
}

/* S5-B02: never an address of zeros; the listener's word counts for its own family. */
Test(advertise, addresses)
{
    static const struct {
        const char *advertise, *reached, *local, *told;
    } cases[] = {
        { "", "10.0.0.1", "192.0.2.1", "192.0.2.1:4" },
        { "", "10.0.0.1", "0.0.0.0", "10.0.0.1:4" },
        { "", "fd00::1", "0.0.0.0", "0.0.0.0:4" },
        { "", "fd00::1", "::", "[fd00::1]:4" },
        { "198.51.100.9", "10.0.0.1", "192.0.2.1", "198.51.100.9:4" },
        { "198.51.100.9", "10.0.0.1", "2001:db8::1", "[2001:db8::1]:4" },
        { "2001:db8::9", "10.0.0.1", "0.0.0.0", "10.0.0.1:4" },
        { "198.51.100.9", "10.0.0.1", "", "-" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sg_listener_conf conf = { .advertise = address(cases[i].advertise, 0) };
        const struct sg_worker_listener listener = { .conf = &conf };
        struct sg_session *s = sg_session_blank(&listener, &(struct sg_addr){ .family = SG_FAMILY_NONE });
        const struct sg_addr local = address(cases[i].local, 4);
        struct sg_addr told;
        char text[SG_ADDR_TEXT];

        s->rec->local = address(cases[i].reached, 1080);
        sg_advertise(s, &local, &told);
        cr_expect_str_eq(sg_addr_format(&told, text, sizeof text), cases[i].told, "case %zu", i);
        free(s); /* no module has seen it */
    }
}

/* S5-B10: each port of a list once, and nothing else; the list is begun anywhere. */
Test(advertise, ports)
{
    static const struct sg_port_span spans[] = { { .first = 5000, .last = 5004 }, { .first = 7000, .last = 7000 } };
    const struct sg_ports ports = { 2, spans };
    struct sg_port_walk walk;
    unsigned begun[7001] = { 0 }, different = 0;
    uint16_t port;

    for (unsigned round = 0; round < 200; round++) {
        unsigned seen[7001] = { 0 }, n = 0;

        sg_port_walk(&walk, &ports, 100);
        while (sg_port_next(&walk, &port)) {
            cr_assert(sg_ports_contain(&ports, port), "%u", port);
            cr_assert_eq(seen[port]++, 0);
            if (n++ == 0)
                different += begun[port]++ == 0;
        }
        cr_assert_eq(n, 6);
    }
    cr_expect_eq(different, 6, "%u", different);
    sg_port_walk(&walk, &ports, 2);
    cr_expect(sg_port_next(&walk, &port) && sg_port_next(&walk, &port) && !sg_port_next(&walk, &port));
    sg_port_walk(&walk, &(struct sg_ports){ 0, NULL }, 100);
    cr_expect(sg_port_next(&walk, &port) && port == 0 && !sg_port_next(&walk, &port));
}
