/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format.c - events as lines: in JSON, as structured data of syslog, or as the operator wants them.
 */
#include "format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockgate/event.h>

#include "digits.h"
#include "json.h"
#include "module.h"

#define FORMAT_TEXT_MAX 1024 /* octets outside variables */
#define FORMAT_VARIABLES_MAX 64
#define FORMAT_CUT_LEN 2 /* of a value that did not fit */

_Static_assert(FORMAT_TEXT_MAX + FORMAT_VARIABLES_MAX * FORMAT_CUT_LEN + 2 <= SG_EVENT_LINE_MIN,
               "a line with no value");

enum format_kind { FORMAT_JSON = 1, FORMAT_JSON_ASCII, FORMAT_STRUCTURED_DATA, FORMAT_VARIABLES };

/*
 *   text[0] field[0] text[1] field[1] ... text[n]
 */
struct sg_event_format {
    enum format_kind kind;
    size_t n; /* VARIABLES */
    uint8_t fields[FORMAT_VARIABLES_MAX];
    uint16_t ends[FORMAT_VARIABLES_MAX + 1]; /* where each text ends in `text` */
    char text[FORMAT_TEXT_MAX];
};

/* Formats that have a name. */
static const struct {
    const char *name;
    enum format_kind kind;
    const char *text;
} presets[] = {
    { "json", FORMAT_JSON, NULL },
    { "json_ascii", FORMAT_JSON_ASCII, NULL },
    { "structured_data", FORMAT_STRUCTURED_DATA, NULL },
    { "common", FORMAT_VARIABLES,
      "$time $event $id $client $user $command $host $port $target $rep $reason $bytes_up $bytes_down $duration_ms" },
};

#define N_PRESETS (sizeof presets / sizeof presets[0])

static const char *
format_text(const struct sg_event_format *format, size_t i, size_t *len_out)
{
    const size_t at = i > 0 ? format->ends[i - 1] : 0;

    *len_out = format->ends[i] - at;
    return format->text + at;
}

/* ---- from text to a format */

struct format_compiler {
    struct sg_event_format *format;
    size_t len; /* of its text */
    char *error;
    size_t error_size;
};

static int format_wrong(struct format_compiler *compiler, const char *words, ...) SG_PRINTF(2, 3);

static int
format_wrong(struct format_compiler *compiler, const char *words, ...)
{
    va_list args;

    va_start(args, words);
    (void)vsnprintf(compiler->error, compiler->error_size, words, args);
    va_end(args);
    return -1;
}

/* May it stand in a value? */
static bool
format_plain(uint8_t c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '%';
}

/* The first octets of a text that could belong to a value; all of them: the text does not end one. */
static size_t
format_plain_len(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len && (format_plain((uint8_t)text[n]) || text[n] == '%'))
        n++;
    return n;
}

static int
format_add_octet(struct format_compiler *compiler, char c)
{
    if (((uint8_t)c < ' ' && c != '\t') || (uint8_t)c > 0x7e)
        return format_wrong(compiler, "a format has printable ASCII characters, spaces and tabs, no octet %02x",
                            (unsigned)(uint8_t)c);
    if (compiler->len == FORMAT_TEXT_MAX)
        return format_wrong(compiler, "it is too long: %d characters outside variables are allowed", FORMAT_TEXT_MAX);
    compiler->format->text[compiler->len++] = c;
    return 0;
}

static int
format_find(struct format_compiler *compiler, const char *name, size_t len, enum sg_field *field_out)
{
    char word[49];
    struct sg_suggestion near = { .word = word };

    (void)snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), name);
    for (enum sg_field field = 0; field < SG_N_FIELDS; field++) {
        *field_out = field;
        if (strlen(sg_field_name(field)) == len && memcmp(sg_field_name(field), name, len) == 0)
            return 0;
        sg_suggest(&near, sg_field_name(field));
    }
    return format_wrong(compiler, "there is no variable \"$%s\"%s%s%s", word,
                        near.best != NULL ? ", did you mean \"$" : "", near.best != NULL ? near.best : "",
                        near.best != NULL ? "\"?" : "");
}

