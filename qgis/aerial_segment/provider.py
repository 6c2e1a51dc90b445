"""The Processing provider, and the setting that names the environment of the commands."""

from pathlib import Path

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .algorithms import CutTiles, LabelCells, MapLandCover, Train
from .commands import ENVIRONMENT

NAME = "Aerial segment"
_ICON = str(Path(__file__).with_name("icon.svg"))


class Provider(QgsProcessingProvider):
    """Algorithms that run the commands of aerial-segment."""

    def id(self) -> str:
        """Returns the identifier, the first part of each algorithm's."""
        return "aerial_segment"

    def name(self) -> str:
        """Returns the name that is shown."""
        return NAME

    def icon(self) -> QIcon:
        """Returns the icon of the group."""
        return QIcon(_ICON)

    def load(self) -> bool:
        """Adds the setting: Options, Processing, Providers, Aerial segment."""
        ProcessingConfig.settingIcons[NAME] = self.icon()
        text = "Python environment with aerial-segment (found by itself if it is on the PATH)"
        setting = Setting(NAME, ENVIRONMENT, text, "", valuetype=Setting.FOLDER)
        ProcessingConfig.addSetting(setting)
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self) -> None:
        """Removes the setting."""
        ProcessingConfig.removeSetting(ENVIRONMENT)

    def loadAlgorithms(self) -> None:
        """Adds the algorithms."""
        for algorithm in (MapLandCover, LabelCells, CutTiles, Train):
            self.addAlgorithm(algorithm())
