"""A batch job over redis-py that asks tidegate what it may write, and so is not refused.

REDIS_URL, JOB_NAME (the client's name, which limits are for); arguments: how many keys to write, and how long the
longest value is (32 where absent).
"""

import json
import os
import re
import sys
import time

import redis

BATCH = 500  # writes in one pipeline at most
UNLIMITED = 1 << 30


def quota(client, key):
    """{"blocked", "wait_ms", "limits": [{"rule", "cost", "rate", "burst", "tokens", …}]}, or None of a bare Redis."""
    def fields(flat):
        names = [name.decode() for name in flat[::2]]
        return dict(zip(names, (value.decode() if isinstance(value, bytes) else value for value in flat[1::2])))

    try:
        answer = fields(client.execute_command("TIDEGATE", "QUOTA", key))
    except redis.ResponseError:
        return None
    answer["limits"] = [fields(limit) for limit in answer["limits"]]
    return answer


def cost(limit, key, value):
    """What `SET key value EX 3600` costs under a limit: of bytes, every argument counts."""
    return len(key) + len(value) + len("EX3600") if limit["cost"] == "byte" else 1


def allowed(client, key, value):
    """How many writes like this one pass at once; waits until it is a batch, or as much as the burst ever holds."""
    while True:
        now = quota(client, key)
        held = [limit for limit in now["limits"] if limit["action"] != "observe"] if now else []
        if not held:
            return BATCH
        if now["blocked"]:
            time.sleep(min(now["wait_ms"], 5000) / 1000)
            continue
        room, wait = UNLIMITED, 0.0
        for limit in held:
            each = cost(limit, key, value)
            # What costs more than the bucket holds passes when the bucket is full.
            wanted = min(BATCH * each, limit["burst"] - limit["burst"] % each or limit["burst"])
            room = min(room, limit["tokens"] // each)
            wait = max(wait, (wanted - limit["tokens"]) / float(limit["rate"]))
        if wait <= 0:
            return max(1, min(room, BATCH))
        time.sleep(wait)


def retry_after(error):
    """Seconds that a THROTTLED asks for; None for any other reply."""
    found = re.match(r"THROTTLED .*retry_after_ms=(\d+)", str(error)) if isinstance(error, redis.ResponseError) else None
    return int(found.group(1)) / 1000 if found else None


def run(client, writes):
    """Writes (key, value) pairs; returns how many were refused on the way and sent again."""
    throttled = 0
    waiting = list(reversed(writes))
    while waiting:
        # By the largest of those that are next, so that none is dearer than it was thought.
        room = allowed(client, *max(waiting[-BATCH:], key=lambda write: len(write[0]) + len(write[1])))
        batch = [waiting.pop() for _ in range(min(room, len(waiting)))]
        pipeline = client.pipeline(transaction=False)
        for key, value in batch:
            pipeline.set(key, value, ex=3600)
        again, pause = [], 0.0
        for write, reply in zip(batch, pipeline.execute(raise_on_error=False)):
            seconds = retry_after(reply)
            if seconds is not None:
                again.append(write)
                pause = max(pause, seconds)
            elif isinstance(reply, Exception):
                raise reply
        throttled += len(again)
        waiting.extend(reversed(again))
        time.sleep(pause)
    return throttled


def main():
    name = os.environ.get("JOB_NAME", "nightly-import")
    client = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"), client_name=name)
    count, longest = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 32
    writes = [(f"import:{name}:{os.getpid()}:{n}", "x" * (longest - n % longest)) for n in range(count)]
    throttled = run(client, writes)
    print(json.dumps({"written": count, "throttled": throttled}))


if __name__ == "__main__":
    main()
