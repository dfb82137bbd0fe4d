/* test_net_base_table.c - tables keyed with a secret, and handles
 * SPDX-License-Identifier: MIT */
#include "lib.h"

/* An allocator that counts what is held and fails on request. */
static size_t held, until_failure;

static void *resize(void *user, void *p, size_t size)
{
    (void)user;
    if (size == 0) {
        held -= p != NULL;
        free(p);
        return NULL;
    }
    if (until_failure > 0 && --until_failure == 0)
        return NULL;
    held += p == NULL;
    return realloc(p, size);
}

static const sio_memory memory = { .resize = resize,
                                   .secret = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };

typedef struct item {
    sio_node node;
    char name[16];
} item;

static item *new_items(size_t n)
{
    item *items = calloc(n, sizeof *items);
    for (size_t i = 0; i < n; i++) {
        items[i].node.key = items[i].name;
        items[i].node.n = (uint32_t)snprintf(items[i].name, sizeof items[i].name, "name%zu", i);
    }
    return items;
}

static sio_node *find(const sio_table *t, const item *i)
{
    char *copy = exact(i->name, i->node.n);
    sio_node *found = sio_table_find(t, copy, i->node.n);
    free(copy);
    return found;
}

/* Vectors of SipHash-1-3: the key is 00 01 .. 0f, the message 00 01 02 .., its low half. */
static void the_hash_is_siphash_1_3(void **state)
{
    static const struct {
        uint32_t n, hash;
    } cases[] = { { 0, 0x050fc4dc }, { 1, 0x7d57ca93 },  { 7, 0x9bb11140 },  { 8, 0x8d299a8e },
                  { 9, 0x6c063de4 }, { 15, 0x2a519956 }, { 16, 0x7d908b66 }, { 63, 0xb7bbb3a8 } };
    (void)state;
    char key[63];
    for (int i = 0; i < 63; i++)
        key[i] = (char)i;
    for (size_t i = 0; i < COUNT(cases); i++) {
        sio_table t = { .memory = &memory };
        char *copy = exact(key, cases[i].n);
        sio_node node = { .key = copy, .n = cases[i].n };
        assert_true(sio_table_add(&t, &node));
        assert_int_equal(node.hash, cases[i].hash);
        sio_table_free(&t);
        free(copy);
    }
    assert_int_equal(held, 0);
}

static void add_find_and_remove(bool plain)
{
    enum { N = 1000 };
    sio_table t = { .plain = plain, .memory = &memory };
    item *items = new_items(N);
    for (size_t i = 0; i < N; i++) {
        assert_null(find(&t, &items[i]));
        assert_true(sio_table_add(&t, &items[i].node));
        assert_int_equal(t.count, i + 1);
    }
    for (size_t i = 0; i < N; i++)
        assert_ptr_equal(find(&t, &items[i]), &items[i].node);
    for (size_t i = 0; i < N; i += 3)
        sio_table_remove(&t, &items[i].node);
    for (size_t i = 0; i < N; i++)
        assert_ptr_equal(find(&t, &items[i]), i % 3 == 0 ? NULL : &items[i].node);
    sio_table_free(&t);
    assert_null(find(&t, &items[1]));
    free(items);
    assert_int_equal(held, 0);
}

static void what_is_added_is_found_until_it_is_removed(void **state)
{
    (void)state;
    add_find_and_remove(false);
    add_find_and_remove(true);
}

static void keys_are_compared_by_all_their_bytes(void **state)
{
    sio_table t = { .memory = &memory };
    sio_node a = { .key = "a\0b", .n = 3 }, b = { .key = "a", .n = 1 },
             none = { .key = "", .n = 0 };
    (void)state;
    assert_true(sio_table_add(&t, &a));
    assert_null(sio_table_find(&t, "a", 1));
    assert_null(sio_table_find(&t, "a\0c", 3));
    assert_null(sio_table_find(&t, "", 0));
    assert_true(sio_table_add(&t, &b) && sio_table_add(&t, &none));
    assert_ptr_equal(sio_table_find(&t, "a\0b", 3), &a);
    assert_ptr_equal(sio_table_find(&t, "a", 1), &b);
    assert_ptr_equal(sio_table_find(&t, "", 0), &none);
    assert_null(sio_table_find(&t, "A", 1));
    sio_table_free(&t);
}

static void a_walk_meets_each_node_once(void **state)
{
    sio_table t = { .memory = &memory };
    item *items = new_items(100);
    (void)state;
    assert_null(sio_table_next(&t, NULL));
    for (size_t n = 0; n < 100; n++) {
        size_t met[100] = { 0 }, all = 0;
        assert_true(sio_table_add(&t, &items[n].node));
        for (sio_node *node = NULL; (node = sio_table_next(&t, node)) != NULL; all++)
            met[(size_t)((item *)(void *)node - items)]++;
        assert_int_equal(all, n + 1);
        for (size_t i = 0; i <= n; i++)
            assert_int_equal(met[i], 1);
    }
    sio_table_free(&t);
    free(items);
}

/* Names that clients choose must not fall into one chain for somebody who knows the code. */
static void another_secret_gives_another_order(void **state)
{
    sio_memory other = memory;
    other.secret[1]++;
    sio_table t = { .memory = &memory }, u = { .memory = &other };
    item *items = new_items(64), *copies = new_items(64);
    size_t equal = 0;
    (void)state;
    for (size_t i = 0; i < 64; i++) {
        assert_true(sio_table_add(&t, &items[i].node) && sio_table_add(&u, &copies[i].node));
        equal += items[i].node.hash % 64 == copies[i].node.hash % 64;
    }
    assert_true(equal < 16);  // one in 64 is to be expected
    sio_table_free(&t);
    sio_table_free(&u);
    free(items);
    free(copies);
}