static int
format_add_field(struct format_compiler *compiler, enum sg_field field)
{
    struct sg_event_format *format = compiler->format;
    const size_t at = format->n > 0 ? format->ends[format->n - 1] : 0, len = compiler->len - at;

    if (format->n == FORMAT_VARIABLES_MAX)
        return format_wrong(compiler, "it is too long: %d variables are allowed", FORMAT_VARIABLES_MAX);
    if (format->n > 0 && format_plain_len(format->text + at, len) == len)
        return format_wrong(
            compiler,
            "between \"$%s\" and \"$%s\" there must be a space, a tab, a quotation mark or a backslash: "
            "anything else could be part of a value",
            sg_field_name(format->fields[format->n - 1]), sg_field_name(field));
    format->ends[format->n] = (uint16_t)compiler->len;
    format->fields[format->n++] = (uint8_t)field;
    return 0;
}

/* What stands behind a dollar; moves behind it. */
static int
format_add_variable(struct format_compiler *compiler, const char **at)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const bool braces = **at == '{';
    const char *name = *at + braces;
    const size_t len = strspn(name, letters);
    enum sg_field field;

    if (**at == '$') {
        (*at)++;
        return format_add_octet(compiler, '$');
    }
    if (len == 0)
        return format_wrong(compiler, "behind \"$\" stands the name of a variable; write \"$$\" for a dollar");
    if (braces && name[len] != '}')
        return format_wrong(compiler, "\"${%.48s\" has no \"}\"", name);
    *at = name + len + braces;
    return format_find(compiler, name, len, &field) == -1 ? -1 : format_add_field(compiler, field);
}

static int
format_variables(struct format_compiler *compiler, const char *text)
{
    struct sg_suggestion near = { .word = text };
    int status = 0;

    while (status == 0 && *text != '\0') {
        const char c = *text++;

        status = c == '$' ? format_add_variable(compiler, &text) : format_add_octet(compiler, c);
    }
    if (status == -1)
        return -1;
    compiler->format->kind = FORMAT_VARIABLES;
    compiler->format->ends[compiler->format->n] = (uint16_t)compiler->len;
    if (compiler->format->n > 0)
        return 0;
    for (size_t i = 0; i < N_PRESETS; i++)
        sg_suggest(&near, presets[i].name);
    if (near.best != NULL)
        return format_wrong(compiler, "there is no format \"%.48s\", did you mean \"%s\"?", near.word, near.best);
    return format_wrong(compiler, "\"%.48s\" is not the name of a format, and has no variable", near.word);
}

struct sg_event_format *
sg_format_compile(const char *text, char *error, size_t error_size)
{
    struct format_compiler compiler = { .error = error, .error_size = error_size };

    compiler.format = calloc(1, sizeof *compiler.format);
    if (compiler.format == NULL) {
        (void)format_wrong(&compiler, "there is no memory left");
        return NULL;
    }
    for (size_t i = 0; i < N_PRESETS; i++)
        if (strcmp(text, presets[i].name) == 0) {
            compiler.format->kind = presets[i].kind;
            text = presets[i].text;
            break;
        }
    if ((compiler.format->kind == 0 || text != NULL) && format_variables(&compiler, text) == -1) {
        free(compiler.format);
        return NULL;
    }
    return compiler.format;
}

struct sg_event_format *
sg_event_format_new(struct sg_instance *inst, const char *key, const char *text)
{
    const struct sg_where where = sg_conf_where(inst, key);
    char error[256];
    struct sg_event_format *format = sg_format_compile(text, error, sizeof error);

    if (format == NULL)
        sg_conf_error(inst, &where, "%s: %s", key, error);
    return format;
}

void
sg_event_format_free(struct sg_event_format *format)
{
    free(format);
}

/* ---- JSON */

void
sg_format_json_field(struct sg_json *json, enum sg_field field, const struct sg_field_value *value)
{
    const char *name = sg_field_name(field);

    switch (value->kind) {
    case SG_FIELD_IS_OCTETS: sg_json_octets(json, name, value->octets, value->len); break;
    case SG_FIELD_IS_NUMBER: sg_json_number(json, name, value->number); break;
    case SG_FIELD_IS_TRUE: sg_json_true(json, name); break;
    case SG_FIELD_IS_LIST: sg_json_strings(json, name, value->list, value->len); break;
    case SG_FIELD_IS_COUNTS: sg_json_counts(json, name, value->list, value->counts, value->len); break;
    }
}

static size_t
format_json(const struct sg_event_info *event, bool ascii, char *line, size_t size)
{
    struct sg_field_value value;
    struct sg_json json;

    sg_json_begin(&json, line, size);
    json.ascii = ascii;
    for (enum sg_field field = 0; field < SG_N_FIELDS; field++)
        if (sg_field_get(event, field, &value))
            sg_format_json_field(&json, field, &value);
    return sg_json_end(&json);
}

