/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_loader.c - what is loaded, what is not, and what is said about it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loaded.h"
#include "module_file.h"

/* The module in question stands in line 4. */
#define CONFIG                                                                                                         \
    "core = { module_dir = \"%s\"; };\n"                                                                               \
    "modules = ( { name = \"none\"; file = \"" MODULES "auth_none.so\"; },\n"                                          \
    "  { name = \"connect\"; file = \"" MODULES "cmd_connect.so\"; },\n"                                               \
    "  { name = \"it\"; file = \"%s\"; } );\n"                                                                         \
    "hooks = { auth = [ \"none\" ]; access = [ \"it\" ]; command = { connect = \"connect\"; }; };\n"                   \
    "listeners = ( { name = \"l\"; address = \"127.0.0.1\"; } );\n"

static void
load(struct loaded *loaded, const char *dir, const char *file)
{
    char text[4096];

    (void)snprintf(text, sizeof text, CONFIG, dir, file);
    loaded_from(loaded, text);
}

/* Exactly one message, about line 4 and the instance, with these words. */
static void
expect_refused(const char *dir, const char *file, const char *words)
{
    static const char head[] = "test.conf:4: module \"it\": ";
    struct loaded loaded;
    const char *end;

    load(&loaded, dir, file);
    end = strchr(loaded.messages, '\n');
    cr_expect(end && end[1] == '\0', "%s: one message was expected:\n%s", file, loaded.messages);
    cr_expect(strncmp(loaded.messages, head, sizeof head - 1) == 0, "%s: %s", file, loaded.messages);
    cr_expect(strstr(loaded.messages, words), "%s: \"%s\" was expected in: %s", file, words, loaded.messages);
    cr_expect(!loaded.hooks);
    loaded_free(&loaded);
}

static const struct {
    const char *file, *words;
} broken[] = {
    { "magic", "magic.so: its symbol sg_module is no descriptor: it begins with 12345678, expected 53476d6f" },
    { "abi_major", "abi_major.so: it was made for module ABI 1.1, this sockgate has 0.1: build it again" },
    { "abi_minor", "abi_minor.so: it was made for module ABI 0.2, this sockgate has 0.1: build it again" },
    { "size_zero", "its descriptor has size 0, expected 1" },
    { "size_beyond", "its descriptor has size 4" },
    { "no_name", "it has no name" },
    { "item_size", "its table of settings has rows of " },
    { "schema", "its table of settings is wrong: " },
    { "ops_size", "its functions for the role access have size 0, expected 32: set .size" },
    { "no_role", "it has no role" },
    { "no_function", "its role access has no function" },
    { "both_forms", "one of check and exchange, not both" },
    { "max_message", "max_message of its exchange is not from 1 to 131072" },
    { "command_empty", "its role command has no function start" },
    { "no_symbol", "no_symbol.so: it has no symbol sg_module: it is no module of sockgate" },
    { "undefined_symbol", "undefined symbol: sg_no_such_function" },
    { "thread_at_load", "it started a thread when it was loaded" },
    { "thread_in_init", "its init started a thread" },
    { "init_silent", "its init failed and did not say why" },
};

Test(loader, broken_modules_are_refused)
{
    char file[PATH_MAX];

    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        (void)snprintf(file, sizeof file, BAD_MODULES "%s.so", broken[i].file);
        expect_refused("/", file, broken[i].words);
    }
}

Test(loader, init_may_give_several_reasons)
{
    struct loaded loaded;

    load(&loaded, "/", BAD_MODULES "init_fails.so");
    cr_expect_str_eq(loaded.messages, "test.conf:4: module \"it\": the first reason is 1\n"
                                      "test.conf:4: module \"it\": the second reason is 2\n");
    loaded_free(&loaded);
}

/* ---- files, made from a good module in a folder of our own */

static char dir[] = "/tmp/sockgate-loader-XXXXXX";

