"""What computes on all workers of a cluster alike."""

from pathlib import Path
from typing import Literal

from segment.core.choices import Runtime
from segment.core.cluster.worker_pool import Crew
from segment.core.model.folder import load_model_info
from segment.core.model.runtime import choose_runtime


def choose_common_runtime(crew: Crew, folder: Path, runtime: Runtime) -> Literal["keras", "openvino"]:
    """What computes on all workers, for two runtimes do not answer alike; "auto": Keras where every worker has a GPU for it.

    Waits for a worker. Raises InputError when the model cannot be computed so.
    """
    crew.await_workers()
    if runtime == "auto" and load_model_info(folder).openvino is not None:
        return "keras" if crew.have_gpus() else "openvino"
    return choose_runtime(folder, runtime)
