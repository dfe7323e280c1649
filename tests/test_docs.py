"""The documents say what is true, in both languages; the code keeps the habits that we promise."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("utils", "cleaning", "data_pipeline", "postraining_sft", "postraining_dpo", "rounds")
MODULES = sorted([*ROOT.glob("*.py"), *(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))])
SCRIPTS = [*sorted(ROOT.glob("*.sh")), ROOT / ".ci" / "run"]

FENCE = re.compile(r"^```.*?^```[ ]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)[^)]*\)")
TREE_LINE = re.compile(r"^(?P<indent>(?:│   |    )*)(?:├── |└── )(?P<name>\S.*)$")
TEST_ID = re.compile(r"`(tests/[\w/.-]+\.py)::([\w:]+)(?:\[[^`]*\])?`")

FAULTS = [f"F{number}" for number in range(1, 26)] + [f"S{number}" for number in range(1, 14)]
CLOSED = {
    *(f"F{number}" for number in (*range(1, 15), *range(19, 26))),
    *("S1", "S2", "S3", "S4", "S5", "S7", "S8", "S9", "S12"),
}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
FORBIDDEN_CODE = re.compile(
    r"\bshell=True|\byaml\.load\(|\bpickle\b|\bjoblib\.(?:load|dump)|\bpkill\b|\bkillall\b|\bos\.system\("
    r"|\btrust_remote_code=True|\bweights_only=False"
)


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def readme(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code_blocks(text: str) -> list[str]:
    return FENCE.findall(text)


def heading_levels(text: str) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", FENCE.sub("", text), re.MULTILINE)]


def links(text: str) -> list[str]:
    """Return link targets in order: without those inside the page (headings differ), the two languages as one."""
    targets = LINK.findall(FENCE.sub("", text))
    return [target.replace("README.zh.md", "README.md") for target in targets if not target.startswith("#")]


def test_readmes_have_the_same_code_blocks() -> None:
    blocks = code_blocks(readme("README.md"))
    assert blocks
    assert blocks == code_blocks(readme("README.zh.md"))


def test_readmes_have_the_same_heading_levels() -> None:
    assert heading_levels(readme("README.md")) == heading_levels(readme("README.zh.md"))


def test_readmes_have_the_same_links() -> None:
    assert links(readme("README.md")) == links(readme("README.zh.md"))


@pytest.mark.parametrize("name", ["README.md", "README.zh.md", "CONTRIBUTING.md", *map(named, ROOT.glob("docs/*.md"))])
def test_links_to_our_files_lead_somewhere(name: str) -> None:
    folder = (ROOT / name).parent
    targets = [target.partition("#")[0] for target in links(readme(name)) if "://" not in target]
    assert not [target for target in targets if not (folder / target).exists()]


def tree_paths(text: str) -> list[str]:
    """Return the paths of the annotated tree: one per line, box-drawn, the remark after two spaces or a `#`."""
    trees = [block for block in code_blocks(text) if re.search(TREE_LINE.pattern, block, re.MULTILINE)]
    assert len(trees) == 1, "README.md has one annotated tree, drawn with ├── and └──"
    paths: list[str] = []
    parents: list[str] = []
    for match in filter(None, map(TREE_LINE.match, trees[0].splitlines())):
        name = re.split(r"\s{2,}|\s#", match["name"])[0].strip()
        parents[len(match["indent"]) // 4 :] = [name.rstrip("/")]
        paths.append("/".join(parents) + ("/" if name.endswith("/") else ""))
    return paths


def test_every_path_of_the_tree_exists() -> None:
    paths = tree_paths(readme("README.md"))
    assert not [path for path in paths if not (ROOT / path).exists()]
    assert not [path for path in paths if (ROOT / path).is_dir() != path.endswith("/")], "folders end with /"


def test_every_top_level_file_is_in_the_tree() -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git repository: what belongs to the project is unknown")
    top_level = {line.strip('"').partition("/")[0] for line in listed.stdout.splitlines()}
    shown = {path.partition("/")[0] for path in tree_paths(readme("README.md"))}
    assert not sorted(top_level - shown)


def fault_rows() -> dict[str, str]:
    """Return the last cell of every row of docs/FAULTS.md by its id."""
    rows: dict[str, str] = {}
    for line in readme("docs/FAULTS.md").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if re.fullmatch(r"[FS]\d+", cells[0]):
            assert cells[0] not in rows, f"{cells[0]} stands there twice"
            rows[cells[0]] = cells[-1]
    return rows


def test_every_fault_is_in_the_table() -> None:
    assert list(fault_rows()) == FAULTS


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_names_tests_that_exist_or_is_open(fault: str) -> None:
    cell = fault_rows()[fault]
    tests = TEST_ID.findall(cell)
    assert tests or re.match(r"open\b", cell), f"{fault}: neither a test nor `open`"
    assert cell.count("tests/") == len(tests), f"{fault}: a test is not written as `tests/….py::name`"
    for file, name in tests:
        assert name in defined_tests(ROOT / file), f"{fault}: {file}::{name} does not exist"


@pytest.mark.parametrize("fault", sorted(CLOSED))
def test_fault_promised_as_survived_is_not_open(fault: str) -> None:
    assert TEST_ID.search(fault_rows()[fault])


LESSONS = [number for number in range(1, 40) if not 31 <= number <= 35]


def lesson_rows() -> dict[int, str]:
    """Return the last cell of every row of the lessons' table in docs/TRAINING.md by its number."""
    section = readme("docs/TRAINING.md").partition("\n## Production lessons\n")[2].partition("\n## ")[0]
    rows: dict[int, str] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        for number in re.findall(r"\d+", cells[0]) if len(cells) == 4 else []:
            assert int(number) not in rows, f"lesson {number} stands there twice"
            rows[int(number)] = cells[-1]
    return rows


