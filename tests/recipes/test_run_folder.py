"""Folders of runs: damaged ones are answered in one line, none is damaged by what ends a run."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from recipes import damaged, killed
from recipes.commands import figures, only_folder, run

# the folder is what the recipes write to; no public name opens it
from regularizers._checkpoints import Checkpoints
from regularizers.errors import RunFolderError
from regularizers.recipes import load
from regularizers.recipes._run_folder import RunFolder

STOPPED_AT = {
    "classifier": "weight-decay-0.ckpt",
    "sparse-autoencoder": "l1/last.ckpt",
    "language-model": "dropouts-0.ckpt",
}
"""The checkpoint after whose first writing a run is interrupted: its second network's."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return killed.write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def interrupted(data, tmp_path_factory):
    """Return a function that gives the folder of a run of a command that the user interrupted."""
    made: dict[str, Path] = {}

    def interrupt(command: str) -> Path:
        if command not in made:
            save, parent = Checkpoints.save_checkpoint, tmp_path_factory.mktemp(command)

            def stop(self, checkpoint, path, storage_options=None):
                save(self, checkpoint, path)
                if str(path).endswith(STOPPED_AT[command]):
                    raise KeyboardInterrupt

            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(Checkpoints, "save_checkpoint", stop)
                assert begin(command, data, parent) == 130
            made[command] = only_folder(parent)
            assert len(figures_or_trainings(made[command])) == 1
        return made[command]

    return interrupt


@pytest.fixture(scope="module")
def ended(interrupted, tmp_path_factory):
    """Return a function that gives the same run, resumed to its end."""
    made: dict[str, Path] = {}

    def end(command: str) -> Path:
        if command not in made:
            made[command] = tmp_path_factory.mktemp("ended") / "run"
            shutil.copytree(interrupted(command), made[command])
            assert run(command, "--resume", made[command]) == 0
        return made[command]

    return end


def begin(command, data, parent) -> int:
    arguments = [*killed.COMMANDS[command], killed.FILES[command], data[command]]
    return run(command, *arguments, "--runs", parent)


def figures_or_trainings(folder):
    name = "metrics.json" if (folder / "metrics.json").exists() else "training.json"
    return json.loads((folder / name).read_text())


def one_line(capsys) -> str:
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1, err
    return err.strip()


CASES = [
    *(("classifier", case) for case in damaged.CLASSIFIER),
    *(("sparse-autoencoder", case) for case in damaged.SPARSE),
    *(("language-model", case) for case in damaged.LANGUAGE),
]
DAMAGES = {
    "classifier": damaged.CLASSIFIER,
    "sparse-autoencoder": damaged.SPARSE,
    "language-model": damaged.LANGUAGE,
}


@pytest.mark.parametrize(("command", "case"), CASES)
def test_a_damaged_folder_is_named_in_one_line_with_the_cure(
    command, case, interrupted, tmp_path, capsys
):
    damage, message = DAMAGES[command][case]
    folder = tmp_path / "run"
    shutil.copytree(interrupted(command), folder)
    damage(folder)
    before = killed.content(folder)
    capsys.readouterr()
    assert run(command, "--resume", folder) == 2
    said = one_line(capsys)
    assert re.search(message, said), said
    assert killed.content(folder) == before
    assert not damaged.trace_of(folder).exists()


def test_the_pickles_of_these_tests_do_make_a_file(tmp_path):
    import pickle

    pickle.loads(pickle.dumps(damaged.Opened(tmp_path / "made")))
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize("command", STOPPED_AT)
def test_the_cure_trains_the_network_anew_to_the_same_figures(
    command, interrupted, ended, tmp_path, capsys
):
    folder = tmp_path / "run"
    shutil.copytree(interrupted(command), folder)
    (folder / "checkpoints" / STOPPED_AT[command]).write_bytes(b"damaged")
    assert run(command, "--resume", folder) == 2
    cure = re.search(r"--resume \S+ --from-scratch \S+$", one_line(capsys))
    assert cure
    assert run(command, *cure[0].split()) == 0
    assert figures(folder) == figures(ended(command))


