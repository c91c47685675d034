#!/usr/bin/env python3
"""Records when limited tasks start, outside Amity, while processes are killed, and slides windows.

    Tests/Load/limits.py                     # ten minutes, 100 keys
    Tests/Load/limits.py --seconds 60        # a first try
    Tests/Load/limits.py --alone             # how fast one key goes, one task at a time

A service of its own is the handler of three types: `rated` (100 keys with a rate and a burst),
`capped` (10 keys, three at a time) and `ordered` (5 keys, one after the other). A tenth of its
answers is a failure, so tasks run again. Every 20 seconds one process is killed and another one
started: two workers and two APIs, of which one leads; towards the end no worker runs for a while.
Fails where a window of any length has more starts than burst + rate × its length, where a key has
used less than 97 % of its rate, where a cap is exceeded, or where an order is not kept.
"""
import argparse
import asyncio
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # Nothing is left beside the sources.
from harness import (
    HOME, LEEWAY, Amity, Client, Database, free_port, start_servers, stop_servers
)

RATE, BURST, KEYS = 4, 40, 100
CAP, CAPPED, ORDERED = 3, 10, 5
# A start is recorded when its request arrives. So much later than another's it may be, in seconds.
WAY = 0.5


class Recorder:
    """The service behind the types: notes each start, and how many run at once."""

    def __init__(self, seed, failing):
        self.random = random.Random(seed)
        self.failing = failing
        self.starts = {}
        self.running, self.most = {}, {}
        self.orders = {}

    async def serve(self, port):
        return await asyncio.start_server(self.connected, "127.0.0.1", port)

    async def connected(self, reader, writer):
        try:
            while await self.exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The caller was killed, or all is over.
        finally:
            writer.close()

    async def exchange(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        arrived = time.monotonic()
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        payload = json.loads(await reader.readexactly(length))["payload"]
        key = payload["key"]
        self.starts.setdefault(key, []).append(arrived)
        fails = self.random.random() < self.failing
        if "seconds" in payload:
            self.running[key] = self.running.get(key, 0) + 1
            self.most[key] = max(self.most.get(key, 0), self.running[key])
            try:
                # A caller that is killed hangs up: what it began does not run any more.
                await asyncio.wait_for(reader.read(1), payload["seconds"])
                return False
            except asyncio.TimeoutError:
                pass
            finally:
                self.running[key] -= 1
        if not fails and "number" in payload:
            self.orders.setdefault(key, []).append(payload["number"])
        status = b"500 Internal Server Error" if fails else b"200 OK"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 2\r\n\r\n{}")
        await writer.drain()
        return True


def excess(times, slack):
    """The most starts over burst + rate × (length + slack) in any window; over 0 is too many."""
    worst, least = -BURST, float("inf")
    for index, at in enumerate(times):
        least = min(least, index - RATE * at)
        worst = max(worst, index + 1 - RATE * at - least - BURST - RATE * slack)
    return worst


class Trial:
    def __init__(self, arguments, folder):
        self.seconds, self.folder = arguments.seconds, folder
        self.random = random.Random(arguments.seed)
        self.binary = str(pathlib.Path(arguments.binary).resolve(strict=True))
        self.recorder = Recorder(arguments.seed, 0 if arguments.alone else 0.1)
        self.environment, values = start_servers(folder)
        self.service, self.ports = free_port(), [free_port(), free_port()]
        self.environment |= {
            "TASK_QUEUES": "default", "TASK_CONCURRENCY": "64", "LOG_LEVEL": "warning",
            "HTTP_TARGET_HOSTS": f"127.0.0.1:{self.service}",
        }
        self.amity("migrate", "--topology")
        types = folder / "types.json"
        handler = {"kind": "http", "url": f"http://127.0.0.1:{self.service}/"}
        limits = {
            "rated": {"rate": RATE, "burst": BURST}, "capped": {"cap": CAP},
            "ordered": {"cap": 1, "order": "strict"},
        }
        types.write_text(json.dumps({"types": [
            {"type": name, "handler": handler, "retry_limit": 20, "timeout_seconds": 30,
             "limit": {"by": "payload.key"} | limit}
            for name, limit in limits.items()
        ]}))
        self.amity("types", "apply", str(types))
        self.database = Database(values["DATABASE_URL"])
        self.processes = {}
        self.kills = 0

    def amity(self, *arguments):
        subprocess.run([self.binary, *arguments], env=self.environment, cwd=self.folder,
                       check=True, stdout=subprocess.DEVNULL)

    def start(self, name):
        ports = {"HTTP_PORT": str(free_port())}
        if name.startswith("api"):
            ports["API_PORT"] = str(self.ports[int(name[-1])])
        self.processes[name] = Amity(
            self.binary, name[:-1], self.environment | ports, self.folder, name
        )

    def kill(self, name):
        process = self.processes[name].process
        process.kill()
        process.wait()
        self.kills += 1

    async def submit(self, tasks):
        """To the one API or the other; sent again until one has answered."""
        identity = f"load-{self.random.getrandbits(64):x}"
        while True:
            for port in self.ports:
                try:
                    async with Client(port) as client:
                        return await client.ask(
                            "POST", "/batch", tasks, {"Idempotency-Key": identity}
                        )
                except (OSError, asyncio.IncompleteReadError):
                    await asyncio.sleep(0.2)

    async def feed(self, until):
        """Each key has enough that waits, at any time."""
        number = 0
        while time.monotonic() < until:
            for name in ("rated", "capped", "ordered"):
                waiting = dict(self.database.rows(
                    f"SELECT limit_key, count(*) FROM amity_tasks WHERE type = '{name}' "
                    "AND state = 2 GROUP BY 1"
                ))
                tasks = []
                for key in range({"rated": KEYS, "capped": CAPPED, "ordered": ORDERED}[name]):
                    key = f"{name}-{key}"
                    for _ in range(max(0, 120 - int(waiting.get(f"{name}:{key}", 0)))):
                        payload = {"key": key}
                        if name != "rated":
                            payload["seconds"] = round(self.random.uniform(0.01, 0.1), 3)
                        if name == "ordered":
                            payload["number"] = number
                        number += 1
                        tasks.append({"task_type": name, "payload": payload})
                for first in range(0, len(tasks), 1000):
                    await self.submit(tasks[first:first + 1000])
            await asyncio.sleep(5)

    async def storm(self, begin):
        while (now := time.monotonic() - begin) < self.seconds - 60:
            await asyncio.sleep(min(20, self.seconds / 10))
            name = self.random.choice(list(self.processes))
            self.kill(name)
            self.start(name)
        workers = [name for name in self.processes if name.startswith("worker")]
        for name in workers:
            self.kill(name)
        await asyncio.sleep(min(15, self.seconds / 10))
        for name in workers:
            self.start(name)

    async def run(self):
        server = await self.recorder.serve(self.service)
        for name in ("api0", "api1", "worker0", "worker1"):
            self.start(name)
        await asyncio.sleep(0)
        begin = time.monotonic()
        feeding = asyncio.create_task(self.feed(begin + self.seconds))
        storming = asyncio.create_task(self.storm(begin))
        await asyncio.sleep(self.seconds)
        end = time.monotonic()
        await storming
        await feeding
        server.close()
        return self.figures(end)

    async def alone(self):
        """Nothing fails, and nothing is killed."""
        server = await self.recorder.serve(self.service)
        for name in ("api0", "worker0", "worker1"):
            self.start(name)
        self.database.wait("EXISTS (SELECT FROM amity_leases)")
        count = 1000
        await self.submit([
            {"task_type": "ordered", "payload": {"key": "one", "seconds": 0.001, "number": number}}
            for number in range(count)
        ])
        end = time.monotonic() + LEEWAY
        while len(self.recorder.orders.get("one", [])) < count and time.monotonic() < end:
            await asyncio.sleep(0.1)
        server.close()
        order, starts = self.recorder.orders.get("one", []), self.recorder.starts["one"]
        return {
            "tasks": count, "starts_per_second": round(count / (starts[-1] - starts[0]), 1),
            "most_at_once": self.recorder.most["one"],
            "is_right": order == list(range(count)) and self.recorder.most["one"] == 1,
        }

    def figures(self, end):
        rated = {key: times for key, times in self.recorder.starts.items()
                 if key.startswith("rated")}
        used = {key: sum(at <= end for at in times) / (RATE * (end - times[0]) + BURST)
                for key, times in rated.items()}
        capped = [most for key, most in self.recorder.most.items() if key.startswith("capped")]
        orders = self.recorder.orders
        done = sum(len(times) for key, times in self.recorder.starts.items()
                   if key.startswith("ordered"))
        shown = {
            "seconds": self.seconds, "kills": self.kills, "keys": len(rated),
            "starts": sum(map(len, rated.values())),
            "worst_excess": round(max(excess(times, 0) for times in rated.values()), 2),
            "worst_excess_within_way": round(
                max(excess(times, WAY) for times in rated.values()), 2),
            "least_used": round(min(used.values()), 4),
            "most_at_once": {"capped": max(capped), "ordered": max(
                most for key, most in self.recorder.most.items() if key.startswith("ordered"))},
            "ordered_starts_per_second_and_key": round(done / ORDERED / self.seconds, 1),
            "out_of_order": sum(
                # Twice in a row: it was cut off after its answer, and ran again.
                one > other for order in orders.values() for one, other in zip(order, order[1:])),
        }
        isRight = (
            len(rated) == KEYS and shown["worst_excess_within_way"] <= 0
            and shown["least_used"] >= 0.97 and shown["most_at_once"]["capped"] <= CAP
            and shown["most_at_once"]["ordered"] <= 1 and shown["out_of_order"] == 0
        )
        return shown | {"is_right": isRight}

    def stop(self):
        for one in self.processes.values():
            one.process.kill()
            one.process.wait()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=HOME / ".build/release/amity")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="amity-limits-"))
    trial = None
    try:
        trial = Trial(arguments, folder)
        shown = await (trial.alone() if arguments.alone else trial.run())
        print(json.dumps({"seed": arguments.seed} | shown, indent=1), flush=True)
        return 0 if shown["is_right"] else 1
    finally:
        if trial:
            trial.stop()
        stop_servers(folder)
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(asyncio.run(main()))
