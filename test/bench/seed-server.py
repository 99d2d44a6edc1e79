"""
The stack of the origin, for comparison: FastAPI on uvicorn (uvloop, httptools), the body as a pydantic model, boto3 put_records of up to
500 records in a thread, the answer once they are put. Run by test/bench/seed-server.ts: seed-server.py STUB_PORT STREAM
"""
import asyncio
import json
import sys
import time
import uuid

import boto3
import uvicorn
from botocore.config import Config
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

stub_port, stream = sys.argv[1], sys.argv[2]
batch_records = 500
linger_seconds = 0.005

kinesis = boto3.client(
    "kinesis",
    endpoint_url=f"http://127.0.0.1:{stub_port}",
    region_name="eu-central-1",
    aws_access_key_id="AKIDBENCH",
    aws_secret_access_key="bench",
    config=Config(max_pool_connections=64),
)
app = FastAPI()


class Event(BaseModel):
    model_config = ConfigDict(extra="allow")


waiting: list[tuple[bytes, asyncio.Future]] = []
timer: asyncio.TimerHandle | None = None


def put(batch: list[tuple[bytes, asyncio.Future]]) -> None:
    records = [{"Data": data, "PartitionKey": str(uuid.uuid4())} for data, _ in batch]
    answer = kinesis.put_records(Records=records, StreamName=stream)
    if answer["FailedRecordCount"] > 0:
        raise RuntimeError("records were refused")


async def flush() -> None:
    global waiting, timer
    if timer is not None:
        timer.cancel()
        timer = None
    batch, waiting = waiting, []
    await asyncio.get_running_loop().run_in_executor(None, put, batch)
    for _, done in batch:
        done.set_result(None)


@app.post("/v1/{team}/{app_name}")
async def post(team: str, app_name: str, event: Event) -> dict:
    global timer
    loop = asyncio.get_running_loop()
    event_id = str(uuid.uuid4())
    envelope = {"id": event_id, "team": team, "app": app_name, "received": time.time(), "data": event.model_dump()}
    done = loop.create_future()
    waiting.append((json.dumps(envelope).encode(), done))
    if len(waiting) >= batch_records:
        loop.create_task(flush())
    elif timer is None:
        timer = loop.call_later(linger_seconds, lambda: loop.create_task(flush()))
    await done
    return {"id": event_id, "status": "ok"}


@app.get("/usage")
async def usage() -> dict:
    return {"cpuUs": time.process_time() * 1_000_000}


class Server(uvicorn.Server):
    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)


config = uvicorn.Config(app, host="127.0.0.1", port=0, loop="uvloop", http="httptools", log_level="error", access_log=False)
Server(config).run()
