/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_conf_text.c - files, what they include, where each line is from; and all of it saved and loaded again.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "told.h"

static char dir[] = "/tmp/sockgate-unit-XXXXXX";

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void
make_dir(void)
{
    cr_assert_neq(mkdtemp(dir), NULL);
    cr_assert_eq(chdir(dir), 0);
}

static void
remove_dir(void)
{
    cr_assert_eq(chdir("/"), 0);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(conf_text, .init = make_dir, .fini = remove_dir);

static void
file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");

    cr_assert_not_null(out, "%s", path);
    cr_assert_geq(fputs(text, out), 0);
    cr_assert_eq(fclose(out), 0);
}

/* "FILE:LINE TEXT" of every line that libconfig gets. */
static char *
lines_of(const struct sg_conf_text *text)
{
    char *all = NULL;
    size_t size;
    FILE *out = open_memstream(&all, &size);
    const char *p = sg_conf_text_expanded(text);

    cr_assert_not_null(out);
    for (unsigned line = 1; *p != '\0'; line++) {
        const struct sg_where where = sg_conf_text_where(text, line);
        const size_t len = strcspn(p, "\n");

        (void)fprintf(out, "%s:%u %.*s\n", where.file, where.line, (int)len, p);
        p += len + 1;
    }
    (void)fclose(out);
    return all;
}

static void
expect_lines(const struct sg_conf_text *text, const char *wanted)
{
    char *got = lines_of(text);

    cr_expect_str_eq(got, wanted, "wanted:\n%sgot:\n%s", wanted, got);
    free(got);
}

Test(conf_text, includes)
{
    struct sg_diag *diag = sg_diag_new();
    struct sg_conf_text *text;
    struct told got;

    cr_assert(mkdir("sub", 0700) == 0 && mkdir("sub/[x]", 0700) == 0);
    file("main.conf", "a = 1;\n/*\n@include \"none\"\n*/ \t\n  @include \"sub/one.conf\" # comment\nz = (\n"
                      "@include \"sub/two.conf\"\r\n@include \"sub/empty-*.conf\"\n);");
    file("sub/one.conf", "b = 2; # no line end below\n@include \"?x?/p?.conf\"\nc = \"x\"");
    file("sub/two.conf", "1, 2\n");
    file("sub/[x]/p2.conf", "e = 4;\n");
    file("sub/[x]/p1.conf", "@include \"../empty.conf\"\nd = 3;\n@include \"q*.conf\"\n");
    file("sub/[x]/q.conf", "f = 5;\n");
    file("sub/empty.conf", "");
    text = sg_conf_text_read("main.conf", diag);
    told(diag, text, &got);
    cr_assert(sg_conf_text_good(text), "%s", told_all(&got));
    expect_lines(text, "main.conf:1 a = 1;\nmain.conf:2 /*\nmain.conf:3 @include \"none\"\nmain.conf:4 */ \t\n"
                       "main.conf:5 \n"
                       "sub/one.conf:1 b = 2; # no line end below\nsub/one.conf:2 \n"
                       "sub/[x]/p1.conf:1 \nsub/[x]/p1.conf:2 d = 3;\nsub/[x]/p1.conf:3 \nsub/[x]/q.conf:1 f = 5;\n"
                       "sub/[x]/p2.conf:1 e = 4;\n"
                       "sub/one.conf:3 c = \"x\"\n"
                       "main.conf:6 z = (\nmain.conf:7 \nsub/two.conf:1 1, 2\nmain.conf:8 \nmain.conf:9 );\n");
    sg_conf_text_free(text);
    sg_diag_free(diag);
}

/* What the file `main.conf` holds, and what is told about it. */
static const struct {
    const char *text, *told;
} refused[] = {
    { "a = 1;\n@include \"none.conf\"\n", "2:1:cannot include \"none.conf\": No such file or directory" },
    { "@include \"folder\"\n", "1:1:cannot include \"folder\": it is a folder" },
    { "@include \"fifo\"\n", "1:1:cannot include \"fifo\": it is no regular file" },
    { "@include \"main.conf\"\n", "1:1:cannot include \"main.conf\": it would include itself" },
    { "\n\n@include \"./loop-*\"\n", "1:1:cannot include \"./loop-b\": it would include itself" },
    { "  @include \"large\"\n", "1:3:cannot include \"large\": more than 16 MiB in all" },
    { "@include \"comment\"\n*/\n", "1:1:this comment never ends" },
    { "a = {\n@include \"brace\"\n", "1:5:this { is never closed" },
};

