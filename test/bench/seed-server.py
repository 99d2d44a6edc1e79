"""
The stack of the origin, for comparison, tuned as its users tune it: FastAPI on uvicorn (uvloop, httptools) in several worker processes on one port,
the body read as it comes and parsed by orjson, boto3 put_records of up to 500 records in threads, the answer once they are put.
Run by test/bench/seed-server.ts: seed-server.py STUB_PORT STREAM WORKERS

Prints one JSON line when every worker listens: {"port": ..., "pids": [...]}. Ends with its parent, whose pipe is its standard input.
"""
import asyncio
import json
import multiprocessing
import os
import socket
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
import orjson
import uvicorn
from botocore.config import Config
from fastapi import FastAPI, HTTPException, Request, Response

batch_records = 500
linger_seconds = 0.005
# Calls under way in one worker: they share its interpreter lock, so more threads only take turns.
calls = 4


def make_app(stub_port: str, stream: str) -> FastAPI:
    kinesis = boto3.client(
        "kinesis",
        endpoint_url=f"http://127.0.0.1:{stub_port}",
        region_name="eu-central-1",
        aws_access_key_id="AKIDBENCH",
        aws_secret_access_key="bench",
        config=Config(max_pool_connections=2 * calls, retries={"mode": "standard"}, parameter_validation=False),
    )
    executor = ThreadPoolExecutor(calls)
    waiting: list[tuple[bytes, str, asyncio.Future]] = []
    timer: asyncio.TimerHandle | None = None
    tasks: set[asyncio.Task] = set()
    app = FastAPI(openapi_url=None)

    def put(batch: list[tuple[bytes, str, asyncio.Future]]) -> None:
        records = [{"Data": data, "PartitionKey": key} for data, key, _ in batch]
        answer = kinesis.put_records(Records=records, StreamName=stream)
        if answer["FailedRecordCount"] > 0:
            raise RuntimeError("records were refused")

    async def write(batch: list[tuple[bytes, str, asyncio.Future]]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(executor, put, batch)
        except Exception as thrown:
            for _, _, done in batch:
                done.set_exception(thrown)
            return
        for _, _, done in batch:
            done.set_result(None)

    def flush() -> None:
        # What waits is taken here and now: a request that comes before the write has begun belongs to the next batch.
        nonlocal waiting, timer
        if timer is not None:
            timer.cancel()
            timer = None
        batch, waiting = waiting, []
        task = asyncio.get_running_loop().create_task(write(batch))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    @app.post("/v1/{team}/{app_name}")
    async def post(team: str, app_name: str, request: Request) -> Response:
        nonlocal timer
        try:
            data = orjson.loads(await request.body())
        except orjson.JSONDecodeError as thrown:
            raise HTTPException(400, str(thrown)) from None
        event_id = str(uuid.uuid4())
        envelope = {"id": event_id, "team": team, "app": app_name, "received": time.time(), "data": data}
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        waiting.append((orjson.dumps(envelope), event_id, done))
        if len(waiting) >= batch_records:
            flush()
        elif timer is None:
            timer = loop.call_later(linger_seconds, flush)
        await done
        return Response(orjson.dumps({"id": event_id, "status": "ok"}), media_type="application/json")

    return app


def listener(port: int) -> socket.socket:
    """Each worker has a listener of its own: the kernel spreads connections evenly over them."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def work(stub_port: str, stream: str, port: int, ready) -> None:
    class Server(uvicorn.Server):
        async def startup(self, sockets=None) -> None:
            await super().startup(sockets)
            ready.put(os.getpid())

    config = uvicorn.Config(
        make_app(stub_port, stream), loop="uvloop", http="httptools", log_level="warning", access_log=False, backlog=4096, server_header=False
    )
    Server(config).run(sockets=[listener(port)])


if __name__ == "__main__":
    stub, stream_name, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    reserved = listener(0)
    chosen = reserved.getsockname()[1]
    ready = multiprocessing.SimpleQueue()
    processes = [multiprocessing.Process(target=work, args=(stub, stream_name, chosen, ready), daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    pids = [ready.get() for _ in processes]
    reserved.close()
    print(json.dumps({"port": chosen, "pids": pids}), flush=True)
    sys.stdin.read()
    for process in processes:
        process.kill()
