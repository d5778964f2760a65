# SPDX-License-Identifier: BSD-2-Clause

# ---- unit tests: one Criterion program (each test is a process of its own)

if HAVE_CRITERION
check_PROGRAMS += tests/unit/unit
endif
tests_unit_unit_CPPFLAGS = $(CORE_CPPFLAGS) -I$(top_srcdir)/modules -DSG_BUILD='"$(abs_builddir)"' -DSG_SOURCE='"$(abs_srcdir)"'
tests_unit_unit_CFLAGS = $(CORE_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_unit_LDFLAGS = $(CORE_LINK)
tests_unit_unit_LDADD = $(CORE_LIBS) $(CRITERION_LIBS)
tests_unit_unit_DEPENDENCIES = core/libcore.a
tests_unit_unit_SOURCES = \
	modules/ident.c \
	modules/rules_entry.c \
	modules/rules_set.c \
	modules/users.c \
	tests/unit/here.c \
	tests/unit/loaded.c \
	tests/unit/test_access_rules.c \
	tests/unit/test_addr.c \
	tests/unit/test_advertise.c \
	tests/unit/test_bucket.c \
	tests/unit/test_buf.c \
	tests/unit/test_conf.c \
	tests/unit/test_conf_scan.c \
	tests/unit/test_conf_text.c \
	tests/unit/test_deadline.c \
	tests/unit/test_digits.c \
	tests/unit/test_format.c \
	tests/unit/test_hooks.c \
	tests/unit/test_ident.c \
	tests/unit/test_job_wire.c \
	tests/unit/test_loader.c \
	tests/unit/test_logger.c \
	tests/unit/test_login_cache.c \
	tests/unit/test_login_throttle.c \
	tests/unit/test_login_walk.c \
	tests/unit/test_loop.c \
	tests/unit/test_names.c \
	tests/unit/test_record.c \
	tests/unit/test_rules_set.c \
	tests/unit/test_run.c \
	tests/unit/test_schema.c \
	tests/unit/test_session_states.c \
	tests/unit/test_socks4.c \
	tests/unit/test_socks5.c \
	tests/unit/test_table.c \
	tests/unit/test_udp.c \
	tests/unit/test_units.c \
	tests/unit/test_userpass.c \
	tests/unit/test_users.c \
	tests/unit/test_verdicts.c \
	tests/unit/test_worker.c \
	tests/unit/tables.c \
	tests/unit/told.c \
	tests/unit/vectors.c

# ---- auth modules without a gateway, and a PAM module that tests tell what to ask

check_PROGRAMS += tests/logins/logins
tests_logins_logins_CPPFLAGS = $(CORE_CPPFLAGS)
tests_logins_logins_CFLAGS = $(CORE_CFLAGS)
tests_logins_logins_LDFLAGS = $(CORE_LINK)
tests_logins_logins_LDADD = $(CORE_LIBS)
tests_logins_logins_DEPENDENCIES = core/libcore.a
tests_logins_logins_SOURCES = tests/logins/logins.c

if HAVE_PAM
check_LTLIBRARIES += tests/logins/pam_asks.la
tests_logins_pam_asks_la_LDFLAGS = $(AM_LDFLAGS) -rpath /nowhere
tests_logins_pam_asks_la_LIBADD = $(PAM_LIBS)
tests_logins_pam_asks_la_SOURCES = tests/logins/pam_asks.c
endif

# ---- loaded before the C library: what a test wants to go wrong

check_LTLIBRARIES += tests/preload/fail_alloc.la
tests_preload_fail_alloc_la_LDFLAGS = $(AM_LDFLAGS) -rpath /nowhere
tests_preload_fail_alloc_la_SOURCES = tests/preload/fail_alloc.c

# ---- figures: built with the tests, so that they keep up with the code; `make bench` runs them

BENCHES = \
	tests/bench/bench_record \
	tests/bench/bench_rules \
	tests/bench/load
check_PROGRAMS += $(BENCHES)

tests_bench_bench_record_CPPFLAGS = $(CORE_CPPFLAGS)
tests_bench_bench_record_CFLAGS = $(CORE_CFLAGS)
tests_bench_bench_record_LDFLAGS = $(CORE_LINK)
tests_bench_bench_record_LDADD = $(CORE_LIBS)
tests_bench_bench_record_DEPENDENCIES = core/libcore.a
tests_bench_bench_record_SOURCES = tests/bench/bench_record.c tests/bench/rounds.c

tests_bench_bench_rules_CPPFLAGS = $(CORE_CPPFLAGS)
tests_bench_bench_rules_CFLAGS = $(CORE_CFLAGS)
tests_bench_bench_rules_LDFLAGS = $(CORE_LINK)
tests_bench_bench_rules_LDADD = $(CORE_LIBS)
tests_bench_bench_rules_DEPENDENCIES = core/libcore.a
tests_bench_bench_rules_SOURCES = tests/bench/bench_rules.c tests/bench/rounds.c

tests_bench_load_CFLAGS = $(SG_CFLAGS) $(SG_PIE_CFLAGS)
tests_bench_load_LDFLAGS = $(SG_LDFLAGS) $(SG_PIE_LDFLAGS)
tests_bench_load_SOURCES = \
	tests/bench/load.c \
	tests/bench/load_client.c \
	tests/bench/load_loop.c \
	tests/bench/load_target.c \
	tests/bench/load_udp.c

.PHONY: bench bench-check bench-programs bench-quick
bench-programs: all
	$(MAKE) $(AM_MAKEFLAGS) $(BENCHES) tests/modules/log_nothing.la

# BENCHFLAGS: more words for the driver, see its --help
BENCH = $(srcdir)/tests/bench/run --build "$(abs_builddir)"
bench: bench-programs
	$(BENCH) --json bench.json --picture bench.svg $(BENCHFLAGS)
	SOCKGATE_MODULE_DIR="$(abs_builddir)/modules/.libs" ./tests/bench/bench_rules

bench-quick: bench-programs
	$(BENCH) --quick $(BENCHFLAGS)

bench-check: bench-programs
	$(BENCH) --quick --rounds 7 --check $(srcdir)/tests/bench/ratios.json $(BENCHFLAGS)

CLEANFILES += bench.json bench.svg

# ---- modules for tests: NAME.la is made from NAME.c; libtool makes shared objects only of what has an -rpath

TEST_MODULES = \
	tests/abi/abi_access.la \
	tests/abi/abi_auth.la \
	tests/abi/abi_bind.la \
	tests/abi/abi_command.la \
	tests/abi/abi_conf.la \
	tests/abi/abi_helper.la \
	tests/abi/abi_log.la \
	tests/abi/abi_udp.la \
	tests/modules/access_async.la \
	tests/modules/access_hang.la \
	tests/modules/access_request_only.la \
	tests/modules/auth_claim.la \
	tests/modules/auth_liar.la \
	tests/modules/auth_pw.la \
	tests/modules/auth_x80.la \
	tests/modules/bad/abi_major.la \
	tests/modules/bad/abi_minor.la \
	tests/modules/bad/again_without_handle.la \
	tests/modules/bad/believes_length.la \
	tests/modules/bad/blocks_worker.la \
	tests/modules/bad/both_forms.la \
	tests/modules/bad/check_gssapi.la \
	tests/modules/bad/command_bind.la \
	tests/modules/bad/command_empty.la \
	tests/modules/bad/commit_lies.la \
	tests/modules/bad/crash_at_load.la \
	tests/modules/bad/exchange_00.la \
	tests/modules/bad/init_fails.la \
	tests/modules/bad/init_silent.la \
	tests/modules/bad/item_size.la \
	tests/modules/bad/keeps_creds.la \
	tests/modules/bad/leaks_descriptor.la \
	tests/modules/bad/leaks_slot.la \
	tests/modules/bad/lets_in_all.la \
	tests/modules/bad/long_label.la \
	tests/modules/bad/magic.la \
	tests/modules/bad/max_message.la \
	tests/modules/bad/method_ff.la \
	tests/modules/bad/never_resolves.la \
	tests/modules/bad/no_function.la \
	tests/modules/bad/no_name.la \
	tests/modules/bad/no_role.la \
	tests/modules/bad/no_symbol.la \
	tests/modules/bad/ops_size.la \
	tests/modules/bad/prefix_password.la \
	tests/modules/bad/reads_past_uname.la \
	tests/modules/bad/resolves_cancelled.la \
	tests/modules/bad/resolves_in_init.la \
	tests/modules/bad/resolves_twice.la \
	tests/modules/bad/schema.la \
	tests/modules/bad/size_beyond.la \
	tests/modules/bad/size_zero.la \
	tests/modules/bad/slot_too_late.la \
	tests/modules/bad/thread_at_load.la \
	tests/modules/bad/thread_in_init.la \
	tests/modules/bad/unchecked_malloc.la \
	tests/modules/bad/undefined_symbol.la \
	tests/modules/bad/writes_conf.la \
	tests/modules/blocks.la \
	tests/modules/crash_request.la \
	tests/modules/crash_start.la \
	tests/modules/log_nothing.la \
	tests/modules/older.la \
	tests/modules/start_fails.la

check_LTLIBRARIES += $(TEST_MODULES)
$(TEST_MODULES): AM_LDFLAGS += -rpath /nowhere

# ---- fuzzers: libFuzzer's main with --enable-fuzzing, else one that replays the corpora

if FUZZING
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/replay_main.c
endif
FUZZ_LINK = $(SG_LDFLAGS) $(SG_PIE_LDFLAGS) $(SG_FUZZ_LDFLAGS)
FUZZ_LDADD = core/libcore.a $(CORE_LIBS)
FUZZERS = \
	tests/fuzz/fuzz_conf \
	tests/fuzz/fuzz_format \
	tests/fuzz/fuzz_greeting \
	tests/fuzz/fuzz_ident \
	tests/fuzz/fuzz_job \
	tests/fuzz/fuzz_request \
	tests/fuzz/fuzz_socks4 \
	tests/fuzz/fuzz_table \
	tests/fuzz/fuzz_udp_header \
	tests/fuzz/fuzz_userpass

check_PROGRAMS += $(FUZZERS)

tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c $(FUZZ_MAIN)
tests_fuzz_fuzz_conf_CPPFLAGS = $(CORE_CPPFLAGS)
tests_fuzz_fuzz_conf_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_conf_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_conf_LDADD = $(FUZZ_LDADD)

tests_fuzz_fuzz_format_SOURCES = tests/fuzz/fuzz_format.c $(FUZZ_MAIN)
tests_fuzz_fuzz_format_CPPFLAGS = $(CORE_CPPFLAGS)
tests_fuzz_fuzz_format_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_format_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_format_LDADD = $(FUZZ_LDADD)

tests_fuzz_fuzz_greeting_SOURCES = tests/fuzz/fuzz_greeting.c $(FUZZ_MAIN)
tests_fuzz_fuzz_greeting_CPPFLAGS = $(CORE_CPPFLAGS)
tests_fuzz_fuzz_greeting_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_greeting_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_greeting_LDADD = $(FUZZ_LDADD)

tests_fuzz_fuzz_ident_SOURCES = tests/fuzz/fuzz_ident.c modules/ident.c $(FUZZ_MAIN)
tests_fuzz_fuzz_ident_CPPFLAGS = $(CORE_CPPFLAGS) -I$(top_srcdir)/modules
tests_fuzz_fuzz_ident_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_ident_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_ident_LDADD = $(FUZZ_LDADD)

tests_fuzz_fuzz_job_SOURCES = tests/fuzz/fuzz_job.c $(FUZZ_MAIN)
tests_fuzz_fuzz_job_CPPFLAGS = $(CORE_CPPFLAGS)
tests_fuzz_fuzz_job_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_job_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_job_LDADD = $(FUZZ_LDADD)

tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c $(FUZZ_MAIN)
tests_fuzz_fuzz_request_CPPFLAGS = $(CORE_CPPFLAGS)
tests_fuzz_fuzz_request_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_request_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_request_LDADD = $(FUZZ_LDADD)

tests_fuzz_fuzz_socks4_SOURCES = tests/fuzz/fuzz_socks4.c $(FUZZ_MAIN)
tests_fuzz_fuzz_socks4_CPPFLAGS = $(CORE_CPPFLAGS)
tests_fuzz_fuzz_socks4_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_socks4_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_socks4_LDADD = $(FUZZ_LDADD)

tests_fuzz_fuzz_udp_header_SOURCES = tests/fuzz/fuzz_udp_header.c $(FUZZ_MAIN)
tests_fuzz_fuzz_udp_header_CPPFLAGS = $(CORE_CPPFLAGS)
tests_fuzz_fuzz_udp_header_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_udp_header_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_udp_header_LDADD = $(FUZZ_LDADD)

tests_fuzz_fuzz_table_SOURCES = tests/fuzz/fuzz_table.c $(FUZZ_MAIN)
tests_fuzz_fuzz_table_CPPFLAGS = $(CORE_CPPFLAGS)
tests_fuzz_fuzz_table_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_table_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_table_LDADD = $(FUZZ_LDADD)

tests_fuzz_fuzz_userpass_SOURCES = tests/fuzz/fuzz_userpass.c $(FUZZ_MAIN)
tests_fuzz_fuzz_userpass_CPPFLAGS = $(CORE_CPPFLAGS)
tests_fuzz_fuzz_userpass_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_userpass_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_userpass_LDADD = $(FUZZ_LDADD)

# ---- make check: what needs no python and no other build; scripts/test runs everything

check-mutants: core/libcore.a compile_flags.txt
	CC="$(CC)" $(srcdir)/tests/fuzz/mutant "$(abs_builddir)" $(CORE_LIBS)

.PHONY: check-mutants fuzzers test-programs
fuzzers: $(FUZZERS)
# `all` is a make of its own: what it builds must be there before another one starts.
test-programs: all
	$(MAKE) $(AM_MAKEFLAGS) $(check_PROGRAMS) $(check_LTLIBRARIES)

check-local: all
if HAVE_CRITERION
	$(srcdir)/scripts/run-unit tests/unit/unit
else
	@echo '*** Criterion was not found: the unit tests are NOT RUN ***'
endif
	$(srcdir)/tests/fuzz/replay "$(abs_builddir)"
	$(MAKE) $(AM_MAKEFLAGS) check-mutants
	CC="$(CC)" $(srcdir)/scripts/check-headers
	$(srcdir)/scripts/requirements-check

# A folder in which something is built, if the build is in the tree, must not be named whole: make would find its objects
# beside the sources of a release, and link names that are not in the folder of the build.
EXTRA_DIST += \
	tests/bench/logins \
	tests/bench/memory \
	tests/bench/peers \
	tests/bench/ratios.json \
	tests/bench/run \
	tests/docs \
	tests/e2e \
	tests/fuzz/corpus \
	tests/fuzz/mutant \
	tests/fuzz/replay \
	tests/fuzz/replay_main.c \
	tests/requirements.pending \
	tests/vectors \
	$(wildcard $(srcdir)/tests/bench/*.py) \
	$(wildcard $(foreach dir,abi bench fuzz modules/bad unit,$(srcdir)/tests/$(dir)/*.h))

# The folders above go in whole; what running them left there does not.
dist-hook:
	find "$(distdir)" -name __pycache__ -exec rm -rf {} +
	@if find "$(distdir)" -name '*.l[ao]' -o -name '*.o' -o -name .dirstamp | grep .; then \
		echo 'These were built here and must not be in a release: see EXTRA_DIST'; exit 1; \
	fi
