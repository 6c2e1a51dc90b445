"""What all algorithms share: they run one command, and its files are their outputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from .commands import ENVIRONMENT, CommandError, as_text, find_command, run_command
from .layers import load_later, raster_path


def member(owner: Any, enum: str, name: str) -> Any:
    """Returns a member of an enum, which Qt 6 nests in it and Qt 5 does not."""
    nested = getattr(getattr(owner, enum, owner), name, None)
    return getattr(owner, name) if nested is None else nested


FOLDER = member(QgsProcessingParameterFile, "Behavior", "Folder")
FILE = member(QgsProcessingParameterFile, "Behavior", "File")
DOUBLE = member(QgsProcessingParameterNumber, "Type", "Double")
INTEGER = member(QgsProcessingParameterNumber, "Type", "Integer")
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
_BRIEF = re.compile(r"[^,(]*[^,( ]")  # a description without its explanation


class CommandAlgorithm(QgsProcessingAlgorithm):
    """An algorithm that runs one command.

    Attributes:
        command: Name of the command.
        title: Name that is shown.
        help: What it does, a paragraph.
        layers: For each output that is a layer, the ending of its file and the name of the layer.
    """

    command = ""
    title = ""
    help = ""
    layers: dict[str, tuple[str, str]] = {}  # noqa: RUF012 - set by subclasses only

    def name(self) -> str:
        """Returns the identifier."""
        return type(self).__name__.lower()

    def displayName(self) -> str:
        """Returns the name that is shown."""
        return self.title

    def shortHelpString(self) -> str:
        """Returns the help beside the parameters."""
        return self.help

    def createInstance(self) -> CommandAlgorithm:
        """Returns a new algorithm of this kind."""
        return type(self)()

    def arguments(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> list[str]:
        """Returns the arguments of the command, without --output and --overwrite."""
        raise NotImplementedError

    def prepareAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Makes the command; layers may be read here, in the thread that they belong to."""
        self._folder = self.parameterAsString(parameters, "OUTPUT", context)
        self._command = [*self.arguments(parameters, context, feedback), "--output", self._folder]
        if self.parameterAsBool(parameters, "OVERWRITE", context) or _is_empty(self._folder):
            self._command.append("--overwrite")
        return True

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, str]:
        """Runs the command, and returns its files."""
        setting = ProcessingConfig.getSetting(ENVIRONMENT) or ""
        try:
            command = [find_command(self.command, setting), *self._command]
            feedback.pushCommandInfo(as_text(command))
            files = run_command(
                command,
                feedback.pushInfo,
                feedback.setProgress,
                feedback.isCanceled,
                begin=feedback.setProgressText,
                remark=lambda text: feedback.pushConsoleInfo(self.in_words(text)),
            )
        except CommandError as error:
            raise QgsProcessingException(self.in_words(str(error))) from error
        if feedback.isCanceled():
            return {}
        results = {"OUTPUT": self._folder}
        load = bool(self.layers) and self.parameterAsBool(parameters, "LOAD", context)
        for output, (ending, title) in self.layers.items():
            if found := next((file for file in files if file.endswith(ending)), None):
                results[output] = found
                if load:
                    scene = Path(found).name[: -len(ending)]
                    load_later(context, found, f"{scene}: {title}", output)
        return results

    def in_words(self, text: str) -> str:
        """Returns a message of the command with names of parameters in place of its options."""

        def name(option: re.Match[str]) -> str:
            parameter = self.parameterDefinition(option[1].replace("-", "_").upper())
            return f'"{_BRIEF.match(parameter.description())[0]}"' if parameter else option[0]

        return _OPTION.sub(name, text)

    def raster(self, name: str, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """Returns what GDAL opens for the raster layer of a parameter."""
        layer = self.parameterAsRasterLayer(parameters, name, context)
        return raster_path(layer, self.parameterDefinition(name).description())

    def given(
        self, options: dict[str, str], parameters: dict[str, Any], context: QgsProcessingContext
    ) -> list[str]:
        """Returns the options of the command whose parameters have a value, with it."""
        values = {o: self.parameterAsString(parameters, n, context) for o, n in options.items()}
        return [part for option, value in values.items() if value for part in (option, value)]

    def switches(
        self, options: dict[str, str], parameters: dict[str, Any], context: QgsProcessingContext
    ) -> list[str]:
        """Returns the switches of the command whose parameters are on."""
        return [o for o, name in options.items() if self.parameterAsBool(parameters, name, context)]

    def add_model(self) -> None:
        """Adds the parameter MODEL."""
        text = "Model folder (empty: the bundled model)"
        self.addParameter(QgsProcessingParameterFile("MODEL", text, FOLDER, optional=True))

    def add_text(self, name: str, text: str) -> None:
        """Adds a text that may be left empty."""
        self.addParameter(QgsProcessingParameterString(name, text, optional=True))

    def add_number(
        self, name: str, text: str, kind: Any, default: float | None = None, optional: bool = True
    ) -> None:
        """Adds a number that is not negative."""
        number = QgsProcessingParameterNumber(name, text, kind, default, optional, minValue=0)
        self.addParameter(number)

    def add_switch(self, name: str, text: str, default: bool = False) -> None:
        """Adds a switch."""
        self.addParameter(QgsProcessingParameterBoolean(name, text, default))

    def add_folder(self, text: str, earlier: str) -> None:
        """Adds OVERWRITE, LOAD where layers are written, and OUTPUT.

        Args:
            text: What the folder is.
            earlier: What an earlier output in it is.
        """
        self.add_switch("OVERWRITE", f"Replace {earlier}")
        if self.layers:
            self.add_switch("LOAD", "Add the layers to the project", True)
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", text))


def _is_empty(folder: str) -> bool:
    """Checks for a folder that a dialog made, which the commands would not write to."""
    path = Path(folder)
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())
