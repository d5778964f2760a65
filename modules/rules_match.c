/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules_match.c - one rule and one request. A condition that is not given holds; all that are given must.
 */
#include <stdio.h>
#include <string.h>

#include "rules.h"

static bool
strings_have(const struct rule_strings *strings, const char *s, size_t len)
{
    for (size_t i = 0; i < strings->n; i++)
        if (strlen(strings->v[i]) == len && memcmp(strings->v[i], s, len) == 0)
            return true;
    return false;
}

static bool
places_have_addr(const struct rule_places *places, const struct sg_addr *addr)
{
    size_t size;

    for (size_t i = 0; i < places->n_ranges; i++)
        if (sg_range_contains(&places->ranges[i], addr))
            return true;
    for (size_t i = 0; i < places->n_sets; i++)
        if (rule_set_has_addr(sg_image_data(places->sets[i], &size), addr))
            return true;
    return false;
}

static bool
name_matches(const struct rule_name *pattern, const char *name, size_t len)
{
    if (len == pattern->len)
        return (pattern->kinds & RULE_NAME_SELF) != 0 && memcmp(name, pattern->name, len) == 0;
    return (pattern->kinds & RULE_NAME_BELOW) != 0 && len > pattern->len + 1 && name[len - pattern->len - 1] == '.' &&
           memcmp(name + len - pattern->len, pattern->name, pattern->len) == 0;
}

static bool
places_have_name(const struct rule_places *places, const char *name, size_t len)
{
    size_t size;

    for (size_t i = 0; i < places->n_names; i++)
        if (name_matches(&places->names[i], name, len))
            return true;
    for (size_t i = 0; i < places->n_sets; i++)
        if (rule_set_has_name(sg_image_data(places->sets[i], &size), name, len))
            return true;
    return false;
}

static bool
places_have_ranges(const struct rule_places *places)
{
    size_t size;

    if (places->n_ranges > 0)
        return true;
    for (size_t i = 0; i < places->n_sets; i++)
        if (rule_set_has_ranges(sg_image_data(places->sets[i], &size)))
            return true;
    return false;
}

/* ---- conditions that are known from the request alone, the cheap ones first */

static bool
cmd_holds(const struct rule *rule, const struct rule_question *q)
{
    return rule->cmd == 0 || (q->request->cmd <= SG_CMD_UDP_ASSOCIATE && (rule->cmd & CMD_BIT(q->request->cmd)) != 0);
}

/* An association of which nobody knows yet where its datagrams will go. */
static bool
is_open(const struct rule_question *q)
{
    return q->request->cmd == SG_CMD_UDP_ASSOCIATE && q->name_len == 0 && q->addr->family == SG_FAMILY_NONE;
}

static bool
dst_port_holds(const struct rule *rule, const struct rule_question *q)
{
    return rule->dst_port->n == 0 || is_open(q) || sg_ports_contain(rule->dst_port, q->request->port);
}

static bool
assurance_holds(const struct rule *rule, const struct rule_question *q)
{
    return q->identity->assurance >= rule->assurance;
}

static bool
method_holds(const struct rule *rule, const struct rule_question *q)
{
    const uint8_t method = q->identity->method;

    return rule->any_method || (rule->methods[method / 8] & 1u << method % 8) != 0;
}

static bool
listener_holds(const struct rule *rule, const struct rule_question *q)
{
    const char *name;

    if (rule->listeners.n == 0)
        return true;
    name = sg_session_listener(q->session);
    return strings_have(&rule->listeners, name, strlen(name));
}

/* Who has no name is nobody: no rule that asks for a user or a group means him. */
static bool
user_holds(const struct rule *rule, const struct rule_question *q)
{
    if (!rule->any_user && rule->users.n == 0)
        return true;
    return q->identity->name_len > 0 &&
           (rule->any_user || strings_have(&rule->users, q->identity->name, q->identity->name_len));
}

static bool
group_holds(const struct rule *rule, const struct rule_question *q)
{
    if (rule->groups.n == 0)
        return true;
    for (size_t i = 0; i < q->identity->n_groups && q->identity->name_len > 0; i++)
        if (strings_have(&rule->groups, q->identity->groups[i], strlen(q->identity->groups[i])))
            return true;
    return false;
}

static bool
client_holds(const struct rule *rule, const struct rule_question *q)
{
    return !rule->client_given || places_have_addr(&rule->client, q->client);
}

/* ---- what a trace says about them */

