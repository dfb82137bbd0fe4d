/* net_limits.c - the memory that clients hold, all together, and what they send in a second
 * SPDX-License-Identifier: MIT
 *
 * What is on its way, in or out, is counted where its memory is got and given back (sio_hold). Who
 * holds how much of it is asked only when all together hold too much.
 *
 * A rate is a bucket with a hole: what comes fills it, each millisecond a thousandth of the rate runs
 * out, and two seconds' worth fit. Buckets of addresses are forgotten when they must be empty.
 *
 * What holds here:
 *  - When a turn is over, what is on its way is at most max_memory, or those who hold most end before
 *    the next turn reads.
 *  - Nothing here calls back: who must end is marked.
 *  - What was refused has not filled the bucket. */
#include "net.h"

enum {
    CLIENT_BYTES = 1024,   // of a connection, session, socket or room, more or less
    FALL_BYTES = 8 << 20,  // less than there were: free memory is given back
    TRIM_MS = 3000,        // after that
    BURST_MS = 2000        // whose worth may come at once
};

/* ---- Who holds most ------------------------------------------------------------------------------- */

void sio_holder_add(sio_net *net, sio_holder *h)
{
    h->next = net->holders;
    net->holders = h;
}

static size_t weigh(sio_net *net, size_t least, size_t *excess)
{
    size_t most = 0;
    for (sio_holder *h = net->holders; h != NULL; h = h->next) {
        size_t other = h->weigh(h, least, excess);
        most = other > most ? other : most;
    }
    return most;
}

/* Has the clients that hold most end, until the others hold three quarters of the limit, so that this
 * is not done in each turn of an attack. Whoever holds nearly as much as the largest goes with it:
 * however many clients there are, all of them are looked at a few times and not once for each. */
void sio_net_relieve(sio_net *net, size_t ours)
{
    size_t others = sio_out_held(&net->out) + ours;
    size_t held = net->held > others ? net->held - others : 0;
    if (held <= net->options->max_memory)
        return;
    size_t excess = held - net->options->max_memory / 4 * 3;
    size_t most = weigh(net, SIZE_MAX, &excess);
    while (most > 0 && excess > 0)
        most = weigh(net, most - most / 8, &excess);
}

/* ---- After the worst ----------------------------------------------------------------------------- */

/* Bytes that clients have the server hold, more or less. */
static size_t weight(const sio_net *net)
{
    const sio_stats *s = &net->stats;
    uint64_t things = s->connections + s->sessions + s->sockets + s->rooms;
    return net->held + (size_t)things * CLIENT_BYTES;
}

static void on_trim(void *owner, sio_deadline *d)
{
    sio_net *net = owner;
    size_t cap = net->n_conns < 4 ? 4 : net->n_conns;
    (void)d;
    net->peak = weight(net);
    if (net->cap_conns / 4 > cap) {
        sio_conn **fewer = sio_resize(&net->memory, net->conns, cap * sizeof *fewer);
        if (fewer != NULL)
            net->conns = fewer, net->cap_conns = cap;
    }
    sio_loop_give_back(net->loop);
}

/* When much less is held than there was, free memory goes back to the system, once in a while: libc
 * would keep it, and after an attack the process would stay as large as it was at its worst. */
void sio_net_watch_weight(sio_net *net)
{
    size_t now = weight(net);
    if (now > net->peak)
        net->peak = now;
    else if (now < net->peak / 2 && net->peak - now > FALL_BYTES && net->trim.next == NULL &&
             net->libc_memory)
        sio_deadline_set(&net->clock, &net->trim_fifo, &net->trim);
}

/* ---- What they send in a second ------------------------------------------------------------------ */

/* What one address has sent of late. */
typedef struct source {
    sio_node node;  // first
    sio_deadline quiet;
    sio_rate rate;
    char bytes[8];
} source;

/* An option's value, as far as one can reckon with its thousandths. */
static uint64_t rate_of(size_t option)
{
    const uint64_t most = (uint64_t)1 << 50;
    return option > most ? most : option;
}

static void run_out(uint64_t *used, uint64_t passed, size_t option)
{
    uint64_t out = passed * rate_of(option);
    *used -= out < *used ? out : *used;
}

static bool fits(uint64_t used, size_t n, size_t option)
{
    uint64_t room = BURST_MS * rate_of(option) - used;
    return option == 0 || n <= room / 1000;
}

