#define _POSIX_C_SOURCE 200809L  // inet_ntop and inet_pton
/* net_base.c - what everything stands on: memory, callbacks, tables, deadlines, the log, addresses
 * SPDX-License-Identifier: MIT
 *
 * Memory comes from one function. What lives as long as a callback is in the arena: values, decoded
 * names, lists. A callback's frame is a scope: when the outermost ends, the arena is empty again.
 *
 * A table is an array of chains, of four nodes at the most on average. Its nodes are part of the
 * things it holds, so adding allocates nothing but, now and then, a longer array. Names that clients
 * choose are keys, so the hash is SipHash-1-3 with a secret: nobody can choose names that fall into
 * one chain.
 *
 * A handle is a place in an array and how often that place was given away: 32 bits each. So a
 * handle of something that is gone finds nothing, even when its place has a new owner. What it
 * points at is aligned: odd numbers are links between free places.
 *
 * A server's deadlines have few lengths: all ping intervals are equal, all ping timeouts are. So
 * those of one length stand in a list in the order in which they were set, which is the order in
 * which they are due: setting, clearing and expiring are O(1). Only timers of any length are in a
 * heap.
 *
 * What holds here:
 *  - Memory that can't be had changes nothing: NULL, false or -1, and all is as it was.
 *  - A deadline or timer that is expired or cleared is in no list, and may be set again or freed at
 *    once, from inside its own callback too.
 *  - No client makes the server write more than LINES_A_SECOND of a kind of line, nor a line end, nor
 *    what looks like another part of a line. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
    SPARE_BYTES = 65536,     // blocks from this size on are kept for a moment,
    SPARE_TOTAL = 16 << 20,  // so many bytes of them, or two
    MAX_BYTES = 1 << 30,     // of one text or one value
    ARENA_BYTES = 4000,
    ALIGN = 16,
    LINES_A_SECOND = 10,  // of one kind; the others are counted
    TEXT_BYTES = 500,     // of what a line says
    FIELD_BYTES = 100,    // of one thing that it names, which is the client's
    LINE_BYTES = 4 * TEXT_BYTES + 5 * (4 * FIELD_BYTES + 20)  // with each byte as \xNN
};

/* ---- Memory ----------------------------------------------------------------------------------- */

void *sio_resize(const sio_memory *m, void *p, size_t size)
{
    return m->resize(m->user, p, size);
}

void *sio_alloc(const sio_memory *m, size_t size)
{
    void *p = m->resize(m->user, NULL, size);
    if (p != NULL)
        memset(p, 0, size);
    return p;
}

void sio_free_mem(const sio_memory *m, const void *p)
{
    void *q;
    memcpy(&q, &p, sizeof q);  // what is freed may have been const while it lived
    if (q != NULL)
        m->resize(m->user, q, 0);
}

/* A spare block may be twice as long as what is asked for, and not more: it is held for as long. */
void *sio_block_get(const sio_memory *m, size_t *size)
{
    size_t asked = *size;
    if (*size < SPARE_BYTES)
        return sio_resize(m, NULL, *size);
    *size = (*size + SPARE_BYTES - 1) / SPARE_BYTES * SPARE_BYTES;
    sio_spare *spare = m->spare;
    for (size_t i = 0; spare != NULL && i < spare->n; i++) {
        size_t has = spare->block[i].size;
        if (has < *size || has / 2 > asked)
            continue;
        void *p = spare->block[i].p;
        spare->block[i] = spare->block[--spare->n];
        spare->bytes -= has;
        *size = has;
        return p;
    }
    return sio_resize(m, NULL, *size);
}

void sio_block_put(const sio_memory *m, void *p, size_t size)
{
    sio_spare *spare = m->spare;
    bool room = size >= SPARE_BYTES && spare != NULL &&
                spare->n < sizeof spare->block / sizeof *spare->block &&
                (spare->n < 2 || spare->bytes + size <= SPARE_TOTAL);
    if (!room) {
        sio_free_mem(m, p);
        return;
    }
    spare->block[spare->n].p = p;
    spare->block[spare->n++].size = size;
    spare->bytes += size;
}

void sio_block_trim(const sio_memory *m)
{
    sio_spare *spare = m->spare;
    while (spare != NULL && spare->n > 0)
        sio_free_mem(m, spare->block[--spare->n].p);
    if (spare != NULL)
        spare->bytes = 0;
}

