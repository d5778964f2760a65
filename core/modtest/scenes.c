/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenes.c - sessions: whole ones, hostile ones, ones that end at every point, many of them, and without memory.
 */
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "modtest/modtest.h"
#include "proc.h"

#define WARM_UP 4
#define COUNTED 12
#define LATE_MS 1200
#define PIECE_ALL (SIZE_MAX / 2)

static void
script_put(struct mt_script *script, const void *octets, size_t len)
{
    if (script->len + len > sizeof script->octets)
        return;
    memcpy(script->octets + script->len, octets, len);
    script->len += len;
}

static void
script_login(struct mt_script *script, const void *name, size_t name_len, const void *secret, size_t secret_len)
{
    const uint8_t lens[] = { 1, (uint8_t)name_len, (uint8_t)secret_len };

    script_put(script, lens, 2);
    script_put(script, name, name_len);
    script_put(script, lens + 2, 1);
    script_put(script, secret, secret_len);
}

static uint8_t
script_method(void)
{
    return (mt_shared->roles & MT_AUTH) != 0 && mt_shared->method != SG_METHOD_GSSAPI ? (uint8_t)mt_shared->method
                                                                                      : (uint8_t)SG_METHOD_NONE;
}

static void
script_greeting(struct mt_script *script)
{
    const uint8_t greeting[] = { 5, 1, script_method() };

    script_put(script, greeting, sizeof greeting);
}

enum to { TO_TARGET, TO_REFUSED, TO_NAME, TO_IPV6, TO_LONG_NAME, TOS };

