/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * question_words.c - questions from what people write, and as the octets that a client would send.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addrs.h"
#include "question.h"

static const struct sg_conf_word commands[] = {
    { "connect", SG_CMD_CONNECT }, { "bind", SG_CMD_BIND }, { "udp_associate", SG_CMD_UDP_ASSOCIATE }, { NULL, 0 }
};

static const struct sg_conf_word methods[] = {
    { "none", SG_METHOD_NONE }, { "gssapi", SG_METHOD_GSSAPI }, { "password", SG_METHOD_USERPASS }, { NULL, 0 }
};

static const struct sg_conf_word assurances[] = { { "none", SG_ASSURANCE_NONE },
                                                  { "asserted", SG_ASSURANCE_ASSERTED },
                                                  { "password", SG_ASSURANCE_PASSWORD },
                                                  { "kerberos", SG_ASSURANCE_KERBEROS },
                                                  { NULL, 0 } };

void
sg_question_init(struct sg_question *q)
{
    *q = (struct sg_question){ .method = -1, .assurance = -1, .cmd = SG_CMD_CONNECT };
    (void)sg_addr_parse("127.0.0.1", &q->client);
}

/* The word's number; -1: it is none of them. */
static int
words_number(const struct sg_conf_word *words, const char *value)
{
    for (; words->word != NULL; words++)
        if (strcmp(words->word, value) == 0)
            return (int)words->number;
    return -1;
}

/* A word, or two hexadecimal digits as METHODs beyond the well-known ones are written. */
static int
words_method(const char *value)
{
    char *end;
    const long number = strtol(value, &end, 16);

    if (strlen(value) == 2 && *end == '\0' && number >= 0 && number < SG_METHOD_NO_ACCEPTABLE)
        return (int)number;
    return words_number(methods, value);
}

static int
words_address(const char *value, struct sg_addr *addr, char *why, size_t size)
{
    if (sg_addr_parse(value, addr) == 0) {
        sg_addr_canonical(addr);
        return 0;
    }
    (void)snprintf(why, size, "\"%.80s\" is not an IP address", value);
    return -1;
}

/* Cuts a comma list into words. */
static int
words_list(struct sg_question *q, char *value, bool addresses, char *why, size_t size)
{
    char *at = NULL;

    for (char *word = strtok_r(value, ",", &at); word != NULL; word = strtok_r(NULL, ",", &at)) {
        if (addresses ? q->addrs.n == SG_QUESTION_ADDRS : q->n_groups == SG_QUESTION_GROUPS) {
            (void)snprintf(why, size, "at most %d are possible", addresses ? SG_QUESTION_ADDRS : SG_QUESTION_GROUPS);
            return -1;
        }
        if (!addresses)
            q->groups[q->n_groups++] = word;
        else if (words_address(word, &q->addrs.v[q->addrs.n], why, size) == 0)
            q->addrs.n++;
        else
            return -1;
    }
    return 0;
}

/* Where the port of "HOST:PORT" begins; NULL if that is not what it is. */
static const char *
words_port(const char *to, unsigned long *port_out)
{
    const char *colon = strrchr(to, ':');
    char *end;

    if (colon == NULL || colon == to || colon[1] < '0' || colon[1] > '9')
        return NULL;
    if (to[0] != '[' && memchr(to, ':', (size_t)(colon - to)) != NULL)
        return NULL;
    if (to[0] == '[' && colon[-1] != ']')
        return NULL;
    *port_out = strtoul(colon + 1, &end, 10);
    return *end == '\0' && *port_out <= UINT16_MAX ? colon : NULL;
}

static int
words_to(struct sg_question *q, const char *value, char *why, size_t size)
{
    unsigned long port;
    const char *colon = words_port(value, &port);

    if (colon == NULL || colon - value > UINT8_MAX) {
        (void)snprintf(why, size,
                       "\"%.80s\" is no target: write HOST:PORT, as in \"www.example.com:443\" or \"[::1]:80\"", value);
        return -1;
    }
    q->to = value;
    return 0;
}

/* One of a set of words, by its number. */
static int
words_one(const char *key, const char *value, int number, int *number_out, char *why, size_t size)
{
    if (number == -1) {
        (void)snprintf(why, size, "there is no %s \"%.80s\"", key, value);
        return -1;
    }
    *number_out = number;
    return 0;
}

int
sg_question_set(struct sg_question *q, const char *key, char *value, char *why, size_t size)
{
    int cmd;

    if (strcmp(key, "client") == 0)
        return words_address(value, &q->client, why, size);
    if (strcmp(key, "listener") == 0) {
        q->listener = value;
        return 0;
    }
    if (strcmp(key, "user") == 0) {
        q->user = value;
        return 0;
    }
    if (strcmp(key, "group") == 0)
        return words_list(q, value, false, why, size);
    if (strcmp(key, "resolves") == 0)
        return words_list(q, value, true, why, size);
    if (strcmp(key, "method") == 0)
        return words_one(key, value, words_method(value), &q->method, why, size);
    if (strcmp(key, "assurance") == 0)
        return words_one(key, value, words_number(assurances, value), &q->assurance, why, size);
    if (strcmp(key, "to") == 0)
        return words_to(q, value, why, size);
    if (strcmp(key, "command") != 0) {
        (void)snprintf(why, size, "unknown key \"%.40s\"", key);
        return -1;
    }
    if (words_one(key, value, words_number(commands, value), &cmd, why, size) == -1)
        return -1;
    q->cmd = (uint8_t)cmd;
    return 0;
}

size_t
sg_question_wire(const struct sg_question *q, uint8_t octets[SG_QUESTION_WIRE_MAX])
{
    unsigned long port = 0;
    const char *colon = words_port(q->to, &port);
    const bool bracket = q->to[0] == '[';
    const char *host = q->to + bracket;
    const size_t len = (size_t)(colon - host) - bracket;
    char text[UINT8_MAX + 1];
    struct sg_addr addr;
    size_t n = 4;

    memcpy(text, host, len);
    text[len] = '\0';
    octets[0] = SG_SOCKS5_VER;
    octets[1] = q->cmd;
    octets[2] = 0;
    if (sg_addr_parse(text, &addr) == 0) {
        const size_t ip_len = addr.family == SG_FAMILY_IPV4 ? 4 : 16;

        octets[3] = addr.family;
        memcpy(octets + n, addr.ip, ip_len);
        n += ip_len;
    } else {
        octets[3] = SG_ATYP_DOMAINNAME;
        octets[n++] = (uint8_t)len;
        memcpy(octets + n, text, len);
        n += len;
    }
    octets[n++] = (uint8_t)(port >> 8);
    octets[n++] = (uint8_t)port;
    return n;
}
