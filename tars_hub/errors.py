"""Every error this project raises on purpose, drawn as a tree.

    TarsError                     what a person can act on; the shell prints it and exits 2
    ├── PictureError              a file or array that is no usable picture
    ├── ModelError                a model folder, repository or checkpoint that cannot be used
    │   ├── ModelNotFoundError    nothing there: no folder, no repository, no such revision
    │   ├── ConfigError           config.json is missing, malformed or from a later format
    │   ├── WeightsError          tensors that are missing, unexpected or misshapen
    │   └── UnsafeFileError       a pickle that holds code; it was not run
    ├── DownloadError             ImageNet weights or a repository could not be fetched
    └── UsageError                a flag, a folder or a value that cannot work
        └── DataError             a data folder without usable classes or pictures

Messages are one line: what is wrong, which file or value, and what would work.
"""

from __future__ import annotations


class TarsError(Exception):
    """Base of all errors raised on purpose; `str(error)` is one line for a person."""


class PictureError(TarsError):
    """A picture that cannot be read.

    Attributes:
        name: the file's path as given, or a word such as "bytes" or "array".
        reason: what is wrong with it, without the name.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type[PictureError], tuple[str, str]]:
        # Loader worker processes send errors home pickled; the default would pass one argument.
        return type(self), (self.name, self.reason)


class ModelError(TarsError):
    """A model folder, repository or checkpoint that cannot be used."""


class ModelNotFoundError(ModelError):
    """No model at that path, repository or revision."""


class ConfigError(ModelError):
    """A config.json that is missing, malformed or written by a later version."""


class WeightsError(ModelError):
    """Tensors that are missing, unexpected or misshapen for the backbone."""


class UnsafeFileError(ModelError):
    """A pickle that would run code when opened; it was refused unopened."""


class DownloadError(TarsError):
    """Something that had to come over the network did not."""


class UsageError(TarsError):
    """A flag or value that cannot work."""


class DataError(UsageError):
    """A data folder without usable classes or pictures."""
