"""A training session: what is trained, its settings, its run folder and its devices."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import keras

from segment.core.common_settings import TrainingSettings
from segment.core.config import Settings
from segment.core.model.folder import save_model_folder
from segment.core.model.info import ModelInfo
from segment.core.model.record import TrainingRecord, keep_record
from segment.core.networks.pretrained import Built
from segment.core.progress import Progress, Silent
from segment.core.training.checkpoints import CHECKPOINT, load_history
from segment.core.training.devices import Devices, take_devices
from segment.core.training.history import Row
from segment.core.training.optimizers import Phase, dtype_policy, keep_float32
from segment.core.training.precision import Precision, choose_precision
from segment.core.training.run_folder import check_run, run_folder

B = TypeVar("B", bound=Built)
C = TypeVar("C", bound=Settings)


@dataclass(frozen=True, kw_only=True)
class Session(Generic[C]):
    """How and where a network is trained, see `start_session`.

    Attributes:
        folder: Run folder.
        config: All settings of the run.
        settings: Those of the training.
        resume: Whether the run in the folder is continued.
        overwrite: Whether an earlier run there may be replaced.
        devices: Devices that share each batch.
        progress: Where progress is reported.
    """

    folder: Path
    config: C
    settings: TrainingSettings
    resume: bool = False
    overwrite: bool = False
    devices: Devices = field(default_factory=Devices)
    progress: Progress = field(default_factory=Silent)

    @cached_property
    def precision(self) -> Precision:
        """Precision that the network is trained in.

        It is chosen on first use: measuring takes seconds, and faults of the data are found before.
        """
        chosen = choose_precision(self.settings, self.folder if self.resume else None)
        if self.settings.precision == "auto":
            self.progress.say(f"precision {chosen}")
        return chosen

    def build(self, build: Callable[[], B]) -> B:
        """Builds a network in the precision of the training, and prints what it is.

        Args:
            build: Builds the network.

        Returns:
            The network.

        Raises:
            InputError: As `choose_precision`.
        """
        with dtype_policy(self.precision.policy):
            built = build()
        self.progress.say(describe_network(built.network))
        if built.loaded:
            self.progress.say(f"starts from {built.loaded}")
        return built

    def keep_best(
        self, network: keras.Model, info: ModelInfo, build: Callable[[], keras.Model]
    ) -> Callable[[Row], None]:
        """Makes a function that saves the network, in float32, with the scores of its epoch.

        Args:
            network: Network that is trained.
            info: Description of the model.
            build: Makes another network of the same structure, see `keep_float32`.

        Returns:
            A function of the row of the epoch, for `save_best` of `Training`.
        """
        kept = keep_float32(network, self.precision.policy, build)

        def save(row: Row) -> None:
            scored = info.model_copy(update={"scores": {"validation": row}})
            save_model_folder(self.folder, kept(), scored)

        return save

    @contextmanager
    def open_folder(
        self, record: TrainingRecord | None = None, fingerprint: str | None = None
    ) -> Iterator[None]:
        """Locks the run folder for the time of the training, see `run_folder`.

        Args:
            record: What is trained on, to be kept in the folder.
            fingerprint: Fingerprint of that, by which a run that is resumed knows its data.

        Raises:
            InputError: As `run_folder`, and if the run to resume has other data.
            Interrupted: On Ctrl-C.
        """
        if self.resume and fingerprint is not None:  # else the record would have both data
            load_history(self.folder / CHECKPOINT, fingerprint)
        with run_folder(self.folder, self.config, self.resume, self.overwrite):
            self.precision.save(self.folder)
            if record:
                keep_record(self.folder, record, self.resume)
            yield


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is trained, on what, and how its epochs are scored.

    Attributes:
        network: Network that is trained in place.
        dataset: PyDataset with an attribute `epoch`, on whose number alone its batches depend.
        fingerprint: Fingerprint of the training data. A run is resumed only on its own data.
        loss: Loss of a batch, of reference and predictions.
        validate: Called after each epoch; returns "val_loss" and other scores.
        monitor: Name of the score that determines the best epoch, see `best_row`.
        save_best: Called with the row of an epoch that is the best so far.
        phases: Phases that the epochs are divided into. Schedule and optimiser start again with
            each phase. Only the last phase stops early, and the epochs before it do not count
            against it. By default one phase.
        scored: Says for each sample, of reference and predictions, whether its batch scores
            anything, 1 or 0 (batch,): others do not count in the reported loss. By default all do.
    """

    network: keras.Model
    dataset: Any
    fingerprint: str
    loss: Callable[[Any, Any], Any]
    validate: Callable[[], Row]
    monitor: str
    save_best: Callable[[Row], None]
    phases: Sequence[Phase] = ()
    scored: Callable[[Any, Any], Any] | None = None


def start_session(
    output: Path | str,
    config: C,
    settings: TrainingSettings,
    *,
    resume: bool,
    overwrite: bool,
    progress: Progress | None,
) -> Session[C]:
    """Starts a training session: checks the run folder, takes the devices, seeds what is random.

    Args:
        output: Run folder to write.
        config: All settings of the run.
        settings: Those of the training.
        resume: Whether to continue the run in `output` from its last finished epoch.
        overwrite: Whether an earlier run may be replaced.
        progress: Where progress is reported; nowhere by default.

    Returns:
        The session.

    Raises:
        InputError: As `check_run` and `take_devices`.
    """
    folder = Path(output)
    check_run(folder, config, resume=resume, overwrite=overwrite)
    devices = take_devices(settings)
    keras.utils.set_random_seed(settings.seed)
    return Session(
        folder=folder,
        config=config,
        settings=settings,
        resume=resume,
        overwrite=overwrite,
        devices=devices,
        progress=progress or Silent(),
    )


def describe_network(network: keras.Model) -> str:
    """Describes a network in one line.

    Args:
        network: Any network.

    Returns:
        Its name, its number of weights and the Keras backend.
    """
    return f"model {network.name}, {network.count_params():,} weights, on {keras.backend.backend()}"
