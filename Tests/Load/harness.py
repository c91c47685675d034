"""What measurements from outside need: a database that is asked, processes, HTTP, percentiles."""
import asyncio
import json
import os
import pathlib
import socket
import subprocess
import time

HOME = pathlib.Path(__file__).resolve().parents[2]
LEEWAY = 120  # seconds for what takes a few


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * percent / 100))] if values else None


def spread(seconds):
    """p50, p99 and the most, in milliseconds."""
    if not seconds:
        return {}
    return {
        "p50_ms": round(percentile(seconds, 50) * 1000, 1),
        "p99_ms": round(percentile(seconds, 99) * 1000, 1),
        "most_ms": round(max(seconds) * 1000, 1), "of": len(seconds),
    }


class Database:
    """A psql that stays: a query costs no process."""

    def __init__(self, url):
        self.url = url
        self.psql = subprocess.Popen(
            ["psql", "-qXtA", "-v", "ON_ERROR_STOP=1", url], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1,
        )

    def rows(self, sql):
        self.psql.stdin.write(f"{sql};\n\\echo --\n")
        self.psql.stdin.flush()
        lines = []
        while (line := self.psql.stdout.readline()) != "--\n":
            if not line:
                raise SystemExit("psql ended")
            lines.append(line.rstrip("\n").split("|"))
        return lines

    def numbers(self, sql):
        return [float(row[0]) for row in self.rows(sql) if row[0]]

    def number(self, sql):
        return (self.numbers(sql) or [0.0])[0]

    def wait(self, condition):
        end = time.monotonic() + LEEWAY
        while self.rows(f"SELECT {condition}") != [["t"]]:
            if time.monotonic() > end:
                raise SystemExit(f"in vain: {condition}")
            time.sleep(0.05)

    def wait_until_idle(self):
        self.wait("NOT EXISTS (SELECT FROM amity_tasks WHERE state < 5)")

    def forget(self):
        self.rows("TRUNCATE amity_tasks, amity_task_data")


def start_servers(folder):
    """A private RabbitMQ and PostgreSQL, which end with this process.

    Returns the variables of Amity's that lead there and nowhere else, and what else is to know.
    """
    started = subprocess.run(
        [HOME / "deploy/dev/servers", "start", folder / "servers", "--owner", str(os.getpid())],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout
    values = dict(line.split("=", 1) for line in started.split())
    environment = {
        name: value for name, value in os.environ.items()
        if name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")
    }
    return environment | {name: values[name] for name in ("RABBITMQ_URL", "DATABASE_URL")}, values


def stop_servers(folder):
    subprocess.run([HOME / "deploy/dev/servers", "stop", folder / "servers"], check=False)


class Amity:
    """A process of Amity, and what the kernel says of it."""

    def __init__(self, binary, command, environment, folder, name=None):
        self.log = open(folder / f"{name or command}.log", "a")
        self.started = time.time()
        self.process = subprocess.Popen(
            [binary, command], env=environment, cwd=folder, stdout=self.log, stderr=self.log
        )

    def megabytes(self, name):
        with open(f"/proc/{self.process.pid}/status") as status:
            line = next(line for line in status if line.startswith(name + ":"))
        return round(int(line.split()[1]) / 1024, 1)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    # With children that have ended, for PostgreSQL's sessions.
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def family_cpu_seconds(pid):
    total = cpu_seconds(pid)
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            total += sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return total


class Client:
    """One connection to the API."""

    def __init__(self, port):
        self.port = port

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def ask(self, method, path, body=None, headers=None):
        data = json.dumps(body).encode() if body is not None else b""
        kind = "Content-Type: application/json\r\n" if data else ""
        kind += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.writer.write(
            f"{method} /api/v1/tasks{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{kind}"
            f"Content-Length: {len(data)}\r\n\r\n".encode() + data
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        length = next(line for line in lines if line.lower().startswith(b"content-length:"))
        answer = await self.reader.readexactly(int(length.split(b":")[1]))
        status = int(lines[0].split(b" ")[1])
        if status >= 300:
            raise SystemExit(f"{method} {path} was answered {status}: {answer.decode()}")
        return json.loads(answer)


def task(milliseconds=0, priority=None):
    one = {"task_type": "benchmark"}
    if milliseconds:
        one["payload"] = {"sleep_ms": milliseconds}
    if priority:
        one["priority"] = priority
    return one
