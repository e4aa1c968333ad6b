"""The house rules, read from the code by ast. Every complaint names the file and the fix."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOUSE = "kakaoauth"

#: Who stands on which floor. A module imports from lower floors only; on its own floor it may, except among the doors.
FLOORS: dict[int, set[str]] = {
    6: {"wsgi"},
    5: {"", "site"},  # kakaoauth/__init__.py, the names that others import, and what puts the site together
    4: {
        "api",
        "auth",
        "local_login",
        "account",
        "confirm",
        "users",
        "desk",
        "user_actions",
        "suspended",
        "trail",
        "overview",
        "ops",
        "cli",
        "webhooks",
    },
    3: {
        "arrivals",
        "ways_on",
        "drafts",
        "cors",
        "token_cookies",
        "guards",
        "sessions",
        "session_store",
        "redis_session",
        "devices",
        "claims",
        "heartbeat",
        "redirects",
        "edge",
        "pages",
        "error_pages",
        "provider_quota",
        "provider_tokens",
        "rate_limits",
        "refusals",
        "retries",
        "twins",
    },
    2: {"flows"},
    1: {
        "models",
        "audit",
        "audit_search",
        "audit_words",
        "decisions",
        "counters",
        "alarms",
        "metrics",
        "presence",
        "overview_numbers",
        "session_index",
        "session_data",
        "listing",
        "user_csv",
        "passwords",
        "providers",
        "redis_client",
        "health",
        "vault",
        "outbox",
        "ways_in",
        "keyed_hashes",
        "suspensions",
        "former_identities",
        "backlog",
        "failed_events",
        "deletions",
        "events",
        "ended_sessions",
        "inbox",
        "signing_keys",
        "token_families",
        "tokens",
        "used_id_tokens",
    },
    0: {
        "extensions",
        "errors",
        "config",
        "config_checks",
        "config_libraries",
        "database",
        "emails",
        "logs",
        "sqlite",
        "visitors",
    },
}
DOORS = 4
#: Beside the house, with all they may import from it.
BESIDE: dict[str, set[str]] = {
    "embedded": {"config"},
    "sandbox": set(),
    "server": set(),
    "doctor": {"backlog", "config", "errors", "extensions", "health", "providers"},
}
#: Who may import what stands beside.
GUESTS: dict[str, set[str]] = {"embedded": set(), "sandbox": {"cli"}, "server": set(), "doctor": {"cli"}}

#: Libraries and names that belong to few. The sandbox plays Kakao, so it signs tokens of its own.
LIBRARIES: dict[str, set[str]] = {
    "authlib": {"providers"},
    "requests": {"providers"},
    "urllib3": {"providers"},
    "joserfc": {"providers", "signing_keys", "tokens", "sandbox"},
    "flask_session": {"session_store"},
    "argon2": {"passwords"},
    "limits": {"rate_limits"},
    "pydantic": {"api"},
    "prometheus_client": {"metrics"},
    "ua_parser": {"visitors"},
    "ua_parser_builtins": {"visitors"},
}
NAMES: dict[str, set[str]] = {"login_user": {"sessions"}, "logout_user": {"sessions"}}

#: What only floors 3 and up know.
OF_A_REQUEST = {"request", "session", "g", "current_user", "has_request_context"}
#: The providers reach the session through Authlib, in one file.
AUTHLIB_SESSION = ("kakaoauth/providers/pending.py", "authlib.integrations.flask_client.apps.session")

FUNCTION_LINES = 40
MODULE_LINES = 300
#: What `from kakaoauth import ...` finds is loaded on demand, so that the sandbox can be used without the site.
LAZY = {"kakaoauth/__init__.py"}
#: Longer than allowed today: path, or path:function -> why.
LONG: dict[str, str] = {"kakaoauth/errors.py": "one family; cut in two, nobody would see it whole"}


class Module:
    """One file: `part` is its place in the house, `name` its dotted name."""

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self.source = source
        self.tree = ast.parse(source)
        dotted = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        self.name = dotted
        self.part = dotted.split(".")[1] if dotted.startswith(f"{HOUSE}.") else "" if dotted == HOUSE else dotted

    def __repr__(self) -> str:
        return self.path


House = dict[str, Module]


def read_house() -> House:
    files = [ROOT / "wsgi.py", *sorted((ROOT / HOUSE).rglob("*.py"))]
    paths = [file.relative_to(ROOT).as_posix() for file in files]
    modules = [Module(path, (ROOT / path).read_text()) for path in paths if "/migrations/" not in path]
    return {module.name: module for module in modules}


def house_of(**sources: str) -> House:
    """A made-up house: `providers__kakao` stands for kakaoauth/providers/kakao.py, `root` for the package itself."""
    paths = {"root": f"{HOUSE}/__init__.py", "wsgi": "wsgi.py"}
    modules = [
        Module(paths.get(name, f"{HOUSE}/{name.replace('__', '/')}.py"), source) for name, source in sources.items()
    ]
    return {module.name: module for module in modules}


def imports(module: Module) -> Iterator[tuple[str, int]]:
    """Every imported thing by its dotted name, `from x import y` as x.y, and the line it stands on."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative import: write the whole name"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def own_imports(module: Module, house: House) -> Iterator[tuple[str, int]]:
    """The modules of the house that are imported; `from kakaoauth import x` is x, if x is a module."""
    for name, line in imports(module):
        if name == HOUSE or name.startswith(f"{HOUSE}."):
            yield (name if name in house else name.rpartition(".")[0]), line


