/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_conf_scan.c - mistakes that libconfig tells badly or not at all, and text that both must take.
 */
#include <criterion/criterion.h>
#include <libconfig.h>
#include <string.h>

#include "told.h"

/* A text and all that is told about it, in this order: "LINE:COLUMN:words". */
static const struct {
    const char *text;
    const char *told[6];
} wrong[] = {
    /* strings and comments without end, at the line where they begin */
    { "a = \"x;\nb = \"y\";\nc = \"z\";\n", { "1:5:this string never ends" } },
    { "a = 1;\nb = \"y\\\";\nc = \"z\";\n", { "2:5:this string never ends" } },
    { "a = \"x\\", { "1:5:this string never ends" } },
    { "a = 1;\n /* b = 2;\nc = 3; // */ /*\nd = {\n", { "3:14:this comment never ends" } },
    { "a = { /*\n", { "1:7:this comment never ends" } },
    /* numbers that libconfig cuts, or that its versions read differently */
    { "a = 2147483648;\n", { "1:5:too large: write a size as in \"5G\"" } },
    { "a = 5000000000, b = [ 99999999999999999999 ];\n", { "1:5:too large", "1:23:too large" } },
    { "a = -2147483649;\n", { "1:5:too large" } },
    { "a = 0x80000000;\n", { "1:5:too large" } },
    { "a = 9223372036854775808L;\n", { "1:5:too large" } },
    { "a = 0x10000000000000000L;\n", { "1:5:too large" } },
    { "a = 010;\nb = -00;\n", { "1:5:octal", "2:5:octal" } },
    { "a = -0x5;\n", { "1:5:no number" } },
    /* what people write for values */
    { "a = yes;\nb = NO;\nc = [ on, off ];\n",
      { "1:5:\"yes\" is no value: use true or false", "2:5:use true or false", "3:7:use true", "3:11:use true" } },
    { "a = 30s;\nb = 5G;\n",
      { "1:5:quote a value with a unit, an address or another string, as in \"30s\"", "2:5:as in \"5G\"" } },
    { "a = 192.0.2.1;\nb = 10.0.0.0/8;\n", { "1:5:as in \"192.0.2.1\"", "2:5:as in \"10.0.0.0/8\"" } },
    { "a = 2001:db8::1;\nb = 5/*x*/;\n", { "1:5:as in \"2001:db8::1\"" } },
    { "a = auto;\n", { "1:5:quote a string: write \"auto\"" } },
    { "a = 'x';\nb = yes;\n", { "1:5:straight double quotes" } },
    { "a = \"b\\x00c\";\n", { "1:7:NUL octet" } },
    { "a = ;\n", { "1:5:a value is missing before this ;" } },
    { "a = = 5;\n", { "1:5:a value is missing before this =" } },
    /* names */
    { "a.b = 5;\n", { "1:2:a name has no dots: write groups, as in a = { b = 1; };" } },
    { "a b = 5;\n", { "1:3:an = was expected behind the name, not \"b\"" } },
    { "\"a\" = 5;\n", { "1:1:the name of a setting was expected here, not \"a\"" } },
    { "5a = 5;\n", { "1:1:the name of a setting was expected here, not \"5a\"" } },
    { "true = 5;\n", { "1:1:the name of a setting was expected here" } },
    { "_a = 5;\n", { "1:1:this character stands in no name" } },
    { "a = 5;; b = 6;\n", { "1:7:the name of a setting was expected here, not \";\"" } },
    { "a\n", { "1:0:ends in the middle of a setting" } },
    { "a =\n\n", { "2:0:ends in the middle of a setting" } },
    /* lists, arrays, groups */
    { "a = [ 1, 2, ];\nb = ( 1,\n\n);\n", { "1:11:this comma is one too many", "2:8:this comma is one too many" } },
    { "a = ( , );\n", { "1:7:a value is missing before this ," } },
    { "a = ( 1 2 );\n", { "1:9:a comma was expected behind the element, not \"2\"" } },
    { "a = ( 1; 2 );\n", { "1:8:a comma was expected behind the element, not \";\"" } },
    { "a = 1 2;\n", { "1:7:a ; was expected behind the value, not \"2\"" } },
    { "a = [ \"80\", 443 ];\n", { "1:13:values of one type" } },
    { "a = [ 1, 2L ];\n", { "1:10:values of one type" } },
    { "a = [ 30s, 5 ];\n", { "1:7:no number" } },
    { "a = [ { b = 1; } ];\n", { "1:7:use a list ( ... )" } },
    { "a = { b = ( 1, 2 };\n", { "1:18:a } cannot close the ( of line 1" } },
    { "a = 1;\n};\n", { "2:1:this } closes nothing" } },
    { "a = {\n b = (\n", { "1:5:this { is never closed", "2:6:this ( is never closed" } },
    /* what is no text of a configuration */
    { "@include \"x\"\n", { "1:1:cannot include files" } },
    { "  @include x\n", { "1:12:write @include \"FILE\"" } },
    { "@include \"\"\n", { "1:10:write @include \"FILE\"" } },
    { "@includes \"x\"\n", { "1:9:write @include \"FILE\"" } },
    { "@include \"x\" a = 1;\n", { "1:14:nothing stands behind" } },
    { "a = 1; @include \"x\"\n", { "1:8:needs a line of its own" } },
    { "a = 5$;\n", { "1:6:this character stands in no name" } },
    /* the place, where a line holds more than ASCII */
    { "\ta = \"\xc3\xa9\"; b = yes;\n", { "1:15:use true" } },
};

