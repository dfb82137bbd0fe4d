/* address.c - where clients come from, and how many of each address there are
 * SPDX-License-Identifier: MIT
 *
 * An address counts as a whole in IPv4. In IPv6 its first 64 bits do: a customer gets that many
 * addresses at once, and a limit that counts them one by one limits nobody (RFC 6177, 2).
 *
 * What holds here: an address is in its table exactly while something of it is counted. */
#include "layers.h"

#include <string.h>

static size_t counted_bytes(const sio_ip *ip)
{
    return ip->n == 16 ? 8 : ip->n;
}

sio_crowd *sio_crowd_find(const sio_table *t, const sio_ip *ip)
{
    return (sio_crowd *)sio_table_find(t, (const char *)ip->byte, counted_bytes(ip));
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
        memcpy(a->bytes, ip->byte, counted_bytes(ip));
        a->node.key = a->bytes, a->node.n = (uint32_t)counted_bytes(ip);
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

/* ---- Behind a proxy ------------------------------------------------------------------------------ */

/* The last entry of all X-Forwarded-For fields: the proxy that is trusted wrote it. Those before it
 * are what its client said. n == 0: there is none. */
static sio_span forwarded(const sio_http_head *head)
{
    sio_span last = SIO_NONE;
    for (size_t i = 0; i < head->n_fields; i++)
        if (sio_span_is_nocase(head->field[i].name, "X-Forwarded-For"))
            last = head->field[i].value;
    while (last.n > 0 && (last.p[last.n - 1] == ' ' || last.p[last.n - 1] == '\t'))
        last.n--;
    size_t n = 0;
    while (n < last.n && strchr(", \t", last.p[last.n - 1 - n]) == NULL)
        n++;
    return (sio_span){ last.n == 0 ? NULL : last.p + last.n - n, n };
}

void sio_client_address(const sio_conn *c, const sio_http_head *head, char out[64])
{
    sio_span entry = c->net->options->trust_proxy ? forwarded(head) : SIO_NONE;
    sio_ip_text(&c->ip, out);
    if (entry.n > 0 && entry.n < 46) {
        memcpy(out, entry.p, entry.n);
        out[entry.n] = '\0';
    }
}

sio_ip sio_client_ip(const sio_conn *c, const sio_http_head *head)
{
    sio_ip ip;
    char text[64];
    sio_client_address(c, head, text);
    return c->net->options->trust_proxy && sio_ip_parse(text, &ip) ? ip : c->ip;
}
