"""What Gradio keeps of pages and answers."""

import json

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from gradio.queueing import Queue
from gradio.routes import App

from vnvision_demo.lean import Lean


@pytest.fixture
def small():
    """A page with one question; its memory, and a client."""
    with gr.Blocks() as page:
        said, heard = gr.Textbox(), gr.Textbox()
        gr.Button().click(lambda told: told.upper(), said, heard)
    outer = gr.mount_gradio_app(FastAPI(), page, path="/")
    (inner,) = [one for route in outer.routes if isinstance(one := getattr(route, "app", None), App)]
    lean = Lean(inner)
    with TestClient(outer) as client:
        yield inner, lean, client


def ask(client, page, told):
    body = {"data": [told], "fn_index": 0, "trigger_id": None, "session_hash": page}
    client.post("/gradio_api/queue/join", json=body).raise_for_status()
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": page}) as stream:
        for line in stream.iter_lines():
            message = json.loads(line[5:]) if line.startswith("data:") else {}
            if message.get("msg") == "process_completed":
                return message["output"]["data"]
    return None


def test_answers_leave_no_record_and_no_table_is_made_of_them(small, monkeypatch):
    inner, _, client = small
    tables = []
    monkeypatch.setattr(Queue, "_get_df", lambda self, records: tables.append(records))
    for number in range(5):
        assert ask(client, f"page{number % 2}", "lá lúa") == ["LÁ LÚA"]
    queue = inner.get_blocks()._queue
    assert len(queue.event_analytics) <= 1
    assert tables == []


def test_a_page_that_is_forgotten_leaves_nothing(small):
    inner, lean, client = small
    ask(client, "mine", "a")
    ask(client, "theirs", "b")
    lean.forget("mine")
    queue = inner.get_blocks()._queue
    assert "mine" not in inner.state_holder.session_data
    assert "mine" not in queue.pending_messages_per_session
    assert "mine" not in queue.pending_event_ids_session
    assert "theirs" in inner.state_holder.session_data