size_t
sg_event_json(const struct sg_event_info *event, char *line, size_t size)
{
    return format_json(event, false, line, size);
}

/* ---- text */

/* A line that is being written. What is put is there whole, or `cut` is set. */
struct format_line {
    char *text;
    size_t len, limit;
    bool cut;
};

static void
line_put(struct format_line *line, const char *octets, size_t len)
{
    if (line->cut || len > line->limit - line->len) {
        line->cut = true;
        return;
    }
    memcpy(line->text + line->len, octets, len);
    line->len += len;
}

static void
line_put_string(struct format_line *line, const char *text)
{
    line_put(line, text, strlen(text));
}

static void
line_put_hex(struct format_line *line, uint8_t octet)
{
    static const char digits[] = "0123456789ABCDEF";
    const char text[3] = { '%', digits[octet >> 4], digits[octet & 15] };

    line_put(line, text, sizeof text);
}

static void
line_put_number(struct format_line *line, int64_t number)
{
    char text[SG_DIGITS_MAX];

    line_put(line, text, sg_digits_signed(text, number));
}

static void
line_put_octets(struct format_line *line, const char *octets, size_t len,
                void (*octet)(struct format_line *line, uint8_t c))
{
    for (size_t i = 0; i < len && !line->cut; i++)
        octet(line, (uint8_t)octets[i]);
}

/* A value, each octet of a text by `octet`: the addresses of a list have commas between them. */
static void
line_put_value(struct format_line *line, const struct sg_field_value *value,
               void (*octet)(struct format_line *line, uint8_t c))
{
    switch (value->kind) {
    case SG_FIELD_IS_OCTETS: line_put_octets(line, value->octets, value->len, octet); break;
    case SG_FIELD_IS_NUMBER: line_put_number(line, value->number); break;
    case SG_FIELD_IS_TRUE: line_put_string(line, "true"); break;
    case SG_FIELD_IS_LIST:
        for (size_t i = 0; i < value->len; i++) {
            line_put(line, ",", i > 0);
            line_put_octets(line, value->list[i], strlen(value->list[i]), octet);
        }
        break;
    case SG_FIELD_IS_COUNTS:
        for (size_t i = 0; i < value->len; i++) {
            line_put(line, ",", i > 0);
            line_put_string(line, value->list[i]);
            line_put(line, ":", 1);
            line_put_number(line, value->counts[i]);
        }
        break;
    }
}

/* ---- variables */

static void
variable_octet(struct format_line *line, uint8_t c)
{
    const char text = (char)c;

    if (format_plain(c))
        line_put(line, &text, 1);
    else
        line_put_hex(line, c);
}

static void
variable_put(struct format_line *line, const struct sg_event_info *event, enum sg_field field)
{
    const size_t mark = line->len;
    struct sg_field_value value;
    const bool there = sg_field_get(event, field, &value), octets = there && value.kind == SG_FIELD_IS_OCTETS;

    if (!there)
        line_put(line, "-", 1);
    else if (octets && value.len == 0)
        line_put(line, "%", 1);
    else if (octets && value.len == 1 && value.octets[0] == '-')
        line_put_hex(line, '-');
    else
        line_put_value(line, &value, variable_octet);
    if (line->cut) {
        line->cut = false;
        line->len = mark;
        line_put(line, "%%", FORMAT_CUT_LEN);
    }
}

static size_t
format_line(const struct sg_event_format *format, const struct sg_event_info *event, char *text, size_t size)
{
    struct format_line line = { .text = text };
    size_t len, rest = format->ends[format->n] + format->n * FORMAT_CUT_LEN + 2;

    for (size_t i = 0; i <= format->n; i++) {
        const char *between = format_text(format, i, &len);

        /* What still has to come always fits. */
        line.limit = size - rest + len;
        line_put(&line, between, len);
        rest -= len;
        if (i == format->n)
            break;
        line.limit = size - rest + FORMAT_CUT_LEN;
        variable_put(&line, event, format->fields[i]);
        rest -= FORMAT_CUT_LEN;
    }
    memcpy(text + line.len, "\n", 2);
    return line.len + 1;
}

/* ---- structured data (RFC 5424, section 6.3) */

/* What the RFC escapes is escaped so; what could harm, and the sign of that, by its number. */
static void
param_octet(struct format_line *line, uint8_t c)
{
    const char text[2] = { '\\', (char)c };

    if (c == '"' || c == '\\' || c == ']')
        line_put(line, text, 2);
    else if (c < ' ' || c > 0x7e || c == '%')
        line_put_hex(line, c);
    else
        line_put(line, text + 1, 1);
}

