/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_rules.c - what one decision costs: 100 rules, the last of which decides, and two sets of 100,000 entries on the way.
 * Prints figures; exit status 1 if they miss their aims.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "addrs.h"
#include "image_core.h"
#include "load.h"
#include "rounds.h"
#include "session.h"

#define RULES 100
#define ENTRIES 100000
#define ASKED 200000

#define SWAPS 50

/* Aims, in microseconds: of a decision, and of what a worker does in one turn when a set is swapped. */
#define AIM_US 5.0
#define AIM_SWAP_US 1000.0

static FILE *
create(const char *dir, const char *name)
{
    char path[256];
    FILE *out;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    out = fopen(path, "w");
    if (out == NULL) {
        perror(path);
        exit(1);
    }
    return out;
}

static void
write_sets(const char *dir)
{
    FILE *ranges = create(dir, "ranges.txt"), *names = create(dir, "names.txt");

    for (unsigned i = 0; i < ENTRIES; i++) {
        (void)fprintf(ranges, "%u.%u.%u.%u/30\n", 11 + i % 80, i / 80 % 256, i / 20480, i % 64 * 4);
        (void)fprintf(names, "%shost%u.blocked%u.example\n", i % 3 == 0 ? "*." : "", i, i % 1000);
    }
    (void)fclose(ranges);
    (void)fclose(names);
}

static void
write_conf(const char *dir)
{
    FILE *out = create(dir, "bench.conf");

    (void)fputs("modules = ( { name = \"none\"; file = \"auth_none.so\"; }, { name = \"connect\"; file = "
                "\"cmd_connect.so\"; },\n"
                "{ name = \"rules\"; file = \"access_rules.so\"; settings = { rules = (\n",
                out);
    for (unsigned i = 0; i < RULES - 3; i++)
        (void)fprintf(out, "{ deny = { dst = [ \"10.%u.0.0/16\", \"2001:db8:%x::/48\", \"n%u.test\" ]; }; },\n", i, i,
                      i);
    (void)fputs("{ deny = { dst = \"@ranges.txt\"; }; }, { deny = { dst = \"@names.txt\"; }; },\n"
                "{ allow = { dst_port = 443; }; label = \"last\"; } ); }; } );\n"
                "hooks = { auth = \"none\"; access = \"rules\"; command = { connect = \"connect\"; }; };\n"
                "listeners = ( { name = \"l\"; address = \"127.0.0.1\"; } );\n",
                out);
    (void)fclose(out);
}

/* The median of some rounds, in microseconds for one decision. */
static double
decide(struct sg_instance *inst, struct sg_session *s, const struct sg_addr *addr)
{
    const struct sg_access_ops *ops = inst->mod->access;
    double rounds[ROUNDS];

    for (unsigned r = 0; r < ROUNDS; r++) {
        const double began = rounds_cpu_us();

        for (unsigned i = 0; i < ASKED; i++) {
            struct sg_decision decision = { .size = sizeof decision };

            if (ops->target(inst, s, s->request, addr, &decision) != SG_OK || strcmp(decision.label, "last") != 0) {
                (void)fprintf(stderr, "another rule has decided\n");
                exit(1);
            }
        }
        rounds[r] = (rounds_cpu_us() - began) / ASKED;
    }
    return rounds_median(rounds);
}

/* The longest time that a worker took to take a set over and to decide once with it. Ends the descriptors of all sets. */
static double
swap(const struct sg_load *load, struct sg_session *s, const struct sg_addr *addr)
{
    struct sg_instance *inst = sg_instance_find(load->instances, "rules");
    const struct sg_image *image;
    double worst = 0;

    for (unsigned change = 0; (image = sg_images_after(change)) != NULL; change++) {
        int fds[SWAPS];

        for (unsigned i = 0; i < SWAPS; i++)
            fds[i] = dup(sg_image_fd(image));
        for (unsigned i = 0; i < SWAPS; i++) {
            struct sg_decision decision = { .size = sizeof decision };
            const double began = rounds_wall_us();

            (void)sg_images_take(sg_image_number(image), fds[i]);
            (void)inst->mod->access->target(inst, s, s->request, addr, &decision);
            if (rounds_wall_us() - began > worst)
                worst = rounds_wall_us() - began;
        }
    }
    return worst;
}

int
main(void)
{
    static const char host[] = "www.a.rather.long.name.example";
    char dir[] = "/tmp/sockgate-bench-XXXXXX", path[64], command[96];
    struct sg_request req = { .size = sizeof req, .cmd = SG_CMD_CONNECT, .port = 443 };
    struct sg_session session = { .request = &req };
    const struct sg_image *image;
    struct sg_load load;
    struct sg_addr addr;
    double began, by_name, by_addr, swapped;

    if (sodium_init() == -1 || mkdtemp(dir) == NULL)
        return 1;
    write_sets(dir);
    write_conf(dir);
    (void)snprintf(path, sizeof path, "%s/bench.conf", dir);
    began = rounds_cpu_us();
    sg_load(&load, path, -1);
    if (!sg_load_good(&load)) {
        sg_load_show(&load, NULL, 0);
        return 1;
    }
    (void)printf("load of %d rules and two sets of %d entries: %.0f ms of CPU\n", RULES, ENTRIES,
                 (rounds_cpu_us() - began) / 1e3);
    for (unsigned change = 0; (image = sg_images_after(change)) != NULL; change++) {
        size_t size;

        (void)sg_image_data(image, &size);
        (void)printf("%s: %zu octets in memory\n", strrchr(sg_image_path(image), '/') + 1, size);
    }
    (void)sg_addr_parse("203.0.113.7", &addr);
    by_addr = decide(sg_instance_find(load.instances, "rules"), &session, &addr);
    req.name = host;
    req.name_len = sizeof host - 1;
    by_name = decide(sg_instance_find(load.instances, "rules"), &session, &addr);
    (void)printf("one decision, an address: %.2f us; a name and its address: %.2f us (aim: under %.0f)\n", by_addr,
                 by_name, AIM_US);
    swapped = swap(&load, &session, &addr);
    (void)printf("a set swapped, and the first decision with it: %.0f us at worst of %d (aim: under %.0f)\n", swapped,
                 2 * SWAPS, AIM_SWAP_US);
    sg_load_free(&load);
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) == 0 && by_addr < AIM_US && by_name < AIM_US && swapped < AIM_SWAP_US ? 0 : 1;
}
