/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_schema.c - the walker: every type, every mistake, what is printed is read again, and tables that are no good.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "addrs.h"
#include "schema.h"
#include "told.h"

struct inner {
    struct sg_where where;
    int64_t number;
    const char *text;
};

struct all {
    bool flag;
    int64_t number, octets, duration, word, words, workers;
    const char *text, *secret;
    struct sg_strings texts;
    struct sg_addr address;
    struct sg_ranges ranges;
    struct sg_ports ports;
    struct inner group, other;
    struct sg_groups groups;
    config_setting_t *raw;
};

static const struct sg_conf_word colours[] = { { "red", 1 }, { "green", 2 }, { "blue", 4 }, { NULL, 0 } };
static const struct sg_conf_word automatic[] = { { "auto", 0 }, { NULL, 0 } };

static const struct sg_conf_item inner_items[] = {
    { .name = "number", .type = SG_CONF_INT, .offset = offsetof(struct inner, number), .required = true },
    { .name = "text", .type = SG_CONF_STRING, .offset = offsetof(struct inner, text) },
    { .name = NULL },
};

#define KEY(key, kind) .name = #key, .type = (kind), .offset = offsetof(struct all, key)
static const struct sg_conf_item items[] = {
    { KEY(flag, SG_CONF_BOOL), .def = "true" },
    { KEY(number, SG_CONF_INT), .def = "7", .min = -5, .max = 4294967296 },
    { KEY(octets, SG_CONF_SIZE), .def = "64K", .min = 1024 },
    { KEY(duration, SG_CONF_DURATION), .def = "30s", .min = 100, .max = 60000 },
    { KEY(word, SG_CONF_ENUM), .def = "green", .words = colours },
    { KEY(words, SG_CONF_FLAGS), .def = "red", .words = colours },
    { KEY(workers, SG_CONF_INT), .def = "auto", .words = automatic, .min = 1, .max = 4 },
    { KEY(text, SG_CONF_STRING), .def = "a text" },
    { KEY(secret, SG_CONF_SECRET) },
    { KEY(texts, SG_CONF_STRINGS), .def = "one", .min = 1, .max = 3 },
    { KEY(address, SG_CONF_ADDRESS), .def = "::ffff:192.0.2.1" },
    { KEY(ranges, SG_CONF_RANGES) },
    { KEY(ports, SG_CONF_PORTS), .def = "80-90" },
    { KEY(group, SG_CONF_GROUP), .child = inner_items, .child_size = sizeof(struct inner) },
    { KEY(other, SG_CONF_GROUP), .child = inner_items, .child_size = sizeof(struct inner) },
    { KEY(groups, SG_CONF_GROUPS), .child = inner_items, .child_size = sizeof(struct inner), .min = 1, .max = 2 },
    { KEY(raw, SG_CONF_RAW) },
    { .name = NULL },
};

struct reading {
    struct sg_diag *diag;
    struct sg_conf_text *text;
    struct sg_arena *arena;
    config_t tree;
    struct all all;
    struct told told;
};

static void
read_text(struct reading *r, const char *source)
{
    struct sg_schema_walk walk;

    memset(r, 0, sizeof *r);
    r->diag = sg_diag_new();
    r->arena = sg_arena_new();
    r->text = sg_conf_text_from("t", source, strlen(source), r->diag);
    config_init(&r->tree);
    cr_assert_eq(config_read_string(&r->tree, sg_conf_text_expanded(r->text)), CONFIG_TRUE, "%s: %s", source,
                 config_error_text(&r->tree));
    walk = (struct sg_schema_walk){ r->text, r->arena, r->diag, "ctx: " };
    sg_schema_read(&walk, config_root_setting(&r->tree), &(struct sg_where){ "t", 1 }, items, &r->all);
    told(r->diag, r->text, &r->told);
}

static void
read_free(struct reading *r)
{
    config_destroy(&r->tree);
    sg_arena_free(r->arena);
    sg_conf_text_free(r->text);
    sg_diag_free(r->diag);
}