def part_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def floor_of(part: str) -> int | None:
    return next((floor for floor, parts in FLOORS.items() if part in parts), None)


def in_list(parts: set[str]) -> str:
    return ", ".join(f"kakaoauth/{part}" for part in sorted(parts)) or "nobody"


# The rules: each returns its complaints


def everybody_has_a_floor(house: House) -> list[str]:
    return [
        f"{module}: stands on no floor: add {module.part!r} to FLOORS in tests/test_architecture.py"
        for module in house.values()
        if floor_of(module.part) is None and module.part not in BESIDE
    ]


def imports_go_down(house: House) -> list[str]:
    found = []
    for module in house.values():
        here = floor_of(module.part)
        for name, line in own_imports(module, house):
            part = part_of(name)
            there = floor_of(part)
            if part == module.part or here is None or there is None:
                continue
            if there > here:
                found.append(
                    f"{module}:{line}: imports {name} from the floor above: hand the value in, or move it down"
                )
            elif here == there == DOORS:
                found.append(f"{module}:{line}: a door imports the door {name}: link by endpoint name in url_for")
    return found


def what_stands_beside_stays_apart(house: House) -> list[str]:
    found = []
    for module in house.values():
        for name, line in own_imports(module, house):
            part = part_of(name)
            if part == module.part:
                continue
            if module.part in BESIDE and part not in BESIDE[module.part]:
                allowed = in_list(BESIDE[module.part])
                found.append(f"{module}:{line}: imports {name}, but may import {allowed} of the house: hand it in")
            if part in GUESTS and module.part not in GUESTS[part]:
                found.append(f"{module}:{line}: imports {name}, which serves {in_list(GUESTS[part])}: leave it out")
    return found


def no_cycle(house: House) -> list[str]:
    graph = {name: {to for to, _ in own_imports(module, house) if to != name} for name, module in house.items()}
    # What nothing left imports, or what imports nothing left, is in no cycle.
    while free := {name for name, to in graph.items() if not to & graph.keys()}:
        graph = {name: to for name, to in graph.items() if name not in free}
    while free := graph.keys() - set().union(*graph.values()):
        graph = {name: to for name, to in graph.items() if name not in free}
    return [f"{house[name]}: in an import cycle with {sorted(to & graph.keys())}" for name, to in graph.items()]


def no_hidden_import(house: House) -> list[str]:
    found = []
    for module in house.values():
        if module.path in LAZY:
            continue
        for function in functions(module):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    found.append(f"{module}:{node.lineno}: import inside {function.name}(): move it to the top")
                elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("__import__", "importlib.import_module"):
                    found.append(
                        f"{module}:{node.lineno}: hidden import in {function.name}(): write an import statement"
                    )
    return found


def below_the_porch_nobody_knows_the_request(house: House) -> list[str]:
    found = []
    for module in house.values():
        floor = floor_of(module.part)
        if floor is None or floor > 2:
            continue
        for name, line in imports(module):
            top, last = name.split(".")[0], name.rpartition(".")[2]
            if top not in ("flask", "flask_login", "authlib") or last not in OF_A_REQUEST:
                continue
            if (module.path, name) != AUTHLIB_SESSION:
                found.append(f"{module}:{line}: imports {last} on floor {floor}: take what you need as an argument")
    return found


