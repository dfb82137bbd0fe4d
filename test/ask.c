/* ask.c - asks a server at a Unix socket once, and prints the body of its answer
 * SPDX-License-Identifier: MIT
 *
 *     build/ask SOCKET TARGET
 *
 * Waits for the socket while nobody listens there: so who starts a server and asks it need not know
 * when it is ready. Fails after ten seconds, and for an answer other than 200. */
#define _POSIX_C_SOURCE 200809L  // nanosleep
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int connected(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    for (int tries = 0; tries < 1000; tries++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
            return fd;
        close(fd);
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    return -1;
}

int main(int argc, char **argv)
{
    int fd = argc == 3 ? connected(argv[1]) : -1;
    FILE *server = fd < 0 ? NULL : fdopen(fd, "r+");
    if (server == NULL)
        return 1;
    fprintf(server, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", argv[2]);
    fflush(server);

    char line[1000];
    if (!fgets(line, sizeof line, server) || strncmp(line, "HTTP/1.1 200 ", 13) != 0)
        return 1;
    while (fgets(line, sizeof line, server) && strcmp(line, "\r\n") != 0)
        ;
    for (int c; (c = getc(server)) != EOF;)
        putchar(c);
    return ferror(server) || fflush(stdout) != 0;
}
