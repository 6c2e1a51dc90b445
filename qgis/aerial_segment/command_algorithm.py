"""What all algorithms share: they run one command, and its files are their outputs."""

from __future__ import annotations

from typing import Any

from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
)

from .commands import ENVIRONMENT, CommandError, find_command, run_command


def _member(owner: Any, enum: str, name: str) -> Any:
    """Returns a member of an enum, which Qt 6 nests in it and Qt 5 does not."""
    return getattr(getattr(owner, enum, owner), name, None) or getattr(owner, name)


FOLDER = _member(QgsProcessingParameterFile, "Behavior", "Folder")
FILE = _member(QgsProcessingParameterFile, "Behavior", "File")
DOUBLE = _member(QgsProcessingParameterNumber, "Type", "Double")
INTEGER = _member(QgsProcessingParameterNumber, "Type", "Integer")


class CommandAlgorithm(QgsProcessingAlgorithm):
    """An algorithm that runs one command.

    Attributes:
        command: Name of the command.
        title: Name that is shown.
        help: What it does, a paragraph.
    """

    command = ""
    title = ""
    help = ""

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
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[list[str], dict[str, str]]:
        """Returns the arguments of the command, and the files that it writes by output name."""
        raise NotImplementedError

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, str]:
        """Runs the command, and returns its files."""
        arguments, files = self.arguments(parameters, context)
        setting = ProcessingConfig.getSetting(ENVIRONMENT) or ""
        try:
            command = [find_command(self.command, setting), *arguments]
            feedback.pushCommandInfo(" ".join(command))
            run_command(command, feedback.pushInfo, feedback.setProgress, feedback.isCanceled)
        except CommandError as error:
            raise QgsProcessingException(str(error)) from error
        return {} if feedback.isCanceled() else files

    def scene(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """Returns what GDAL opens for the raster layer INPUT."""
        return self.parameterAsRasterLayer(parameters, "INPUT", context).source()

    def option(
        self, name: str, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> str | None:
        """Returns the text of an optional parameter, None if it is empty."""
        if parameters.get(name) is None:
            return None
        return self.parameterAsString(parameters, name, context) or None

    def given(
        self, options: dict[str, str], parameters: dict[str, Any], context: QgsProcessingContext
    ) -> list[str]:
        """Returns the options of the command whose parameters are set, with their values."""
        values = {o: self.option(name, parameters, context) for o, name in options.items()}
        return [part for option, value in values.items() if value for part in (option, value)]

    def switches(
        self, options: dict[str, str], parameters: dict[str, Any], context: QgsProcessingContext
    ) -> list[str]:
        """Returns the switches of the command whose parameters are on."""
        return [o for o, name in options.items() if self.parameterAsBool(parameters, name, context)]

    def add_model(self) -> None:
        """Adds the parameter MODEL."""
        self.addParameter(
            QgsProcessingParameterFile(
                "MODEL", "Model folder (empty: the bundled model)", FOLDER, optional=True
            )
        )

    def add_number(self, name: str, text: str, kind: Any, default: float | None = None) -> None:
        """Adds a number, which is optional unless it has a default."""
        optional = default is None
        self.addParameter(
            QgsProcessingParameterNumber(name, text, kind, default, optional, minValue=0)
        )