bool sio_reserve(const sio_memory *m, void *array, size_t used, size_t *cap, size_t element)
{
    void *old, *p;
    if (used < *cap)
        return true;
    memcpy(&old, array, sizeof old);  // array points at a pointer of whatever type
    size_t more = *cap == 0 ? 4 : *cap * 2;
    if (more > SIZE_MAX / 2 / element || (p = sio_resize(m, old, more * element)) == NULL)
        return false;
    memcpy(array, &p, sizeof p);
    *cap = more;
    return true;
}

static bool grow_text(sio_sink *sink, size_t need)
{
    sio_textbuf *t = (sio_textbuf *)sink;
    if (need > MAX_BYTES || sink->n + need > MAX_BYTES)
        return false;
    size_t cap = sink->cap < 128 ? 128 : sink->cap * 2;
    if (cap < sink->n + need)
        cap = sink->n + need;
    char *p = sio_resize(t->memory, sink->p, cap);
    if (p == NULL)
        return false;
    sink->p = p, sink->cap = cap;
    return true;
}

sio_textbuf sio_text_new(const sio_memory *m)
{
    return (sio_textbuf){ .sink = { .grow = grow_text }, .memory = m };
}

void sio_text_free(sio_textbuf *t)
{
    sio_free_mem(t->memory, t->sink.p);
    t->sink.p = NULL;
    t->sink.n = t->sink.cap = 0;
}

/* ---- The arena, and callbacks ----------------------------------------------------------------- */

struct sio_arena_block {
    struct sio_arena_block *older;
    size_t n, cap;
    char bytes[];
};

/* The first place in a block that is aligned. */
static size_t first_place(const struct sio_arena_block *b)
{
    return (ALIGN - (uintptr_t)b->bytes % ALIGN) % ALIGN;
}

void *sio_arena_get(sio_arena *a, size_t n)
{
    struct sio_arena_block *b = a->block;
    if (n > MAX_BYTES)
        return NULL;
    n = (n + ALIGN - 1) / ALIGN * ALIGN;
    if (b == NULL || b->cap - b->n < n) {
        size_t cap = n > ARENA_BYTES ? n : ARENA_BYTES;
        struct sio_arena_block *fresh = sio_resize(a->memory, NULL, sizeof *fresh + ALIGN + cap);
        if (fresh == NULL)
            return NULL;
        *fresh = (struct sio_arena_block){ b, first_place(fresh), cap + ALIGN };
        a->block = b = fresh;
    }
    void *p = b->bytes + b->n;
    b->n += n;
    return p;
}

static void drop_newest(sio_arena *a)
{
    struct sio_arena_block *b = a->block;
    a->block = b->older;
    sio_free_mem(a->memory, b);
}

void sio_arena_reset(sio_arena *a)
{
    while (a->block != NULL && (a->block->older != NULL || a->block->cap > ARENA_BYTES * 4))
        drop_newest(a);
    if (a->block != NULL)
        a->block->n = first_place(a->block);
}

void sio_arena_free(sio_arena *a)
{
    while (a->block != NULL)
        drop_newest(a);
}

void sio_scope_enter(sio_net *net)
{
    net->depth++;
}

void sio_scope_end(sio_net *net)
{
    sio_arena_reset(&net->arena);
    while (net->dropped != NULL) {
        sio_link *block = net->dropped;
        net->dropped = block->next;
        sio_free_mem(&net->memory, block);
    }
}

void sio_scope_leave(sio_net *net)
{
    if (--net->depth == 0)
        sio_scope_end(net);
}

void sio_scope_free(sio_net *net, sio_link *block)
{
    block->next = net->dropped;
    net->dropped = block;
}

int sio_fail(int error)
{
    errno = error;
    return -1;
}

/* ---- SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") ------------------------ */

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

static uint64_t load_le(const unsigned char *p, size_t n)
{
    uint64_t x = 0;
    for (size_t i = n; i-- > 0;)
        x = x << 8 | p[i];
    return x;
}

static uint32_t plain_hash(const char *key, size_t n)
{
    uint32_t h = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        h = h * 31 + (unsigned char)key[i];
    return h ^ h >> 15;
}

/* One round for each eight bytes and three at the end. The last word holds the bytes that are left,
 * and the length in its top byte. */
