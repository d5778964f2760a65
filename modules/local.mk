# SPDX-License-Identifier: BSD-2-Clause
# The modules that ship. They see include/ and nothing else of ours. modules/NAME.la is made from modules/NAME.c.

modulesdir = $(pkglibdir)/modules
modules_LTLIBRARIES = \
	modules/access_rules.la \
	modules/auth_file.la \
	modules/auth_gssapi.la \
	modules/auth_ident.la \
	modules/auth_none.la \
	modules/cmd_bind.la \
	modules/cmd_connect.la \
	modules/cmd_udp.la \
	modules/log_file.la \
	modules/log_syslog.la

if HAVE_PAM
modules_LTLIBRARIES += modules/auth_pam.la
endif

# What loads and can be configured, but does nothing yet.
SG_STUBS = auth_gssapi

modules_access_rules_la_SOURCES = \
	modules/access_rules.c \
	modules/rules.h \
	modules/rules_build.c \
	modules/rules_cover.c \
	modules/rules_entry.c \
	modules/rules_match.c \
	modules/rules_set.c

modules_auth_file_la_CFLAGS = $(SG_CFLAGS) $(CRYPT_CFLAGS) $(SODIUM_CFLAGS)
modules_auth_file_la_LIBADD = $(CRYPT_LIBS) $(SODIUM_LIBS)
modules_auth_file_la_SOURCES = \
	modules/auth_file.c \
	modules/users.c \
	modules/users.h

modules_auth_ident_la_SOURCES = \
	modules/auth_ident.c \
	modules/ident.c \
	modules/ident.h

modules_auth_pam_la_LIBADD = $(PAM_LIBS)

modules_log_syslog_la_SOURCES = \
	modules/log_syslog.c \
	modules/syslog.h \
	modules/syslog_link.c

SG_MODULES = $(sort $(modules_LTLIBRARIES:modules/%.la=%))

# dlopen() needs no .la files, and nothing else should lie in a folder of modules. uninstall finds the modules by the
# .la files: so it has to be told.
install-data-hook:
	cd "$(DESTDIR)$(modulesdir)" && rm -f $(notdir $(modules_LTLIBRARIES))

uninstall-local:
	cd "$(DESTDIR)$(modulesdir)" 2>/dev/null && rm -f $(addsuffix .so,$(SG_MODULES)) || :
