"""The import rules of docs/architecture.md, read from the code itself."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = (
    "app",
    "api",
    "cli",
    "scheduler",
    "workflows",
    "bootstrap",
    "services",
    "queries",
    "providers",
    "sources",
    "domain",
    "models",
    "db",
    "settings",
    "errors",
    "files",
    "ledger",
    "redaction",
    "ui",
    "pages",
)

#: who may import which of our own layers
ALLOWED = {
    "app": {"api", "scheduler", "bootstrap"},
    "pages": {"ui", "workflows", "services", "queries", "domain", "errors"},
    "ui": {"bootstrap", "workflows", "queries", "domain", "errors", "db", "ui"},
    "api": {"bootstrap", "workflows", "services", "queries", "domain", "errors", "api"},
    "cli": {
        "bootstrap",
        "workflows",
        "scheduler",
        "queries",
        "domain",
        "ledger",
        "errors",
        "db",
        "settings",
        "cli",
    },
    "scheduler": {"workflows", "bootstrap"},
    "workflows": {
        "bootstrap",
        "services",
        "sources",
        "queries",
        "domain",
        "providers.base",
        "models",
        "db",
        "ledger",
        "errors",
        "workflows",
        "files",
    },
    "bootstrap": {
        "settings",
        "db",
        "domain",
        "providers",
        "providers.base",
        "sources",
        "redaction",
        "errors",
    },
    "services": {"models", "db", "domain", "providers.base", "queries", "ledger", "errors", "files"},
    "queries": {"models", "db", "domain", "ledger", "errors", "queries"},
    "ledger": {"models", "domain", "errors"},
    "redaction": set(),
    "providers": {"providers", "providers.base", "domain", "redaction", "errors", "files"},
    "sources": {"sources", "domain", "errors"},
    "domain": {"domain", "errors"},
    "settings": {"domain"},
    "models": {"domain", "models"},
    "db": {"errors", "models"},
    "errors": set(),
    "files": {"errors"},
}
DOMAIN_LIBRARIES = {"numpy", "scipy", "pandas", "sklearn"}
MODULES = [
    path
    for top in ("app.py", "core", "ui", "pages")
    for path in ([ROOT / top] if top.endswith(".py") else sorted((ROOT / top).rglob("*.py")))
    if "migrations" not in path.parts and path.name not in ("__init__.py", "__main__.py")
] + [ROOT / "core/workflows/__init__.py"]


def layer_of(dotted: str) -> str | None:
    """Return the layer of a module of ours, or None for a library."""
    parts = dotted.split(".")
    if parts[0] in ("app", "ui", "pages"):
        return parts[0]
    if parts[0] != "core" or len(parts) == 1:
        return None
    if parts[1:3] == ["providers", "base"]:
        return "providers.base"
    return parts[1]


def imports(path: Path) -> set[str]:
    """Return the dotted names that a file imports, its functions' own imports included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            children = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= children if node.module in ("core", "core.services", "core.queries") else {node.module}
    return found


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def service_of(name: str) -> str:
    """Return the service that a module is, or is a part of; "" for any other module."""
    parts = name.split(".")
    return parts[2] if parts[:2] == ["core", "services"] and len(parts) > 2 else ""


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_a_module_imports_only_what_its_layer_may(path):
    own = layer_of(dotted(path))
    allowed = ALLOWED["providers" if own == "providers.base" else own]
    own_service = service_of(dotted(path))
    used = {
        name: layer_of(name)
        for name in imports(path)
        if not (own_service and service_of(name) == own_service)
    }
    wrong = {name for name, layer in used.items() if layer is not None and layer not in allowed}
    assert wrong == set()


@pytest.mark.parametrize("path", sorted((ROOT / "core/services").rglob("*.py")), ids=dotted)
def test_a_service_never_imports_another_service(path):
    own = service_of(dotted(path))
    assert not {name for name in imports(path) if service_of(name) not in ("", own)}


@pytest.mark.parametrize("path", sorted((ROOT / "core/domain").glob("*.py")), ids=dotted)
def test_domain_is_pure(path):
    libraries = {name.split(".")[0] for name in imports(path)} - {"core"}
    standard = __import__("sys").stdlib_module_names
    assert {name for name in libraries if name not in standard} <= DOMAIN_LIBRARIES


def test_nothing_in_core_imports_streamlit():
    assert not [path for path in MODULES if "core" in path.parts and "streamlit" in imports(path)]


def test_only_settings_reads_the_environment():
    readers = [
        dotted(path)
        for path in MODULES
        if "core" in path.parts
        and ("os.environ" in (text := path.read_text(encoding="utf-8")) or "getenv" in text)
    ]
    assert set(readers) <= {"core.settings", "core.providers.local.provider"}  # a child's own environment


def test_only_the_composition_root_reads_the_clock():
    readers = [
        dotted(path)
        for path in MODULES
        if "core" in path.parts and "datetime.now(" in path.read_text(encoding="utf-8")
    ]
    assert set(readers) <= {"core.bootstrap", "core.providers.local.worker"}  # a process of its own