static uint32_t hash_of(const sio_table *t, const char *key, size_t n)
{
    if (t->plain)
        return plain_hash(key, n);
    const unsigned char *p = (const unsigned char *)key;
    uint64_t k0 = t->memory->secret[0], k1 = t->memory->secret[1];
    uint64_t v[4] = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                      k1 ^ 0x7465646279746573u };
    size_t i = 0;
    for (; n - i >= 8; i += 8) {
        uint64_t x = load_le(p + i, 8);
        v[3] ^= x;
        sip_round(v);
        v[0] ^= x;
    }
    uint64_t last = load_le(p + i, n - i) | (uint64_t)n << 56;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (i = 0; i < 3; i++)
        sip_round(v);
    return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

/* ---- Tables -------------------------------------------------------------------------------------- */

sio_node *sio_table_find(const sio_table *t, const char *key, size_t n)
{
    if (t->count == 0)
        return NULL;
    uint32_t hash = hash_of(t, key, n);
    sio_node *node = t->slot[hash & (t->slots - 1)];
    while (node != NULL && (node->hash != hash || node->n != n || memcmp(node->key, key, n) != 0))
        node = node->next;
    return node;
}

/* Doubles the array; a failure leaves longer chains, which is no error. */
static bool grow(sio_table *t)
{
    size_t slots = t->slots == 0 ? 8 : t->slots * 2;
    sio_node **slot = sio_alloc(t->memory, slots * sizeof *slot);
    if (slot == NULL)
        return t->slots > 0;
    for (size_t i = 0; i < t->slots; i++) {
        for (sio_node *node = t->slot[i], *next; node != NULL; node = next) {
            next = node->next;
            node->next = slot[node->hash & (slots - 1)];
            slot[node->hash & (slots - 1)] = node;
        }
    }
    sio_free_mem(t->memory, t->slot);
    t->slot = slot, t->slots = slots;
    return true;
}

bool sio_table_add(sio_table *t, sio_node *node)
{
    if (t->count / 4 >= t->slots && !grow(t))
        return false;
    node->hash = hash_of(t, node->key, node->n);
    sio_node **slot = &t->slot[node->hash & (t->slots - 1)];
    node->next = *slot;
    *slot = node;
    t->count++;
    return true;
}

void sio_table_remove(sio_table *t, sio_node *node)
{
    sio_node **at = &t->slot[node->hash & (t->slots - 1)];
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    t->count--;
}

void sio_table_free(sio_table *t)
{
    sio_free_mem(t->memory, t->slot);
    t->slot = NULL;
    t->slots = t->count = 0;
}

sio_node *sio_table_next(const sio_table *t, const sio_node *node)
{
    if (node != NULL && node->next != NULL)
        return node->next;
    size_t from = node == NULL ? 0 : (node->hash & (t->slots - 1)) + 1;
    return sio_table_any(t, &from);
}

sio_node *sio_table_any(const sio_table *t, size_t *from)
{
    while (*from < t->slots && t->slot[*from] == NULL)
        ++*from;
    return *from < t->slots ? t->slot[*from] : NULL;
}

/* ---- Handles ------------------------------------------------------------------------------------- */

/* Doubles both arrays. One that is longer than the other, for want of memory, does no harm. */
static bool more_slots(sio_handles *h)
{
    uint32_t slots = h->slots == 0 ? 16 : h->slots * 2;
    if (slots >= UINT32_MAX / 4)
        return false;
    uintptr_t *place = sio_resize(h->memory, h->place, slots * sizeof *place);
    if (place != NULL)
        h->place = place;
    uint32_t *generation = sio_resize(h->memory, h->generation, slots * sizeof *generation);
    if (generation != NULL)
        h->generation = generation;
    if (place == NULL || generation == NULL)
        return false;
    h->slots = slots;
    return true;
}

uint64_t sio_handle_at(const sio_handles *h, uint32_t slot)
{
    return (uint64_t)h->generation[slot] << 32 | slot;
}

uint64_t sio_handle_new(sio_handles *h, void *p)
{
    uint32_t i = h->first_free - 1;
    if (h->first_free > 0) {
        h->first_free = (uint32_t)(h->place[i] >> 1);
    } else {
        if (h->used == h->slots && !more_slots(h))
            return 0;
        i = h->used++;
        h->generation[i] = 1;
    }
    h->place[i] = (uintptr_t)p;
    return sio_handle_at(h, i);
}

