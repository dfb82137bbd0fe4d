/* exhaustive.h - all texts that can be put together from a few pieces, and second parsers for them
 * SPDX-License-Identifier: MIT
 *
 * What a codec says of each text is compared with what a second parser says, written from the RFC for
 * these tests alone: a function a rule, over a cursor, neither fast nor clever. It knows which texts
 * can still become good: only those are made longer, and hopeless ones by a piece or two. */
#ifndef TEST_EXHAUSTIVE_H
#define TEST_EXHAUSTIVE_H

#include "lib.h"

/* ---- Texts ----------------------------------------------------------------------------------- */

typedef struct texts {
    const char *const *piece;                // the last is NULL
    bool (*check)(const char *p, size_t n);  // whether the text can still become good
    unsigned most;                           // pieces of a text
    unsigned behind;                         // pieces behind a text that can't
} texts;

enum { TEXT_BYTES = 256 };

static void each_longer(const texts *t, char *text, size_t n, unsigned pieces, unsigned behind)
{
    static char *memory;
    if (memory == NULL && (memory = malloc(TEXT_BYTES)) == NULL)
        abort();
    char *end_of_memory = memory + TEXT_BYTES;  // so that a sanitizer notices who reads on
    memcpy(end_of_memory - n, text, n);
    if (!t->check(end_of_memory - n, n) && behind++ == t->behind)
        return;
    for (size_t i = 0; pieces < t->most && t->piece[i] != NULL; i++) {
        size_t size = strlen(t->piece[i]);
        assert_true(n + size <= TEXT_BYTES);
        memcpy(text + n, t->piece[i], size);
        each_longer(t, text, n + size, pieces + 1, behind);
    }
}

/* Checks all texts that begin with start. */
static void each_text(const texts *t, const char *start)
{
    char text[TEXT_BYTES];
    size_t n = strlen(start);
    memcpy(text, start, n);
    each_longer(t, text, n, 0, 0);
}

/* A text in a message. */
static inline const char *shown(const char *p, size_t n)
{
    static char text[TEXT_BYTES * 4 + 1];
    char *q = text;
    *q = '\0';
    for (size_t i = 0; i < n; i++)
        q += sprintf(q, p[i] > ' ' && p[i] < 0x7f ? "%c" : "\\x%02x", (unsigned char)p[i]);
    return text;
}

/* ---- Second parsers -------------------------------------------------------------------------- */

typedef enum verdict {
    GOOD,  // the rule is there, and the cursor behind it
    MORE,  // the text ends before the rule does
    BAD
} verdict;

typedef struct cursor {
    const char *p, *end;
} cursor;

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* Whether the next byte is one of the set. */
static inline bool sees(const cursor *c, const char *set)
{
    return c->p < c->end && *c->p != '\0' && strchr(set, *c->p) != NULL;
}

static inline verdict one_of(cursor *c, const char *set)
{
    if (c->p == c->end)
        return MORE;
    return sees(c, set) ? (void)c->p++, GOOD : BAD;
}

static inline void any_of(cursor *c, const char *set)
{
    while (sees(c, set))
        c->p++;
}

/* One and as many as there are. */
static inline verdict some_of(cursor *c, const char *set)
{
    verdict v = one_of(c, set);
    any_of(c, set);
    return v;
}

static inline verdict literal(cursor *c, const char *text)
{
    for (; *text != '\0'; text++) {
        if (c->p == c->end)
            return MORE;
        if (*c->p++ != *text)
            return BAD;
    }
    return GOOD;
}

#endif
