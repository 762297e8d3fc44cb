"""Files that appear whole or not at all."""

import errno
import os

import pytest
from safetensors import SafetensorError

# what every recipe and training writes by; no public name
from regularizers._written import remove_drafts, written
from regularizers.errors import RunFolderError

# what a sparse autoencoder is saved by, into the folder of a run
from regularizers.sae.files._folder import written_whole


def test_a_file_appears_with_its_folder_when_the_block_ends(tmp_path):
    path = tmp_path / "networks" / "one.png"
    with written(path) as draft:
        draft.write_text("new")
        assert draft.suffix == ".png"
        assert draft.parent == path.parent
        assert not path.exists()
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["one.png"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_block_that_fails_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "file.json"
    path.write_text("old")

    def fail():
        with written(path) as draft:
            draft.write_text("ne")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.json"]


FAILURES = {
    "full": (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), r"\(No space .*\); free some space"),
    "read-only": (OSError(errno.EROFS, "Read-only"), r"\(Read-only\); make the folder writable"),
    "broken": (
        OSError(errno.EIO, "Input/output error"),
        r"look at the disk, then go on with --res",
    ),
    "safetensors": (
        SafetensorError("I/O error: No space"),
        r"cannot be written \(I/O error: No sp",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_an_error_of_the_system_is_said_with_the_cure(case, tmp_path):
    error, message = FAILURES[case]

    def fail():
        with written(tmp_path / "file.json"):
            raise error

    with pytest.raises(RunFolderError, match=message):
        fail()


def test_a_folder_in_the_way_is_said(tmp_path):
    (tmp_path / "file.json").mkdir()

    def fail():
        with written(tmp_path / "file.json") as draft:
            draft.write_text("new")

    with pytest.raises(RunFolderError, match="move what is in the way"):
        fail()
    assert os.listdir(tmp_path) == ["file.json"]


def test_drafts_are_removed_and_nothing_else(tmp_path):
    for folder in ("a", ".draft-l1-z"):
        (tmp_path / folder / "new").mkdir(parents=True)
        (tmp_path / folder / "new" / "sae_weights.safetensors").write_text("")
    for name in (".draft-1-x.png", "a/.draft-2-y", "draft.txt", ".lock"):
        (tmp_path / name).write_text("")
    remove_drafts(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "a", "draft.txt"]
    assert os.listdir(tmp_path / "a") == ["new"]


def test_a_folder_that_is_not_whole_yet_is_a_draft_too(tmp_path):
    with written_whole(tmp_path / "l1"):
        (draft,) = os.listdir(tmp_path)
        remove_drafts(tmp_path)
        assert os.listdir(tmp_path) == []
        (tmp_path / draft / "new").mkdir(parents=True)
    assert os.listdir(tmp_path) == ["l1"]
