"""Importing albumentations, which looks for a newer version online unless it is kept from it."""

import os
import subprocess
import sys

import pytest


@pytest.mark.heavy
@pytest.mark.parametrize("module", ["atmosphere", "augment"])
def test_albumentations_is_imported_offline(module: str) -> None:
    code = f"""
import sys, urllib.request
urllib.request.OpenerDirector.open = lambda *_, **__: sys.exit("went online")
import segment.core.pixels.{module}, albumentations
"""
    environment = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
