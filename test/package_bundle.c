/* package_bundle.c - serves what test/arrays made of two files
 * SPDX-License-Identifier: MIT */
#include <sio.h>

extern const unsigned char chat_html[], ws_c_o[];
extern const size_t chat_html_size, ws_c_o_size;

int main(void)
{
    sio_server *io = sio_new(NULL);
    return sio_bundle(io, "/", "text/html", chat_html, chat_html_size) < 0 ||
           sio_bundle(io, "/ws.c.o", NULL, ws_c_o, ws_c_o_size) < 0 ||
           sio_listen(io, "unix:socket", 0) < 0 || sio_run(io) < 0;
}
