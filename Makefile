# `cc *.c -o chat` builds the whole program. This file adds the tests, the measures and the flags.
.POSIX:

CC = cc
CFLAGS = -O2
FLAGS = -std=c99 -pedantic -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wcast-qual \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Wwrite-strings \
	-Wpointer-arith $(WERROR)
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_SECONDS = 20
B = build

COMPILE = $(CC) $(FLAGS) $(CFLAGS)
LIB = $(B)/libsio.a

# Of a test program $$1: its name, its subject and its log; simulations link test/sim.c as well.
NAME = n=$$(basename $$1 .c); x=$${n\#*_}; log=$(B)/$$n.log; echo "$$n" >$$log; \
	case $$n in *sim*) set -- $$1 test/sim.c;; esac
EACH = grep -e '$(T)' | xargs -P2 -n1 sh -c '$(NAME);

# What only loop.c may call, and what nobody may.
SYSTEM = socket|bind|listen|accept4?|connect|shutdown|poll|epoll_.*|recv.*|send.*|readv?|writev?
SYSTEM2 = open|close|pipe2?|fcntl|ioctl|f?stat|fopen|clock.*|time|getrandom|s?rand|exit|abort
SYSTEM3 = gettimeofday|f?printf|f?puts|putchar|perror

.PHONY: chat fixture bench-server test unit corpora fuzz fuzzers valgrind compilers symbols \
	interop steady differential rows bench size format help clean

chat: $(B)/chat  ## the chat room, build/chat

$(B)/chat: *.c *.h Makefile
	@mkdir -p $(B)
	$(COMPILE) *.c -o $@

