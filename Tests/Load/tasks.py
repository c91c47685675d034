#!/usr/bin/env python3
"""Measures tasks from outside: private servers, one `amity api`, one `amity worker`, one client.

    Tests/Load/tasks.py                              # everything, about four minutes
    Tests/Load/tasks.py --cases burst,idle           # some of it
    Tests/Load/tasks.py --scale 0.01                 # a hundredth of the tasks: a first try

Prints a line of JSON for each case. Clients send over HTTP, each on a connection of its own; when
a task has begun and ended the database says, whose clock is that of this machine. Needs nothing
but Python and psql. Sending costs a core: figures are those of a machine that also runs the
servers and the clients.
"""
import argparse
import asyncio
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # Nothing is left beside the sources.
from harness import (
    HOME, Amity, Client, Database, cpu_seconds, family_cpu_seconds, free_port, spread,
    start_servers, stop_servers, task
)


class Trial:
    def __init__(self, arguments, folder):
        self.scale = arguments.scale
        self.folder = folder
        self.binary = str(pathlib.Path(arguments.binary).resolve(strict=True))
        self.environment, values = start_servers(folder)
        self.postgres, self.broker = int(values["POSTGRES_PID"]), int(values["RABBITMQ_PID"])
        self.api_port = free_port()
        self.environment |= {
            "TASK_QUEUES": "default", "LOG_LEVEL": "notice", "API_PORT": str(self.api_port),
            "HTTP_PORT": str(free_port()),
        }
        subprocess.run(
            [self.binary, "migrate", "--topology"], env=self.environment, cwd=folder, check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self.database = Database(values["DATABASE_URL"])
        self.api = self.worker = None

    def run(self, command):
        return Amity(self.binary, command, self.environment, self.folder)

    def client(self):
        return Client(self.api_port)

    def count(self, full, least=10):
        return max(least, int(full * self.scale))

    def seconds(self, full):
        return full if self.scale >= 1 else 2

    def stop(self):
        for one in (self.api, self.worker):
            if one:
                one.process.send_signal(signal.SIGTERM)
                one.process.wait(30)

    # ---- Cases

    async def start(self):
        """From exec until a first task has begun, and what both take when idle."""
        self.api = self.run("api")
        while True:
            try:
                async with self.client() as client:
                    await client.ask("POST", "", task())
                break
            except OSError:
                await asyncio.sleep(0.005)
        answered = time.time()
        self.worker = self.run("worker")
        self.database.wait_until_idle()
        begun = self.database.number("SELECT extract(epoch FROM max(started_at)) FROM amity_tasks")
        await asyncio.sleep(3)
        return {
            "api_ms": round((answered - self.api.started) * 1000),
            "worker_ms": round((begun - self.worker.started) * 1000),
            "idle_mb": {
                "api": self.api.megabytes("VmRSS"), "worker": self.worker.megabytes("VmRSS"),
            },
        }

    async def reference(self):
        """pgbench's transactions on the same servers: below 4,100 a second the goals shrink."""
        done = subprocess.run(
            [self.binary, "bench", "--conversations", str(self.count(6000, least=200)),
             "--threads", "10", "--batch", "1", "--repeat", "1", "--json", "--yes"],
            env=self.environment, cwd=self.folder, check=True, capture_output=True,
        )
        first = json.loads(done.stdout)["references"][0]
        rate = first["measures"]["conversations_per_second"]["median"]
        return {"pgbench_per_second": round(rate), "of_the_goals": round(min(1, rate / 4100), 2)}

    async def burst(self):
        """1,000 tasks by ten clients, one in each request."""
        async def client(count):
            async with self.client() as client:
                for _ in range(count):
                    await client.ask("POST", "", task())
        each, begin = self.count(100), time.time()
        await asyncio.gather(*(client(each) for _ in range(10)))
        answered = time.time()
        self.database.wait_until_idle()
        end = self.database.number("SELECT extract(epoch FROM max(finished_at)) FROM amity_tasks")
        return {
            "tasks": each * 10, "answered_per_second": round(each * 10 / (answered - begin)),
            "completed_per_second": round(each * 10 / (end - begin)),
        }

    async def single(self):
        """Ten seconds, ten clients, one task in each request."""
        end = time.time() + self.seconds(10)
        return await self.load(10, 1, lambda sent: time.time() < end)

    async def batches(self):
        """20,000 tasks by two clients, 200 in each request."""
        count = self.count(20_000)
        return await self.load(2, 200, lambda sent: sent < count)

    async def four(self):
        """The same, a quarter of them in each of the four queues."""
        count = self.count(20_000)
        priorities = ["critical", "high", "normal", "low"]
        return await self.load(2, 200, lambda sent: sent < count, priorities)

    async def load(self, clients, size, goes_on, priorities=("normal",)):
        sent, waits = 0, []
        batch = [task(priority=priorities[number % len(priorities)]) for number in range(size)]

        async def client():
            nonlocal sent
            async with self.client() as client:
                while goes_on(sent):
                    sent += size
                    before = time.monotonic()
                    if size > 1:
                        await client.ask("POST", "/batch", batch)
                    else:
                        await client.ask("POST", "", batch[0])
                    waits.append(time.monotonic() - before)
        begin, before = time.time(), self.used()
        await asyncio.gather(*(client() for _ in range(clients)))
        took = time.time() - begin
        done = self.database.number("SELECT count(*) FROM amity_tasks WHERE state = 5")
        self.database.wait_until_idle()
        after = self.used()
        last = self.database.number("SELECT extract(epoch FROM max(finished_at)) FROM amity_tasks")
        return {
            "tasks": sent, "sent_per_second": round(sent / took),
            "completed_per_second_meanwhile": round(done / took),
            "completed_per_second": round(sent / (last - begin)), "answer": spread(waits),
            "cpu_ms_per_task": {
                name: round((after[name] - before[name]) * 1000 / sent, 3) for name in after
            },
            "peak_mb": {
                "api": self.api.megabytes("VmHWM"), "worker": self.worker.megabytes("VmHWM"),
            },
        }

    def used(self):
        """CPU seconds so far."""
        return {
            "client": time.process_time(), "api": cpu_seconds(self.api.process.pid),
            "worker": cpu_seconds(self.worker.process.pid),
            "postgresql": family_cpu_seconds(self.postgres), "rabbitmq": cpu_seconds(self.broker),
        }

    async def one_by_one(self, count, pause, **kind):
        """Submits tasks with a pause after each; answers how long each waited for its start, from
        before its POST and from when it was made."""
        sent = {}
        async with self.client() as client:
            for _ in range(count):
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))
                before = time.time()
                answer = await client.ask("POST", "", task(**kind))
                sent[answer["task_id"]] = before
        ids = ",".join(f"'{one}'" for one in sent)
        self.database.wait(
            f"NOT EXISTS (SELECT FROM amity_tasks WHERE id IN ({ids}) AND started_at IS NULL)"
        )
        rows = self.database.rows(
            "SELECT id, extract(epoch FROM started_at), extract(epoch FROM created_at) "
            f"FROM amity_tasks WHERE id IN ({ids})"
        )
        return (
            [float(start) - sent[one] for one, start, _ in rows],
            [float(start) - float(made) for _, start, made in rows],
        )

    async def idle(self):
        """From before the POST until the task has begun, when nothing else is to be done."""
        return spread((await self.one_by_one(self.count(200), 0.05))[0])

    async def cancel(self):
        """From before the DELETE until the handler has stopped."""
        waits = []
        async with self.client() as client:
            for _ in range(self.count(5, least=1)):
                ids = [
                    (await client.ask("POST", "", task(milliseconds=60_000)))["task_id"]
                    for _ in range(4)
                ]
                self.database.wait("(SELECT count(*) = 4 FROM amity_tasks WHERE state = 4)")
                asked = {}
                for one in ids:
                    await asyncio.sleep(random.uniform(0, 0.4))
                    asked[one] = time.time()
                    await client.ask("DELETE", f"/{one}")
                self.database.wait_until_idle()
                for one, end in self.database.rows(
                    "SELECT id, extract(epoch FROM finished_at) FROM amity_tasks"
                ):
                    if one in asked:
                        waits.append(float(end) - asked[one])
        return spread(waits)

    async def schedules(self):
        """1,000 due each second, among 200,000 rows made by SQL that wait for their time."""
        return await self.due_among(self.count(180_000), self.seconds(20), lead=10)

    async def snapshot(self):
        """The same among a million, for a minute, while a transaction of before stays open."""
        held = Database(self.environment["DATABASE_URL"])
        held.rows("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM amity_tasks")
        shown = await self.due_among(self.count(940_000), self.seconds(60), lead=40)
        held.rows("ROLLBACK")
        return shown

    async def due_among(self, rest, seconds, lead):
        """`lead`: seconds that making the rows may take."""
        due, rate = self.count(1000) * seconds, self.count(1000)
        self.database.rows(
            f"""
            DROP TABLE IF EXISTS load_due;
            CREATE TABLE load_due AS
            SELECT amity_uuid7(clock_timestamp()) AS id,
                CASE WHEN number > {due} THEN now() + (3600 + number) * interval '1 second'
                    ELSE now() + interval '{lead} seconds' + number * interval '1 second' / {rate}
                END AS due
            FROM generate_series(1, {due + rest}) AS number;
            INSERT INTO amity_task_data (id, payload, timeout_seconds)
            SELECT id, '{{}}', 60 FROM load_due;
            INSERT INTO amity_tasks (id, type, pool, priority, state, due_at, max_attempts,
                created_at)
            SELECT id, 'benchmark', 'default', 2, 0, due, 1, now() FROM load_due;
            ANALYZE amity_tasks
            """
        )
        before = self.used()
        left = self.database.number("SELECT extract(epoch FROM max(due) - now()) FROM load_due "
                                    "WHERE due < now() + interval '10 minutes'")
        assert left > seconds, "the rows took too long to make"
        await asyncio.sleep(left)
        self.database.wait(f"(SELECT count(*) = {due} FROM amity_tasks WHERE state = 5)")
        waits = self.database.numbers(
            "SELECT extract(epoch FROM started_at - due) FROM load_due JOIN amity_tasks USING (id) "
            "WHERE started_at IS NOT NULL"
        )
        after = self.used()
        return {
            "scheduled": due + rest, "due_per_second": rate, "late": spread(waits),
            "cpu_seconds": {name: round(after[name] - before[name], 1) for name in after},
        }

    async def priorities(self):
        """The first high one under 50,000 low ones of 20 ms, and both beside each other."""
        async with self.client() as client:
            left = self.count(50_000, least=200)
            while left > 0:
                batch = min(1000, left)
                left -= batch
                await client.ask("POST", "/batch", [task(20, "low")] * batch)
        high = {"milliseconds": 20, "priority": "high"}
        early, _ = await self.one_by_one(self.count(60), 0.05, **high)
        self.database.wait(
            "NOT EXISTS (SELECT FROM amity_tasks WHERE state = 3 AND due_at IS NOT NULL)"
        )
        waits, waits_made = await self.one_by_one(self.count(300), 0.05, **high)
        async with self.client() as client:
            for _ in range(self.count(5, least=1)):
                batch = self.count(1000, least=200)
                await client.ask("POST", "/batch", [task(20, "high")] * batch)
        begin = time.time()
        await asyncio.sleep(self.seconds(6) if self.scale >= 1 else 0.2)
        starts = dict(self.database.rows(
            f"SELECT priority, count(*) FROM amity_tasks "
            f"WHERE started_at > to_timestamp({begin}) GROUP BY 1"
        ))
        low, high = int(starts.get("3", 0)), int(starts.get("1", 0))
        percent = 100 * low / max(1, low + high)
        return {
            "high_waits": spread(waits), "high_waits_once_made": spread(waits_made),
            "while_low_are_published": spread(early),
            "beside": {"high": high, "low": low, "low_percent": round(percent, 1)},
        }


CASES = [
    "reference", "burst", "single", "batches", "four", "idle", "cancel", "schedules", "priorities",
]
# Takes minutes by itself: `snapshot`.


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=HOME / ".build/release/amity")
    parser.add_argument("--cases", default=",".join(CASES), help="in this order")
    parser.add_argument("--scale", type=float, default=1, help="of the numbers of tasks")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="amity-load-"))
    trial = None
    try:
        trial = Trial(arguments, folder)
        for case in ["start"] + arguments.cases.split(","):
            if case != "start":
                trial.database.forget()
            shown = {"case": case} | await getattr(trial, case)()
            print(json.dumps(shown), flush=True)
    finally:
        if trial:
            trial.stop()
        stop_servers(folder)
        shutil.rmtree(folder, ignore_errors=True)


asyncio.run(main())
