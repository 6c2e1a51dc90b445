"""Settings of collections: data folders with labels of their own that are learned together."""

from typing import Any

from pydantic import Field, model_validator

from segment.core.config import Settings
from segment.core.labels.classes import ComposedText


class ImageCollection(Settings):
    """Class folders that a model learns from with others, with labels of their own."""

    path: str = Field(min_length=1, description="its data folder, from data.root on")
    name: str | None = Field(
        default=None, min_length=1, description="for reports; else the folder's"
    )
    classes: dict[ComposedText, ComposedText | list[ComposedText] | None] = Field(
        default={},
        description=(
            "for each of its class folders: the class that it is, a list of those that it may be,"
            " or null for none; a folder that is not listed is the class of its name"
        ),
    )


class CollectionSettings(Settings):
    """Collections that a model learns from together, in place of folders on the command line."""

    collections: list[ImageCollection] | None = Field(
        default=None,
        min_length=1,
        description="data folders to learn from together, each with labels of its own",
    )
    root: str = Field(
        default="",
        description="folder that the paths of collections start from; else the current one",
    )

    @model_validator(mode="after")
    def _collections_have_targets(self) -> Any:
        if self.root and not self.collections:
            raise ValueError("data.root is of data.collections, which is missing. Leave it out")
        if self.collections and not getattr(self, "classes", None):
            raise ValueError("collections need data.classes, the classes that the model learns")
        if self.collections and getattr(self, "label_map", None):
            raise ValueError(
                "data.label_map is of folders on the command line. Set `classes` of each collection"
            )
        return self