Test(conf_text, refused_files)
{
    const int large = open("large", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    cr_assert(large != -1 && ftruncate(large, (16 << 20) + 1) == 0 && close(large) == 0);
    cr_assert(mkdir("folder", 0700) == 0 && mkfifo("fifo", 0600) == 0);
    file("loop-a", "@include \"loop-b\"\n");
    file("loop-b", "@include \"loop-a\"\n");
    file("comment", "/* x\n");
    file("brace", "b = 1;\n");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct sg_diag *diag = sg_diag_new();
        struct sg_conf_text *text;
        struct told got;

        file("main.conf", refused[i].text);
        text = sg_conf_text_read("main.conf", diag);
        told(diag, text, &got);
        cr_expect(!sg_conf_text_good(text) && told_is(&got, 0, refused[i].told), "\"%s\" was expected in%s",
                  refused[i].told, told_all(&got));
        cr_expect(got.v[0].shown[0] != '\0', "the line is shown");
        sg_conf_text_free(text);
        sg_diag_free(diag);
    }
}

Test(conf_text, refused_main_file)
{
    static const char *const paths[][2] = { { "none.conf", "none.conf: cannot be read: No such file or directory" },
                                            { "/", "/: cannot be read: it is a folder" } };

    for (size_t i = 0; i < 2; i++) {
        struct sg_diag *diag = sg_diag_new();
        struct sg_conf_text *text = sg_conf_text_read(paths[i][0], diag);
        struct told got;

        told(diag, text, &got);
        cr_expect(got.n == 1 && strcmp(got.v[0].text, paths[i][1]) == 0, "%s", told_all(&got));
        cr_expect_not(sg_conf_text_good(text));
        sg_conf_text_free(text);
        sg_diag_free(diag);
    }
}

/* Files 1 to n, each including the next. */
static bool
chain_is_good(unsigned n)
{
    struct sg_diag *diag = sg_diag_new();
    struct sg_conf_text *text;
    char path[32], line[64];
    bool good;

    for (unsigned i = 1; i <= n; i++) {
        (void)snprintf(path, sizeof path, "%u", i);
        (void)snprintf(line, sizeof line, "@include \"%u\"\n", i + 1);
        file(path, i < n ? line : "a = 1;\n");
    }
    text = sg_conf_text_read("1", diag);
    good = sg_conf_text_good(text);
    sg_conf_text_free(text);
    sg_diag_free(diag);
    return good;
}

Test(conf_text, depth)
{
    cr_expect(chain_is_good(10));
    cr_expect_not(chain_is_good(11));
}

/* Ten files, each of which includes the next ten times, would be read ten billion times. */
Test(conf_text, number_of_files, .timeout = 20)
{
    struct sg_diag *diag = sg_diag_new();
    struct sg_conf_text *text;
    struct told got;
    char path[32], lines[400] = "";

    for (unsigned i = 9; i-- > 0;) {
        (void)snprintf(path, sizeof path, "%u", i);
        file(path, lines);
        lines[0] = '\0';
        for (unsigned j = 0; j < 10; j++)
            (void)snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "@include \"%u\"\n", i);
    }
    text = sg_conf_text_read("0", diag);
    told(diag, NULL, &got);
    cr_expect(got.n > 0 && strstr(got.v[0].text, "more than 1000 files") != NULL, "%s", told_all(&got));
    sg_conf_text_free(text);
    sg_diag_free(diag);
}

/* ---- saved and loaded */

static int
memory_file(const char *bytes, size_t len)
{
    const int fd = memfd_create("unit", MFD_CLOEXEC);

    cr_assert(fd != -1 && write(fd, bytes, len) == (ssize_t)len);
    return fd;
}

static bool
load_is_good(const char *bytes, size_t len)
{
    struct sg_diag *diag = sg_diag_new();
    const int fd = memory_file(bytes, len);
    struct sg_conf_text *text = sg_conf_text_load(fd, diag);
    const bool good = sg_conf_text_good(text);

    cr_expect_eq(good, sg_diag_errors(diag) == 0);
    cr_expect_neq(sg_conf_text_expanded(text), NULL);
    sg_conf_text_free(text);
    sg_diag_free(diag);
    (void)close(fd);
    return good;
}

