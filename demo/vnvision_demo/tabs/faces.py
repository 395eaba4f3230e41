"""Faces: compare two photos; enrol, find and forget people; hide faces."""

from __future__ import annotations

import gradio as gr

from vnvision_demo.settings import Language
from vnvision_demo.station import Station
from vnvision_demo.tabs.faces_compare import compare
from vnvision_demo.tabs.faces_enrol import enrol_and_find
from vnvision_demo.tabs.faces_hide import hide
from vnvision_demo.tabs.shared import Renewed
from vnvision_demo.texts import say


def faces(station: Station, language: Language) -> list[Renewed]:
    """Lay out the tab."""
    with gr.Tabs(elem_classes="v-inner"):
        with gr.Tab(say("faces.compare", language)):
            compare(station, language)
        with gr.Tab(say("faces.find", language)):
            fresh = enrol_and_find(station, language)
        with gr.Tab(say("faces.hide", language)):
            hide(station, language)
    return fresh
