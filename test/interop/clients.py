# clients.py - the client of python-socketio against the fixture
# SPDX-License-Identifier: MIT
import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import unittest

import socketio

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
FIXTURE = os.environ.get("SIO_FIXTURE", os.path.join(BUILD, "fixture")).split()
TEXTS = ["plain", "안녕하세요, 값 뷁", "😀 👩‍👩‍👧‍👦 🇰🇷", "\x00\x01\n\u2028\ufeff\x7f", "가😀" * 20000]
PATIENCE = 60  # seconds; how long anything may take before it counts as hung
LONGEST = 10000  # milliseconds that the fixture takes as a delay or a limit of its own, at the most
UNHURRIED = [word for name in ("ping", "connect", "upgrade")
             for word in (f"--{name}-timeout", str(1000 * PATIENCE))]

logging.disable(logging.CRITICAL)


def setUpModule():
    global server, url
    server = subprocess.Popen(
        FIXTURE + ["--port", "0", "--ping-interval", "400"] + UNHURRIED,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    url = "http://127.0.0.1:" + re.search(r"\d+", server.stdout.readline())[0]


def tearDownModule():
    server.terminate()
    try:
        error = server.communicate(timeout=PATIENCE)[1]
    except subprocess.TimeoutExpired:
        server.kill()
        raise
    if server.returncode != 0 or "Sanitizer" in error or "runtime error" in error:
        raise RuntimeError(f"the fixture ended with {server.returncode}: {error}")


def end(*_):
    server.kill()
    os._exit(1)


signal.signal(signal.SIGTERM, end)


class Asynchronous:
    """The same over each transport: with aiohttp."""

    transports = None
    reasons = "client namespace disconnect", "transport close"

    async def asyncSetUp(self):
        self.clients = []

    async def asyncTearDown(self):
        for client in self.clients:
            await client.disconnect()

    async def connect(self, namespace="/", **options):
        client = socketio.AsyncClient(reconnection_delay=0.02, reconnection_delay_max=0.05)
        self.clients.append(client)
        await client.connect(url, transports=self.transports, namespaces=[namespace],
                             wait_timeout=PATIENCE, **options)
        self.assertEqual(client.transport(), self.expected)
        return client

    @staticmethod
    def queue(client, event, namespace="/"):
        events = asyncio.Queue()
        client.on(event, lambda *args: events.put_nowait(args), namespace=namespace)
        return events

    async def next(self, events):
        return await asyncio.wait_for(events.get(), PATIENCE)

    async def test_text_and_answers(self):
        client = await self.connect()
        back = self.queue(client, "message-back")
        for text in TEXTS:
            await client.emit("message", (text, {text[:20]: [1, 2.5, None, True]}))
            self.assertEqual(await self.next(back), (text, {text[:20]: [1, 2.5, None, True]}))
            self.assertEqual(await client.call("message-with-ack", text, timeout=PATIENCE), text)
        self.assertEqual(await client.call("ack-later", (100, "late"), timeout=PATIENCE), "late")
        with self.assertRaises(socketio.exceptions.TimeoutError):
            await client.call("ack-later", (LONGEST, "too late"), timeout=0.1)

    async def test_the_server_asks(self):
        client = await self.connect()
        client.on("question", lambda a, b: (a + b, "네"))
        self.assertEqual(await client.call("ask", ("question", [1, 2], LONGEST), timeout=PATIENCE),
                         {"ok": True, "args": [3, "네"]})

    async def test_binary(self):
        client = await self.connect()
        back, binary = self.queue(client, "message-back"), self.queue(client, "binary")
        for size in 0, 1, 125, 126, 65535, 65536, 200000:
            data = bytes(i % 256 for i in range(size))
            await client.emit("message", (data, {"deep": [data, "글"]}))
            self.assertEqual(await self.next(back), (data, {"deep": [data, "글"]}))
        same = await client.call("message-with-ack", b"\x00\xff", timeout=PATIENCE)
        self.assertEqual(same, b"\x00\xff")
        await client.emit("emit-binary", (3, 10))
        blobs = [bytes((31 * i + j) % 256 for j in range(10)) for i in range(3)]
        self.assertEqual(await self.next(binary),
                         ({"n": 3, "list": blobs, "deep": {"first": blobs[0]}},))

    async def test_events_stay_in_order(self):
        client = await self.connect()
        back = self.queue(client, "message-back")
        for n in range(0, 200, 8):  # it takes no more than 16 packets in one answer
            for i in range(n, n + 8):
                await client.emit("message", i)
            self.assertEqual([await self.next(back) for _ in range(8)],
                             [(i,) for i in range(n, n + 8)])

    async def test_rooms_of_a_namespace(self):
        a, b = await self.connect("/custom"), await self.connect("/custom")
        news = self.queue(a, "news", "/custom")
        self.assertEqual(await a.call("join", "방", namespace="/custom", timeout=PATIENCE), ["방"])
        await b.call("to", ("방", "news", ["소식", b"\x01"]), namespace="/custom", timeout=PATIENCE)
        self.assertEqual(await self.next(news), ("소식", b"\x01"))
        await b.call("broadcast", ("news", [2]), namespace="/custom", timeout=PATIENCE)
        self.assertEqual(await self.next(news), (2,))
        me = await a.call("whoami", namespace="/custom", timeout=PATIENCE)
        self.assertEqual((me["id"], me["nsp"]), (a.get_sid("/custom"), "/custom"))

    async def test_auth(self):
        client = await self.connect("/auth", auth={"token": "secret"})
        self.assertEqual(await client.call("get-data", namespace="/auth", timeout=PATIENCE),
                         {"trail": ["first", "second"]})
        wrong = socketio.AsyncClient(reconnection=False)
        self.clients.append(wrong)
        refused = self.queue(wrong, "connect_error", "/auth")
        with self.assertRaises(socketio.exceptions.ConnectionError):
            await wrong.connect(url, transports=self.transports, namespaces=["/auth"],
                                auth={"token": "wrong"}, wait_timeout=15)  # it waits all of that
        data = {"code": 401, "hint": "send the token"}
        self.assertEqual(await self.next(refused), ({"message": "not authorized", "data": data},))

    async def test_reconnection(self):
        client = await self.connect()
        connected, sid = self.queue(client, "connect"), client.get_sid()
        await client.emit("engine-close")
        await self.next(connected)
        self.assertNotEqual(client.get_sid(), sid)
        log = await client.call("last-disconnects", [sid], timeout=PATIENCE)
        self.assertEqual([entry["reason"] for entry in log], ["forced close"])

    async def test_goodbye(self):
        client, other = await self.connect(), await self.connect()
        sid = client.get_sid()
        await client.disconnect()
        log = []
        while not log:
            log = await other.call("last-disconnects", [sid], timeout=PATIENCE)
        self.assertIn(log[0]["reason"], self.reasons)
        gone = self.queue(other, "disconnect")
        await other.emit("disconnect-me", True)
        await self.next(gone)

    async def test_heartbeat(self):
        client = await self.connect()
        gone = self.queue(client, "disconnect")
        await asyncio.sleep(1.3)
        self.assertEqual(await client.call("message-with-ack", 1, timeout=PATIENCE), 1)
        self.assertTrue(gone.empty())


class WebSocket(Asynchronous, unittest.IsolatedAsyncioTestCase):
    transports, expected = ["websocket"], "websocket"


class Polling(Asynchronous, unittest.IsolatedAsyncioTestCase):
    transports, expected = ["polling"], "polling"
    reasons = "client namespace disconnect", "transport error"  # it drops its GET
    test_reconnection = None  # it takes a close packet for a wish to stay away


class Upgrade(Asynchronous, unittest.IsolatedAsyncioTestCase):
    transports, expected = None, "websocket"


class Threads(unittest.TestCase):
    """The client without asyncio: polling with requests."""

    def test_text_and_binary(self):
        client = socketio.Client()
        client.connect(url, transports=["polling"], wait_timeout=PATIENCE)
        self.addCleanup(client.disconnect)
        got, arrived = [], threading.Event()
        client.on("message-back", lambda *args: (got.append(args), arrived.set()))
        client.emit("message", ("안녕 😀", b"\x00\xff"))
        self.assertTrue(arrived.wait(PATIENCE))
        self.assertEqual(got, [("안녕 😀", b"\x00\xff")])
        for text in TEXTS:
            self.assertEqual(client.call("message-with-ack", text, timeout=PATIENCE), text)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
