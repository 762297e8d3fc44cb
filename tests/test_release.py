"""What is published says the same everywhere: versions, bounds, badges, actions, the two files."""

import io
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import badges
import check_dist
from lowest import lowest, project

# the command itself, which an installed program calls
from regularizers.__main__ import main

ROOT = Path(__file__).parents[1]
PROJECT = project()


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pythons() -> list[str]:
    """The minor versions of Python that the classifiers name."""
    found = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert found
    return found


def test_the_citation_is_of_this_version():
    said = dict(re.findall(r"^([a-z-]+): (.+)$", text("CITATION.cff"), re.MULTILINE))
    assert said["version"] == PROJECT["version"]
    assert said["license"] == PROJECT["license"]
    assert said["repository-code"] == PROJECT["urls"]["Source"]


def test_the_changelog_begins_with_what_is_unreleased_and_has_this_version():
    parts = re.findall(r"^## (.+)$", text("CHANGELOG.md"), re.MULTILINE)
    assert parts[0] == "Unreleased"
    assert PROJECT["version"] in [part.split(" ")[0] for part in parts[1:]]


def test_actions_are_pinned_to_a_commit_and_alike_everywhere():
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert {file.name for file in workflows} == {"docs.yml", "publish.yml", "tests.yml"}
    uses = re.findall(r"uses: (.*)", "\n".join(file.read_text("utf-8") for file in workflows))
    assert len(uses) > 5
    pinned = [re.fullmatch(r"([\w./-]+)@([0-9a-f]{40}) # v[\d.]+", use) for use in uses]
    assert all(pinned), uses
    assert len({match[1] for match in pinned}) == len({match[2] for match in pinned})


def test_classifiers_name_every_python_from_the_lowest_on():
    first = PROJECT["requires-python"].removeprefix(">=")
    minors = [int(version.split(".")[1]) for version in pythons()]
    assert pythons()[0] == first
    assert minors == [*range(minors[0], minors[-1] + 1)]


def test_every_python_of_the_classifiers_is_tested():
    tested = re.findall(
        r'versions: newest, python: "([\d.]+)"', text(".github/workflows/tests.yml")
    )
    assert tested == pythons()


@pytest.mark.parametrize("extra", [None, *PROJECT["optional-dependencies"]])
def test_every_requirement_has_a_lower_bound(extra):
    extras = PROJECT["optional-dependencies"]
    requirements = PROJECT["dependencies"] if extra is None else extras[extra]
    assert len(lowest(requirements)) == len(requirements) > 0


def test_a_requirement_without_a_lower_bound_is_refused():
    for requirement in ("numpy", "numpy==2.0", "numpy<3", "numpy>=2.*"):
        with pytest.raises(ValueError, match=re.escape(f"got {requirement}")):
            lowest([requirement])


def test_of_two_lower_bounds_the_higher_one_counts():
    assert lowest(["a>=1.9", "b>=2,<3", "a>=1.10"]) == {"a": "1.10", "b": "2"}


def test_pins_are_not_below_the_bounds():
    pins = dict(re.findall(r"^([\w.-]+)==([\d.]+\d)", text("constraints.txt"), re.MULTILINE))
    pins = {name.lower().replace("_", "-"): pin for name, pin in pins.items()}
    extras = PROJECT["optional-dependencies"].values()
    bounds = lowest([*PROJECT["dependencies"], *(one for extra in extras for one in extra)])
    assert bounds.keys() <= pins.keys()
    below = {
        n: pins[n] for n in bounds if lowest([f"n>={pins[n]}", f"n>={bounds[n]}"])["n"] != pins[n]
    }
    assert below == {}


