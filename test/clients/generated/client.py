"""Sends one event of each kind with the client that openapi-python-client made, and prints what its types say of the answers."""
import os

from sluice_client.api.default import pixel, segment_batch, segment_track, send
from sluice_client.client import AuthenticatedClient
from sluice_client.models import (
    CloudEvent,
    JsonEvent,
    SegmentBatch,
    SegmentBatchedPage,
    SegmentBatchedTrack,
    SegmentTaken,
    SegmentTrack,
    Taken,
)

url = os.environ["SLUICE_URL"]
client = AuthenticatedClient(base_url=url, token=os.environ["SLUICE_KEY"])
wrapped = AuthenticatedClient(base_url=url, token=os.environ["SLUICE_WRAPPED_KEY"])


def taken(kind: str, answer: object) -> None:
    assert isinstance(answer, Taken), (kind, answer)
    print(kind, answer.id)


def data(kind: str) -> JsonEvent:
    return JsonEvent.from_dict({"by": "python", "kind": kind})


def event(kind: str) -> CloudEvent:
    made = CloudEvent(specversion="1.0", id=f"python-{kind}", source="/python", type_="t", data={"by": "python", "kind": kind})
    made["campaign"] = "spring"
    return made


taken("json", send.sync("t", "web", client=client, body=data("json"), x_event_id="python-json"))
envelope = JsonEvent.from_dict({"id": "python-envelope", "data": {"by": "python", "kind": "envelope"}})
taken("envelope", send.sync("t", "wrapped", client=wrapped, body=envelope))
taken("structured", send.sync("t", "web", client=client, body=event("structured")))
ce = {"ce-specversion": "1.0", "ce-id": "python-binary", "ce-source": "/python", "ce-type": "t"}
with_ce = AuthenticatedClient(base_url=url, token=os.environ["SLUICE_KEY"], headers=ce)
taken("binary", send.sync("t", "web", client=with_ce, body=data("binary")))

track = SegmentTrack(event="Bought", user_id="u", message_id="python-track")
messages = [
    SegmentBatchedTrack(type_="track", event="Bought", user_id="u", message_id="python-messages-1"),
    SegmentBatchedPage(type_="page", anonymous_id="a", message_id="python-messages-2"),
]
for kind, answer in [
    ("track", segment_track.sync(client=client, body=track)),
    ("messages", segment_batch.sync(client=client, body=SegmentBatch(batch=messages))),
]:
    assert isinstance(answer, SegmentTaken), (kind, answer)
    print(kind, str(answer.success).lower())
answer = pixel.sync_detailed("t", "web", client=client, id="python-pixel")
print("pixel", answer.status_code.value)