void *sio_handle_get(const sio_handles *h, uint64_t handle)
{
    uint32_t i = (uint32_t)(handle & UINT32_MAX);
    if (i >= h->used || h->generation[i] != handle >> 32 || (h->place[i] & 1) != 0)
        return NULL;
    return (void *)h->place[i];
}

void sio_handle_free(sio_handles *h, uint64_t handle)
{
    if (sio_handle_get(h, handle) == NULL)
        return;
    uint32_t i = (uint32_t)(handle & UINT32_MAX);
    h->place[i] = (uintptr_t)h->first_free << 1 | 1;
    h->generation[i]++;
    if (h->generation[i] > 0)
        h->first_free = i + 1;  // else worn out: never given away again
}

void sio_handles_free(sio_handles *h)
{
    sio_free_mem(h->memory, h->place);
    sio_free_mem(h->memory, h->generation);
    h->place = NULL, h->generation = NULL;
    h->slots = h->used = h->first_free = 0;
}

/* ---- Lists of one length ------------------------------------------------------------------------- */

void sio_fifo_init(sio_clock *clock, sio_fifo *f, int length,
                   void (*expire)(void *, sio_deadline *), void *owner)
{
    f->head.prev = f->head.next = &f->head;
    f->length = length == SIO_NEVER ? INT64_MAX / 4 : length > 0 ? length : 1;
    f->early = 0;
    f->expire = expire;
    f->owner = owner;
    f->next = clock->fifos;
    clock->fifos = f;
}

void sio_fifo_remove(sio_clock *clock, sio_fifo *f)
{
    sio_fifo **at = &clock->fifos;
    while (*at != NULL && *at != f)
        at = &(*at)->next;
    if (*at != NULL)
        *at = f->next;
}

void sio_deadline_clear(sio_deadline *d)
{
    if (d->next == NULL)
        return;
    d->prev->next = d->next;
    d->next->prev = d->prev;
    d->prev = d->next = NULL;
}

void sio_deadline_set(sio_clock *clock, sio_fifo *f, sio_deadline *d)
{
    sio_deadline_clear(d);
    d->due = clock->now + f->length;
    d->prev = f->head.prev;
    d->next = &f->head;
    d->prev->next = d->next->prev = d;
}

/* ---- The heap ------------------------------------------------------------------------------------ */

static bool is_before(const sio_timer *a, const sio_timer *b)
{
    return a->due != b->due ? a->due < b->due : a->serial < b->serial;
}

static void place(sio_clock *clock, size_t i, sio_timer *t)
{
    clock->heap[i] = t;
    t->at = i + 1;
}

static void sift_up(sio_clock *clock, size_t i, sio_timer *t)
{
    while (i > 0 && is_before(t, clock->heap[(i - 1) / 2])) {
        place(clock, i, clock->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(clock, i, t);
}

static void sift_down(sio_clock *clock, size_t i, sio_timer *t)
{
    for (size_t child; (child = 2 * i + 1) < clock->n; i = child) {
        if (child + 1 < clock->n && is_before(clock->heap[child + 1], clock->heap[child]))
            child++;
        if (!is_before(clock->heap[child], t))
            break;
        place(clock, i, clock->heap[child]);
    }
    place(clock, i, t);
}

bool sio_timer_set(sio_clock *clock, sio_timer *t, int64_t ms)
{
    sio_timer_clear(clock, t);
    if (!sio_reserve(clock->memory, &clock->heap, clock->n, &clock->cap, sizeof *clock->heap))
        return false;
    t->due = clock->now + (ms > 0 ? ms : 0);
    t->serial = clock->serial++;
    sift_up(clock, clock->n++, t);
    return true;
}

void sio_timer_clear(sio_clock *clock, sio_timer *t)
{
    if (t->at == 0)
        return;
    size_t i = t->at - 1;
    sio_timer *last = clock->heap[--clock->n];
    t->at = 0;
    if (last == t)
        return;
    if (i > 0 && is_before(last, clock->heap[(i - 1) / 2]))
        sift_up(clock, i, last);
    else
        sift_down(clock, i, last);
}

/* ---- The clock ----------------------------------------------------------------------------------- */

int64_t sio_clock_wait(const sio_clock *clock)
{
    int64_t due = clock->n > 0 ? clock->heap[0]->due : INT64_MAX;
    for (const sio_fifo *f = clock->fifos; f != NULL; f = f->next)
        if (f->head.next != &f->head && f->head.next->due < due)
            due = f->head.next->due;
    if (due == INT64_MAX)
        return -1;
    return due > clock->now ? due - clock->now : 0;
}

void sio_clock_expire(sio_clock *clock, void *owner)
{
    for (sio_fifo *f = clock->fifos, *next; f != NULL; f = next) {
        next = f->next;
        int64_t until = clock->now;
        while (f->head.next != &f->head && f->head.next->due <= until) {
            sio_deadline *d = f->head.next;
            sio_deadline_clear(d);
            f->expire(f->owner, d);
            until = clock->now + f->early;  // one woke the loop: its neighbours may come along
        }
    }
    uint64_t before = clock->serial;  // those set meanwhile wait for the next turn
    while (clock->n > 0 && clock->heap[0]->due <= clock->now && clock->heap[0]->serial < before) {
        sio_timer *t = clock->heap[0];
        sio_timer_clear(clock, t);
        t->expire(owner, t);
    }
}

void sio_clock_free(sio_clock *clock)
{
    sio_free_mem(clock->memory, clock->heap);
    clock->heap = NULL;
    clock->n = clock->cap = 0;
}

/* ---- The log ------------------------------------------------------------------------------------- */

/* Control bytes as \xNN, as a line is one; field: and all else that is not plain text, for it is between
 * quotes. */
static void put_escaped(sio_sink *line, const char *p, size_t n, bool field)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        unsigned char b = (unsigned char)p[i];
        bool plain = b >= ' ' && b != 0x7f && !(field && (b == '"' || b == '\\' || b > 0x7f));
        char code[4] = { '\\', 'x', hex[b >> 4], hex[b & 15] };
        sio_put(line, plain ? &p[i] : code, plain ? 1 : sizeof code);
    }
}