def the_api_knows_no_session(house: House) -> list[str]:
    return [
        f"{module}:{line}: imports {name}: a bearer token opens the API, so take the person from g.bearer"
        for module in house.values()
        if module.part == "api"
        for name, line in imports(module)
        if name.partition(".")[0] == "flask_login" or name == "flask.session"
    ]


def nobody_asks_for_the_app_factory(house: House) -> list[str]:
    found = []
    for module in house.values():
        for name, line in imports(module):
            from_root = name == HOUSE or (name.startswith(f"{HOUSE}.") and name.count(".") == 1 and name not in house)
            if from_root and module.part != "wsgi":
                found.append(
                    f"{module}:{line}: imports {name} from the package root: import the module that defines it"
                )
    return found


def libraries_have_one_owner(house: House) -> list[str]:
    found = []
    for module in house.values():
        for name, line in imports(module):
            top, last = name.split(".")[0], name.rpartition(".")[2]
            for thing, owners in ((top, LIBRARIES.get(top)), (last, NAMES.get(last))):
                if owners and module.part not in owners:
                    found.append(f"{module}:{line}: imports {thing}, which belongs to {in_list(owners)}: ask there")
    return found


def only_flows_commit(house: House) -> list[str]:
    return [
        f"{module}:{node.lineno}: commits: make it a verb in kakaoauth/flows.py, under @transaction"
        for module in house.values()
        if module.part != "flows"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    ]


def functions_are_short(house: House) -> list[str]:
    return [
        f"{module}:{function.lineno}: {function.name}() has {lines} lines, at most {FUNCTION_LINES}: split it"
        for module in house.values()
        for function in functions(module)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
        and f"{module}:{function.name}" not in LONG
    ]


def modules_are_short(house: House) -> list[str]:
    return [
        f"{module}: {lines} lines, at most {MODULE_LINES}: split it by what it knows"
        for module in house.values()
        if (lines := len(module.source.splitlines())) > MODULE_LINES and module.path not in LONG
    ]


def everybody_says_what_they_are(house: House) -> list[str]:
    return [
        f"{module}: no docstring: say in its first line what only this file knows"
        for module in house.values()
        if not ast.get_docstring(module.tree)
    ]


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


Rule = Callable[[House], list[str]]
RULES: tuple[Rule, ...] = (
    everybody_has_a_floor,
    imports_go_down,
    what_stands_beside_stays_apart,
    no_cycle,
    no_hidden_import,
    below_the_porch_nobody_knows_the_request,
    the_api_knows_no_session,
    nobody_asks_for_the_app_factory,
    libraries_have_one_owner,
    only_flows_commit,
    functions_are_short,
    modules_are_short,
    everybody_says_what_they_are,
)


@pytest.fixture(scope="module")
def house() -> House:
    return read_house()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_house_keeps_the_rule(house: House, rule: Rule) -> None:
    complaints = rule(house)
    assert not complaints, "\n" + "\n".join(complaints)


def test_every_name_on_a_floor_is_a_module(house: House) -> None:
    standing = {module.part for module in house.values()}
    gone = set().union(*FLOORS.values(), BESIDE) - standing
    assert not gone, f"take {sorted(gone)} out of FLOORS or BESIDE in tests/test_architecture.py: no such module"


def test_every_exception_is_still_needed(house: House) -> None:
    lines = {module.path: len(module.source.splitlines()) for module in house.values()}
    needed = {path for path, count in lines.items() if count > MODULE_LINES}
    for module in house.values():
        for function in functions(module):
            if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES:
                needed.add(f"{module}:{function.name}")
    assert not LONG.keys() - needed, f"take {sorted(LONG.keys() - needed)} out of LONG in tests/test_architecture.py"