static const char *
in_dir(const char *name)
{
    static char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static size_t
read_good(uint8_t *octets, size_t size)
{
    int fd = open(TEST_MODULES "access_request_only.so", O_RDONLY | O_CLOEXEC);
    ssize_t n;

    cr_assert(fd != -1);
    n = read(fd, octets, size);
    (void)close(fd);
    cr_assert(n > 0 && (size_t)n < size);
    return (size_t)n;
}

static void
write_file(const char *name, const uint8_t *octets, size_t len)
{
    int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

    cr_assert(fd != -1);
    cr_assert(write(fd, octets, len) == (ssize_t)len);
    (void)close(fd);
}

static void
files_setup(void)
{
    cr_assert(mkdtemp(dir));
}

static void
files_teardown(void)
{
    char command[PATH_MAX];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    cr_assert(system(command) == 0);
}

TestSuite(loader_files, .init = files_setup, .fini = files_teardown);

static uint8_t good[4 << 20];

/* A file needs its table of sections for nothing that we do: without it only the segments tell how long it is. */
static void
forget_sections(void)
{
    ElfW(Ehdr) head;

    memcpy(&head, good, sizeof head);
    head.e_shoff = 0;
    head.e_shnum = 0;
    memcpy(good, &head, sizeof head);
}

static void
expect_loaded(const char *module_dir, const char *file)
{
    struct loaded loaded;

    load(&loaded, module_dir, file);
    cr_expect(loaded.hooks, "%s: %s", file, loaded.messages);
    loaded_free(&loaded);
}

Test(loader_files, contents)
{
    size_t len = read_good(good, sizeof good), cuts[] = { 40, 64, 1000, len / 2, len - 1 };

    write_file("good.so", good, len);
    write_file("text.so", (const uint8_t *)"#!/bin/sh\n", 10);
    write_file("empty.so", good, 0);
    expect_refused(dir, "text.so", "text.so is not a shared object");
    expect_refused(dir, "empty.so", "empty.so is not a shared object");
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        write_file("cut.so", good, cuts[i]);
        expect_refused(dir, "cut.so", cuts[i] < 64 ? "is not a shared object" : "was cut short: install it again");
    }
    good[4] ^= 3; /* EI_CLASS: 32 instead of 64 bits, or the other way round */
    write_file("class.so", good, len);
    expect_refused(dir, "class.so", "class.so is not a shared object for this machine");
    good[4] ^= 3;
    good[18] ^= 1; /* e_machine */
    write_file("machine.so", good, len);
    expect_refused(dir, "machine.so", "machine.so is not a shared object for this machine");
    expect_refused(dir, "missing.so", "missing.so: No such file or directory");
    good[18] ^= 1;
    forget_sections();
    write_file("stripped.so", good, len);
    expect_loaded(dir, "stripped.so");
    write_file("half.so", good, len / 2);
    expect_refused(dir, "half.so", "was cut short: install it again");
}

Test(loader_files, who_may_write)
{
    static const mode_t modes[] = { 0775, 0757, 0777, 0666 };
    size_t len = read_good(good, sizeof good);
    char above[PATH_MAX];

    cr_assert(mkdir(in_dir("sub"), 0755) == 0 && mkdir(in_dir("sub/sub"), 0755) == 0);
    write_file("sub/sub/it.so", good, len);
    expect_loaded(dir, "sub/sub/it.so");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        cr_assert(chmod(in_dir("sub/sub/it.so"), modes[i]) == 0);
        expect_refused(dir, "sub/sub/it.so", "sub/sub/it.so can be written by others");
    }
    cr_assert(chmod(in_dir("sub/sub/it.so"), 0755) == 0);
    cr_assert(chmod(in_dir("sub"), 0775) == 0);
    expect_refused(dir, "sub/sub/it.so", "sub can be written by others (mode 0775): use chmod go-w");
    /* For an absolute path elsewhere its own folder is the module directory; what is above it does not count. */
    (void)snprintf(above, sizeof above, "%s/sub/sub/it.so", dir);
    expect_loaded("/usr/lib", above);
    expect_refused(dir, above, "sub can be written by others");
    cr_assert(chmod(in_dir("sub"), 0755) == 0);
    cr_assert(chmod(in_dir(""), 0777) == 0);
    expect_refused(dir, "sub/sub/it.so", "can be written by others (mode 0777)");
}

Test(loader_files, who_owns)
{
    size_t len = read_good(good, sizeof good);

    if (geteuid() != 0)
        cr_skip_test("only root can give files away");
    write_file("it.so", good, len);
    cr_assert(chown(in_dir("it.so"), 65534, 65534) == 0);
    expect_refused(dir, "it.so", "it.so belongs to uid 65534: it must be root's, or of who starts sockgate (uid 0)");
    cr_assert(chown(in_dir("it.so"), 0, 65534) == 0);
    expect_loaded(dir, "it.so");
    cr_assert(chown(in_dir(""), 65534, 0) == 0);
    expect_refused(dir, "it.so", "belongs to uid 65534");
}