/* 0: both fit, and are counted; 1: the packets don't fit; 2: the bytes don't. */
static int count(sio_rate *r, int64_t now, size_t packets, size_t bytes, const size_t most[2])
{
    uint64_t passed = now - r->at < BURST_MS ? (uint64_t)(now - r->at) : BURST_MS;
    run_out(&r->packets, passed, most[0]);
    run_out(&r->bytes, passed, most[1]);
    r->at = now;
    if (!fits(r->packets, packets, most[0]))
        return 1;
    if (!fits(r->bytes, bytes, most[1]))
        return 2;
    r->packets += most[0] > 0 ? 1000 * (uint64_t)packets : 0;
    r->bytes += most[1] > 0 ? 1000 * (uint64_t)bytes : 0;
    return 0;
}

size_t sio_meter_size(const sio_net *net)
{
    return net->metered ? sizeof(sio_meter) : 0;
}

const char *sio_meter_client(const sio_net *net, sio_meter *m, size_t packets, size_t bytes)
{
    static const char *const names[] = { NULL, "max_packet_rate", "max_byte_rate" };
    const sio_options *o = net->options;
    const size_t most[2] = { o->max_packet_rate, o->max_byte_rate };
    return names[count(&m->rate, net->clock.now, packets, bytes, most)];
}

static void on_quiet(void *owner, sio_deadline *d)
{
    sio_net *net = owner;
    source *s = (source *)(void *)((char *)d - offsetof(source, quiet));
    sio_table_remove(&net->sources, &s->node);
    sio_free_mem(&net->memory, s);
}

/* NULL: no memory. */
static source *find_source(sio_net *net, const sio_ip *ip)
{
    size_t n = sio_ip_counted(ip);
    source *s = (source *)sio_table_find(&net->sources, (const char *)ip->byte, n);
    if (s != NULL)
        return s;
    s = sio_alloc(&net->memory, sizeof *s);
    if (s == NULL)
        return NULL;
    memcpy(s->bytes, ip->byte, n);
    s->node.key = s->bytes, s->node.n = (uint32_t)n;
    s->rate.at = net->clock.now;
    if (sio_table_add(&net->sources, &s->node))
        return s;
    sio_free_mem(&net->memory, s);
    return NULL;
}

/* Who can't be counted, for a lack of memory or an address, is let in. */
const char *sio_meter_address(sio_net *net, const sio_ip *ip, size_t packets, size_t bytes)
{
    static const char *const names[] = { NULL, "max_packet_rate_per_address",
                                         "max_byte_rate_per_address" };
    const sio_options *o = net->options;
    const size_t most[2] = { o->max_packet_rate_per_address, o->max_byte_rate_per_address };
    if (ip->n == 0 || (most[0] == 0 && most[1] == 0))
        return NULL;
    source *s = find_source(net, ip);
    if (s == NULL)
        return NULL;
    sio_deadline_set(&net->clock, &net->quiet_fifo, &s->quiet);
    return names[count(&s->rate, net->clock.now, packets, bytes, most)];
}

void sio_meter_tell(sio_net *net, sio_about about, const char *what, const char *option)
{
    net->stats.rate_limited++;
    sio_log_of(
        net, about,
        "%s: more came at once than two seconds of %s allow (raise it, or have its client send "
        "less)",
        what, option);
}

/* ---- The server's -------------------------------------------------------------------------------- */

void sio_limits_init(sio_net *net)
{
    const sio_options *o = net->options;
    sio_fifo_init(&net->clock, &net->trim_fifo, TRIM_MS, on_trim, net);
    sio_fifo_init(&net->clock, &net->quiet_fifo, BURST_MS, on_quiet, net);
    net->sources.memory = &net->memory;
    net->metered = o->max_packet_rate > 0 || o->max_byte_rate > 0 ||
                   o->max_packet_rate_per_address > 0 || o->max_byte_rate_per_address > 0;
}

void sio_limits_free(sio_net *net)
{
    size_t from = 0;
    for (sio_node *n; (n = sio_table_any(&net->sources, &from)) != NULL;) {
        sio_table_remove(&net->sources, n);
        sio_free_mem(&net->memory, n);
    }
    sio_table_free(&net->sources);
}
