// getifaddrs is in no standard; _DEFAULT_SOURCE has -std=c99 declare it.
#define _DEFAULT_SOURCE
/* chat_lan.c - the addresses at which phones in the same network find this machine
 * SPDX-License-Identifier: MIT */
#include "chat.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Two modules are a letter, one above the other; four light ones around are a part of the code. Light is
 * what is drawn, for most terminals are dark: both, the lower, the upper, neither. */
static void print_qr(const char *text)
{
    static const char *const blocks[] = { "\xe2\x96\x88", "\xe2\x96\x84", "\xe2\x96\x80", " " };
    enum { AROUND = 4, ALL = CHAT_QR + 2 * AROUND };
    bool dark[CHAT_QR][CHAT_QR], whole[ALL + 1][ALL];
    if (!chat_qr(text, dark))
        return;
    memset(whole, 0, sizeof whole);
    memset(whole[ALL], true, sizeof whole[ALL]);  // there is nothing below
    for (int y = 0; y < CHAT_QR; y++)
        memcpy(whole[AROUND + y] + AROUND, dark[y], sizeof dark[y]);
    for (int y = 0; y < ALL; y += 2, putchar('\n'))
        for (int x = 0; x < ALL; x++)
            fputs(blocks[whole[y][x] + 2 * whole[y + 1][x]], stdout);
}

/* Addresses that routers give, not those of this machine alone, or of a network of one cable. */
static bool is_open(const struct ifaddrs *i)
{
    if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP))
        return false;
    uint32_t ip = ntohl(((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr.s_addr);
    return ip >> 24 != 127 && ip >> 16 != 0xa9fe;
}

void chat_print_lan(int port)
{
    char address[INET_ADDRSTRLEN], url[80], first[80] = "";
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0)
        return;
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        if (!is_open(i))
            continue;
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr,
                  address, sizeof address);
        snprintf(url, sizeof url, "http://%s:%d", address, port);
        printf("For phones in this network: %s\n", url);
        if (first[0] == '\0')
            strcpy(first, url);
    }
    freeifaddrs(all);
    if (first[0] != '\0' && isatty(STDOUT_FILENO))
        print_qr(first);
}