# All objects but the application's, as an archive: a program takes what it uses and has not defined
# itself. So test/sim.c stands in for loop.c.
$(LIB): *.c *.h Makefile
	@rm -rf $(B)/o $@ && mkdir -p $(B)/o
	ls *.c | grep -vx chat.c | xargs -P2 -I@ $(COMPILE) -c @ -o $(B)/o/@.o
	@ar -rc $@ $(B)/o/*.o

fixture: $(LIB)  ## the server that the outside tests drive, build/fixture
	$(COMPILE) -I. test/fixture.c $(LIB) -o $(B)/fixture
bench-server: $(LIB)  ## the server of the benchmarks, build/bench-server
	$(COMPILE) -I. test/bench/server.c $(LIB) -o $(B)/bench-server

test:  ## everything that can fail
	test/setup
	$(MAKE) symbols rows compilers corpora
	$(MAKE) corpora unit B=build/asan CFLAGS="-O1 -g $(SANITIZE)"
	if $(CC) -m32 test/replay.c -c -o build/m32.o 2>build/m32.log; then \
	    $(MAKE) corpora B=build/m32 CFLAGS="-O2 -m32"; else echo "no 32-bit C here: skipped"; fi
	$(MAKE) interop
	$(MAKE) unit

unit: $(LIB)  ## the C tests alone; make unit T=json: those with json in their name
	@rm -f $(B)/*_*.log; [ -d build/locale ] || { mkdir -p build/locale; \
	    localedef -i de_DE -f UTF-8 build/locale/de_DE.UTF-8 2>/dev/null; } || :
	@bad=0; ls test/*.c | grep -e '/test_' -e '/sim_' | $(EACH) \
	    $(COMPILE) -g -I. "$$@" $(LIB) -lcmocka -o $(B)/$$n && $(RUN) $(B)/$$n >>$$log 2>&1 || \
	    { echo "$$n: FAILED" >>$$log; exit 1; }' sh || bad=1; cat $(B)/*_*.log; \
	    [ $$bad = 0 ] || grep -h 'FAILED' $(B)/*_*.log; exit $$bad

corpora: $(LIB)  ## what the fuzzers know, once more
	@ls test/fuzz_*.c | $(EACH) \
	    $(COMPILE) -g -I. "$$@" test/replay.c $(LIB) -o $(B)/replay_$$x && \
	    $(B)/replay_$$x test/corpus/$$x/*' sh

fuzz:  ## each fuzzer for FUZZ_SECONDS; T=json: only that one
	$(MAKE) fuzzers B=build/fuzz CC=clang CFLAGS="-O1 -g -fsanitize=fuzzer-no-link $(SANITIZE)"
fuzzers: $(LIB)
	@ls test/fuzz_*.c | $(EACH) mkdir -p $(B)/$$x; \
	    $(COMPILE) -fsanitize=fuzzer -I. "$$@" $(LIB) -o $(B)/$$n && \
	    $(B)/$$n -max_total_time=$(FUZZ_SECONDS) -timeout=10 -artifact_prefix=$(B)/$$x- \
	    $(B)/$$x test/corpus/$$x >>$$log 2>&1 || { cat $$log; exit 1; }; \
	    echo "$$n: $$(tail -1 $$log)"' sh

valgrind:  ## the C tests under valgrind
	$(MAKE) unit B=build/valgrind CFLAGS="-O1 -g" \
	    RUN="valgrind -q --error-exitcode=9 --leak-check=full"
compilers:  ## what the first line says, by gcc, clang, tcc and musl-gcc; and our flags
	@mkdir -p $(B)
	@for cc in gcc clang tcc musl-gcc; do log=$(B)/$$cc.log; \
	    command -v $$cc >/dev/null || { echo "$$cc is not installed: skipped"; continue; }; \
	    echo "$$cc *.c"; $$cc *.c -o $(B)/chat-$$cc 2>$$log || { cat $$log; exit 1; }; \
	    node test/runs.mjs $(B)/chat-$$cc || exit 1; \
	    case $$cc in gcc|clang) $$cc $(FLAGS) -I. -fsyntax-only *.c test/*.c 2>>$$log; \
	    [ ! -s $$log ] || { cat $$log; exit 1; };; esac; done

symbols: $(LIB)  ## what is exported begins with sio_; only loop.c calls the system
	@v=$$(sed -n 's/.define SIO_VERSION "\(.*\)"/\1/p' sio.h); grep -q "^## $$v " CHANGELOG.md || \
	    { echo "CHANGELOG.md does not know version $$v"; exit 1; }
	@nm -P -g $(LIB) | awk 'NF > 1 && $$2 !~ /[Uw]/ && $$1 !~ /^_?(sio|SIO)_/ \
	    { print $$1 ": exported without sio_"; bad = 1 } END { exit bad }'
	@for o in $(B)/o/*.o; do nm -P -u $$o | sed "s|^|$${o##*/} |"; done | grep -v '^loop.c' | \
	    awk '$$2 ~ /^_?($(SYSTEM)|$(SYSTEM2)|$(SYSTEM3))$$/ { print $$1 ": calls " $$2; bad = 1 } \
	    END { exit bad }'
interop:  ## the official clients against build/fixture and build/chat
	@[ ! -x test/interop/run ] || { $(MAKE) chat fixture && test/interop/run; }
steady: chat fixture  ## interop ten times beside one busy process, then five times beside two
	test/steady 10 1 $(MAKE) interop
	test/steady 5 2 $(MAKE) interop

differential: fixture  ## our answers beside the reference server's
	test/reference/run

rows:  ## rows of PROTOCOL.md that no C test names, and the reverse
	@test/rows

bench: bench-server  ## speed and memory, as in the README
	test/bench/run --ours '$(B)/bench-server --port $$PORT' $(BENCH)

size: chat  ## lines of code without comments, and bytes of the program
	@awk '/^[ \t]*\/\*/ { c = 1 } !c && !/^[ \t]*(\/\/|$$)/ { n[FILENAME]++; all++ } \
	    /\*\// { c = 0 } END { for (f in n) print n[f], f; print all, "in all" }' *.c *.h | sort -n
	@strip -o $(B)/chat-stripped $(B)/chat && wc -c $(B)/chat-stripped
format:  ## lays out all C files
	clang-format -i *.c *.h test/*.c test/*.h
help:  ## this list
	@awk -F '##' '/^[a-z-]+:.*##/ { split($$1, t, ":"); printf "%-14s%s\n", t[1], $$2 }' Makefile
clean:  ## removes build/
	rm -rf build
