"""Folders of servers that were killed go at the next start, and no others."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from segment.app.jobs import server_folder
from segment.app.jobs.server_folder import ServerFolder, remove_left_behind

HOLD = """
import sys
from segment.app.jobs.server_folder import ServerFolder
folder = ServerFolder()
(folder.path / "upload").write_bytes(bytes(100))
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def start(place):
    running = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        return process, Path(process.stdout.readline().strip())

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.heavy
def test_the_folder_of_a_killed_server_goes_and_that_of_a_living_one_stays(place, start):
    (killed, gone), (_, stays) = start(), start()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    own = ServerFolder()
    assert not gone.exists() and (stays / "upload").exists() and own.path.parent == place
    remove_left_behind()
    assert own.path.exists() and (stays / "upload").exists()
    own.remove()
    assert not own.path.exists() and [entry.name for entry in place.iterdir()] == [stays.name]


def test_what_is_no_folder_of_a_server_stays(place):
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lock").touch()
    (place / "segment-app-link").symlink_to(elsewhere)
    (place / "segment-app-file").touch()
    (place / "segment-app-without").mkdir()
    (place / "segment-app-without" / "file").touch()
    linked = place / "segment-app-linked"
    linked.mkdir()
    (linked / "lock").symlink_to(elsewhere / "lock")
    (place / "other-segment-app-x").mkdir()
    (place / "other-segment-app-x" / "lock").touch()
    before = sorted(place.rglob("*"))
    remove_left_behind()
    assert sorted(place.rglob("*")) == before


def test_links_within_a_folder_that_goes_are_not_followed(place):
    kept = place / "kept"
    kept.mkdir()
    (kept / "file").touch()
    dead = place / "segment-app-dead"
    (dead / "uploads").mkdir(parents=True)
    (dead / "lock").touch()
    (dead / "uploads" / "link").symlink_to(kept)
    remove_left_behind()
    assert not dead.exists() and (kept / "file").exists()


def test_folders_of_other_users_stay(place, monkeypatch):
    dead = place / "segment-app-dead"
    dead.mkdir()
    (dead / "lock").touch()
    me = os.getuid()
    monkeypatch.setattr(server_folder.os, "getuid", lambda: me + 1)
    remove_left_behind()
    assert dead.exists()


def test_systems_without_locks_keep_all(place, monkeypatch):
    monkeypatch.setattr(server_folder, "fcntl", None)
    (place / "segment-app-dead").mkdir()
    (place / "segment-app-dead" / "lock").touch()
    own = ServerFolder()
    assert (place / "segment-app-dead").exists()
    own.remove()
    assert not own.path.exists()
