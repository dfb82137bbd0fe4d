/* table.c - hash tables and handles
 * SPDX-License-Identifier: MIT
 *
 * A table is an array of chains, of four nodes at the most on average. Its nodes are part of the
 * things it holds, so adding allocates nothing but, now and then, a longer array. Names that clients
 * choose are keys, so the hash is SipHash-1-3 with a secret: nobody can choose names that fall into
 * one chain.
 *
 * A handle is a place in an array and how often that place was given away: 32 bits each. So a
 * handle of something that is gone finds nothing, even when its place has a new owner. What it
 * points at is aligned: odd numbers are links between free places. */
#include "layers.h"

#include <string.h>

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
    size_t i = node == NULL ? 0 : (node->hash & (t->slots - 1)) + 1;
    while (i < t->slots && t->slot[i] == NULL)
        i++;
    return i < t->slots ? t->slot[i] : NULL;
}

sio_node *sio_table_any(const sio_table *t, size_t *from)
{
    while (*from < t->slots && t->slot[*from] == NULL)
        ++*from;
    return *from < t->slots ? t->slot[*from] : NULL;
}

/* ---- Handles ------------------------------------------------------------------------------------- */

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
