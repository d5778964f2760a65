# SPDX-License-Identifier: BSD-2-Clause

# ---- unit tests: one Criterion program (each test is a process of its own)

if HAVE_CRITERION
check_PROGRAMS += tests/unit/unit
endif
tests_unit_unit_CPPFLAGS = $(CORE_CPPFLAGS)
tests_unit_unit_CFLAGS = $(CORE_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_unit_LDFLAGS = $(CORE_LINK)
tests_unit_unit_LDADD = $(CORE_LIBS) $(CRITERION_LIBS)
tests_unit_unit_DEPENDENCIES = core/libcore.a
tests_unit_unit_SOURCES =

# ---- modules for tests; libtool makes shared objects only of what has an -rpath

TEST_MODULE_LINK = $(AM_LDFLAGS) -rpath /nowhere

check_LTLIBRARIES += tests/modules/auth_x80.la
tests_modules_auth_x80_la_LDFLAGS = $(TEST_MODULE_LINK)

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
	tests/fuzz/fuzz_greeting \
	tests/fuzz/fuzz_request

check_PROGRAMS += $(FUZZERS)

tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c $(FUZZ_MAIN)
tests_fuzz_fuzz_conf_CPPFLAGS = $(CORE_CPPFLAGS)
tests_fuzz_fuzz_conf_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_conf_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_conf_LDADD = $(FUZZ_LDADD)

tests_fuzz_fuzz_greeting_SOURCES = tests/fuzz/fuzz_greeting.c $(FUZZ_MAIN)
tests_fuzz_fuzz_greeting_CPPFLAGS = $(CORE_CPPFLAGS)
tests_fuzz_fuzz_greeting_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_greeting_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_greeting_LDADD = $(FUZZ_LDADD)

tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c $(FUZZ_MAIN)
tests_fuzz_fuzz_request_CPPFLAGS = $(CORE_CPPFLAGS)
tests_fuzz_fuzz_request_CFLAGS = $(CORE_CFLAGS)
tests_fuzz_fuzz_request_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_request_LDADD = $(FUZZ_LDADD)

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

EXTRA_DIST += \
	tests/docs \
	tests/fuzz/corpus \
	tests/fuzz/mutant \
	tests/fuzz/replay \
	tests/fuzz/replay_main.c \
	$(wildcard $(srcdir)/tests/e2e $(srcdir)/tests/vectors $(srcdir)/tests/bench) \
	$(wildcard $(srcdir)/tests/requirements.pending) \
	$(wildcard $(srcdir)/tests/unit/*.h $(srcdir)/tests/modules/*.h $(srcdir)/tests/abi/*.h $(srcdir)/tests/fuzz/*.h)

# The folders above go in whole; what running them left there does not.
dist-hook:
	find "$(distdir)" -name __pycache__ -exec rm -rf {} +
