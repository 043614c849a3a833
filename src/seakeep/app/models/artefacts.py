"""What a model has learnt as bytes, without code in them: a NumPy archive of plain arrays, named by its content."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from seakeep.core.errors import IntegrityError
from seakeep.data.files import write_whole
from seakeep.models.base import Learnt

__all__ = ["Parts", "pack", "read", "unpack", "write"]

Parts = Mapping[str, Mapping[str, Learnt]]
"""States by part, such as `expert` and `calibration`."""

_SCALARS = "scalars"


def pack(parts: Parts) -> bytes:
    """The same parts always give the same bytes. Raises: TypeError for what is neither a plain array nor a scalar."""
    arrays: dict[str, np.ndarray] = {}
    scalars: dict[str, dict[str, Learnt]] = {}
    for part, state in parts.items():
        for key, value in sorted(state.items()):
            if isinstance(value, np.ndarray):
                if value.dtype.kind not in "biufU":
                    raise TypeError(f"{part}.{key} is an array of {value.dtype}")
                arrays[f"{part}/{key}"] = value
            else:
                scalars.setdefault(part, {})[key] = value
    scalars |= {part: {} for part in parts if part not in scalars}
    text = json.dumps(scalars, sort_keys=True).encode()
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **{_SCALARS: np.frombuffer(text, np.uint8)}, **arrays)
    return stream.getvalue()


def unpack(content: bytes) -> dict[str, dict[str, Learnt]]:
    """The parts that `pack` was given. Raises: ValueError for bytes that it did not make."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            parts: dict[str, dict[str, Learnt]] = json.loads(archive[_SCALARS].tobytes())
            for name in archive.files:
                part, slash, key = name.partition("/")
                if slash:
                    parts[part][key] = archive[name]
    except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"not an artefact: {error}") from error
    return parts


def write(folder: Path, content: bytes) -> str:
    """Keep the bytes in the folder, durably; their SHA-256 is their name. Raises: DataError."""
    name = hashlib.sha256(content).hexdigest()
    path = _path(folder, name)
    if not path.exists() or path.read_bytes() != content:
        write_whole(path, content)
    return name


def read(folder: Path, name: str) -> dict[str, dict[str, Learnt]]:
    """The parts of the artefact of that SHA-256. Raises: IntegrityError if it is gone, damaged or altered."""
    path = _path(folder, name)
    remedy = "restore it from a copy, or train again"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"the artefact {path} cannot be read: {error.strerror}", remedy=remedy) from error
    if hashlib.sha256(content).hexdigest() != name:
        raise IntegrityError(f"the artefact {path} was altered since it was written", remedy=remedy)
    return unpack(content)


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.npz"