static void put_field(sio_sink *line, const char *name, sio_span value)
{
    if (value.p == NULL)
        return;
    sio_put_text(line, name);
    sio_put(line, " \"", 2);
    put_escaped(line, value.p, value.n < FIELD_BYTES ? value.n : FIELD_BYTES, true);
    sio_put_text(line, value.n > FIELD_BYTES ? "\"..." : "\"");
}

static void put_about(sio_sink *line, const sio_about *a)
{
    char text[46];
    sio_span address = a->address;
    if (address.p == NULL && a->ip != NULL) {
        sio_ip_text(a->ip, text);
        address = a->ip->n == 0 ? SIO_SPAN("unix") : (sio_span){ text, strlen(text) };
    }
    put_field(line, "; client", address);
    put_field(line, ", path", a->path);
    put_field(line, ", origin", a->origin);
    put_field(line, ", session", a->session);
    put_field(line, ", namespace", a->ns);
}

/* about NULL: nobody. */
static void put_line(sio_net *net, const char *text, const sio_about *about)
{
    char bytes[LINE_BYTES];
    sio_sink line = { .p = bytes, .cap = sizeof bytes };
    put_escaped(&line, text, strlen(text), false);
    if (about != NULL)
        put_about(&line, about);
    sio_put(&line, "", 1);
    sio_put(&net->lines.sink, line.p, line.n);
}

/* The kind of lines with that format, counted from now on; when all places are taken, the last one. */
static sio_log_kind *kind_of(sio_net *net, const char *format)
{
    sio_log_kind *k = &net->log_kinds[SIO_LOG_KINDS - 1];
    for (int i = SIO_LOG_KINDS; i-- > 0;) {
        if (net->log_kinds[i].format == format)
            return &net->log_kinds[i];
        if (net->log_kinds[i].format == NULL)
            k = &net->log_kinds[i];
    }
    if (k->format == NULL) {
        k->format = format;
        sio_deadline_set(&net->clock, &net->second_fifo, &k->end);
    }
    return k;
}

/* Counts a line. Whether it is to be told. */
static bool counts(sio_net *net, const char *format)
{
    return net->options->log != NULL && kind_of(net, format)->count++ < LINES_A_SECOND;
}

static void tell(sio_net *net, const sio_about *about, const char *format, va_list ap)
    SIO_PRINTF(3, 0);

static void tell(sio_net *net, const sio_about *about, const char *format, va_list ap)
{
    char text[TEXT_BYTES];
    if (!counts(net, format))
        return;
    vsnprintf(text, sizeof text, format, ap);
    put_line(net, text, about);
}