Test(schema, defaults)
{
    struct reading r;
    char text[SG_ADDR_TEXT];

    read_text(&r, "");
    cr_expect_eq(r.told.n, 0, "%s", told_all(&r.told));
    cr_expect(r.all.flag && r.all.number == 7 && r.all.octets == 65536 && r.all.duration == 30000);
    cr_expect(r.all.word == 2 && r.all.words == 1 && r.all.workers == 0);
    cr_expect_str_eq(r.all.text, "a text");
    cr_expect_null(r.all.secret);
    cr_expect(r.all.texts.n == 1 && strcmp(r.all.texts.v[0].text, "one") == 0 && r.all.texts.v[0].where.line == 0);
    cr_expect_str_eq(sg_addr_format_ip(&r.all.address, text, sizeof text), "192.0.2.1", "canonical");
    cr_expect_eq(r.all.ranges.n, 0);
    cr_expect(r.all.ports.n == 1 && r.all.ports.v[0].first == 80 && r.all.ports.v[0].last == 90);
    cr_expect(r.all.group.where.line == 0 && strcmp(r.all.group.where.file, "t") == 0,
              "not given, so nothing is missing");
    cr_expect(r.all.groups.n == 0 && r.all.raw == NULL);
    read_free(&r);
}

Test(schema, values)
{
    struct reading r;
    const struct inner *inner;
    char text[SG_ADDR_TEXT + 8];

    read_text(&r, "flag = false; number = 4294967296L; octets = \"5G\"; duration = \"1m\";\n"
                  "word = \"blue\"; words = ( \"red\", \"blue\" ); workers = 4; text = \"\\x01 \\\"\\\\\";\n"
                  "secret = \"s\"; address = \"64:ff9b::192.0.2.7\"; ranges = \"::ffff:10.0.0.0/104\";\n"
                  "texts = [ \"a\",\n \"b\"\n ];\n"
                  "ports = ( 443, \"1000-2000\", 5L );\n"
                  "group = { number = 0x10; };\n"
                  "groups = ( { number = 1; },\n  { number = 2; text = \"\"; } );\nraw = { any = 1; };\n");
    cr_expect_eq(r.told.n, 0, "%s", told_all(&r.told));
    cr_expect(!r.all.flag && r.all.number == 4294967296 && r.all.octets == (int64_t)5 << 30 && r.all.duration == 60000);
    cr_expect(r.all.word == 4 && r.all.words == 5 && r.all.workers == 4);
    cr_expect_str_eq(r.all.text, "\x01 \"\\");
    cr_expect_str_eq(r.all.secret, "s");
    cr_expect_str_eq(sg_addr_format_ip(&r.all.address, text, sizeof text), "192.0.2.7");
    cr_expect_eq(r.all.ranges.n, 1);
    cr_expect_str_eq(sg_range_format(&r.all.ranges.v[0].range, text, sizeof text), "10.0.0.0/8");
    cr_expect(r.all.texts.n == 2 && r.all.texts.v[0].where.line == 4 && r.all.texts.v[1].where.line == 5);
    cr_expect(r.all.ports.n == 3 && r.all.ports.v[0].first == 443 && r.all.ports.v[1].last == 2000 &&
              r.all.ports.v[2].last == 5);
    cr_expect(r.all.group.where.line == 8 && r.all.group.number == 16 && r.all.group.text == NULL);
    cr_assert_eq(r.all.groups.n, 2);
    inner = r.all.groups.v;
    cr_expect(inner[0].where.line == 9 && inner[0].number == 1 && inner[1].where.line == 10 && inner[1].number == 2);
    cr_expect_str_eq(inner[1].text, "");
    cr_expect(r.all.raw != NULL && config_setting_length(r.all.raw) == 1);
    read_free(&r);
}

