"""Finished runs: the best model with its scores, and the report of the training."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from segment.core.errors import counted
from segment.core.model.folder import save_model_folder
from segment.core.model.info import ModelInfo
from segment.core.outputs import staged
from segment.core.reports.figures import encode_figure, plot_history
from segment.core.reports.page import PAGE_FILE, REPORT_FILE, Report, training_report
from segment.core.splits import Part
from segment.core.training.history import Row, best_row
from segment.core.training.precision import load_precision
from segment.core.training.run_folder import CURVES_FILE

if TYPE_CHECKING:
    import keras

_PART_NAMES: dict[Part, str] = {"train": "Training", "val": "Validation", "test": "Test"}


class Scored(Protocol):
    """Scores of a model on a part of the data."""

    @property
    def report(self) -> dict[str, Any]:
        """Scores under the keys of report.json."""
        ...


E = TypeVar("E", bound=Scored)


@dataclass(frozen=True)
class Run(Generic[E]):
    """A finished training run.

    Attributes:
        folder: Run folder.
        history: One row per epoch.
        validation: Scores of the best model on the validation data.
        test: Scores of the best model on the test data; None without test data.
    """

    folder: Path
    history: list[Row]
    validation: E
    test: E | None

    def __repr__(self) -> str:
        """Returns the folder, the number of epochs, and the scores."""
        epochs = counted(len(self.history), "epoch")
        lines = [f"{self.folder}: {epochs}", f"validation  {self.validation}"]
        if self.test:
            lines.append(f"test        {self.test}")
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Results(Generic[E]):
    """Scores of a training, and what its report holds besides.

    Attributes:
        scores: Scores by part of the data; that of "val" is required.
        monitor: Name of the score by which the best epoch was chosen.
        panels: Columns of the history by the title of their panel, see `plot_history`.
        facts: Names and values for the table of facts, besides those that all runs have.
        add_scores: Adds the scores of a part to the page. Called with the page, a heading and the
            part.
        figures: Entries of report.json besides the scores.
    """

    scores: Mapping[Part, E]
    monitor: str
    panels: Mapping[str, Sequence[str]]
    facts: Sequence[tuple[str, object]]
    add_scores: Callable[[Report, str, Part], None]
    figures: Mapping[str, object] = field(default_factory=dict)

    def write(
        self, output: Path, network: "keras.Model", info: ModelInfo, history: list[Row]
    ) -> Run[E]:
        """Writes the best model with its scores, report.json, curves.png and report.html.

        Args:
            output: Run folder.
            network: Best network.
            info: Description of the model.
            history: One row per epoch.

        Returns:
            The finished run.
        """
        run = Run(output, history, self.scores["val"], self.scores.get("test"))
        scores = {
            part: {k: v for k, v in scored.report.items() if k != "confusion"}
            for part, scored in self.scores.items()
        }
        save_model_folder(output, network, info.model_copy(update={"scores": scores}))
        data = info.training["data"]
        named = data if isinstance(data, str) else ", ".join(data)
        facts = [
            ("Data", named),
            *self.facts,
            ("Classes", ", ".join(info.class_table.names)),
            ("Epochs", len(history)),
            ("Best epoch", int(best_row(history, self.monitor)["epoch"])),
            ("Backend", info.training["backend"]),
        ]
        if precision := load_precision(output):
            facts.append(("Precision", precision))
        curves = encode_figure(plot_history(history, self.panels))
        page = training_report(f"{info.name} trained on {named}", facts, curves)
        for part in self.scores:
            self.add_scores(page, _PART_NAMES[part], part)
        figures = {
            "part": "validation",
            **run.validation.report,
            "test": run.test.report if run.test else None,
            **self.figures,
        }
        with staged(output / REPORT_FILE, overwrite=True) as partial:
            partial.write_text(json.dumps(figures, indent=2))
        with staged(output / CURVES_FILE, overwrite=True) as partial:
            partial.write_bytes(curves)
        page.write(output / PAGE_FILE)
        return run
