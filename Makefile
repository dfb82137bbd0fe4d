# `cc *.c -o chat` builds the whole program. This file adds the tests, the measures and the flags.
# What loops over files is a script of test/ with the target's name.
.POSIX:

CC = cc
CFLAGS = -O2
FLAGS = -std=c99 -pedantic -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wcast-qual \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Wwrite-strings \
	-Wpointer-arith $(WERROR)
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ASAN = B=build/asan CFLAGS="-O1 -g $(SANITIZE)"
FUZZ = B=build/fuzz CC=clang CFLAGS="-O1 -g -fsanitize=fuzzer-no-link $(SANITIZE)"
COVERAGE = B=build/coverage CC=gcc CFLAGS="-O0 -g --coverage -DLINEAR=30.0"
FUZZ_SECONDS = 20
B = build
PREFIX = /usr/local

# What the scripts are told.
TOLD = B='$(B)' COMPILE='$(CC) $(FLAGS) $(CFLAGS)' FLAGS='$(FLAGS)' T='$(T)' RUN='$(RUN)' \
	FUZZ_SECONDS='$(FUZZ_SECONDS)' DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)'

.PHONY: chat lib shared fixture bench-server examples install uninstall dist \
	test unit corpora compilers symbols unitfile rows audit extras package interop cluster cluster-demo \
	faults failures soak fuzz fuzzers fuzz-coverage fuzz-covered valgrind coverage mutate portable \
	analyze prove steady differential bench bench-cluster size format help clean

chat: lib $(B)/pages.c  ## the chat room with its page, build/chat: one file to copy
	@$(TOLD) test/program $(B)/chat chat*.c $(B)/pages.c -DCHAT_CARRIES
PAGES = chat.html sio.js chat_admin.html chat_icon.svg
$(B)/pages.c: $(PAGES) test/arrays
	@mkdir -p $(B) && test/arrays $(PAGES) >$@
lib:  ## what other programs link, build/libsio.a
	@$(TOLD) test/objects
shared:  ## the same to be loaded, build/libsio.so
	@$(TOLD) test/shared
fixture: lib  ## the server that the outside tests drive, build/fixture
	@$(TOLD) test/program $(B)/fixture test/fixture.c
install: lib shared  ## both libraries, sio.h, sio.pc and sio(3), below $(DESTDIR)$(PREFIX)
	@$(TOLD) test/install
uninstall:  ## removes what install put there
	@$(TOLD) test/install remove
dist:  ## a release: build/sio-X.Y.Z.tar.gz, and as two files build/dist/sio_all.c and sio.h
	@$(TOLD) test/dist
examples: lib  ## what the tutorial shows, build/tutorial_*; make examples T=chat: one of them
	@$(TOLD) test/examples
bench-server: lib  ## the server of the benchmarks, build/bench-server
	@$(TOLD) test/program $(B)/bench-server test/bench/server.c

test:  ## everything that can fail, but for what takes longer
	test/setup
	$(MAKE) symbols rows audit compilers corpora unitfile
	$(MAKE) corpora unit $(ASAN)
	if $(CC) -m32 test/replay.c -c -o build/m32.o 2>build/m32.log; then \
	    $(MAKE) corpora B=build/m32 CFLAGS="-O2 -m32"; else echo "no 32-bit C here: skipped"; fi
	$(MAKE) package extras interop
	$(MAKE) faults STORM=500
	$(MAKE) unit

unit: lib  ## the C tests alone; make unit T=json: those with json in their name
	@$(TOLD) test/unit
corpora: lib  ## what the fuzzers know, once more
	@$(TOLD) test/corpora
compilers:  ## what the first line says, by gcc, clang, tcc and musl-gcc; our flags; what they refuse
	@$(TOLD) test/compilers
symbols: lib shared  ## what is exported begins with sio_, no file calls one above it, LEARN.md knows who calls whom
	@$(TOLD) test/symbols
	@$(TOLD) test/exports
	@test/walk
unitfile:  ## what SECURITY.md shows: the options, and the unit file for systemd
	@CC='$(CC)' test/unitfile
rows:  ## what PROTOCOL.md says is tested, and what tests name is there; the tutorial shows its programs
	@test/rows
	@test/shown
