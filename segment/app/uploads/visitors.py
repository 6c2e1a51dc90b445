"""Visitors: who a request belongs to."""

import secrets

import gradio


def identify_visitor(request: gradio.Request) -> str:
    """Returns the session of the page or of Gradio's client that sent a request.

    A request that names no session is a visitor of its own.

    Args:
        request: Request of Gradio.
    """
    return request.session_hash or secrets.token_urlsafe(16)