def test_the_badges_say_what_the_project_says():
    drawn = badges.badges()
    assert set(drawn) == {"license.svg", "python.svg", "pytorch.svg", "typed.svg"}
    for name, svg in drawn.items():
        assert (badges.FOLDER / name).read_text("utf-8") == svg, "run `make badges`"
        assert re.findall(r"https?://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    assert " | ".join(pythons()) in drawn["python.svg"]
    assert f">{lowest(PROJECT['dependencies'])['torch']} – 2." in drawn["pytorch.svg"]


def test_the_page_of_versions_says_what_the_project_says():
    page = text("docs/versions.md")
    extras = PROJECT["optional-dependencies"]
    assert f"| {pythons()[0]} to {pythons()[-1]} |" in page
    assert f"| {lowest(extras['recipes'])['numpy']} and newer |" in page
    assert f"| {lowest(PROJECT['dependencies'])['torch']} and newer |" in page


def test_help_without_the_recipes_packages_says_what_to_install(monkeypatch, capsys):
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "tyro", None)
        assert main(["--help"]) == 0
        assert main(["classifier"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("regularizers: the recipes need tyro, which is not installed: pip")
    assert "tyro is not installed" in said.out
    assert "    pip install 'regularizers[recipes]'\n" in said.out
    names = re.findall(r"^ {4}regularizers (.+)$", said.out, re.MULTILINE)
    assert len(names) == 7
    for name in names:
        with pytest.raises(SystemExit, match="0"):
            main([*name.split(), "--help"])
        assert f"usage: regularizers {name}" in capsys.readouterr().out


GOOD = {
    "regularizers/py.typed": "",
    "regularizers-1.dist-info/METADATA": "[a](https://a.org/) ![b](https://a.org/b.png)",
}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"regularizers/py.typed": None}, "py.typed"),
        (
            {"tests/test_a.py": ""},
            r"the package and its metadata only; found \['tests/test_a.py'\]",
        ),
        ({"regularizers-1.dist-info/METADATA": "[a](docs/a.md)"}, r"found \['docs/a.md'\]"),
        ({"regularizers-1.dist-info/METADATA": '<img src="b.png">'}, r"found \['b.png'\]"),
        ({"regularizers-1.dist-info/METADATA": "no link"}, "absolute links"),
    ],
)
def test_a_wheel_that_should_not_be_published_is_refused(files, message, tmp_path):
    def packed(contents):
        with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
            for name, written in contents.items():
                if written is not None:
                    wheel.writestr(name, written)
        return tmp_path / "a.whl"

    check_dist.look_into_wheel(packed(GOOD))
    with pytest.raises(SystemExit, match=message):
        check_dist.look_into_wheel(packed(GOOD | files))


@pytest.mark.parametrize(
    ("name", "written", "message"),
    [
        (".ci/run", "", r"\['.ci/run'\]"),
        ("tests/__pycache__/a.cpython-311.pyc", "", "__pycache__"),
        (".venv-lowest/pyvenv.cfg", "", ".venv-lowest"),
        ("docs/a.md", "run /" + "root/a.py", "no path of a machine"),
    ],
)
def test_an_sdist_that_should_not_be_published_is_refused(name, written, message, tmp_path):
    def packed(contents):
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as sdist:
            for path, said in contents.items():
                member = tarfile.TarInfo(f"regularizers-1/{path}")
                member.size = len(said)
                sdist.addfile(member, io.BytesIO(said.encode()))
        return tmp_path / "a.tar.gz"

    files = {"LICENSE", "Makefile", "pyproject.toml"}
    good = {part if part in files else f"{part}/a.md": "" for part in check_dist.PACKED}
    check_dist.look_into_sdist(packed(good))
    with pytest.raises(SystemExit, match=message):
        check_dist.look_into_sdist(packed(good | {name: written}))
    with pytest.raises(SystemExit, match=r"builds and tests the library; found \{'LICENSE'\}"):
        check_dist.look_into_sdist(packed({k: v for k, v in good.items() if k != "LICENSE"}))


def test_the_example_tried_is_that_of_the_readme():
    code = check_dist.first_example()
    assert "import regularizers as rz\n" in code
    assert ">>>" not in code
    compile(code, "README.md", "exec")


def test_integrations_refuse_what_is_older_than_their_extra():
    bounds = lowest(PROJECT["optional-dependencies"]["integrations"])
    files = sorted((ROOT / "src" / "regularizers" / "integrations").glob("*.py"))
    source = "\n".join(file.read_text("utf-8") for file in files)
    checked = dict(re.findall(r'^check_framework\("(\w+)", "([\d.]+)"\)', source, re.MULTILINE))
    assert checked == bounds