audit: shared  ## the figures of AUDIT.md anew, what it names is there, and its dates
	@$(TOLD) test/audit
extras:  ## the library without what a program may do without, and one client
	@$(TOLD) test/extras
package: lib shared  ## the library installed and used, as two files, as a copy, and from C++
	@$(TOLD) test/package
interop: chat fixture  ## the official clients, a browser and nginx against build/fixture and build/chat
	@B='$(B)' CLUSTER='$(CLUSTER)' test/interop/run
cluster: fixture  ## of these, processes on a Redis, also behind proxies; CLUSTER=CCN: ours and Node's
	@B='$(B)' CLUSTER='$(CLUSTER)' test/interop/run cluster
cluster-demo: chat  ## a Redis, two chat rooms that are one, and haproxy before them; ^C ends it
	@B='$(B)' test/cluster-demo

faults: fixture  ## killed and silent clients, signals, no descriptors, a storm that comes back
	@B='$(B)' CC='$(CC)' test/faults/run faults
soak: fixture  ## everything at once for SOAK_SECONDS, half an hour; the memory ends as it began
	@B='$(B)' CC='$(CC)' test/faults/run soak

fuzz:  ## each fuzzer for FUZZ_SECONDS; T=json: only that one
	@$(MAKE) fuzzers $(FUZZ)
fuzzers: lib
	@$(TOLD) test/fuzzers
fuzz-coverage:  ## how much of each source the fuzzers' corpora run
	@$(MAKE) fuzz-covered B=build/fuzz-coverage CC=clang \
	    CFLAGS="-O1 -fprofile-instr-generate -fcoverage-mapping"
fuzz-covered: lib
	@$(TOLD) test/fuzz-coverage
failures:  ## what fails, and what anybody says, for longer: seeds of sim_monkey and test_talk
	@MONKEYS=5000 TALKS=300000 $(MAKE) unit T='sim_failure\|sim_monkey\|sim_chaos\|test_talk'
valgrind:  ## the C tests under valgrind
	@$(MAKE) unit B=build/valgrind CFLAGS="-O1 -g -DLINEAR=30.0" \
	    RUN="valgrind -q --error-exitcode=9 --leak-check=full"
coverage:  ## what the C tests and the corpora run, by gcov; all of the codecs, 95 % of the rest
	@rm -f build/coverage/*.gcda build/coverage/o/*.gcda; mkdir -p build
	@$(MAKE) unit corpora $(COVERAGE) T= >build/coverage.log 2>&1 || { cat build/coverage.log; exit 1; }
	@B=build/coverage test/coverage
mutate:  ## whether the codecs' tests notice mistakes; make mutate T=ws: in one of them
	@$(MAKE) lib B=build/mutate >/dev/null
	@B=build/mutate T='$(T)' test/mutate
portable:  ## the library on aarch64, riscv64 and s390x, by qemu; make portable T=s390x: on that one
	@$(TOLD) test/portable
analyze:  ## the analyzers of gcc and clang, and cppcheck; make analyze T=clang: that one
	@$(TOLD) test/analyze
prove:  ## by Frama-C: the codecs have no run-time errors on any bytes of some lengths
	@$(TOLD) test/prove/run
steady: chat fixture  ## interop ten times beside one busy process, then five times beside two
	test/steady 10 1 $(MAKE) interop
	test/steady 5 2 $(MAKE) interop
differential: fixture  ## our answers beside the reference server's
	test/reference/run
bench: bench-server  ## speed and memory, as in the README; BENCH=--help: what else
	test/bench/run --ours '$(B)/bench-server --port $$PORT' $(BENCH)
bench-cluster: bench-server  ## what a broadcast costs from one process to another, over a Redis
	test/bench/cluster --ours '$(B)/bench-server --port $$PORT' $(BENCH)
size: chat fixture  ## lines of code of each floor, and bytes of programs
	@$(TOLD) test/size

format:  ## lays out all C files
	clang-format -i *.c *.h test/*.c test/*.h test/bench/server.c
help:  ## this list
	@awk -F '##' '/^[a-z-]+:.*##/ { split($$1, t, ":"); printf "%-14s%s\n", t[1], $$2 }' Makefile
clean:  ## removes build/
	rm -rf build
