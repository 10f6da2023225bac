"""Files that cellpose saves: masks as labels, and hostile ones refused without harm."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from napari_ssp.cli import main
from napari_ssp.io import read_image, read_scenes
from napari_ssp.io.napari_reader import get_reader
from napari_ssp.service.training.segmentation.pairs import scan_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MASKS = np.kron(np.array([[0, 1], [2, 70_000]]), np.ones((5, 7), int)).astype(np.uint32)


def _save(path: Path, masks: Any, **more: Any) -> Path:
    """Write what cellpose writes: a dictionary in an array without axes."""
    content = {
        "outlines": masks,
        "masks": masks,
        "chan_choose": [0, 0],
        "ismanual": np.zeros(3, bool),
        "filename": str(path),
        "flows": [np.zeros((1, 4, 4, 3), np.uint8), np.float32(3.5), [np.ones(2)], None],
        "diameter": np.float64(30.0),
        **more,
    }
    np.save(path, content)
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int32", ">u2", "bool"])
def test_masks_are_labels(tmp_path: Path, dtype: str) -> None:
    masks = (MASKS % 200).astype(dtype)
    path = _save(tmp_path / "a.b_seg.npy", masks, folder=Path("x/y"))
    [scene] = read_scenes(path)
    assert scene.is_labels
    assert scene.image.axes == "yx"
    assert scene.image.name == "a.b_seg"
    np.testing.assert_array_equal(scene.image.data, masks)
    assert scene.image.data.dtype.isnative


def test_stacks_and_transposed_arrays(tmp_path: Path) -> None:
    stack = np.stack([MASKS, MASKS[::-1]])
    image = read_image(_save(tmp_path / "s_seg.npy", stack))
    assert image.axes == "zyx"
    np.testing.assert_array_equal(image.data, stack)
    image = read_image(_save(tmp_path / "t_seg.npy", np.asfortranarray(MASKS)))
    np.testing.assert_array_equal(image.data, MASKS)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_all_protocols(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "p_seg.npy"
    np.save(path, {})
    header = path.read_bytes().split(b"\n")[0] + b"\n"
    held = np.array({"masks": MASKS}, object)
    path.write_bytes(header + pickle.dumps(held, protocol=protocol))
    np.testing.assert_array_equal(read_image(path).data, MASKS)


def test_napari_gets_labels(tmp_path: Path) -> None:
    names = [_save(tmp_path / "a_seg.npy", MASKS)]
    for name, write in (("b_cp_masks.png", _png), ("c_masks.tif", tifffile.imwrite)):
        write(tmp_path / name, MASKS.astype(np.uint16))
        names.append(tmp_path / name)
    for path in names:
        reader = get_reader(str(path))
        assert reader is not None
        [(data, attributes, kind)] = reader(str(path))
        assert kind == "labels"
        assert attributes["name"] == path.stem
        np.testing.assert_array_equal(data > 0, MASKS > 0)
    (tmp_path / "photo.png").write_bytes(names[1].read_bytes())
    assert get_reader(str(tmp_path / "photo.png")) is None


def _png(path: Path, values: NDArray[Any]) -> None:
    path.write_bytes(imagecodecs.png_encode(values))


def test_pairs_for_training_and_evaluation(tmp_path: Path) -> None:
    for folder in ("images", "labels", "found"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        tifffile.imwrite(tmp_path / "images" / f"{name}.tif", np.zeros(MASKS.shape, np.uint8))
        _save(tmp_path / "labels" / f"{name}_seg.npy", MASKS)
        tifffile.imwrite(tmp_path / "found" / f"{name}_label.tif", MASKS)
    scan = scan_pairs(tmp_path)
    assert [pair.labels.name for pair in scan.pairs] == ["a_seg.npy", "b_seg.npy"]
    assert scan.problems == ()
    words = ["evaluate", "segmentation", "--prediction", str(tmp_path / "found")]
    done = CliRunner().invoke(main, [*words, "--truth", str(tmp_path / "labels"), "--json", "-"])
    assert done.exit_code == 0, done.output
    assert '"ap_0.50": 1.0' in done.output


class Command:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


class Calls:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> Any:
        return self.reduced


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda trap: Command(f"touch {trap}"), r"(posix|nt)\.system"),
        (lambda trap: Calls(eval, f"open({str(trap)!r}, 'w')"), "builtins.eval"),
        (lambda trap: Calls(getattr, "text", "join"), "builtins.getattr"),
        (lambda trap: Calls(np.load, "x"), r"numpy.*load"),
        (lambda trap: Calls(subprocess.call, ["touch", str(trap)]), r"subprocess\.call"),
        (lambda trap: Calls(Path.touch, Path(trap)), r"(pathlib|builtins).*(touch|getattr)"),
    ],
)
@pytest.mark.parametrize("where", ["masks", "filename", "deep"])
def test_commands_are_refused(
    tmp_path: Path, make: Callable[[Path], Any], name: str, where: str
) -> None:
    trap, path = tmp_path / "executed", tmp_path / "a_seg.npy"
    bad = make(trap)
    content = {"masks": MASKS, where: [[bad]] if where == "deep" else bad}
    np.save(path, content, allow_pickle=True)
    with pytest.raises(ValueError, match=f"asks for '{name}'.*nothing was executed"):
        read_image(path)
    assert not trap.exists()


def _with(path: Path, change: Callable[[bytes], bytes]) -> Path:
    content = _save(path, MASKS).read_bytes()
    path.write_bytes(change(content))
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"dear diary",
        lambda content: content[:200],
        lambda content: content.replace(b"masks", b"musks"),
        lambda content: content.replace(b"u4", b"O8"),
        # Says that the masks have 2 ** 31 rows.
        lambda content: content.replace(b"K\nK\x0e\x86", b"J\xff\xff\xff\x7fK\x0e\x86"),
        lambda content: content[:128] + b"\x80\x04\x95" + b"\xff" * 7 + b"\x7f" + content[139:],
    ],
)
def test_damaged_files_are_a_message(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match=r"no file of masks that cellpose saved"):
        read_image(_with(tmp_path / "a_seg.npy", change))


def test_an_ordinary_array_is_no_file_of_masks(tmp_path: Path) -> None:
    np.save(tmp_path / "a_seg.npy", MASKS)
    with pytest.raises(ValueError, match="it holds an array of uint32"):
        read_image(tmp_path / "a_seg.npy")
    _save(tmp_path / "b_seg.npy", MASKS.astype(float))
    with pytest.raises(ValueError, match="its masks have the shape"):
        read_image(tmp_path / "b_seg.npy")


def test_instructions_change_nothing_for_the_next_file(tmp_path: Path) -> None:
    """A file that overwrites what it was given must not reach the next one."""
    path = tmp_path / "a_seg.npy"
    np.save(path, {})
    header = path.read_bytes().split(b"\n")[0] + b"\n"
    # numpy.dtype, then its attributes replaced by "None, {...}".
    code = b"\x80\x02cnumpy\ndtype\nN}U\x04coder1U\x01xs\x86b."
    path.write_bytes(header + code.replace(b"coder1", b"codeK\x01"))
    with pytest.raises(ValueError, match="no file of masks"):
        read_image(path)
    np.testing.assert_array_equal(read_image(_save(path, MASKS)).data, MASKS)
    assert "cellpose" not in sys.modules
