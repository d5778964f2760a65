/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * default_conf.c - what runs without a configuration file: loopback only, no login, everything that loopback can reach.
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"

static const char head[] =
    "modules = (\n"
    "  { name = \"none\"; file = \"auth_none.so\"; },\n"
    "  { name = \"rules\"; file = \"access_rules.so\"; settings = { rules = (\n"
    "      { allow = { }; label = \"default\"; special = [ \"loopback\" ]; } ); }; },\n"
    "  { name = \"connect\"; file = \"cmd_connect.so\"; }\n"
    ");\n"
    "hooks = { auth = [ \"none\" ]; access = [ \"rules\" ]; command = { connect = \"connect\"; }; };\n"
    "listeners = (\n"
    "  { name = \"local4\"; address = \"127.0.0.1\"; port = 1080;\n    protocols = [ \"socks5\", \"socks4\" ]; }";
static const char local6[] = ",\n  { name = \"local6\"; address = \"::1\"; port = 1080;\n"
                             "    protocols = [ \"socks5\", \"socks4\" ]; }";
static const char tail[] = "\n);\n";

static bool
default_has_ipv6(void)
{
    const struct sockaddr_in6 loopback = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool has = fd != -1 && bind(fd, (const struct sockaddr *)&loopback, sizeof loopback) == 0;

    if (fd != -1)
        (void)close(fd);
    return has;
}

struct sg_conf_text *
sg_conf_default(struct sg_diag *diag)
{
    char text[sizeof head + sizeof local6 + sizeof tail];
    const int n = snprintf(text, sizeof text, "%s%s%s", head, default_has_ipv6() ? local6 : "", tail);

    return sg_conf_text_from("(embedded default)", text, (size_t)n, diag);
}
