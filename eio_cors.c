/* eio_cors.c - browsers: whose pages may ask (origins), and whose may read the answers (CORS)
 * SPDX-License-Identifier: MIT
 *
 *     a page at https://a.example  -- fetch, WebSocket -->  this server
 *         Origin: https://a.example        may it ask? origins; who is refused gets no answer to read
 *                                          may it read? Access-Control-Allow-Origin: https://a.example
 *
 * The second is the browser's to keep, and for what pages read by HTTP alone: a WebSocket opens whatever
 * CORS says, and so does a request whose answer the page does not want. So what must not happen is for
 * origins, or allow_request, to prevent. Fields and their order are the reference's (O01 to O08), which
 * are those of the WHATWG Fetch standard.
 *
 * What holds here: the client's bytes go into an answer only as the value of a field that was parsed. */
#include "eio.h"

/* Whether a list separated by commas, with blanks around them, holds exactly these bytes. */
static bool lists(const char *list, sio_span value)
{
    while (*list != '\0') {
        list += strspn(list, " \t");
        size_t whole = strcspn(list, ","), n = whole;
        while (n > 0 && (list[n - 1] == ' ' || list[n - 1] == '\t'))
            n--;
        if (n > 0 && n == value.n && memcmp(list, value.p, n) == 0)
            return true;
        list += whole + (list[whole] == ',');
    }
    return false;
}

/* A page's <script>, <img> or <a> sends no Origin, but browsers say where such a request is from
 * (Fetch Metadata, Sec-Fetch-Site). Who sends neither is no browser, or the page is the server's own. */
bool sio_origin_allowed(const sio_options *o, const sio_http_head *head)
{
    if (o->origins == NULL)
        return true;
    sio_span origin = sio_http_field_of(head, "Origin");
    if (origin.p != NULL)
        return lists(o->origins, origin);
    sio_span site = sio_http_field_of(head, "Sec-Fetch-Site");
    return !sio_span_is_nocase(site, "cross-site") && !sio_span_is_nocase(site, "same-site");
}

static void put_line(sio_sink *lines, const char *name, sio_span value)
{
    sio_put_text(lines, name);
    sio_put(lines, ": ", 2);
    sio_put(lines, value.p, value.n);
    sio_put(lines, "\r\n", 2);
}

static void put_option(sio_sink *lines, const char *name, const char *text)
{
    if (text != NULL && *text != '\0')
        put_line(lines, name, (sio_span){ text, strlen(text) });
}

/* The CORS fields of any answer: O03, O05, O06, O07. vary: what else goes into Vary. */
static void put_cors(const sio_options *o, const sio_http_head *head, const char *vary,
                     sio_sink *lines)
{
    sio_span origin = sio_http_field_of(head, "Origin"), allowed = { o->cors, strlen(o->cors) };
    bool any = strcmp(o->cors, "*") == 0;
    bool echoed = strcmp(o->cors, "reflect") == 0 || strchr(o->cors, ',') != NULL;
    if (echoed)
        allowed = strchr(o->cors, ',') == NULL || lists(o->cors, origin) ? origin : SIO_NONE;
    if (allowed.p != NULL)
        put_line(lines, "Access-Control-Allow-Origin", allowed);
    if (!any || *vary != '\0') {
        sio_put_text(lines, "Vary: ");
        sio_put_text(lines, any ? "" : *vary != '\0' ? "Origin, " : "Origin");
        sio_put_text(lines, vary);
        sio_put(lines, "\r\n", 2);
    }
    if (o->cors_credentials)
        sio_put_text(lines, "Access-Control-Allow-Credentials: true\r\n");
    put_option(lines, "Access-Control-Expose-Headers", o->cors_exposed);
}

/* O04, where the options do not say otherwise. */
void sio_cors_preflight(sio_eio *eio, sio_exchange *x, const sio_http_head *head)
{
    sio_textbuf t = sio_text_new(&eio->net->memory);
    const sio_options *o = eio->options;
    bool echoed = o->cors_headers == NULL || *o->cors_headers == '\0';
    sio_span asked = sio_http_field_of(head, "Access-Control-Request-Headers");
    put_cors(o, head, echoed ? "Access-Control-Request-Headers" : "", &t.sink);
    put_option(&t.sink, "Access-Control-Allow-Methods",
               o->cors_methods == NULL ? "GET,HEAD,PUT,PATCH,POST,DELETE" : o->cors_methods);
    if (echoed && asked.p != NULL)
        put_line(&t.sink, "Access-Control-Allow-Headers", asked);
    put_option(&t.sink, "Access-Control-Allow-Headers", o->cors_headers);
    if (o->cors_max_age > 0) {
        sio_put_text(&t.sink, "Access-Control-Max-Age: ");
        sio_put_number(&t.sink, (uint64_t)o->cors_max_age);
        sio_put(&t.sink, "\r\n", 2);
    }
    sio_respond(x, t.sink.failed ? 503 : 204, NULL, (sio_span){ t.sink.p, t.sink.n }, SIO_NONE);
    sio_text_free(&t);
}

/* A page of another origin than the server's and those of the option can't read what it gets: that is told once, for it may be
 * nobody's page that anybody cares for. A WebSocket needs no CORS. */
void sio_cors_tell(sio_eio *eio, const sio_exchange *x, const sio_http_head *head)
{
    if (eio->told_cors || eio->net->options->log == NULL)
        return;
    sio_span origin = sio_http_field_of(head, "Origin"), host = sio_http_field_of(head, "Host");
    size_t at = origin.n - (host.n < origin.n ? host.n : origin.n);
    bool same = at > 0 && host.n > 0 && origin.p[at - 1] == '/' &&
                memcmp(origin.p + at, host.p, host.n) == 0;
    const char *cors = eio->options->cors;
    bool read = cors != NULL &&
                (strcmp(cors, "*") == 0 || strcmp(cors, "reflect") == 0 || lists(cors, origin));
    if (origin.p == NULL || same || read || head->upgrade)
        return;
    eio->told_cors = true;
    sio_log_text(
        eio->net, sio_request_about(x->conn, head),
        "CORS: a page of another origin asks, and its browser hides the answers from it (set "
        "its origin in the option cors; told once)");
}

/* CORS fields are on every answer, a 101 too (O08); those of the application are not on errors. */
void sio_cors_add(sio_eio *eio, sio_exchange *x, const sio_http_head *head)
{
    if (eio->options->cors == NULL)
        return;  // O01
    sio_textbuf t = sio_text_new(&eio->net->memory);
    put_cors(eio->options, head, "", &t.sink);
    sio_exchange_add(x, &t.sink);
    x->extra_always = x->extra.n;
    sio_text_free(&t);
}
