# SPDX-License-Identifier: BSD-2-Clause
# The modules that ship. They see include/ and nothing else of ours. modules/NAME.la is made from modules/NAME.c.

modulesdir = $(pkglibdir)/modules
modules_LTLIBRARIES = \
	modules/access_rules.la \
	modules/auth_none.la \
	modules/cmd_bind.la \
	modules/cmd_connect.la \
	modules/cmd_udp.la \
	modules/log_file.la \
	modules/log_syslog.la

modules_access_rules_la_SOURCES = \
	modules/access_rules.c \
	modules/rules.h \
	modules/rules_build.c \
	modules/rules_cover.c \
	modules/rules_entry.c \
	modules/rules_match.c \
	modules/rules_set.c

modules_log_syslog_la_SOURCES = \
	modules/log_syslog.c \
	modules/syslog.h \
	modules/syslog_link.c

SG_MODULES = $(modules_LTLIBRARIES:modules/%.la=%)

# dlopen() needs no .la files, and nothing else should lie in a folder of modules. uninstall finds the modules by the
# .la files: so it has to be told.
install-data-hook:
	cd "$(DESTDIR)$(modulesdir)" && rm -f $(notdir $(modules_LTLIBRARIES))

uninstall-local:
	cd "$(DESTDIR)$(modulesdir)" 2>/dev/null && rm -f $(addsuffix .so,$(SG_MODULES)) || :