Test(conf_text, save_and_load)
{
    struct sg_diag *diag = sg_diag_new();
    struct sg_conf_text *text, *again;
    const int fd = memfd_create("unit", MFD_CLOEXEC);
    char *wanted, bytes[1024];
    ssize_t len;

    cr_assert_neq(fd, -1);
    file("main.conf", "a = 1;\n\n@include \"one.conf\"\n/* x\n\n*/ z = 3;\n");
    file("one.conf", "b = 2;\nc = \"no end of line\"");
    text = sg_conf_text_read("main.conf", diag);
    cr_assert_eq(sg_conf_text_save(text, fd), 0);
    wanted = lines_of(text);
    cr_assert_eq(unlink("one.conf"), 0);

    /* Twice: a load must not depend on where another one left the descriptor. */
    for (unsigned i = 0; i < 2; i++) {
        again = sg_conf_text_load(fd, diag);
        cr_expect(sg_conf_text_good(again));
        expect_lines(again, wanted);
        sg_conf_text_free(again);
    }
    len = pread(fd, bytes, sizeof bytes, 0);
    cr_assert(len > 0 && (size_t)len < sizeof bytes);
    cr_expect(load_is_good(bytes, (size_t)len));
    for (ssize_t cut = 0; cut < len; cut++) {
        /* Whole runs in front of the cut are a text of their own, but never a damaged one that is taken for good. */
        if (load_is_good(bytes, (size_t)cut))
            cr_expect(cut > 0 && bytes[cut - 1] == '\n', "cut after %zd octets", cut);
    }
    free(wanted);
    sg_conf_text_free(text);
    sg_diag_free(diag);
    (void)close(fd);
}

#define HEAD "sockgate-configuration 1\n"

static const struct {
    const char *bytes;
    bool good;
} saved[] = {
    { HEAD, true },
    { HEAD "1 1 1 7\nfa = 1;\n", true },
    { HEAD "1 7 2 8\nfa = 1;\n\n1 9 1 7\nfb = 2;\n", true },
    { "", false },
    { "sockgate-configuration 2\n1 1 1 7\nfa = 1;\n", false },
    { HEAD "1 1 1 8\nfa = 1;\n", false },
    { HEAD "1 1 2 7\nfa = 1;\n", false },
    { HEAD "1 0 1 7\nfa = 1;\n", false },
    { HEAD "9 1 1 7\nfa = 1;\n", false },
    { HEAD "1 1 1 99999999999999999999999999\nfa = 1;\n", false },
    { HEAD "99999999999999999999999999 1 1 7\nfa = 1;\n", false },
    { HEAD "-1 1 1 7\nfa = 1;\n", false },
    { HEAD "1 1 1\nfa = 1;\n", false },
    { HEAD "1 1 1 13\nf@include \"x\"\n", false },
    { HEAD "1 1 1 5\nfa = {\n", false },
};

Test(conf_text, damaged)
{
    for (size_t i = 0; i < sizeof saved / sizeof saved[0]; i++)
        cr_expect_eq(load_is_good(saved[i].bytes, strlen(saved[i].bytes)), saved[i].good, "%s", saved[i].bytes);
}

Test(conf_text, save_fails)
{
    struct sg_diag *diag = sg_diag_new();
    struct sg_conf_text *text = sg_conf_text_from("t", "a = 1;", 6, diag);
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    cr_assert_neq(full, -1);
    cr_expect_eq(sg_conf_text_save(text, full), -1);
    cr_expect_eq(sg_conf_text_save(text, -1), -1);
    cr_expect_eq(errno, EBADF);
    (void)close(full);
    sg_conf_text_free(text);
    sg_diag_free(diag);
}

/* ---- what is shown */