void sio_log(sio_net *net, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    tell(net, NULL, format, ap);
    va_end(ap);
}

void sio_log_of(sio_net *net, sio_about about, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    tell(net, &about, format, ap);
    va_end(ap);
}

void sio_log_text(sio_net *net, sio_about about, const char *text)
{
    if (counts(net, text))
        put_line(net, text, &about);
}

/* A second is over: tells how many lines of a kind were left out. */
static void on_second(void *owner, sio_deadline *d)
{
    sio_net *net = owner;
    sio_log_kind *k = (sio_log_kind *)(void *)d;
    char text[TEXT_BYTES];
    if (k->count > LINES_A_SECOND) {
        snprintf(text, sizeof text, "... and %llu more like it: %.*s",
                 (unsigned long long)k->count - LINES_A_SECOND, (int)strcspn(k->format, "%"),
                 k->format);
        put_line(net, text, NULL);
    }
    k->format = NULL, k->count = 0;
}

void sio_log_init(sio_net *net)
{
    sio_fifo_init(&net->clock, &net->second_fifo, 1000, on_second, net);
}

/* ---- Addresses -------------------------------------------------------------------------------- */

/* An IPv6 address that stands for an IPv4 one is that (RFC 4291, 2.5.5.2). */
sio_ip sio_ip_of(const void *bytes, unsigned char n)
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    size_t skip = n == 16 && memcmp(bytes, mapped, 12) == 0 ? 12 : 0;
    sio_ip ip = { .n = (unsigned char)(n - skip) };
    memcpy(ip.byte, (const char *)bytes + skip, ip.n);
    return ip;
}

void sio_ip_text(const sio_ip *ip, char out[46])
{
    out[0] = '\0';
    if (ip->n > 0)
        inet_ntop(ip->n == 4 ? AF_INET : AF_INET6, ip->byte, out, 46);
}

/* "127.0.0.1". By hand: inet_pton stands alone in a part of glibc that would be 64 kB more in
 * memory, 6 % of what there is at start. */
static bool parse_ipv4(const char *p, unsigned char byte[4])
{
    for (int i = 0; i < 4; i++) {
        unsigned v = 0;
        const char *start = p;
        while (*p >= '0' && *p <= '9' && p - start < 3)
            v = v * 10 + (unsigned)(*p++ - '0');
        bool leading_zero = *start == '0' && p - start > 1;
        if (p == start || v > 255 || leading_zero || *p++ != (i < 3 ? '.' : '\0'))
            return false;
        byte[i] = (unsigned char)v;
    }
    return true;
}

bool sio_ip_parse(const char *text, sio_ip *ip)
{
    unsigned char byte[16];
    bool v4 = parse_ipv4(text, byte);
    if (!v4 && inet_pton(AF_INET6, text, byte) != 1)
        return false;
    *ip = sio_ip_of(byte, v4 ? 4 : 16);
    return true;
}

/* An address counts as a whole in IPv4. In IPv6 its first 64 bits do: a customer gets that many
 * addresses at once, and a limit that counts them one by one limits nobody (RFC 6177, 2). */
size_t sio_ip_counted(const sio_ip *ip)
{
    return ip->n == 16 ? 8 : ip->n;
}

sio_crowd *sio_crowd_find(const sio_table *t, const sio_ip *ip)
{
    return (sio_crowd *)sio_table_find(t, (const char *)ip->byte, sio_ip_counted(ip));
}

sio_crowd *sio_crowd_enter(sio_table *t, const sio_ip *ip, size_t most)
{
    sio_crowd *a = sio_crowd_find(t, ip);
    if (a != NULL && a->count >= most)
        return NULL;
    if (a == NULL) {
        a = sio_alloc(t->memory, sizeof *a);
        if (a == NULL)
            return NULL;
        memcpy(a->bytes, ip->byte, sio_ip_counted(ip));
        a->node.key = a->bytes, a->node.n = (uint32_t)sio_ip_counted(ip);
        if (!sio_table_add(t, &a->node)) {
            sio_free_mem(t->memory, a);
            return NULL;
        }
    }
    a->count++;
    return a;
}

void sio_crowd_leave(sio_table *t, sio_crowd *a)
{
    if (a == NULL || --a->count > 0)
        return;
    sio_table_remove(t, &a->node);
    sio_free_mem(t->memory, a);
}
