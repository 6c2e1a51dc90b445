"""Models by name, hf://OWNER/NAME: downloaded once by huggingface_hub, then read from its cache."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

from segment.core.errors import InputError, brief
from segment.core.model.folder import (
    INFO_FILE,
    MODEL_FILE,
    NOVELTY_FILE,
    OPENVINO_FILES,
    RECORD_FILE,
)

HUB_FILES = (MODEL_FILE, INFO_FILE, RECORD_FILE, NOVELTY_FILE, *OPENVINO_FILES)
"""Files of a model folder that are downloaded: no others, whatever the repository holds."""

_PREFIX = re.compile("^hf:/{1,2}")  # a Path has one slash only
_NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


def model_folder(model: Path | str) -> Path:
    """Returns the model folder that a path or a name of the hub stands for.

    Args:
        model: Path of a model folder, or hf://OWNER/NAME or hf://OWNER/NAME@REVISION. What the
            cache of huggingface_hub holds is used where there is no connection.

    Returns:
        The path unchanged, or the folder in the cache that the files were downloaded to.

    Raises:
        InputError: If the name is invalid, the hub has no such model, it cannot be reached and the
            cache does not hold the model, or huggingface_hub is not installed.
    """
    path = model if isinstance(model, str) else model.as_posix()
    if not (prefix := _PREFIX.match(path)):
        return Path(model)
    name = f"hf://{path[prefix.end() :]}"
    if not (parts := _NAME.fullmatch(path[prefix.end() :])):
        raise InputError(
            f"{name}: models of the hub are named hf://OWNER/NAME, or hf://OWNER/NAME@REVISION."
        )
    if find_spec("huggingface_hub") is None:
        raise InputError(
            f"{name}: huggingface_hub is not installed. Run: pip install 'aerial-segment[hub]'"
        )
    folder = _download(name, parts["name"], parts["revision"])
    if not (folder / INFO_FILE).is_file():
        raise InputError(
            f"{name}: holds no {INFO_FILE}, so it is not a model of this toolkit. Give another"
            " model."
        )
    return folder


def _download(name: str, repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        found = snapshot_download(repository, revision=revision, allow_patterns=list(HUB_FILES))
        return Path(str(found))
    except GatedRepoError as error:
        cure = "Ask for access on its page, then run: hf auth login"
        raise InputError(f"{name}: access has to be granted. {cure}") from error
    except RepositoryNotFoundError as error:
        cure = "Check the name; for a private one run: hf auth login"
        raise InputError(f"{name}: the hub has no such model. {cure}") from error
    except RevisionNotFoundError as error:
        raise InputError(f"{name}: the model has no revision {revision}. Check it.") from error
    except HFValidationError as error:
        raise InputError(f"{name}: no valid name of a model. Check it.") from error
    except LocalEntryNotFoundError as error:
        raise InputError(
            f"{name}: the hub cannot be reached, and the model is not in the cache. Connect to"
            " download it once."
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise InputError(
            f"{name}: the download failed: {brief(error)}. Try again later."
        ) from error