#: One broken house for every way to break a rule.
BROKEN: list[tuple[Rule, dict[str, str]]] = [
    (everybody_has_a_floor, {"newcomer": ""}),
    (imports_go_down, {"models": "from kakaoauth import flows", "flows": ""}),
    (imports_go_down, {"models": "from kakaoauth.flows import log_in", "flows": ""}),
    (imports_go_down, {"models": "import kakaoauth.flows", "flows": ""}),
    (imports_go_down, {"guards": "import wsgi\nfrom kakaoauth.auth import bp", "auth": ""}),
    (imports_go_down, {"providers__kakao": "from kakaoauth.sessions import begin", "sessions": ""}),
    (imports_go_down, {"auth": "from kakaoauth.users import bp", "users": ""}),
    (imports_go_down, {"errors": "if TYPE_CHECKING:\n    from kakaoauth.models import User", "models": ""}),
    (what_stands_beside_stays_apart, {"sandbox__app": "from kakaoauth.config import ROOT", "config": ""}),
    (what_stands_beside_stays_apart, {"embedded": "from kakaoauth.models import User", "models": ""}),
    (what_stands_beside_stays_apart, {"auth": "from kakaoauth.sandbox import serve", "sandbox": ""}),
    (what_stands_beside_stays_apart, {"cli": "from kakaoauth.embedded import redis_server", "embedded": ""}),
    (no_cycle, {"guards": "from kakaoauth import edge", "edge": "from kakaoauth import guards"}),
    (no_cycle, {"a": "from kakaoauth.b import x", "b": "import kakaoauth.c", "c": "from kakaoauth import a"}),
    (no_hidden_import, {"flows": "def f():\n    from kakaoauth import models"}),
    (no_hidden_import, {"flows": "def f():\n    return __import__('x')"}),
    (below_the_porch_nobody_knows_the_request, {"flows": "from flask import session"}),
    (below_the_porch_nobody_knows_the_request, {"models": "from flask_login import UserMixin, current_user"}),
    (below_the_porch_nobody_knows_the_request, {"providers__kakao": "from flask import g"}),
    (
        below_the_porch_nobody_knows_the_request,
        {"providers__kakao": "from authlib.integrations.flask_client.apps import session"},
    ),
    (the_api_knows_no_session, {"api__users": "from flask_login import current_user"}),
    (the_api_knows_no_session, {"api__login": "from flask import g, session"}),
    (nobody_asks_for_the_app_factory, {"cli": "from kakaoauth import create_app"}),
    (nobody_asks_for_the_app_factory, {"cli": "import kakaoauth"}),
    (libraries_have_one_owner, {"auth": "from authlib.integrations.flask_client import OAuth"}),
    (libraries_have_one_owner, {"flows": "import requests"}),
    (libraries_have_one_owner, {"auth": "from joserfc import jwt"}),
    (libraries_have_one_owner, {"users": "from pydantic import BaseModel"}),
    (libraries_have_one_owner, {"auth": "from flask_login import login_user"}),
    (libraries_have_one_owner, {"account": "from flask_login import logout_user"}),
    (only_flows_commit, {"users": "def f():\n    db.session.commit()"}),
    (functions_are_short, {"users": "def f():\n" + "    x = 1\n" * 40}),
    (modules_are_short, {"users": "x = 1\n" * 301}),
    (everybody_says_what_they_are, {"users": "x = 1"}),
]


@pytest.mark.parametrize(
    ("rule", "sources"), BROKEN, ids=[f"{rule.__name__}-{n}" for n, (rule, _) in enumerate(BROKEN)]
)
def test_rule_notices_a_broken_house(rule: Rule, sources: dict[str, str]) -> None:
    complaints = rule(house_of(**sources))
    assert complaints
    assert all(complaint.startswith(("kakaoauth/", "wsgi.py")) and ": " in complaint for complaint in complaints)


def test_good_house_has_no_complaint() -> None:
    good = house_of(
        wsgi='"""x"""\nfrom kakaoauth import create_app',
        root='"""x"""\nfrom kakaoauth import auth, cli',
        auth='"""x"""\nfrom flask import request\nfrom kakaoauth import flows',
        cli='"""x"""\nfrom kakaoauth.sandbox import serve',
        sandbox='"""x"""\nfrom joserfc import jwt',
        flows='"""x"""\ndef f():\n    db.session.commit()',
        providers__pending='"""x"""\nfrom authlib.integrations.flask_client.apps import session',
    )
    assert [complaint for rule in RULES for complaint in rule(good)] == []