def test_networks_that_were_finished_are_trained_anew(ended, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(ended("classifier"), folder)
    network = folder / "networks" / "dropout-0.safetensors"
    expected = network.read_bytes()
    network.unlink()
    capsys.readouterr()
    assert run("classifier", "--resume", folder, "--from-scratch", "dropout-0", "none-0") == 0
    out = capsys.readouterr().out
    assert re.findall(r"^seed 0, (.*): train", out, re.MULTILINE) == ["none", "dropout"]
    assert network.read_bytes() == expected
    assert figures(folder) == figures(ended("classifier"))


def test_a_name_of_no_network_is_answered_by_those_there_are(interrupted, capsys):
    folder = interrupted("classifier")
    assert run("classifier", "--resume", folder, "--from-scratch", "dropout") == 2
    assert "expected networks of the run, none-0, weight-decay-0," in one_line(capsys)
    assert run("classifier", "--from-scratch", "none-0") == 2
    assert "from-scratch: expected --resume FOLDER with it" in one_line(capsys)


def test_a_file_in_place_of_the_folder_is_named(tmp_path, capsys):
    (tmp_path / "run").write_text("no folder")
    assert run("classifier", "--resume", tmp_path / "run") == 2
    assert re.search(r"resume: expected the folder .* got '\S+run' \(a file\)", one_line(capsys))


def test_a_folder_of_an_earlier_version_is_read(interrupted, ended, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(ended("classifier"), folder)
    damaged.edited("config.json", lambda c: [c.pop(k) for k in ("format", "recipe")] and None)(
        folder
    )
    assert run("classifier", "--resume", folder) == 0
    damaged.with_setting(text="a.txt")(folder)
    assert run("classifier", "--resume", folder) == 2


def test_two_processes_cannot_write_to_one_folder(interrupted, capsys):
    folder = interrupted("classifier")
    held = RunFolder.reopen(folder)
    assert run("classifier", "--resume", folder) == 2
    assert re.search(r"no other process writes to, .* wait for it, or stop it", one_line(capsys))
    assert RunFolder.open(folder).config()["recipe"] == "classifier"
    del held
    del_again = RunFolder.reopen(folder)
    assert del_again.path == folder


def test_drafts_of_a_killed_process_are_removed(interrupted, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(interrupted("classifier"), folder)
    for name in (".draft-1-metrics.json", "networks/.draft-2-x.safetensors"):
        (folder / name).write_text("half")
    del_again = RunFolder.reopen(folder)
    assert not [*del_again.path.rglob("*draft*")]


@contextmanager
def mounted(path: Path, *options: str):
    """Mount something on a folder; skip the test where the system does not let us."""
    path.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(path)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("the system lets this user mount nothing")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_folder_that_cannot_be_written_can_be_read(ended, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(ended("classifier"), folder)
    with mounted(folder, "--bind", "-o", "ro", str(folder)):
        assert run("classifier", "--resume", folder) == 2
        assert re.search(r"can be written, got .*Read-only .*; make it writable", one_line(capsys))
        assert RunFolder.open(folder).read_json("metrics.json") == figures(folder)


def test_a_disk_that_is_full_ends_a_run_in_words_and_it_goes_on(ended, data, tmp_path, capsys):
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=56k", "tmpfs"):
        assert begin("classifier", data, tmp_path / "disk") == 2
        assert re.search(r"cannot be written \(No space left .*\); free some", one_line(capsys))
        folder = only_folder(tmp_path / "disk")
        assert not [*folder.rglob("*draft*")]
        subprocess.run(["mount", "-o", "remount,size=9m", str(tmp_path / "disk")], check=True)
        assert run("classifier", "--resume", folder) == 0
        assert figures(folder) == figures(ended("classifier"))


@pytest.mark.parametrize(
    ("command", "last"),
    [
        ("classifier", ".ckpt"),
        ("classifier", ".safetensors"),
        ("classifier", "metrics.json"),
        ("classifier", "picture.png"),
        ("sparse-autoencoder", "training.json"),
        ("language-model", ".safetensors"),
    ],
)
def test_a_write_that_fails_ends_a_run_in_words(
    command, last, interrupted, tmp_path, capsys, monkeypatch
):
    replace = Path.replace
    folder = tmp_path / "run"
    shutil.copytree(interrupted(command), folder)

    def full(path, target):
        if str(target).endswith(last):
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    assert run(command, "--resume", folder) == 2
    said = one_line(capsys)
    assert re.search(rf"{re.escape(last)}: cannot be written \(No space .*with --resume$", said)
    assert not [*folder.rglob("*draft*")]


def test_a_run_whose_settings_cannot_be_written_is_refused(data, tmp_path, capsys, monkeypatch):
    def full(path, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert begin("classifier", data, tmp_path / "runs") == 2
    assert re.search(
        r"runs: .*No space left .*; choose another folder with --runs", one_line(capsys)
    )


def test_an_output_that_cannot_be_printed_is_named(interrupted):
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [
                sys.executable,
                "-m",
                "regularizers",
                "classifier",
                "--resume",
                interrupted("classifier"),
            ],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": ""},
        )
    assert process.returncode == 2
    assert re.fullmatch(r"regularizers: the output cannot be printed \(.*\); .*\n", process.stderr)


def test_a_pipe_that_nobody_reads_is_named(tmp_path):
    ends = os.pipe()
    os.close(ends[0])
    command = [sys.executable, "-m", "regularizers", "classifier", "--epochs", "1", "--seeds", "1"]
    process = subprocess.run(
        [*command, "--units", "2", "--train", "20", "--runs", tmp_path / "runs"],
        stdout=ends[1],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(ends[1])
    assert process.returncode == 2
    assert re.fullmatch(
        r"regularizers: the output cannot be printed \(Broken pipe\); .*\n", process.stderr
    )


def test_other_folders_are_no_runs(tmp_path):
    with pytest.raises(RunFolderError, match=r"expected the folder of an earlier run, .* without"):
        load(tmp_path)
    (tmp_path / "config.json").write_text('{"recipe": "bakery"}')
    with pytest.raises(RunFolderError, match="got 'bakery'"):
        load(tmp_path)


def test_killed_runs_end_as_if_nobody_had_killed_them():
    script = Path(killed.__file__)
    done = subprocess.run(
        [sys.executable, script, "--moments", "3", "--writes"],
        env={**os.environ, "PYTHONPATH": str(script.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("resumed, the same") == 3
