/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_old.h - the layout before today's: what a new binary finds in the tables of the one that it replaces.
 */
#ifndef SG_RECORD_OLD_H
#define SG_RECORD_OLD_H

#include "record.h"

/* Layout 1 had no events beside those of sessions. */
struct sg_record_old {
    _Atomic uint32_t state;
    uint32_t use;
    uint32_t rule_line;
    uint64_t id_high, id_low;
    int64_t accepted_wall_ms, accepted_mono_ms, connected_mono_ms, ended_mono_ms;
    uint64_t bytes_up, bytes_down;
    struct sg_addr client, local, target, bind;
    int32_t err;
    uint16_t port;
    uint16_t listener, instance, rule_file;
    uint8_t reason;
    uint8_t rep;
    uint8_t started;
    uint8_t identified;
    uint8_t replied, tried_more;
    uint8_t ver, method, cmd, assurance;
    uint8_t phase;
    uint8_t dry_run_verdict;
    uint8_t n_tried;
    uint8_t rule_len, dry_run_rule_len;
    char rule[SG_RECORD_LABEL_MAX], dry_run_rule[SG_RECORD_LABEL_MAX];
    struct sg_record_text user, name, reason_text;
    uint16_t arena_used, arena_tried;
    char arena[];
};

/*
 * Makes a record of today of one of SG_RECORD_SIZE octets. The old arena was larger: what does not fit any more (a full
 * record with fifteen addresses) is left out, and `tried_more` says so.
 */
void sg_record_from_old(const struct sg_record_old *old, struct sg_record *rec);

#endif
