"""The one runtime of all workers, because the outputs of two runtimes differ."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from segment.core.choices import Runtime
from segment.core.cluster.workers import Workers
from segment.core.errors import InputError
from segment.core.model.backend import has_gpu, may_have_gpu
from segment.core.onnx_models.files import is_onnx
from segment.core.onnx_models.loading import choose_runtime, load_model_info

if TYPE_CHECKING:
    from distributed import Future

_PATIENCE = 60.0  # seconds to wait for workers that may hang
_PAUSE = 0.2  # seconds between checks for their answers


def choose_common_runtime(
    workers: Workers, folder: Path, runtime: Runtime
) -> Literal["keras", "openvino"]:
    """Chooses what computes on all workers.

    It waits for a worker. "auto" chooses Keras where every worker has a GPU for it.

    Args:
        workers: Workers of the cluster.
        folder: Model folder.
        runtime: What the user asks for.

    Returns:
        "keras" or "openvino".

    Raises:
        InputError: If no worker can be used, or the model cannot be computed with this runtime.
        SchedulerLost: If the scheduler does not answer any more.
    """
    workers.wait()
    if runtime == "auto" and not is_onnx(folder) and load_model_info(folder).openvino is not None:
        return "keras" if have_gpus(workers) else "openvino"
    return choose_runtime(folder, runtime)


def have_gpus(workers: Workers) -> bool:
    """Checks whether Keras finds a GPU on all workers that answer.

    Args:
        workers: Workers of the cluster.

    Returns:
        Whether it does.

    Raises:
        SchedulerLost: If the scheduler does not answer any more.
    """
    asked: dict[str, Future[None]] = {}
    end = time.monotonic() + _PATIENCE
    while True:
        workers.update()
        for worker in workers.fit.keys() - asked.keys():
            asked[worker] = workers.client.submit(require_gpu, workers=[worker], pure=False)
        answers = {asked[worker].status for worker in workers.fit}
        if "error" in answers:
            return False
        has_all = not workers.unanswered and "pending" not in answers
        if has_all or time.monotonic() > end:
            return "finished" in answers
        time.sleep(_PAUSE)


def require_gpu() -> None:
    """Checks that Keras finds a GPU in this process.

    Raises:
        InputError: If it finds none.
    """
    if not (may_have_gpu() and has_gpu()):
        raise InputError("Keras finds no GPU.")