/* What somebody wrote, and all that is told about it: "LINE:COLUMN:words". */
static const struct {
    const char *text, *told[4];
} wrong[] = {
    { "flagg = true;", { "1:0:ctx: unknown key \"flagg\", did you mean \"flag\"?" } },
    { "a = 1;\nzzzzzz = 2;", { "1:0:unknown key \"a\"", "2:0:unknown key \"zzzzzz\"" } },
    { "group = { number = 1; txt = 2; };", { "1:23:ctx: unknown key \"txt\" in \"group\", did you mean \"text\"?" } },
    { "groups = ( { number = 1; x = 2; } );", { "1:26:unknown key \"x\" in \"groups\"" } },
    { "flag = 1;", { "1:1:ctx: flag: a number is not allowed here, write true or false" } },
    { "flag = \"true\";", { "1:1:flag: a string is not allowed here" } },
    { "number = -6;", { "1:1:number: -6 is out of range: from -5 to 4294967296" } },
    { "number = 4294967297L;", { "1:1:4294967297 is out of range" } },
    { "number = 1.0;", { "1:1:a number with a point is not allowed here, write a number from -5 to 4294967296" } },
    { "number = \"5\";", { "1:1:a string is not allowed here, write a number" } },
    { "number = [ 5 ];", { "1:1:an array [ ... ] is not allowed here" } },
    { "octets = \"1023\";", { "1:10:octets: 1023 is out of range: at least 1K" } },
    { "octets = 5;", { "1:1:5 is out of range: at least 1K" } },
    { "octets = -1;", { "1:1:\"-1\" is not a size" } },
    { "octets = \"5 GB\";", { "1:10:\"5 GB\" is not a size: write a number with K, M or G, as in \"64K\"" } },
    { "duration = \"99ms\";", { "1:12:99ms is out of range: from 100ms to 1m" } },
    { "duration = \"2m\";", { "1:12:2m is out of range" } },
    { "duration = 30;", { "1:1:\"30\" is not a duration: write a number with ms, s, m, h or d, as in \"30s\"" } },
    { "word = \"bleu\";", { "1:8:word: \"bleu\" is not one of \"red\", \"green\", \"blue\", did you mean \"blue\"?" } },
    { "word = 2;", { "1:1:a number is not allowed here, write one word: \"red\", \"green\", \"blue\"" } },
    { "words = [ \"red\",\n\"bleu\",\n\"x\" ];", { "2:1:\"bleu\" is not one of", "3:1:\"x\" is not one of" } },
    { "words = [ ];", { "1:1:words: the list is empty: give at least one value, or leave the key out" } },
    { "workers = 0;", { "1:1:0 is out of range: from 1 to 4" } },
    { "workers = \"many\";", { "1:11:\"many\" is not one of \"auto\"" } },
    { "workers = true;", { "1:1:true or false is not allowed here, write a number from 1 to 4, or \"auto\"" } },
    { "text = 5;", { "1:1:a number is not allowed here, write a string, as in \"text\"" } },
    { "texts = ( \"a\", 5 );", { "1:1:a number is not allowed here, write strings, as in" } },
    { "texts = [ \"a\", \"b\", \"c\", \"d\" ];", { "1:1:4 values, at most 3 are allowed" } },
    { "address = \"localhost\";", { "1:11:\"localhost\" is not an IP address: write one as in" } },
    { "address = \"127.1\";", { "1:11:is not an IP address" } },
    { "address = \"192.0.2.1/32\";", { "1:11:is not an IP address" } },
    { "ranges = [ \"::1\", \"10.0.0.1/8\" ];", { "1:19:no bits set behind the prefix, did you mean \"10.0.0.0/8\"?" } },
    { "ranges = \"10.0.0.0/33\";", { "1:10:is not an address range" } },
    { "ports = 65536;", { "1:1:\"65536\" is not a port" } },
    { "ports = [ \"90-80\" ];", { "1:11:\"90-80\" is not a port or a span of ports" } },
    { "group = ( );", { "1:1:a list ( ... ) is not allowed here, write a group { ... }" } },
    { "group = { };", { "1:1:ctx: \"number\" is missing here, write a number" } },
    { "group = { number = \"x\"; };\ngroups = ( { } );",
      { "1:11:number: a string is not allowed", "2:1:\"number\" is missing here" } },
    { "groups = { number = 1; };", { "1:1:a group { ... } is not allowed here, write a list of groups" } },
    { "groups = ( );", { "1:1:groups: 0 groups, at least 1 must be here" } },
    { "groups = ( {number=1;}, {number=2;}, {number=3;} );", { "1:1:groups: 3 groups, at most 2 are allowed" } },
    { "groups = ( { number = 1; },\n5 );", { "2:1:groups: element 2 is a number, not a group { ... }" } },
    { "raw = 5;", { "1:1:raw: a number is not allowed here, write a group { ... }" } },
};

Test(schema, mistakes)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct reading r;

        read_text(&r, wrong[i].text);
        told_expect(&r.told, wrong[i].told, wrong[i].text);
        read_free(&r);
    }
}

/* Who goes on with a struct in which something was wrong finds the default there. */
Test(schema, mistakes_leave_defaults)
{
    struct reading r;

    read_text(&r, "flag = 1; number = 999999999999L; word = \"x\"; words = [ \"x\" ]; text = 5; texts = [ ];\n"
                  "group = 5; address = \"x\"; ports = \"x\";");
    cr_expect(r.all.flag && r.all.number == 7 && r.all.word == 2 && r.all.words == 1 && r.all.texts.n == 1);
    cr_expect_str_eq(r.all.text, "a text");
    cr_expect(r.all.group.where.file != NULL && r.all.group.where.line == 0 && r.all.address.family == SG_FAMILY_IPV4);
    cr_expect(r.all.ports.n == 1 && r.all.ports.v[0].last == 90);
    read_free(&r);
}

