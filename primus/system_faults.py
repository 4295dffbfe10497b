"""Whether an error is the system's fault, not that of what was read: then the same file may well be read next time.

Only lack of memory has a kind of its own in Python; most native libraries have words for it, and readers wrap both in what they raise themselves.
"""

import errno
from collections.abc import Iterator

WORDS = (
    "can't allocate memory",  # PyTorch's allocator
    "cannot allocate memory",  # the system, told on by a library: safetensors' memory maps
    "failed to map segment",  # the dynamic loader, while a compiled module is imported
    "could not create a primitive",  # oneDNN, which has no other words for it
    "can't start new thread",  # Python: no room for its stack
    "bad_alloc",  # C++
    "out of memory",  # CUDA
)
PASSING = {errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ETIMEDOUT}
"""Errors of the system that somebody mends without touching the file."""


def lacked_memory(error: BaseException) -> bool:
    """Whether `error`, or what it was raised from or while handling, is a lack of memory."""
    return any(_of_memory(found) for found in _chain(error))


def system_fault(error: BaseException) -> bool:
    """Whether `error`, or what it was raised from or while handling, is a lack of memory, a failing disk or connection, or a missing permission."""
    return any(_of_memory(found) or _of_disk(found) for found in _chain(error))


def _of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    return isinstance(error, (RuntimeError, ImportError)) and any(words in str(error).lower() for words in WORDS)


def _of_disk(error: BaseException) -> bool:
    number = getattr(error, "errno", None)
    return number in PASSING or (number == errno.EIO and type(error) is OSError)  # FFmpeg's own kind says EIO of damaged files as well


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