/* Text of strangers: what could drive a terminal or forge a line is written as \xHH. */
static void
tell_octets(const char *octets, size_t len, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "\"");

    for (size_t i = 0; i < len && n + 6 < size; i++) {
        const unsigned char c = (unsigned char)octets[i];
        const bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

        n += (size_t)snprintf(text + n, size - n, plain ? "%c" : "\\x%02x", c);
    }
    (void)snprintf(text + n, size - n, "\"");
}

static void
tell_cmd(const struct rule_question *q, char *text, size_t size)
{
    (void)snprintf(text, size, "%02x", q->request->cmd);
}

static void
tell_dst_port(const struct rule_question *q, char *text, size_t size)
{
    (void)snprintf(text, size, "%u", q->request->port);
}

static void
tell_assurance(const struct rule_question *q, char *text, size_t size)
{
    (void)snprintf(text, size, "%u", q->identity->assurance);
}

static void
tell_method(const struct rule_question *q, char *text, size_t size)
{
    (void)snprintf(text, size, "%02x", q->identity->method);
}

static void
tell_listener(const struct rule_question *q, char *text, size_t size)
{
    (void)snprintf(text, size, "\"%s\"", sg_session_listener(q->session));
}

static void
tell_user(const struct rule_question *q, char *text, size_t size)
{
    if (q->identity->name_len == 0)
        (void)snprintf(text, size, "nobody");
    else
        tell_octets(q->identity->name, q->identity->name_len, text, size);
}

static void
tell_group(const struct rule_question *q, char *text, size_t size)
{
    size_t n = 0;

    (void)snprintf(text, size, "none");
    for (size_t i = 0; i < q->identity->n_groups && n + 8 < size; i++) {
        n += (size_t)snprintf(text + n, size - n, "%s", i > 0 ? ", " : "");
        tell_octets(q->identity->groups[i], strlen(q->identity->groups[i]), text + n, size - n);
        n += strlen(text + n);
    }
}

static void
tell_client(const struct rule_question *q, char *text, size_t size)
{
    (void)sg_addr_format_ip(q->client, text, size);
}

static void
tell_dst(const struct rule_question *q, char *text, size_t size)
{
    size_t n = 0;

    if (q->name_len > 0) {
        tell_octets(q->name, q->name_len, text, size);
        n = strlen(text);
    }
    if (q->addr->family != SG_FAMILY_NONE && n + SG_ADDR_TEXT < size) {
        n += (size_t)snprintf(text + n, size - n, "%s", n > 0 ? ", " : "");
        (void)sg_addr_format_ip(q->addr, text + n, size - n);
    }
}

static const struct {
    const char *name;
    bool (*holds)(const struct rule *rule, const struct rule_question *q);
    void (*tell)(const struct rule_question *q, char *text, size_t size);
} conditions[] = {
    { "cmd", cmd_holds, tell_cmd },
    { "dst_port", dst_port_holds, tell_dst_port },
    { "assurance", assurance_holds, tell_assurance },
    { "method", method_holds, tell_method },
    { "listener", listener_holds, tell_listener },
    { "user", user_holds, tell_user },
    { "group", group_holds, tell_group },
    { "client", client_holds, tell_client },
};

#define CONDITIONS (sizeof conditions / sizeof conditions[0])

/* ---- the answer */

/* A name decides what is said about names; what is said about addresses waits for one. */
static enum rule_answer
dst_ask(const struct rule *rule, const struct rule_question *q)
{
    if (is_open(q))
        return rule->dst_given || rule->dst_port->n > 0 ? RULE_NEEDS_ADDRESS : RULE_YES;
    if (!rule->dst_given)
        return RULE_YES;
    if (q->name_len > 0 && places_have_name(&rule->dst, q->name, q->name_len))
        return RULE_YES;
    if (q->addr->family != SG_FAMILY_NONE)
        return places_have_addr(&rule->dst, q->addr) ? RULE_YES : RULE_NO;
    return places_have_ranges(&rule->dst) ? RULE_NEEDS_ADDRESS : RULE_NO;
}

enum rule_answer
rule_ask(const struct rule *rule, const struct rule_question *q)
{
    for (size_t i = 0; i < CONDITIONS; i++)
        if (!conditions[i].holds(rule, q))
            return RULE_NO;
    return dst_ask(rule, q);
}

void
rule_why_not(const struct rule *rule, const struct rule_question *q, char *text, size_t size)
{
    char value[320];

    for (size_t i = 0; i < CONDITIONS; i++)
        if (!conditions[i].holds(rule, q)) {
            conditions[i].tell(q, value, sizeof value);
            (void)snprintf(text, size, "%s is %s", conditions[i].name, value);
            return;
        }
    tell_dst(q, value, sizeof value);
    (void)snprintf(text, size, "dst is %s", value);
}
