/* test_net_base_address.c - what counts as one address, and what a proxy says of it
 * SPDX-License-Identifier: MIT */
#include "lib.h"

static void *plain(void *user, void *p, size_t size)
{
    (void)user;
    if (size > 0)
        return realloc(p, size);
    free(p);
    return NULL;
}

static const sio_memory memory = { .resize = plain };

static sio_ip ip_of(const char *text)
{
    sio_ip ip = { .n = 0 };
    if (!sio_ip_parse(text, &ip))
        fail_msg("no address: %s", text);
    return ip;
}

static const struct {
    const char *a, *b;
    bool same;
} pairs[] = {
    { "10.0.0.1", "10.0.0.1", true },
    { "10.0.0.1", "10.0.0.2", false },
    { "::ffff:10.0.0.1", "10.0.0.1", true },  // RFC 4291, 2.5.5.2
    { "::1", "::2", true },
    { "2001:db8:1:2::", "2001:db8:1:2:ffff:ffff:ffff:ffff", true },  // RFC 6177: a /64 at least
    { "2001:db8:1:2::", "2001:db8:1:3::", false },
    { "::10.0.0.1", "10.0.0.1", false },
};

static void ipv6_counts_by_its_first_64_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        sio_table t = { .memory = &memory };
        sio_ip a = ip_of(pairs[i].a), b = ip_of(pairs[i].b);
        sio_crowd *first = sio_crowd_enter(&t, &a, 1), *second = sio_crowd_enter(&t, &b, 1);
        assert_non_null(first);
        if ((second == NULL) != pairs[i].same)
            fail_msg("%s, %s", pairs[i].a, pairs[i].b);
        sio_crowd_leave(&t, first);
        sio_crowd_leave(&t, second);
        assert_int_equal(t.count, 0);
        sio_table_free(&t);
    }
}

static void as_many_as_may_be_are_let_in(void **state)
{
    (void)state;
    sio_table t = { .memory = &memory };
    sio_ip ip = ip_of("192.0.2.1");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++)
            assert_non_null(sio_crowd_enter(&t, &ip, 3));
        assert_null(sio_crowd_enter(&t, &ip, 3));
        sio_crowd_leave(&t, sio_crowd_find(&t, &ip));
        assert_non_null(sio_crowd_enter(&t, &ip, 3));
        for (int i = 0; i < 3; i++)
            sio_crowd_leave(&t, sio_crowd_find(&t, &ip));
        assert_null(sio_crowd_find(&t, &ip));
    }
    sio_crowd_leave(&t, NULL);
    sio_table_free(&t);
}

static const char *const no_addresses[] = {
    "",          "unknown",  "1.2.3", "1.2.3.4:80", "[::1]", "1.2.3.4.5",
    "256.1.1.1", "01.2.3.4", "::1::", "1.2.3.4 ",   "::g",
};

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    sio_ip ip;
    for (size_t i = 0; i < COUNT(no_addresses); i++)
        if (sio_ip_parse(no_addresses[i], &ip))
            fail_msg("%s", no_addresses[i]);
}

static void addresses_have_texts(void **state)
{
    (void)state;
    char text[46];
    sio_ip ip = { 4, { 10, 0, 0, 255 } };
    sio_ip_text(&ip, text);
    assert_string_equal(text, "10.0.0.255");
    ip = (sio_ip){ 16, { [15] = 1 } };
    sio_ip_text(&ip, text);
    assert_string_equal(text, "::1");
    ip.n = 0;
    sio_ip_text(&ip, text);
    assert_string_equal(text, "");
}

/* values: of the fields X-Forwarded-For, in order. ip: what counts; "": the peer's. */
static const struct {
    const char *values[3], *text, *ip;
} proxies[] = {
    { { "5.6.7.8" }, "5.6.7.8", "5.6.7.8" },
    { { "1.2.3.4, 5.6.7.8" }, "5.6.7.8", "5.6.7.8" },
    { { "1.2.3.4,5.6.7.8" }, "5.6.7.8", "5.6.7.8" },
    { { "1.2.3.4", "5.6.7.8" }, "5.6.7.8", "5.6.7.8" },
    { { "1.2.3.4, \t ::2" }, "::2", "::2" },
    { { "1.2.3.4, unknown" }, "unknown", "" },
    { { "1.2.3.4, 5.6.7.8:99" }, "5.6.7.8:99", "" },
    { { "1.2.3.4," }, "10.0.0.1", "" },
    { { "" }, "10.0.0.1", "" },
    { { "1.2.3.4, 0123456789012345678901234567890123456789012345" }, "10.0.0.1", "" },
    { { NULL }, "10.0.0.1", "" },
};

static void the_last_entry_is_the_proxys(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(proxies); i++) {
        sio_options o = { .trust_proxy = true };
        sio_net net = { .options = &o };
        sio_conn c = { .net = &net, .ip = ip_of("10.0.0.1") };
        sio_http_head head = { .n_fields = 0 };
        for (const char *const *v = proxies[i].values; *v != NULL; v++)
            head.field[head.n_fields++] =
                (sio_http_line){ SIO_SPAN("x-forwarded-for"), { *v, strlen(*v) } };
        char text[64];
        sio_client_address(&c, &head, text);
        assert_string_equal(text, proxies[i].text);
        sio_ip got = sio_client_ip(&c, &head);
        sio_ip want = proxies[i].ip[0] == '\0' ? c.ip : ip_of(proxies[i].ip);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.byte, want.byte, want.n);
        o.trust_proxy = false;
        sio_client_address(&c, &head, text);
        assert_string_equal(text, "10.0.0.1");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv6_counts_by_its_first_64_bits),
        cmocka_unit_test(as_many_as_may_be_are_let_in),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(addresses_have_texts),
        cmocka_unit_test(the_last_entry_is_the_proxys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