Test(schema, secrets_are_not_shown)
{
    static const char *const texts[] = { "secret = 12345;", "secrt = \"12345\";",
                                         "flag = true; secret = \"12345\"; number = \"12345\";" };

    for (size_t i = 0; i < 3; i++) {
        struct reading r;

        read_text(&r, texts[i]);
        cr_assert_eq(r.told.n, 1, "%s", told_all(&r.told));
        cr_expect_str_eq(r.told.v[0].shown, "", "%s", texts[i]);
        cr_expect(strstr(r.told.v[0].text, "12345") == NULL, "%s", r.told.v[0].text);
        read_free(&r);
    }
}

/* ---- printing */

static void
print_raw(FILE *out, const void *group_struct, int indent, void *arg)
{
    const struct all *all = group_struct;

    cr_expect_eq(arg, &colours);
    if (all->raw != NULL)
        (void)fprintf(out, "%*sraw = { any = 1; };\n", indent, "");
}

static char *
printed(const struct all *all)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    cr_assert_not_null(out);
    sg_schema_print(out, items, all, 0, print_raw, (void *)(uintptr_t)&colours);
    (void)fclose(out);
    return text;
}

static const char *const print_texts[] = {
    "",
    "flag = false; number = -5; octets = 1025; duration = \"1500ms\"; word = \"red\"; words = [ \"red\", \"blue\" ];",
    "number = 4294967296L; workers = 3; text = \"\\\" \\\\ \\x01 \\x7f \xc3\xa9 \\n\"; secret = \"***\";",
    "texts = [ \"\", \"b\" ]; address = \"2001:db8::1\"; ranges = [ \"0.0.0.0/0\", \"::1\" ]; ports = [ \"0\", \"1-2\" "
    "];",
    "group = { number = 1; text = \"\"; }; groups = ( { number = 2; }, { number = 2147483648L; } ); raw = { any = 1; "
    "};",
};

Test(schema, what_is_printed_is_read_again)
{
    for (size_t i = 0; i < sizeof print_texts / sizeof print_texts[0]; i++) {
        struct reading first, second;
        char *text, *again;

        read_text(&first, print_texts[i]);
        cr_assert_eq(first.told.n, 0, "%s", told_all(&first.told));
        text = printed(&first.all);
        read_text(&second, text);
        cr_expect(second.told.n == 0 && sg_conf_text_good(second.text), "%s%s", text, told_all(&second.told));
        again = printed(&second.all);
        cr_expect_str_eq(again, text);
        cr_expect_str_eq(first.all.text, second.all.text);
        cr_expect(first.all.number == second.all.number && first.all.octets == second.all.octets &&
                  first.all.words == second.all.words && first.all.workers == second.all.workers);
        cr_expect(first.all.secret == NULL || strstr(text, "secret = \"***\";") != NULL);
        free(text);
        free(again);
        read_free(&first);
        read_free(&second);
    }
}

/* access_rules tells by it whether a rule allows: `allow = { }` means everything. */
Test(schema, empty_groups_that_were_given_are_printed)
{
    struct empty {
        struct sg_where where;
        const char *text;
    };
    struct {
        struct empty given, absent;
    } base = { .given = { .where = { "t", 5 } } };
    const struct sg_conf_item child[] = {
        { .name = "text", .type = SG_CONF_STRING, .offset = offsetof(struct empty, text) },
        { .name = NULL },
    };
    const struct sg_conf_item table[] = {
        { .name = "given", .type = SG_CONF_GROUP, .child = child, .child_size = sizeof(struct empty) },
        { .name = "absent",
          .type = SG_CONF_GROUP,
          .offset = sizeof(struct empty),
          .child = child,
          .child_size = sizeof(struct empty) },
        { .name = NULL },
    };
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    cr_assert_not_null(out);
    sg_schema_print(out, table, &base, 2, NULL, NULL);
    (void)fclose(out);
    cr_expect_str_eq(text, "  given = {\n  };\n");
    free(text);
}

/* ---- tables */

static const struct sg_conf_word no_words[] = { { NULL, 0 } };
static const struct sg_conf_item no_where_items[] = {
    { .name = "x", .type = SG_CONF_INT, .offset = 0 },
    { .name = NULL },
};
static struct sg_conf_item endless_items[] = {
    { .name = "x",
      .type = SG_CONF_GROUPS,
      .offset = sizeof(struct sg_where),
      .child = endless_items,
      .child_size = 32 },
    { .name = NULL },
};

#define ROW(...)                                                                                                       \
    {                                                                                                                  \
        { __VA_ARGS__ },                                                                                               \
        {                                                                                                              \
            .name = NULL                                                                                               \
        }                                                                                                              \
    }
