"""Dask's scheduler and workers as processes of their own, on loopback."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
_PATIENCE = 120  # seconds, for an event that comes at once where the machine is idle


def wait_for(event: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not event():
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.01)


class Cluster:
    """A scheduler, and workers that are started when asked for; all ended with it."""

    def __init__(self, folder: Path):
        self.folder, self.workers = folder, []
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file]
        self.scheduler = self._start("scheduler", options, {})
        wait_for(lambda: file.is_file() and file.read_text().endswith("}"), "scheduler")
        self.address = json.loads(file.read_text())["address"]

    def start_worker(self, *before: str, **environment: str) -> subprocess.Popen:
        """before: a command that starts another one. environment: of the worker."""
        options = [
            self.address,
            "--nthreads",
            "1",
            "--no-dashboard",
            "--memory-limit",
            "0",
            "--local-directory",
            self.folder,
        ]
        self.workers.append(self._start("worker", options, environment, before))
        return self.workers[-1]

    def _start(
        self, kind: str, options: list, environment: dict[str, str], before: tuple[str, ...] = ()
    ) -> subprocess.Popen:
        command = [
            *before,
            sys.executable,
            "-P",
            "-m",
            f"distributed.cli.dask_{kind}",
            *map(str, options),
        ]
        path = os.pathsep.join(filter(None, [environment.pop("PYTHONPATH", ""), str(ROOT)]))
        variables = os.environ | {"PYTHONPATH": path} | environment
        with open(self.folder / f"{kind}.log", "ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log)

    def computing(self, number: int) -> psutil.Process:
        """The process of a worker that computes; the one that watches over it starts another when
        it dies.
        """
        nanny = psutil.Process(self.workers[number % len(self.workers)].pid)

        def found() -> list[psutil.Process]:
            return [
                child for child in nanny.children() if "spawn_main" in " ".join(child.cmdline())
            ]

        wait_for(found, "worker that computes")
        return found()[0]

    def kill_a_worker(self, number: int) -> None:
        """SIGKILL to the process that computes."""
        self.computing(number).kill()

    def end(self) -> None:
        for process in [*self.workers, self.scheduler]:
            try:
                family = psutil.Process(process.pid).children(recursive=True)
            except psutil.NoSuchProcess:
                family = []
            process.kill()
            for child in family:
                if child.is_running():
                    child.kill()
            process.wait()
