/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * master_gen.h - the master's dealings with generations.
 */
#ifndef SG_MASTER_GEN_H
#define SG_MASTER_GEN_H

#include "master_state.h"

int sg_master_spawn(struct sg_master *master, enum sg_purpose purpose); /* -1: it is in the log */
void sg_master_receive(struct sg_master *master, struct sg_gen *gen);
void sg_master_gen_died(struct sg_master *master, struct sg_gen *gen, int status);
/* An order to every generation that has been made current; NONE leaves their state as it is. */
void sg_master_tell_all(struct sg_master *master, int order, enum sg_gen_state state);
/* When a load has taken too long, INT64_MAX for never; and what then is to be done. */
int64_t sg_master_load_due(struct sg_master *master);
void sg_master_load_look(struct sg_master *master, int64_t now_ms);
void sg_master_commit_upgrade(struct sg_master *master); /* after the exec: the generation that was ready goes on */
struct sg_gen *sg_master_gen_by_pid(struct sg_master *master, pid_t pid);
struct sg_gen *sg_master_loading(struct sg_master *master);
/* Nothing runs and nothing will: the first generation has failed. */
bool sg_master_hopeless(const struct sg_master *master);

#endif
