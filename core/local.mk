# SPDX-License-Identifier: BSD-2-Clause
# The daemon. Everything but main.c is an archive, which the unit tests and the fuzzers link too.

SG_DEFAULTS = \
	-DSG_SYSCONFDIR='"$(sysconfdir)/sockgate"' \
	-DSG_MODULE_DIR='"$(modulesdir)"' \
	-DSG_RUNSTATEDIR='"$(runstatedir)/sockgate"' \
	-DSG_MODULES_BUILT='"$(SG_MODULES)"' \
	-DSG_MODULES_STUBS='"$(SG_STUBS)"'

CORE_CPPFLAGS = -I$(top_srcdir)/include -I$(top_srcdir)/core -I$(top_builddir) $(SG_DEFAULTS)
CORE_CFLAGS = $(SG_CFLAGS) $(SG_PIE_CFLAGS) $(LIBCONFIG_CFLAGS) $(CARES_CFLAGS) $(SODIUM_CFLAGS) $(CRYPT_CFLAGS)
CORE_LIBS = $(SG_LIBS) $(LIBCONFIG_LIBS) $(CARES_LIBS) $(SODIUM_LIBS) $(CRYPT_LIBS)

# The linker would drop the functions of the API that only modules call: the archive goes in whole.
CORE_LINK = $(SG_LDFLAGS) $(SG_PIE_LDFLAGS) -export-dynamic -Wl,--whole-archive,core/libcore.a,--no-whole-archive

noinst_LIBRARIES += core/libcore.a
core_libcore_a_CPPFLAGS = $(CORE_CPPFLAGS)
core_libcore_a_CFLAGS = $(CORE_CFLAGS)
core_libcore_a_SOURCES = \
	core/addr.c \
	core/advertise.c \
	core/answer.c \
	core/arena.c \
	core/bind.c \
	core/bucket.c \
	core/buf.c \
	core/conf.c \
	core/conf_check.c \
	core/conf_files.c \
	core/conf_saved.c \
	core/conf_scan.c \
	core/conf_text.c \
	core/conn.c \
	core/ctl.c \
	core/deadline.c \
	core/default_conf.c \
	core/diag.c \
	core/dial.c \
	core/digest.c \
	core/digits.c \
	core/evaluate.c \
	core/events.c \
	core/explain.c \
	core/fields.c \
	core/file.c \
	core/filter.c \
	core/format.c \
	core/generation.c \
	core/helper.c \
	core/hooks.c \
	core/hosts.c \
	core/image.c \
	core/instance.c \
	core/job.c \
	core/job_wire.c \
	core/journal.c \
	core/json.c \
	core/keeper.c \
	core/listener.c \
	core/load.c \
	core/log.c \
	core/logger.c \
	core/logger_write.c \
	core/login.c \
	core/login_cache.c \
	core/login_test.c \
	core/login_throttle.c \
	core/login_watch.c \
	core/loop.c \
	core/master.c \
	core/master_gen.c \
	core/master_state.c \
	core/module.c \
	core/module_file.c \
	core/msg.c \
	core/notify.c \
	core/ownaddr.c \
	core/passwd.c \
	core/passwd_ask.c \
	core/passwd_file.c \
	core/peers.c \
	core/pending.c \
	core/pipes.c \
	core/policy.c \
	core/pool.c \
	core/proc.c \
	core/question.c \
	core/question_words.c \
	core/quota.c \
	core/record.c \
	core/record_old.c \
	core/relay.c \
	core/relay_copy.c \
	core/relay_filter.c \
	core/relay_limit.c \
	core/relay_splice.c \
	core/resolve.c \
	core/resolve_cache.c \
	core/schema.c \
	core/schema_check.c \
	core/schema_print.c \
	core/schema_value.c \
	core/session.c \
	core/session_api.c \
	core/session_io.c \
	core/sessions.c \
	core/sink.c \
	core/sockets.c \
	core/sockgatectl.c \
	core/socks4.c \
	core/socks5.c \
	core/special.c \
	core/st_auth.c \
	core/st_command.c \
	core/st_greeting.c \
	core/st_request.c \
	core/status.c \
	core/suggest.c \
	core/supervise.c \
	core/table_read.c \
	core/throttle.c \
	core/timer.c \
	core/trace.c \
	core/udp.c \
	core/udp_dest.c \
	core/udp_header.c \
	core/udp_io.c \
	core/udp_judge.c \
	core/udp_relay.c \
	core/units.c \
	core/userpass.c \
	core/utf8.c \
	core/verdict.c \
	core/version.c \
	core/wipe.c \
	core/wire.c \
	core/worker.c

sbin_PROGRAMS += core/sockgate
core_sockgate_CPPFLAGS = $(CORE_CPPFLAGS)
core_sockgate_CFLAGS = $(CORE_CFLAGS)
core_sockgate_LDFLAGS = $(CORE_LINK)
core_sockgate_LDADD = $(CORE_LIBS)
core_sockgate_DEPENDENCIES = core/libcore.a
core_sockgate_SOURCES = core/main.c

# For authors of modules. It links what the daemon does: a module meets the core itself.
bin_PROGRAMS += core/sockgate-modtest
core_sockgate_modtest_CPPFLAGS = $(CORE_CPPFLAGS)
core_sockgate_modtest_CFLAGS = $(CORE_CFLAGS)
core_sockgate_modtest_LDFLAGS = $(CORE_LINK)
core_sockgate_modtest_LDADD = $(CORE_LIBS)
core_sockgate_modtest_DEPENDENCIES = core/libcore.a
core_sockgate_modtest_SOURCES = \
	core/modtest/alloc.c \
	core/modtest/client.c \
	core/modtest/guard.c \
	core/modtest/main.c \
	core/modtest/report.c \
	core/modtest/scenes.c \
	core/modtest/scenes_helper.c \
	core/modtest/scenes_log.c \
	core/modtest/world.c \
	core/modtest/wrap.c

# The second name: a link beside the binary in the build tree, and in the folder of ordinary commands when installed.
all-local: sockgatectl
sockgatectl: core/sockgate
	$(AM_V_GEN)ln -sf core/sockgate $@
CLEANFILES += sockgatectl

install-exec-hook:
	$(MKDIR_P) "$(DESTDIR)$(bindir)"
	ln -sf "$$(realpath -m --relative-to="$(bindir)" "$(sbindir)")/sockgate" "$(DESTDIR)$(bindir)/sockgatectl"

# Headers are looked up, not listed: nothing is compiled from this list, it only goes into the tarball.
EXTRA_DIST += $(wildcard $(srcdir)/core/*.h $(srcdir)/core/modtest/*.h)