Test(loader_files, kinds_and_links)
{
    size_t len = read_good(good, sizeof good);

    write_file("it.so", good, len);
    cr_assert(mkdir(in_dir("folder.so"), 0755) == 0 && mkfifo(in_dir("fifo.so"), 0644) == 0);
    expect_refused(dir, "folder.so", "folder.so is not a regular file");
    expect_refused(dir, "fifo.so", "fifo.so is not a regular file");
    cr_assert(symlink("it.so", in_dir("link.so")) == 0 && symlink("loop.so", in_dir("loop.so")) == 0);
    expect_loaded(dir, "link.so");
    expect_refused(dir, "loop.so", "loop.so: Too many levels of symbolic links");
    cr_assert(symlink(TEST_MODULES "access_request_only.so", in_dir("out.so")) == 0);
    expect_refused(dir, "out.so", "outside the module directory: give that path itself");
    expect_refused(dir, "../../etc/passwd", "outside the module directory");
    cr_assert(chmod(in_dir("it.so"), 0777) == 0);
    expect_refused(dir, "link.so", "it.so can be written by others");
}

/* ---- what comes out */

Test(loader, one_file_makes_several_instances)
{
    struct loaded loaded;

    loaded_from(&loaded,
                "modules = ( { name = \"none\"; file = \"" MODULES "auth_none.so\"; },\n"
                "  { name = \"connect\"; file = \"" MODULES "cmd_connect.so\"; },\n"
                "  { name = \"a\"; file = \"" MODULES "access_rules.so\";\n"
                "    settings = { rules = ( { deny = { dst_port = 25; }; } ); }; },\n"
                "  { name = \"b\"; file = \"" MODULES "access_rules.so\";\n"
                "    settings = { rules = ( { allow = { }; } ); }; } );\n"
                "hooks = { auth = \"none\"; access = [ \"b\", \"a\" ]; command = { connect = \"connect\"; }; };\n"
                "listeners = ( { name = \"l\"; address = \"127.0.0.1\"; } );\n");
    cr_assert(loaded.hooks, "%s", loaded.messages);
    cr_expect(loaded.all->n == 4);
    cr_expect(loaded.all->v[2].mod == loaded.all->v[3].mod && loaded.all->v[2].settings != loaded.all->v[3].settings);
    cr_expect(loaded.all->v[2].data != loaded.all->v[3].data);
    cr_expect_str_eq(loaded.all->v[3].mod->name, "access_rules");
    cr_expect(loaded.all->v[3].number == 4 && sg_instance_find(loaded.all, "b") == &loaded.all->v[3]);
    cr_expect(loaded.hooks->n_access == 2 && loaded.hooks->access[0] == &loaded.all->v[3]);
    loaded_free(&loaded);
}

Test(loader, what_an_older_module_does_not_know_is_null)
{
    struct loaded loaded;
    const struct sg_module *mod;

    load(&loaded, "/", TEST_MODULES "older.so");
    cr_assert(loaded.hooks, "%s", loaded.messages);
    mod = sg_instance_find(loaded.all, "it")->mod;
    cr_expect(!mod->command);
    cr_expect(mod->access && mod->access->request && !mod->access->target);
    loaded_free(&loaded);
}

Test(loader, versions)
{
    static const struct {
        unsigned theirs[2], ours[2];
        bool fits;
    } rows[] = {
        { { 0, 1 }, { 0, 1 }, true },  { { 0, 1 }, { 0, 2 }, false }, { { 0, 2 }, { 0, 1 }, false },
        { { 1, 1 }, { 0, 1 }, false }, { { 0, 9 }, { 1, 9 }, false }, { { 1, 0 }, { 1, 0 }, true },
        { { 1, 0 }, { 1, 3 }, true },  { { 1, 4 }, { 1, 3 }, false }, { { 2, 0 }, { 1, 3 }, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect(sg_module_abi_fits(rows[i].theirs[0], rows[i].theirs[1], rows[i].ours[0], rows[i].ours[1]) ==
                      rows[i].fits,
                  "row %zu", i);
}

Test(loader, module_directory)
{
    struct stat st;

    cr_assert(stat("/proc/self/exe", &st) == 0);
    cr_assert(unsetenv("SOCKGATE_MODULE_DIR") == 0);
    cr_expect_str_eq(sg_module_dir_default(), SG_MODULE_DIR);
    cr_assert(setenv("SOCKGATE_MODULE_DIR", "/elsewhere", 1) == 0);
    cr_expect_str_eq(sg_module_dir_default(), st.st_uid == getuid() ? "/elsewhere" : SG_MODULE_DIR);
    cr_assert(setenv("SOCKGATE_MODULE_DIR", "relative", 1) == 0);
    cr_expect_str_eq(sg_module_dir_default(), SG_MODULE_DIR);
    if (geteuid() != 0)
        return;
    cr_assert(setenv("SOCKGATE_MODULE_DIR", "/elsewhere", 1) == 0);
    cr_assert(setresuid(65534, 65534, 65534) == 0);
    cr_expect_str_eq(sg_module_dir_default(), SG_MODULE_DIR, "the binary is not of who runs it");
}
