"""Whose jobs they are."""

import secrets

import gradio


def identify_visitor(request: gradio.Request) -> str:
    """The session of a page or of Gradio's client. A request that names none is a visitor of its own."""
    return request.session_hash or secrets.token_urlsafe(16)