Test(conf_scan, mistakes)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sg_diag *diag = sg_diag_new();
        struct sg_conf_text *text = sg_conf_text_from("t", wrong[i].text, strlen(wrong[i].text), diag);
        struct told got;

        told(diag, text, &got);
        cr_expect_not(sg_conf_text_good(text), "%s", wrong[i].text);
        told_expect(&got, wrong[i].told, wrong[i].text);
        cr_expect_eq(sg_diag_errors(diag), got.n);
        sg_conf_text_free(text);
        sg_diag_free(diag);
    }
}

static const char *const right[] = {
    "",
    "\n\n",
    "a = 1;",
    "a : 1, b = 2\nc = 3; d = {} e = ()\nf = [] # end",
    "# a = yes\n// b = [ 1, ]\n/* @include \"x\" \" { */ a = 1; /* x\n 010 */ b = 2;\n",
    "a = \"@include \\\"x\\\" # /* // { } 010 \\\\\";\n#@include \"x\"\n",
    "a = \"x\" \"y\"\n  /* and */ \"z\";\nb = [ \"p\" \"q\", \"r\" ];\n",
    "a = 2147483647; b = -2147483648; c = 0; d = +5; e = -0; f = 0x7FFFFFFF; g = 0X0f;\n",
    "a = 2147483648L; b = 9223372036854775807LL; c = -9223372036854775808L; d = 0x7FFFFFFFFFFFFFFFL;\n",
    "a = 1.5; b = .5; c = 1.; d = 1e5; e = -1.5E+10; f = [ 1.0, 2e0 ];\n",
    "a = true; b = FALSE; c = [ True, false ]; truex = 1;\n",
    "a-b = 1; *c = 2; D_9 = 3;\n",
    "a = ( 1, \"x\", true, ( ), { b = [ 1 ]; }, 5L, 2.5 );\r\nb = 1;\r\n",
    "a = \"tab\there \\n \\x41 \\q \x01\xff\";\f\n",
    "a = { b = { c = { d = 1 } } }\n",
};

/* What the scan lets pass libconfig must be able to read: otherwise it would say "syntax error" after all. */
Test(conf_scan, good_text)
{
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        struct sg_diag *diag = sg_diag_new();
        struct sg_conf_text *text = sg_conf_text_from("t", right[i], strlen(right[i]), diag);
        struct told got;
        config_t tree;

        told(diag, text, &got);
        cr_expect(sg_conf_text_good(text) && got.n == 0, "%s: told was%s", right[i], told_all(&got));
        config_init(&tree);
        cr_expect_eq(config_read_string(&tree, sg_conf_text_expanded(text)), CONFIG_TRUE, "%s: libconfig: %s", right[i],
                     config_error_text(&tree));
        config_destroy(&tree);
        sg_conf_text_free(text);
        sg_diag_free(diag);
    }
}

Test(conf_scan, depth_and_nul)
{
    static const char nul[] = "a = 1;\nb\0c = 2;\n";
    char deep[200];

    for (unsigned depth = 64; depth <= 65; depth++) {
        struct sg_diag *diag = sg_diag_new();
        struct sg_conf_text *text;
        const int n = snprintf(deep, sizeof deep, "a = %.*s", (int)depth,
                               "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((");

        memset(deep + n, ')', depth);
        text = sg_conf_text_from("t", deep, (size_t)n + depth, diag);
        cr_expect_eq(sg_conf_text_good(text), depth == 64);
        sg_conf_text_free(text);
        sg_diag_free(diag);
    }
    struct sg_diag *diag = sg_diag_new();
    struct sg_conf_text *text = sg_conf_text_from("t", nul, sizeof nul - 1, diag);
    struct told got;

    told(diag, text, &got);
    cr_expect(got.n == 1 && told_is(&got, 0, "2:1:a NUL octet"), "%s", told_all(&got));
    sg_conf_text_free(text);
    sg_diag_free(diag);
}
