"""Evaluation of a model on labelled data, as far as it is the same in both packages."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from segment.core.choices import Runtime
from segment.core.errors import InputError
from segment.core.model.runtime import Model, describe_use
from segment.core.onnx_models.loading import load_model
from segment.core.outputs import refuse_existing
from segment.core.progress import Progress, Silent
from segment.core.reports.page import REPORT_FILES, Report, write_report_folder
from segment.core.splits import PartChoice

if TYPE_CHECKING:  # its module loads Keras, which scoring with OpenVINO does without
    from segment.core.training.finished_run import Scored


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """How a model is scored.

    Attributes:
        part: Part of the data to score, as folders name it, or as the model's training had it. Of
            the training's own data, only "test" is new to the model.
        batch_size: Tiles or images to predict at a time.
        augment: Whether to average over the eight flips and quarter turns, at eight times the work.
        runtime: What computes, if the model is given as a folder.
        overwrite: Whether an earlier output may be replaced.
        progress: Where progress, notes and warnings are reported.

    Raises:
        InputError: If `part` is unknown.
    """

    part: PartChoice = "all"
    batch_size: int = 8
    augment: bool = False
    runtime: Runtime = "auto"
    overwrite: bool = False
    progress: Progress = field(default_factory=Silent)

    def __post_init__(self) -> None:
        """Checks the part."""
        if self.part not in get_args(PartChoice):
            raise InputError(
                f"part: {self.part!r}. Choose one of {', '.join(get_args(PartChoice))}."
            )

    @classmethod
    def names(cls) -> list[str]:
        """Returns the names of the options that `evaluate` takes besides its parameters."""
        return [one.name for one in fields(cls) if one.name != "progress"]

    def open(self, model: Model | Path | str, output: Path | str | None) -> Model:
        """Loads the model, after checking that the report can be written.

        Args:
            model: Model folder, ONNX file, or a model that is loaded.
            output: Folder of the report; None for none.

        Returns:
            The model.

        Raises:
            InputError: If `output` exists and is not to be replaced, or as `load_model`.
        """
        if output is not None:
            refuse_existing(Path(output), self.overwrite, REPORT_FILES)
        if isinstance(model, (str, Path)):
            model = load_model(model, self.runtime, progress=self.progress)
            for note in model.info.notes:
                self.progress.say(f"note: {note}")
        return model

    def write(
        self,
        output: Path | str | None,
        model: Model,
        data: str,
        evaluation: "Scored",
        known: str,
        add_scores: Callable[[Report, str], None],
    ) -> None:
        """Writes report.json and report.html.

        Args:
            output: Folder to write; None writes none.
            model: Model that was scored.
            data: Name of the data.
            evaluation: The scores.
            known: Sentence on how much of the data the model was trained on; empty for nothing.
            add_scores: Adds the scores to the page, under a heading.
        """
        if known:
            self.progress.say(f"warning: {known}")
        if output is None:
            return
        page = Report(f"{describe_use(model, self.augment)} on {data}")
        if known:
            page.text(f"Warning: {known}.")
        add_scores(page, "Scores")
        figures = evaluation.report | {"runtime": model.runtime, "augment": self.augment}
        write_report_folder(Path(output), figures, page, self.overwrite)