static size_t
format_structured(const struct sg_event_info *event, char *text, size_t size)
{
    static const char tail[] = " cut=\"true\"]\n";
    struct format_line line = { .text = text, .limit = size - sizeof tail };
    struct sg_field_value value;
    bool cut = false;

    line_put_string(&line, "[sockgate@32473");
    for (enum sg_field field = 0; field < SG_N_FIELDS; field++) {
        const size_t mark = line.len;

        if (!sg_field_get(event, field, &value))
            continue;
        line_put(&line, " ", 1);
        line_put_string(&line, sg_field_name(field));
        line_put(&line, "=\"", 2);
        line_put_value(&line, &value, param_octet);
        line_put(&line, "\"", 1);
        if (line.cut)
            line.len = mark;
        cut = cut || line.cut;
        line.cut = false;
    }
    line.limit = size;
    line_put_string(&line, cut ? tail : "]\n");
    text[line.len] = '\0';
    return line.len;
}

size_t
sg_event_print(const struct sg_event_format *format, const struct sg_event_info *event, char *line, size_t size)
{
    line[0] = '\0';
    if (size < SG_EVENT_LINE_MIN)
        return 0;
    switch (format->kind) {
    case FORMAT_VARIABLES: return format_line(format, event, line, size);
    case FORMAT_STRUCTURED_DATA: return format_structured(event, line, size);
    case FORMAT_JSON_ASCII: return format_json(event, true, line, size);
    case FORMAT_JSON: break;
    }
    return format_json(event, false, line, size);
}

/* ---- a line read back */

#define SCAN_VALUE_MAX 64 /* ids and names of events are shorter */

/* The octets between a text that the line has once and the next quotation mark; values have none that is not escaped. */
static bool
scan_between(const char *line, size_t len, const char *before, char value_out[SCAN_VALUE_MAX])
{
    const char *at = memmem(line, len, before, strlen(before)), *end;

    if (at == NULL)
        return false;
    at += strlen(before);
    end = memchr(at, '"', (size_t)(line + len - at));
    if (end == NULL || end - at >= SCAN_VALUE_MAX)
        return false;
    (void)snprintf(value_out, SCAN_VALUE_MAX, "%.*s", (int)(end - at), at);
    return true;
}

/* A value ends before the first character that no value has, or before what the text behind it has in front of that. */
static bool
scan_variables(const struct sg_event_format *format, const char *line, size_t len, char id_out[SCAN_VALUE_MAX],
               char event_out[SCAN_VALUE_MAX])
{
    for (size_t i = 0, at = 0; i <= format->n; i++) {
        size_t text_len, next_len, value_len;
        const char *text = format_text(format, i, &text_len), *next;
        char *value_out = NULL;

        if (len - at < text_len || memcmp(line + at, text, text_len) != 0)
            return false;
        at += text_len;
        if (i == format->n)
            return at == len;
        next = format_text(format, i + 1, &next_len);
        value_len = format_plain_len(line + at, len - at);
        if (value_len < format_plain_len(next, next_len))
            return false;
        value_len -= format_plain_len(next, next_len);
        if (format->fields[i] == SG_FIELD_ID)
            value_out = id_out;
        else if (format->fields[i] == SG_FIELD_EVENT)
            value_out = event_out;
        if (value_out != NULL && value_len < SCAN_VALUE_MAX)
            (void)snprintf(value_out, SCAN_VALUE_MAX, "%.*s", (int)value_len, line + at);
        at += value_len;
    }
    return false;
}

bool
sg_event_scan(const struct sg_event_format *format, const char *line, size_t len, sg_event_seen *seen, void *arg)
{
    char id[SCAN_VALUE_MAX] = "", event[SCAN_VALUE_MAX] = "";
    bool good;

    switch (format->kind) {
    case FORMAT_VARIABLES: good = scan_variables(format, line, len, id, event); break;
    case FORMAT_STRUCTURED_DATA:
        good = scan_between(line, len, " event=\"", event) && scan_between(line, len, " id=\"", id);
        break;
    default: good = scan_between(line, len, ",\"event\":\"", event) && scan_between(line, len, ",\"id\":\"", id); break;
    }
    if (!good || id[0] == '\0' || event[0] == '\0')
        return false;
    seen(arg, id, event);
    return true;
}
