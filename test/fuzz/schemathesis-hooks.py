"""What Schemathesis (https://schemathesis.readthedocs.io) cannot know of the ingress from its OpenAPI document alone.

Bodies that are JSON without saying so are made as such. Headers that the HTTP parser in front does not read (a tab in a value, other
characters in a name than letters, digits and hyphens) are taken out: such a request gets no answer. Where a Segment message says its time
it does not say when it was sent: the one corrected by the other may be no time.
"""

import json
import re

import schemathesis
from hypothesis import strategies as st

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
value = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8)
event = value.filter(lambda made: not isinstance(made, list)).map(lambda made: json.dumps(made).encode())
lines = st.lists(event, min_size=1, max_size=5).map(lambda each: b"\n".join(each) + b"\n")

schemathesis.openapi.media_type("text/plain", event)
line_types = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
for name in line_types:
    schemathesis.openapi.media_type(name, lines)

header_max_chars = 3_000


def is_read(name: str, said: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9-]+", name) is not None and "\t" not in str(said)


@schemathesis.hook
def filter_case(context, case):
    """Headers say nothing about a CloudEvent: wrong ones would not be met. An id is that of one event, and no batch's."""
    media_type = case.media_type or ""
    names = [name.lower() for name in case.headers]
    if "cloudevents" in media_type:
        return not any(name.startswith(("x-event-", "x-partition-")) for name in names)
    is_batch = isinstance(case.body, list) or media_type in line_types
    return not is_batch or "x-event-id" not in names


@schemathesis.hook
def before_call(context, case, kwargs):
    for name in [name for name, said in case.headers.items() if not is_read(name, said)]:
        del case.headers[name]
    # A head beyond the server's bound is refused whatever it asks for.
    for name in [name for name, said in case.headers.items() if len(str(said)) > header_max_chars]:
        del case.headers[name]
    # Nothing is compressed here.
    if case.headers.get("Content-Encoding") in ("gzip", "deflate", "br"):
        del case.headers["Content-Encoding"]
    if isinstance(case.body, dict):
        messages = case.body.get("batch")
        for one in [case.body, *(messages if isinstance(messages, list) else [])]:
            if isinstance(one, dict) and (one is not case.body or messages is not None or "timestamp" in one or "originalTimestamp" in one):
                one.pop("sentAt", None)
