/* replay.c - feeds files to a fuzzer's target, so that any compiler can repeat a corpus
 * SPDX-License-Identifier: MIT
 *
 *     build/replay_json test/corpus/json/FILE...
 *
 * Each file stands in memory of exactly its size. A property that fails aborts the program. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int replay(const char *name)
{
    FILE *f = fopen(name, "rb");
    if (f == NULL)
        return perror(name), -1;
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f);
    rewind(f);
    uint8_t *p = malloc(n);
    if (n > 0 && (p == NULL || fread(p, 1, n, f) != n))
        return perror(name), -1;
    fclose(f);
    LLVMFuzzerTestOneInput(p, n);
    free(p);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (replay(argv[i]) != 0)
            return 1;
    printf("%s: %d files\n", argv[0], argc - 1);
    return argc < 2;
}
