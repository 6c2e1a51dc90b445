"""The plug-in, which only adds and removes its Processing provider."""

from qgis.core import QgsApplication

from .provider import Provider


class Plugin:
    """Adds the provider to Processing, with a window of QGIS or without one."""

    def __init__(self) -> None:
        self.provider = None

    def initProcessing(self) -> None:
        """Adds the provider."""
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Adds the provider."""
        self.initProcessing()

    def unload(self) -> None:
        """Removes the provider."""
        QgsApplication.processingRegistry().removeProvider(self.provider)