Test(conf_text, messages_in_order_of_the_text)
{
    struct sg_diag *diag = sg_diag_new();
    struct sg_conf_text *text;
    struct told got;
    static const char *const wanted[] = { "main.conf: about the file",       "main.conf:1: first of its line",
                                          "main.conf:1: second of its line", "a-part.conf:1: in the part",
                                          "main.conf:3: behind the part",    "" };

    file("main.conf", "x = 1;\n@include \"a-part.conf\"\ny = 2;\n");
    file("a-part.conf", "z = 3;\n");
    text = sg_conf_text_read("main.conf", diag);
    sg_diag_error(diag, &(struct sg_where){ "main.conf", 3 }, NULL, "behind the part");
    sg_diag_note(diag, &(struct sg_where){ "a-part.conf", 1 }, "in the part");
    sg_diag_error(diag, &(struct sg_where){ "main.conf", 1 }, NULL, "first of its line");
    sg_diag_error(diag, &(struct sg_where){ "main.conf", 1 }, NULL, "second of its line");
    sg_diag_error(diag, &(struct sg_where){ "main.conf", 1 }, NULL, "first of its line");
    sg_diag_error(diag, &(struct sg_where){ "main.conf", 0 }, NULL, "about the file");
    cr_expect_eq(sg_diag_errors(diag), 4, "the same twice counts once, a note not at all");
    told(diag, text, &got);
    cr_assert_eq(got.n, 5, "%s", told_all(&got));
    for (size_t i = 0; i < 5; i++)
        cr_expect_str_eq(got.v[i].text, wanted[i]);
    cr_expect_str_eq(got.v[3].shown, "z = 3;");
    told(diag, NULL, &got);
    cr_expect_str_eq(got.v[0].shown, "", "no text, no excerpt");
    sg_conf_text_free(text);
    sg_diag_free(diag);
}

/* The line, the word, and where the caret stands in what is shown. */
static const struct {
    const char *line, *mark;
    int column;
} carets[] = {
    { "  port = 5;", NULL, 3 },
    { "dst_port = 1; port = 5;", "port", 15 },
    { "ports = 1; port-x = 5;", "port", 1 },
    { "a = \"port\";", "\"port\"", 5 },
    { "\ta = 5;", "a", 2 },
    { "a = \"\xc3\xa9\xc3\xa9\"; port = 1;", "port", 11 },
    { "port = 1;", "nothing of this", 1 },
};

Test(conf_text, carets)
{
    for (size_t i = 0; i < sizeof carets / sizeof carets[0]; i++) {
        struct sg_diag *diag = sg_diag_new();
        struct sg_conf_text *text = sg_conf_text_from("t", carets[i].line, strlen(carets[i].line), diag);
        struct told got;

        sg_diag_error(diag, &(struct sg_where){ "t", 1 }, carets[i].mark, "x");
        told(diag, text, &got);
        cr_expect_str_eq(got.v[0].shown, carets[i].line);
        cr_expect_eq(got.v[0].column, carets[i].column, "%s: column %d", carets[i].line, got.v[0].column);
        sg_conf_text_free(text);
        sg_diag_free(diag);
    }
}

Test(conf_text, long_lines_and_hidden_ones)
{
    struct sg_diag *diag = sg_diag_new();
    struct sg_conf_text *text;
    struct told got;
    char line[2000];

    (void)snprintf(line, sizeof line, "a = \"%01500d\"; port = 1;\nsecret = \"x\";\nc = \"\x01\";\n", 0);
    text = sg_conf_text_from("t", line, strlen(line), diag);
    sg_diag_error(diag, &(struct sg_where){ "t", 1 }, "port", "x");
    sg_diag_error(diag, &(struct sg_where){ "t", 2 }, NULL, "x");
    sg_diag_error(diag, &(struct sg_where){ "t", 3 }, NULL, "x");
    sg_diag_hide(diag, &(struct sg_where){ "t", 2 });
    told(diag, text, &got);
    cr_assert_eq(got.n, 3);
    cr_expect(got.v[0].column > 0 && strncmp(got.v[0].shown + got.v[0].column - 1, "port", 4) == 0, "%s",
              got.v[0].shown);
    cr_expect_str_eq(got.v[1].shown, "");
    cr_expect_str_eq(got.v[2].shown, "c = \"?\";");
    sg_conf_text_free(text);
    sg_diag_free(diag);
}

static void
count_line(void *arg, int level, const char *text)
{
    (void)level;
    if (strstr(text, "500 more") != NULL)
        *(int *)arg = -1;
    else if (*(int *)arg >= 0)
        ++*(int *)arg;
}

Test(conf_text, very_many_messages)
{
    struct sg_diag *diag = sg_diag_new();
    int lines = 0;

    for (unsigned i = 1; i <= 1500; i++)
        sg_diag_error(diag, &(struct sg_where){ "t", i }, NULL, "x");
    cr_expect_eq(sg_diag_errors(diag), 1500);
    sg_diag_show(diag, NULL, count_line, &lines);
    cr_expect_eq(lines, -1, "1000 are shown, the others are counted");
    sg_diag_free(diag);
}