static const struct {
    const char *wrong; /* NULL: nothing */
    struct sg_conf_item rows[3];
} tables[] = {
    { NULL, ROW(.name = "x", .type = SG_CONF_INT) },
    { NULL, { { .name = "x", .type = SG_CONF_INT }, { .name = "y", .type = SG_CONF_BOOL, .offset = 8 } } },
    { NULL, ROW(.name = "x", .type = SG_CONF_GROUP, .child = inner_items, .child_size = sizeof(struct inner)) },
    { "there is no type 0", ROW(.name = "x") },
    { "there is no type 99", ROW(.name = "x", .type = (enum sg_conf_type)99) },
    { "there is no type 100", ROW(.name = "x", .type = SG_CONF_RAW) },
    { "outside of the struct", ROW(.name = "x", .type = SG_CONF_INT, .offset = 64) },
    { "outside of the struct", ROW(.name = "x", .type = SG_CONF_STRINGS, .offset = 56) },
    { "outside of the struct", ROW(.name = "x", .type = SG_CONF_INT, .offset = SIZE_MAX - 7) },
    { "not aligned", ROW(.name = "x", .type = SG_CONF_INT, .offset = 4) },
    { "none for libconfig", ROW(.name = "", .type = SG_CONF_INT) },
    { "none for libconfig", ROW(.name = "a.b", .type = SG_CONF_INT) },
    { "none for libconfig", ROW(.name = "5a", .type = SG_CONF_INT) },
    { "two rows of this name",
      { { .name = "x", .type = SG_CONF_INT }, { .name = "x", .type = SG_CONF_INT, .offset = 8 } } },
    { "also that of \"x\"",
      { { .name = "x", .type = SG_CONF_STRINGS }, { .name = "y", .type = SG_CONF_INT, .offset = 8 } } },
    { "has no words", ROW(.name = "x", .type = SG_CONF_ENUM) },
    { "has no words", ROW(.name = "x", .type = SG_CONF_FLAGS, .words = no_words) },
    { "smallest value is larger", ROW(.name = "x", .type = SG_CONF_INT, .min = 6, .max = 5) },
    { "no table for its child", ROW(.name = "x", .type = SG_CONF_GROUP, .child_size = 32) },
    { "no struct sg_where", ROW(.name = "x", .type = SG_CONF_GROUPS, .child = inner_items, .child_size = 8) },
    { "lies on the struct sg_where",
      ROW(.name = "x", .type = SG_CONF_GROUPS, .child = no_where_items, .child_size = 32) },
    { "inside each other", ROW(.name = "x", .type = SG_CONF_GROUP, .child = endless_items, .child_size = 32) },
    { "its default: \"yes\" is neither true nor false", ROW(.name = "x", .type = SG_CONF_BOOL, .def = "yes") },
    { "its default: \"30\" is not a duration", ROW(.name = "x", .type = SG_CONF_DURATION, .def = "30") },
    { "its default: 9 is out of range", ROW(.name = "x", .type = SG_CONF_INT, .def = "9", .max = 5) },
    { "its default: \"pink\"", ROW(.name = "x", .type = SG_CONF_ENUM, .def = "pink", .words = colours) },
    { "its default: \"x\" is not an IP address", ROW(.name = "x", .type = SG_CONF_ADDRESS, .def = "x") },
    { "its default: \"99999\" is not a port", ROW(.name = "x", .type = SG_CONF_PORTS, .def = "99999") },
};

Test(schema, tables)
{
    static struct sg_conf_item open_ended[300];

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        struct sg_arena *arena = sg_arena_new();
        const char *said = sg_schema_check(tables[i].rows, 64, arena);

        if (tables[i].wrong == NULL)
            cr_expect_null(said, "row %zu: %s", i, said);
        else
            cr_expect(said != NULL && strstr(said, tables[i].wrong) != NULL,
                      "row %zu: \"%s\" was expected, said was: %s", i, tables[i].wrong,
                      said != NULL ? said : "nothing");
        sg_arena_free(arena);
    }
    struct sg_arena *arena = sg_arena_new();
    char names[300][8];

    for (size_t i = 0; i < 300; i++) {
        (void)snprintf(names[i], sizeof names[i], "k%zu", i);
        open_ended[i] = (struct sg_conf_item){ .name = names[i], .type = SG_CONF_BOOL, .offset = i };
    }
    cr_expect(strstr(sg_schema_check(open_ended, 300, arena), "end with a NULL name") != NULL);
    cr_expect_null(sg_schema_check(NULL, 0, arena));
    sg_arena_free(arena);
}
