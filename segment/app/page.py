"""The page of the app: its two tabs, its API, and its theme."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import gradio

from segment.app.api import make_api
from segment.app.jobs.models import OfferedModels
from segment.app.jobs.queue import Jobs
from segment.app.pages.classify_tab import make_classify_tab
from segment.app.pages.components import refuse_addresses
from segment.app.pages.map_tab import make_map_tab
from segment.app.uploads.middleware import Page
from segment.app.uploads.visitors import identify_visitor

_QUEUE = 100  # calls that may wait
_TITLE = "aerial-segment"
_SYSTEM_FONTS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Liberation Sans",
    "sans-serif",
)


Place = Literal["machine", "server"]
"""What runs the app, as seen by its visitors: their own machine, or a server."""


def find_place(host: str) -> Place:
    """Returns what runs the app, as seen by visitors of an address.

    Args:
        host: Address that the server listens on.

    Returns:
        "machine" for a loopback address, "server" for any other.
    """
    try:
        own = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        own = host == "localhost"
    return "machine" if own else "server"


def make_page(
    models: OfferedModels,
    jobs: Jobs,
    samples: dict[str, Path],
    place: Place = "machine",
    photographs: Mapping[str, Path] = MappingProxyType({}),
) -> gradio.Blocks:
    """Builds the page, with its two tabs and its API.

    Args:
        models: Models to choose from.
        jobs: Jobs of the server.
        samples: Folders of sample scenes by name, see `write_samples`.
        place: What runs the app; the page mentions it.
        photographs: Sample photographs to label by name, see `write_photographs`.

    Returns:
        The page, ready to be launched.
    """
    page = Page(title=_TITLE, analytics_enabled=False)
    with page:
        make_api(models, jobs)
        gradio.HTML(
            f"<header><h1>{_TITLE}</h1><p>Labels images and maps scenes on this {place}; "
            "what you upload stays here, and is removed after an hour.</p></header>"
        )
        with gradio.Tabs():
            with gradio.Tab("Classify"):
                make_classify_tab(models, jobs, photographs)
            with gradio.Tab("Map"):
                make_map_tab(models, jobs, samples)

        def forget(request: gradio.Request) -> None:
            jobs.forget(identify_visitor(request))

        page.unload(forget)
    refuse_addresses(page)
    page.queue(max_size=_QUEUE, api_open=False, default_concurrency_limit=4)
    return page


def make_theme() -> Any:
    """Returns Gradio's theme with fonts of the system and colours that are dark enough."""
    theme = gradio.themes.Default(
        primary_hue="blue", font=list(_SYSTEM_FONTS), font_mono=["ui-monospace", "monospace"]
    )
    return theme.set(  # the default's greys and blue are too pale to read (WCAG AA)
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        link_text_color="*primary_700",
        link_text_color_hover="*primary_800",
        link_text_color_dark="*primary_300",
        link_text_color_hover_dark="*primary_200",
        link_text_color_visited_dark="*primary_300",
        link_text_color_active_dark="*primary_300",
        color_accent="*primary_700",
    )