static void
script_request(struct mt_script *script, uint16_t port, enum to to)
{
    const uint8_t cmd = (uint8_t)(mt_shared->cmd != -1 ? mt_shared->cmd : SG_CMD_CONNECT);
    const uint8_t ports[] = { (uint8_t)(port >> 8), (uint8_t)port };
    const uint8_t head[] = { 5, cmd, 0 };
    static const uint8_t loopback[] = { 1, 127, 0, 0, 1 }, name[] = "\3\22modtest.invalid.xx",
                         six[] = { 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
    uint8_t longest[2 + 253] = { 3, 253 };

    memset(longest + 2, 'a', 253);
    for (size_t i = 50; i < 253; i += 50)
        longest[2 + i] = '.';
    script_put(script, head, sizeof head);
    switch (to) {
    case TO_NAME: script_put(script, name, sizeof name - 1); break;
    case TO_IPV6: script_put(script, six, sizeof six); break;
    case TO_LONG_NAME: script_put(script, longest, sizeof longest); break;
    default: script_put(script, loopback, sizeof loopback); break;
    }
    script_put(script, to == TO_REFUSED ? (const uint8_t[]){ 0, 1 } : ports, 2);
}

/* Everything up to the first octets of the relay. */
static void
script_whole(struct mt_script *script, uint16_t port, enum to to)
{
    script->len = 0;
    script_greeting(script);
    if (script_method() == SG_METHOD_USERPASS) {
        const char *user = mt_options.user != NULL ? mt_options.user : "modtest";
        const char *password = mt_options.password != NULL ? mt_options.password : "modtest";

        script_login(script, user, strlen(user), password, strlen(password));
    } else if (mt_shared->exchange && script_method() != SG_METHOD_NONE) {
        script_put(script, "\1\7modtest", 9);
    }
    script_request(script, port, to);
    script_put(script, "echo", 4);
}

static bool
scene_open(struct mt_world *w)
{
    return mt_world_load(w, false) == 0 && mt_world_open(w) == 0;
}

static void
scene_close(struct mt_world *w)
{
    mt_world_close(w);
    mt_world_unload(w);
    mt_log_read();
}

/* One session from its first octet to its end. */
static void
scene_session(struct mt_world *w, const struct mt_script *script, size_t len, size_t piece, bool reset)
{
    struct mt_client c;

    if (mt_found() || mt_client_open(w, &c) == -1)
        return;
    mt_client_send(w, &c, script->octets, len, piece);
    mt_client_settle(w, &c);
    mt_client_close(w, &c, reset);
}

static void
scene_late(struct mt_world *w)
{
    const int64_t until = sg_mono_ms() + (atomic_load(&mt_shared->again) > 0 ? LATE_MS : 0);

    while (sg_mono_ms() < until)
        mt_world_turn(w);
}

void
mt_scene_peek(unsigned n)
{
    struct mt_world w;

    (void)n;
    if (mt_world_load(&w, true) == -1)
        return;
    mt_world_unload(&w);
    mt_log_read();
    atomic_store(&mt_shared->loaded, true);
}

void
mt_scene_sessions(unsigned n)
{
    struct mt_script script;
    struct mt_world w;

    (void)n;
    if (!scene_open(&w))
        return;
    for (enum to to = TO_TARGET; to < TOS; to++) {
        script_whole(&script, w.port, to);
        scene_session(&w, &script, script.len, PIECE_ALL, false);
        scene_session(&w, &script, script.len, 1, true);
    }
    scene_late(&w);
    scene_close(&w);
}

/* ---- what nobody would send */

/* The login, or the messages of an exchange, as they should not be. */
static void
hostile_login(struct mt_world *w, const void *name, size_t name_len, const void *secret, size_t secret_len)
{
    struct mt_script script = { .len = 0 };

    script_greeting(&script);
    script_login(&script, name, name_len, secret, secret_len);
    script_request(&script, w->port, TO_TARGET);
    scene_session(w, &script, script.len, PIECE_ALL, true);
}

static void
hostile_exchange(struct mt_world *w, int octet, size_t len, size_t piece)
{
    struct mt_script script = { .len = 0 };

    script_greeting(&script);
    for (size_t i = 0; i < len; i++) {
        const uint8_t noise = (uint8_t)(octet >= 0 ? octet : (int)(i * 167 + 13));

        script_put(&script, &noise, 1);
    }
    scene_session(w, &script, script.len, piece, piece == 1);
}

void
mt_scene_hostile(unsigned n)
{
    static const int fillings[] = { 0, 1, 0xff, -1 };
    char octets[255];
    struct mt_world w;

    (void)n;
    if (!scene_open(&w))
        return;
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (char)(i + 1);
    if (script_method() == SG_METHOD_USERPASS && !mt_shared->exchange) {
        hostile_login(&w, octets, 1, octets, 0);
        hostile_login(&w, octets, 255, octets, 255);
        hostile_login(&w, "a", 1, octets, 255);
    }
    for (size_t i = 0; mt_shared->exchange && i < sizeof fillings / sizeof fillings[0]; i++) {
        hostile_exchange(&w, fillings[i], 64, 1);
        hostile_exchange(&w, fillings[i], mt_shared->max_message, PIECE_ALL);
        hostile_exchange(&w, fillings[i], mt_shared->max_message + 2, 512);
    }
    scene_late(&w);
    scene_close(&w);
}

/* The client goes behind each octet: at once, and when nothing happens any more. */
void
mt_scene_ends(unsigned n)
{
    struct mt_script script;
    struct mt_world w;
    struct mt_client c;

    (void)n;
    if (!scene_open(&w))
        return;
    script_whole(&script, w.port, TO_TARGET);
    for (size_t len = 0; len <= script.len; len++) {
        scene_session(&w, &script, len, PIECE_ALL, len % 2 == 0);
        if (mt_found() || mt_client_open(&w, &c) == -1)
            break;
        mt_client_send(&w, &c, script.octets, len, len > 1 ? len - 1 : 1);
        mt_world_turn(&w);
        if (len % 2 == 0)
            sg_session_end_all(SG_REASON_STOPPED);
        mt_client_close(&w, &c, true);
    }
    scene_late(&w);
    scene_close(&w);
}

/* ---- what sessions leave behind */

void
mt_scene_leaks(unsigned n)
{
    size_t blocks_before = 0, octets_before = 0, blocks, octets;
    unsigned fds_before = 0;
    struct mt_script script;
    struct mt_world w;

    (void)n;
    if (!scene_open(&w))
        return;
    script_whole(&script, w.port, TO_TARGET);
    for (unsigned i = 0; i < WARM_UP + COUNTED; i++) {
        if (i == WARM_UP) {
            mt_alloc_live(&blocks_before, &octets_before);
            fds_before = sg_proc_count("fd");
        }
        scene_session(&w, &script, script.len, PIECE_ALL, true);
    }
    mt_alloc_live(&blocks, &octets);
    if (!mt_found() && blocks >= blocks_before + COUNTED)
        mt_mistake("each session leaves %zu octets of memory behind: free in session_end() what the slot holds, and in "
                   "cancel() what waits for an answer",
                   (octets - octets_before) / COUNTED);
    if (sg_proc_count("fd") >= fds_before + COUNTED)
        mt_mistake("each session leaves a descriptor behind: close in session_end() what the slot holds");
    scene_close(&w);
}

void
mt_scene_memory(unsigned n)
{
    struct mt_script script;
    struct mt_world w;

    if (mt_world_load(&w, false) == -1)
        return;
    mt_alloc_fail(n);
    if (mt_world_open(&w) == 0) {
        script_whole(&script, w.port, TO_TARGET);
        scene_session(&w, &script, script.len, PIECE_ALL, true);
        scene_session(&w, &script, script.len, PIECE_ALL, false);
        mt_world_close(&w);
    }
    mt_log_read();
}
