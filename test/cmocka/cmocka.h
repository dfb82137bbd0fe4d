/* cmocka.h - what our tests use of cmocka, for machines that have no cmocka of their own
 * SPDX-License-Identifier: MIT
 *
 * In the first test that fails the program ends. */
#ifndef CMOCKA_H
#define CMOCKA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
    CMFixtureFunction setup, teardown;
    void *initial_state;
};

#define cmocka_unit_test(f) { #f, f, NULL, NULL, NULL }
#define cmocka_unit_test_teardown(f, teardown) { #f, f, NULL, teardown, NULL }
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    cmocka_run(#tests, tests, sizeof tests / sizeof *tests)
#define cmocka_run_group_tests_name(name, tests, setup, teardown)                                  \
    cmocka_run(name, tests, sizeof tests / sizeof *tests)

static inline int cmocka_run(const char *group, const struct CMUnitTest *test, size_t n)
{
    void *state = NULL;
    for (size_t i = 0; i < n; i++) {
        printf("%s\n", test[i].name);
        fflush(stdout);
        test[i].test(&state);
        if (test[i].teardown != NULL)
            test[i].teardown(&state);
    }
    printf("%s: %zu tests passed\n", group, n);
    return 0;
}

#define print_message printf
#define print_error printf
#define skip() return
#define fail_msg(...)                                                                              \
    (printf("%s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), printf("\n"), exit(1))
#define fail() fail_msg("failed")

#define assert_true(holds) ((holds) ? (void)0 : fail_msg("not so: %s", #holds))
#define assert_false(holds) assert_true(!(holds))
#define assert_null(p) assert_true((p) == NULL)
#define assert_non_null(p) assert_true((p) != NULL)
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define assert_ptr_not_equal(a, b) assert_true((const void *)(a) != (const void *)(b))
#define assert_int_equal(a, b) assert_true((uintmax_t)(a) == (uintmax_t)(b))
#define assert_in_range(v, low, high) cmocka_in_range((uintmax_t)(v), low, high, __FILE__, __LINE__)
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)
#define assert_string_equal(a, b) cmocka_strings(a, b, 1, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) cmocka_strings(a, b, 0, __FILE__, __LINE__)

static inline void cmocka_in_range(uintmax_t v, uintmax_t low, uintmax_t high, const char *file, int line)
{
    if (v >= low && v <= high)
        return;
    printf("%s:%d: %ju is not from %ju to %ju\n", file, line, v, low, high);
    exit(1);
}

static inline void cmocka_strings(const char *a, const char *b, int equal, const char *file, int line)
{
    if ((strcmp(a, b) == 0) == equal)
        return;
    printf("%s:%d: \"%s\" and \"%s\"\n", file, line, a, b);
    exit(1);
}

#endif
