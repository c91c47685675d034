#!/usr/bin/env python3
"""Measures what rows that cannot be written cost the others: private servers, one `amity worker`.

    Tests/Load/refused.py                    # ten pairs, three minutes
    Tests/Load/refused.py --rounds 3 --binary .build/release/amity

Each pair is 400 healthy conversations, then 360 beside 40 that the database refuses for four
reasons: a trigger, a generated column, a constraint, a policy. Both threads of the worker are held
at their first write; the time is the database's, from there until the last healthy one is scored,
asked for every 2 ms. A pair before the others warms the worker, and between two pairs it forgets
that rows were refused.
"""
import argparse
import json
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import harness  # noqa: E402

WORKER = "refused_worker"
# Longer than a worker divides its batches after a refusal, `DatabaseOutage.apart`.
FORGETS = 11.0
KINDS = ["raises", "divides", "checked", "hidden"]
REFUSALS = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.user_id LIKE 'raises-%' THEN UPDATE no_such_table SET x = 1; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON friendship_status FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE friendship_status ADD COLUMN odd int GENERATED ALWAYS AS (1 / CASE
    WHEN user_id LIKE 'divides-%' AND friendship_score > 0 THEN 0 ELSE 1 END) STORED;
ALTER TABLE friendship_status ADD CONSTRAINT checked
    CHECK (user_id NOT LIKE 'checked-%' OR friendship_score = 0);
ALTER TABLE friendship_status ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON friendship_status FOR SELECT USING (true);
CREATE POLICY made ON friendship_status FOR INSERT WITH CHECK (true);
CREATE POLICY changed ON friendship_status FOR UPDATE USING (user_id NOT LIKE 'hidden-%')
"""
CONVERSATION = json.dumps([{"speaker": "user", "text": "Can dinosaurs swim?"}])


def run(number, is_beside, database, publish):
    """Returns seconds."""
    bad = [f"{kind}-{number}-{one}" for kind in KINDS for one in range(10)] if is_beside else []
    ids = bad + [f"good-{number}-{one}" for one in range(400 - len(bad))]
    values = ", ".join(f"('{one}')" for one in ids)
    database.rows(
        f"""
        INSERT INTO conversation_events (conversation_id, user_id, bot_type, bot_id, bot_name,
            start_time, end_time, conversation_log)
        SELECT id, id, 'TALK', 'bot', 'Bot', now() - interval '5 minutes', now(), '{CONVERSATION}'
        FROM (VALUES {values}) AS new (id);
        INSERT INTO friendship_status (user_id, friendship_score)
        SELECT id, 0 FROM (VALUES {values}) AS new (id)
        """
    )
    random.Random(number).shuffle(ids)
    gate = harness.Database(database.url)
    gate.rows("BEGIN; LOCK TABLE conversation_events IN EXCLUSIVE MODE")
    publish(ids)
    database.wait("(SELECT count(*) = 2 FROM pg_locks WHERE NOT granted)")
    begin = gate.rows("COMMIT; SELECT clock_timestamp()")[0][0]
    end = time.monotonic() + harness.LEEWAY
    while True:
        done, seconds = database.rows(
            f"""
            SELECT count(*), extract(epoch FROM clock_timestamp() - '{begin}')
            FROM conversation_events
            WHERE status = 'PROCESSED' AND conversation_id LIKE 'good-{number}-%'
            """
        )[0]
        if int(done) == 400 - len(bad):
            break
        if time.monotonic() > end:
            raise SystemExit(f"{done} of {400 - len(bad)} are done")
        time.sleep(0.002)
    gate.psql.kill()
    gate.psql.wait()
    if is_beside:
        database.wait("(SELECT count(*) FILTER (WHERE next_attempt_at > '2999-01-01') = "
                      f"{len(bad)} FROM conversation_events WHERE conversation_id LIKE "
                      f"ANY ('{{{','.join(f'{kind}-{number}-%' for kind in KINDS)}}}'))")
        time.sleep(FORGETS)
    return float(seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=harness.HOME / ".build/release/amity")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    binary = pathlib.Path(arguments.binary).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="amity-refused-"))
    try:
        environment, _ = harness.start_servers(folder)
        own = dict(
            environment, MAX_ATTEMPTS="2", MESSAGE_CONCURRENCY_PER_WORKER="2", HTTP_PORT="0",
            LOG_LEVEL="warning",
        )
        quiet = {"env": own, "cwd": folder, "check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([binary, "migrate", "--topology"], **quiet)
        database = harness.Database(environment["DATABASE_URL"])
        database.rows(REFUSALS)
        database.rows(f"CREATE ROLE {WORKER} LOGIN PASSWORD '{WORKER}'")
        for objects in ["TABLES", "SEQUENCES"]:
            database.rows(f"GRANT ALL ON ALL {objects} IN SCHEMA public TO {WORKER}")

        def publish(ids):
            subprocess.run([binary, "publish", "-"], input="\n".join(ids), text=True, **quiet)

        # A superuser passes every policy.
        address = environment["DATABASE_URL"].rpartition("@")[2]
        worker = harness.Amity(
            binary, "worker", own | {"DATABASE_URL": f"postgresql://{WORKER}:{WORKER}@{address}"},
            folder,
        )
        seconds = {"healthy": [], "beside_refused": []}
        for number in range(2 * arguments.rounds + 2):
            case = "beside_refused" if number % 2 else "healthy"
            one = run(number, bool(number % 2), database, publish)
            if number > 1:
                seconds[case].append(round(one, 3))
        worker.process.terminate()
        worker.process.wait()
        medians = {case: statistics.median(values) for case, values in seconds.items()}
        ratio = round(medians["beside_refused"] / medians["healthy"], 2)
        print(json.dumps({"seconds": seconds, "medians": medians, "ratio": ratio}, indent=1))
    except SystemExit:
        for line in (folder / "worker.log").read_text().splitlines()[-20:]:
            print(line, file=sys.stderr)
        raise
    finally:
        harness.stop_servers(folder)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