static void chains_stay_short(void **state)
{
    enum { N = 100000 };
    sio_table t = { .memory = &memory };
    item *items = new_items(N);
    (void)state;
    for (size_t i = 0; i < N; i++)
        assert_true(sio_table_add(&t, &items[i].node));
    assert_true(t.slots >= N / 4 && (t.slots & (t.slots - 1)) == 0);
    size_t longest = 0;
    for (size_t i = 0; i < t.slots; i++) {
        size_t length = 0;
        for (const sio_node *node = t.slot[i]; node != NULL; node = node->next)
            length++;
        longest = length > longest ? length : longest;
    }
    assert_true(longest < 20);  // four are to be expected
    sio_table_free(&t);
    free(items);
}

static void a_table_that_can_not_grow_still_works(void **state)
{
    sio_table t = { .memory = &memory };
    item *items = new_items(100);
    (void)state;
    until_failure = 1;
    assert_false(sio_table_add(&t, &items[0].node));  // not even the first array
    assert_int_equal(t.count, 0);
    assert_null(find(&t, &items[0]));
    for (size_t i = 0; i < 100; i++) {
        until_failure = i == 0 ? 0 : 1;
        assert_true(sio_table_add(&t, &items[i].node));
    }
    until_failure = 0;
    for (size_t i = 0; i < 100; i++)
        assert_ptr_equal(find(&t, &items[i]), &items[i].node);
    sio_table_free(&t);
    free(items);
    assert_int_equal(held, 0);
}

/* ---- Handles --------------------------------------------------------------------------------- */

static void a_handle_finds_its_thing_and_nothing_once_it_is_freed(void **state)
{
    sio_handles h = { .memory = &memory };
    int thing[100];
    uint64_t handle[100];
    (void)state;
    assert_null(sio_handle_get(&h, 0));
    for (int i = 0; i < 100; i++) {
        handle[i] = sio_handle_new(&h, &thing[i]);
        assert_true(handle[i] != 0);
    }
    for (int i = 0; i < 100; i++)
        assert_ptr_equal(sio_handle_get(&h, handle[i]), &thing[i]);
    for (int i = 0; i < 100; i += 2)
        sio_handle_free(&h, handle[i]);
    for (int i = 0; i < 100; i++)
        assert_ptr_equal(sio_handle_get(&h, handle[i]), i % 2 == 0 ? NULL : &thing[i]);
    assert_null(sio_handle_get(&h, 0));
    assert_null(sio_handle_get(&h, UINT64_MAX));
    sio_handles_free(&h);
}

/* threats.md: late acknowledgements and timers that met a freed connection. */
static void a_handle_is_never_given_twice(void **state)
{
    sio_handles h = { .memory = &memory };
    int thing, other;
    uint64_t old = sio_handle_new(&h, &thing);
    (void)state;
    for (int i = 0; i < 1000; i++) {
        sio_handle_free(&h, old);
        uint64_t fresh = sio_handle_new(&h, &other);
        assert_true(fresh != old);
        assert_null(sio_handle_get(&h, old));
        sio_handle_free(&h, old);  // once more: the new owner keeps its place
        assert_ptr_equal(sio_handle_get(&h, fresh), &other);
        old = fresh;
    }
    assert_int_equal(h.slots, 16);  // places are used again
    sio_handles_free(&h);
}

static void a_place_that_was_used_four_thousand_million_times_is_retired(void **state)
{
    sio_handles h = { .memory = &memory };
    int thing;
    uint64_t old = sio_handle_new(&h, &thing);
    (void)state;
    sio_handle_free(&h, old);
    h.generation[old & UINT32_MAX] = UINT32_MAX;
    uint64_t last = sio_handle_new(&h, &thing), next;
    assert_int_equal(last >> 32, UINT32_MAX);
    sio_handle_free(&h, last);
    assert_null(sio_handle_get(&h, last));
    for (int i = 0; i < 100; i++) {
        next = sio_handle_new(&h, &thing);
        assert_true((next & UINT32_MAX) != (last & UINT32_MAX));
    }
    sio_handles_free(&h);
}

static void without_memory_there_is_no_handle(void **state)
{
    sio_handles h = { .memory = &memory };
    int thing;
    (void)state;
    until_failure = 1;
    assert_true(sio_handle_new(&h, &thing) == 0);
    until_failure = 0;
    for (int i = 0; i < 16; i++)
        assert_true(sio_handle_new(&h, &thing) != 0);
    until_failure = 1;
    assert_true(sio_handle_new(&h, &thing) == 0);
    until_failure = 0;
    assert_true(sio_handle_new(&h, &thing) != 0);
    sio_handles_free(&h);
    assert_int_equal(held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_siphash_1_3),
        cmocka_unit_test(what_is_added_is_found_until_it_is_removed),
        cmocka_unit_test(keys_are_compared_by_all_their_bytes),
        cmocka_unit_test(a_walk_meets_each_node_once),
        cmocka_unit_test(another_secret_gives_another_order),
        cmocka_unit_test(chains_stay_short),
        cmocka_unit_test(a_table_that_can_not_grow_still_works),
        cmocka_unit_test(a_handle_finds_its_thing_and_nothing_once_it_is_freed),
        cmocka_unit_test(a_handle_is_never_given_twice),
        cmocka_unit_test(a_place_that_was_used_four_thousand_million_times_is_retired),
        cmocka_unit_test(without_memory_there_is_no_handle),
    };
    return cmocka_run_group_tests_name("net_base.c", tests, NULL, NULL);
}
