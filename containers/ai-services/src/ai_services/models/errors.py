"""What can go wrong with models, from the catalogue to the file on disk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from ai_semble.errors import (
    AiSembleError,
    InsufficientStorage,
    InternalError,
    InvalidRequest,
    NotFound,
    ServiceUnavailable,
)


class ModelNotInstalled(ServiceUnavailable):
    """A service needs a model that is not in the models folder."""

    code, title = "model_not_installed", "A model is not installed"
    hint = "Fetch the default models with: ./scripts/deploy.sh models pull"

    def __init__(self, name: str, hint: str = "") -> None:
        super().__init__(
            f"the model `{name}` is not installed",
            hint=hint or f"Fetch it with: ./scripts/deploy.sh models pull {name}",
        )


class UnknownModel(NotFound):
    """No catalogue knows a model of this name."""

    code, title = "model_unknown", "No catalogue knows this model"
    hint = "See which there are with: ./scripts/deploy.sh models list"


class CatalogueInvalid(InvalidRequest):
    """A catalogue file cannot be read: broken TOML, an unknown key, a wrong value."""

    code, title = "catalogue_invalid", "A model catalogue is not valid"
    hint = "Correct the file; docs/howto/add-a-model.md shows every key."


class SourceUnavailable(ServiceUnavailable):
    """None of a file's sources could be reached, or none of them has the file."""

    code, title = "model_source_unavailable", "A model file could not be fetched"
    hint = "Check the network, the proxy and the pip and npm configuration, then run the same command again."

    def __init__(self, detail: str, *, reasons: Iterable[str] = ()) -> None:
        super().__init__(detail)
        self.reasons = tuple(reasons) or (detail,)


class ChecksumMismatch(AiSembleError):
    """A fetched file is not the one that the catalogue describes."""

    code: ClassVar[str] = "model_checksum_mismatch"
    status: ClassVar[int] = 502
    title: ClassVar[str] = "A fetched file has the wrong contents"
    hint: ClassVar[str] = (
        "Run the same command again; if it persists, the source or something on the way alters files."
    )


class UnsafeArchive(AiSembleError):
    """An archive holds something that must not be unpacked: a path that leaves its folder, a link, a bomb."""

    code: ClassVar[str] = "model_archive_unsafe"
    status: ClassVar[int] = 502
    title: ClassVar[str] = "A fetched archive is not safe to unpack"
    hint: ClassVar[str] = "Do not use this source; report it to whoever publishes it."


class ConversionFailed(InternalError):
    """Published weights could not be turned into the format that the services open."""

    code, title = "model_conversion_failed", "A model could not be converted"
    hint = "The source is not what the converter was written for; compare its version with the catalogue's."


class DiskFull(InsufficientStorage):
    """There is not enough free space in the models folder."""

    code, title = "models_disk_full", "Not enough disk space for models"
    hint = "Free some space, or put the models elsewhere with `[models] directory` in the configuration."


class ModelDamaged(ServiceUnavailable):
    """An installed model lacks a file, or a file is not what was installed."""

    code, title = "model_damaged", "An installed model is damaged"
    hint = "Fetch it again with: ./scripts/deploy.sh models pull --force NAME"


class FolderUnusable(AiSembleError):
    """The models folder cannot be written: wrong owner, read-only, or not a folder."""

    code, status, title = "models_folder_unusable", 500, "The models folder cannot be used"
    hint = "Check who owns the folder, or choose another with `[models] directory` in the configuration."
