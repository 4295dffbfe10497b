"""Rows of HDF5 files are found by key, memory-mapped without copying, and written without knowing their number."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.errors import UserError
from primus.keyed_arrays import KeyedArrays, KeyedWriter, write_keyed


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), unique=True, max_size=12), st.randoms())
def test_rows_come_back_in_the_order_asked_for(tmp_path_factory: pytest.TempPathFactory, keys: list[str], random: object) -> None:
    path = tmp_path_factory.mktemp("keyed") / "a.h5"
    values = np.arange(len(keys) * 3, dtype=np.float32).reshape(-1, 3)
    write_keyed(path, keys, {"x": values}, {"rate_hz": 50.0, "units": "m/s^2"})
    asked = [random.choice(keys) for _ in range(2 * len(keys))]  # type: ignore[attr-defined]
    with KeyedArrays(path) as arrays:
        assert arrays.attrs == {"rate_hz": 50.0, "units": "m/s^2"}
        assert list(arrays.keys) == keys
        np.testing.assert_array_equal(arrays.rows("x", asked), values[[keys.index(key) for key in asked]].reshape(-1, 3))
        np.testing.assert_array_equal(arrays.memmap("x"), values)


def test_streaming_equals_writing_at_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values, keys = rng.normal(size=(10, 6, 5)).astype(np.float32), [f"k{i}" for i in range(10)]
    write_keyed(tmp_path / "once.h5", keys, {"imu": values}, {"a": 1})
    with KeyedWriter(tmp_path / "stream.h5", {"imu": ((6, 5), "<f4")}, {"a": 1}) as writer:
        for start in range(0, 10, 3):
            writer.append(keys[start : start + 3], {"imu": values[start : start + 3]})
    assert (tmp_path / "once.h5").read_bytes() == (tmp_path / "stream.h5").read_bytes()


def test_a_writer_that_dies_leaves_nothing(tmp_path: Path) -> None:
    def dies() -> None:
        with KeyedWriter(tmp_path / "x.h5", {"x": ((), "<f4")}, {}) as writer:
            writer.append(["a"], {"x": np.zeros(1, np.float32)})
            raise RuntimeError("died")

    with pytest.raises(RuntimeError):
        dies()
    assert list(tmp_path.iterdir()) == []


def test_repeated_keys_and_wrong_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'a' occurs more than once"):
        write_keyed(tmp_path / "x.h5", ["a", "a"], {"x": np.zeros((2, 1))})
    with pytest.raises(ValueError, match="expected"):
        write_keyed(tmp_path / "x.h5", ["a", "b"], {"x": np.zeros((3, 1))})


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.h5 does not exist"):
        KeyedArrays(tmp_path / "none.h5")
    (tmp_path / "bad.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    with pytest.raises(UserError, match="not a keyed HDF5 file"):
        KeyedArrays(tmp_path / "bad.h5")
    with h5py.File(tmp_path / "torn.h5", "w") as file:
        file.create_dataset("key", data=np.asarray([b"a", b"b"], h5py.string_dtype("utf-8", 1)))
        file.create_dataset("x", data=np.zeros(3))
    with pytest.raises(UserError, match="do not match"):
        KeyedArrays(tmp_path / "torn.h5")
    write_keyed(tmp_path / "ok.h5", ["a"], {"x": np.zeros(1)})
    with KeyedArrays(tmp_path / "ok.h5") as arrays:
        with pytest.raises(UserError, match="no row 'b'"):
            arrays.rows("x", ["b"])
        with pytest.raises(UserError, match="no array 'y'"):
            arrays.rows("y")


def _external(file: h5py.File) -> None:
    file.create_dataset("x", shape=(2,), dtype="u1", external=[("/etc/passwd", 0, 2)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (2,))
    file.create_virtual_dataset("x", layout)


def _huge(file: h5py.File) -> None:
    file.create_dataset("x", shape=(2, 10**12), dtype="f4")  # contiguous: space is taken when it is written


HOSTILE = {
    "link": lambda file: file.__setitem__("x", h5py.ExternalLink("other.h5", "x")),
    "soft link": lambda file: file.__setitem__("x", h5py.SoftLink("/key")),
    "external": _external,
    "virtual": _virtual,
    "huge": _huge,
    "packed": lambda file: file.create_dataset("x", data=np.zeros((2, 4)), chunks=(1, 4), compression="gzip"),
    "objects": lambda file: file.create_dataset("x", data=np.asarray(["a", "b"], dtype=object), dtype=h5py.string_dtype()),
    "group": lambda file: file.create_group("x"),
    "attribute": lambda file: file.attrs.__setitem__("unit", "of variable length"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_only_plain_rows_within_the_file_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.h5"
    write_keyed(path, ["a", "b"], {}, {"n": 1})
    with h5py.File(path, "a") as file:
        HOSTILE[kind](file)
    with pytest.raises(UserError, match="is not a keyed HDF5 file") as caught:
        KeyedArrays(path)
    assert "\n" not in str(caught.value)


def test_damage_to_the_description_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    write_keyed(path, ["a", "b"], {"x": np.zeros((2, 3))}, {"model": "ViT-B-32", "rate_hz": 50.0})
    sound = path.read_bytes()
    at = sound.index(b"ViT-B-32")
    path.write_bytes(sound[:at] + b"ViT-B-16" + sound[at + 8 :])
    with pytest.raises(UserError, match="is not a keyed HDF5 file"):
        KeyedArrays(path)