def test_every_lesson_of_production_names_a_test_or_is_open() -> None:
    rows = lesson_rows()
    assert sorted(rows) == LESSONS
    assert not [number for number, cell in rows.items() if cell != "open" and not TEST_ID.search(cell)]


@pytest.mark.parametrize("name", sorted(map(named, ROOT.glob("docs/*.md"))))
def test_tests_that_a_document_names_exist(name: str) -> None:
    named_tests = TEST_ID.findall(readme(name))
    assert not [f"{file}::{test}" for file, test in named_tests if test not in defined_tests(ROOT / file)]


def defined_tests(file: Path) -> set[str]:
    """Return the names of the tests in a file, those of a class as `Class::name`."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    names |= {
        f"{node.name}::{part.name}" for node in classes for part in node.body if isinstance(part, ast.FunctionDef)
    }
    return names


def direct_dependencies() -> list[str]:
    project = tomllib.loads(readme("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return [re.match(r"[\w.-]+", requirement)[0] for requirement in wanted]  # type: ignore[index]


def plain(name: str) -> str:
    """Return a package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", direct_dependencies())
def test_dependency_is_explained_and_pinned(name: str) -> None:
    pins = [plain(line.partition("==")[0]) for line in readme("constraints.txt").splitlines() if "==" in line]
    assert pins.count(plain(name)) == 1
    assert re.search(rf"^\| `{re.escape(name)}` \|", readme("docs/DEPENDENCIES.md"), re.MULTILINE | re.IGNORECASE)


def test_no_dependency_is_explained_that_is_none() -> None:
    explained = re.findall(r"^\| `([\w.-]+)` \|", readme("docs/DEPENDENCIES.md"), re.MULTILINE)
    assert sorted(map(plain, explained)) == sorted(map(plain, direct_dependencies()))


def reasoned(lines: list[str]) -> bool:
    return any(re.search(r"# long: \S", line) for line in lines)


@pytest.mark.parametrize("file", MODULES, ids=named)
def test_file_and_function_sizes(file: Path) -> None:
    """A file over 400 lines says why near its top, a function over 60 inside it or in the line above."""
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= MAX_FILE_LINES or reasoned(lines[:30]), f"{len(lines)} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            inside = lines[max(node.lineno - 2, 0) : node.end_lineno]
            assert length <= MAX_FUNCTION_LINES or reasoned(inside), f"{node.name}: {length} lines"


def code_only(text: str) -> str:
    """Return Python code without its comments and docstrings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            body[0].value.value = ""
    return ast.unparse(tree)


@pytest.mark.parametrize("file", MODULES, ids=named)
def test_nothing_forbidden_in_the_code(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not FORBIDDEN_CODE.findall(code_only(text))
    assert not re.findall(r"\bTODO\b|\bFIXME\b", text)


@pytest.mark.parametrize("file", SCRIPTS, ids=named)
def test_scripts_are_strict_and_end_nothing_by_name(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "\nset -euo pipefail\n" in text
    assert not re.findall(r"\bTODO\b|\bFIXME\b|\bpkill\b|\bkillall\b|\beval\b", text)


def test_the_measure_of_forbidden_code_sees_it_and_only_it() -> None:
    assert FORBIDDEN_CODE.search(code_only("import subprocess\nsubprocess.run('x', shell = True)"))
    assert FORBIDDEN_CODE.search(code_only("from pickle import load"))
    assert not FORBIDDEN_CODE.search(code_only('"""Never a pickle."""\nx = 1  # no shell=True'))
