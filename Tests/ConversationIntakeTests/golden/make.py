"""Writes bodies.jsonl and times.jsonl: what FastAPI and pydantic 2 answer to bodies and times.

    pip install fastapi httpx && python make.py

The model has the rules of the intake's contract. `input` is left out of the answers.
"""
import json
import random
from datetime import datetime, timezone
from typing import Annotated, Any, Optional

from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import AfterValidator, AliasChoices, BaseModel, Field, TypeAdapter
from pydantic import ValidationError, model_validator

Time = Annotated[
    datetime,
    AfterValidator(lambda time: time if time.tzinfo else time.replace(tzinfo=timezone.utc)),
]


class End(BaseModel):
    conversation_id: str = Field(min_length=3, max_length=255)
    user_id: str = Field(min_length=3, max_length=255)
    bot_type: str = Field(max_length=50)
    bot_id: str = Field(max_length=255)
    bot_name: str = Field(max_length=255)
    agent_tag: Optional[str] = Field(default=None, max_length=255)
    start_time: Time
    end_time: Time
    conversation_log: list[dict[str, Any]] = Field(
        default_factory=list,
        validation_alias=AliasChoices("conversation_log", "conversation_logs"),
    )
    next_attempt_at: Optional[Time] = None

    @model_validator(mode="after")
    def ends_after_its_start(self):
        if self.end_time <= self.start_time:
            raise ValueError("end_time must be greater than start_time")
        return self


app = FastAPI()


@app.post("/end")
def end(body: End):
    return {}


client = TestClient(app)
FINE = {
    "conversation_id": "c-1", "user_id": "u-1", "bot_type": "TALK", "bot_id": "b", "bot_name": "P",
    "start_time": "2026-01-01T10:00:00Z", "end_time": "2026-01-01T10:20:00Z",
    "conversation_log": [{"speaker": "pika", "turn_id": 1, "text": "Hi"}],
}
CHANGES = [
    {}, {"conversation_id": "ab"}, {"conversation_id": "x" * 256}, {"conversation_id": "mẹ1"},
    {"conversation_id": "e\u0301\u0302"}, {"conversation_id": "e\u0301"}, {"user_id": "🙂" * 255},
    {"user_id": "🙂" * 256}, {"conversation_id": 5}, {"conversation_id": None},
    {"conversation_id": ["abc"]}, {"conversation_id": {}}, {"conversation_id": True},
    {"user_id": ""}, {"bot_type": ""}, {"bot_type": "x" * 51}, {"bot_type": "ANY OTHER"},
    {"bot_id": "x" * 256}, {"bot_id": ""}, {"bot_name": 1.5}, {"agent_tag": None},
    {"agent_tag": "x" * 256}, {"agent_tag": 5}, {"agent_tag": ""}, {"unknown": {"a": [1]}},
    {"conversation_log": None}, {"conversation_log": "[]"}, {"conversation_log": {}},
    {"conversation_log": 5}, {"conversation_log": []}, {"conversation_log": True},
    {"conversation_log": [1, None, {"a": 1}, [], "x", True]}, {"conversation_logs": [1]},
    {"start_time": None}, {"start_time": True}, {"start_time": []}, {"start_time": {}},
    {"start_time": "x"}, {"start_time": ""}, {"start_time": "2026-13-01T00:00:00Z"},
    {"start_time": "2026-01-01T25:00:00Z"}, {"start_time": 1767261600}, {"start_time": 1e300},
    {"start_time": 1767261600.25}, {"start_time": 1767261600000}, {"start_time": "1767261600"},
    {"start_time": 10**25}, {"start_time": -(10**25)}, {"start_time": "2026-01-01"},
    {"start_time": "2026-01-01T10:00:00"}, {"start_time": "2026-01-01T17:00:00+07:00"},
    {"end_time": "2026-01-01T10:00:00Z"}, {"end_time": "2026-01-01T09:00:00Z"},
    {"end_time": "2026-01-01T17:00:00+07:00"}, {"end_time": "2026-01-01T17:00:01+07:00"},
    {"next_attempt_at": None}, {"next_attempt_at": "z"}, {"next_attempt_at": "2026-01-02"},
    {"next_attempt_at": False},
    {"conversation_id": "x", "user_id": 1, "end_time": "q", "conversation_log": [1]},
]
WITHOUT = [[name] for name in FINE] + [["user_id", "end_time"], list(FINE)]
RAW = [
    "", "[]", "null", "5", '"x"', "true", "{}", '\ufeff{"user_id":"u"}', "{", "[1,2", "{} x", "x",
    '{"a":1,}', '{"🙂" 1}', '{"a":"\\x"}', '{"a":tru}', '{"a":}', '{"a":"\n"}', "{'a':1}",
]


def times():
    whole = [
        "2026-01-01T10:00:00Z", "2026-01-01 10:00", "2026-02-28t23:59:59.999999999-14:30",
        "2024-02-29_00:00:00,5+0530", "2026-12-31", "1767261600", "1767261600123", "-1.25", ".5",
        "5.", "+7", "0000-01-01", "0001-01-01", "9999-12-31T23:59:59.999999", "20000000000",
        "20000000001", "-62135596800000", "-62135596800001", "-62167219200000", "-99999999999999",
        "253402300799999", "253402300800000", "1767261600.1234565", "-1.0000005", "1767261600123.5",
        "2026-01-01T10:00:00\u221207:00", "2026-01-01T10:00:00+23:59", "2026-01-01T24:00", "1e5",
        "2026-01-01T10:00:60Z", "2026-01-01T10:00:00+24:00", "2026-01-01T10:00:00+07:60", "nan",
        "1900-02-29", "2000-02-29", "2026-04-31", "2026-04-30", " 2026-01-01", "2026-01-01 ",
        "2026-01-01T10:00:00.", "2026-01-01T10:00:00.1234567Z", "2026-01-01T10:00+07", "",
    ]
    yield from whole
    choose = random.Random(5)
    for _ in range(400):
        text = list(choose.choice(whole))
        for _ in range(choose.choice([1, 1, 2])):
            place = choose.randrange(len(text) + 1)
            text[place:place + choose.choice([0, 1])] = choose.choice(list("0129-:TZ.+ x") + [""])
        yield "".join(text)


def without_input(answer):
    for problem in answer.get("detail", []):
        problem.pop("input", None)
        if problem["type"] == "json_invalid":
            del problem["ctx"]  # What Python's parser expected there.
    return answer


with open("bodies.jsonl", "w") as file:
    bodies = [json.dumps({**FINE, **change}, ensure_ascii=False) for change in CHANGES]
    bodies += [
        json.dumps({name: FINE[name] for name in FINE if name not in names}) for names in WITHOUT
    ]
    for body in bodies + RAW:
        answer = client.post(
            "/end", content=body.encode(), headers={"content-type": "application/json"}
        )
        line = {"body": body, "status": answer.status_code, "answer": without_input(answer.json())}
        print(json.dumps(line), file=file)

adapter = TypeAdapter(Time)
with open("times.jsonl", "w") as file:
    for text in dict.fromkeys(times()):
        try:
            time = adapter.validate_python(text).astimezone(timezone.utc)
            answer = {"time": time.isoformat().replace("+00:00", "Z")}
        except ValidationError as error:
            answer = {"type": error.errors()[0]["type"], "message": error.errors()[0]["msg"]}
        except OverflowError:
            continue  # Legal, and in no year of UTC.
        print(json.dumps({"text": text, **answer}), file=file)
