#!/usr/bin/env python3
"""Sends conversations to `amity api` as many users at once, and says how long they waited.

    Tests/Load/intake.py --port 8084 --users 100 --each 5        # a burst, until all are scored
    Tests/Load/intake.py --port 8084 --users 100 --seconds 10    # sustained

Each user has a connection of its own and sends its next conversation when the one before is
answered. Times are the client's. Needs nothing but Python, so it costs a core: leave one free.
"""
import argparse
import asyncio
import json
import os
import time
import uuid

LOG = [
    {"speaker": "pika" if turn % 2 == 0 else "user", "turn_id": turn + 1,
     "text": f"Item {turn} of a talk about dinosaurs, space and what is for dinner",
     "timestamp": "2026-01-01T10:00:00Z"}
    for turn in range(20)
]


def request(arguments, conversation, user):
    body = json.dumps({
        "conversation_id": conversation, "user_id": f"load-{user}", "bot_type": "TALK",
        "bot_id": "pika-1", "bot_name": "Pika", "start_time": "2026-01-01T10:00:00Z",
        "end_time": "2026-01-01T10:20:00Z", "conversation_log": LOG,
    }).encode()
    token = os.environ.get("API_TOKEN")
    access = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST /v1/conversations/end HTTP/1.1\r\nHost: {arguments.host}\r\n{access}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def exchange(reader, writer, data):
    """Returns the status and the body of the answer."""
    writer.write(data)
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    lengths = [line for line in lines if line.lower().startswith(b"content-length:")]
    body = await reader.readexactly(int(lengths[0].split(b":")[1]))
    return int(lines[0].split(b" ")[1]), body


async def user(arguments, number, begin, end, waits, sent):
    reader, writer = await asyncio.open_connection(arguments.host, arguments.port)
    await begin.wait()
    while len(sent[number]) < arguments.each if end is None else time.monotonic() < end:
        conversation = str(uuid.uuid4())
        data = request(arguments, conversation, number)
        before = time.monotonic()
        status, body = await exchange(reader, writer, data)
        waits.append(time.monotonic() - before)
        if status != 202:
            raise SystemExit(f"answered {status}: {body.decode()}")
        sent[number].append(conversation)
    writer.close()


async def wait_until_scored(arguments, sent):
    """Asks for each by sending it again, which has no other effect."""
    reader, writer = await asyncio.open_connection(arguments.host, arguments.port)
    for number, conversations in sent.items():
        for conversation in conversations:
            data = request(arguments, conversation, number)
            while b'"PROCESSED"' not in (await exchange(reader, writer, data))[1]:
                await asyncio.sleep(0.01)
    writer.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8084)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--seconds", type=float)
    arguments = parser.parse_args()
    begin, waits = asyncio.Event(), []
    sent = {number: [] for number in range(arguments.users)}
    end = time.monotonic() + arguments.seconds if arguments.seconds else None
    users = [
        asyncio.create_task(user(arguments, number, begin, end, waits, sent))
        for number in range(arguments.users)
    ]
    await asyncio.sleep(0.2)
    started = time.monotonic()
    begin.set()
    await asyncio.gather(*users)
    took = time.monotonic() - started
    waits.sort()
    shown = {
        "requests": len(waits), "seconds": round(took, 3), "per_second": round(len(waits) / took),
        "p50_ms": round(waits[len(waits) // 2] * 1000, 1),
        "p99_ms": round(waits[int(len(waits) * 0.99)] * 1000, 1),
    }
    if end is None:
        await wait_until_scored(arguments, sent)
        shown["all_scored_after_seconds"] = round(time.monotonic() - started, 3)
    print(json.dumps(shown))


asyncio.run(main())
