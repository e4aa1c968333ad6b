"""The rules of the package, read from the code by ast. Every complaint names the file and the fix."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "kakaoauth"

#: The rooms of the package, lowest first. A module imports from its own room and from lower levels; rooms of one level
#: do not know each other.
LEVELS: tuple[set[str], ...] = (
    {"days"},
    {"translation"},
    {"config", "errors", "signals", "text"},
    {"storage", "providers"},
    {"models", "counting"},
    {"audit"},
    {"tokens"},
    {"sessions"},
    {"web"},
    {"terms"},
    {"accounts"},
    {"login", "webhooks"},
    {"monitoring"},
    {"staff"},
    {"api"},  # lists users as the staff's page does
    {"retention"},
    {"jobs"},
    {"cli"},
    {"core"},
    {"site"},
    {""},  # kakaoauth/__init__.py, which looks its names up when they are asked for
    {"wsgi"},
)
#: Beside the levels, with all they may import from them.
BESIDE: dict[str, set[str]] = {
    "devserver": {"config", "storage"},
    "sandbox": set(),
    "server": set(),
    "testing": {"config", "devserver", "providers", "sandbox", "storage"},
}
#: Who may import what stands beside.
GUESTS: dict[str, set[str]] = {
    "devserver": {"cli", "testing"},
    "sandbox": {"cli", "testing"},
    "server": set(),
    "testing": set(),
}

#: Libraries and names that belong to few. The sandbox plays the providers, so it signs tokens of its own.
LIBRARIES: dict[str, set[str]] = {
    "authlib": {"providers"},
    "requests": {"providers", "testing"},
    "urllib3": {"providers", "testing"},
    "joserfc": {"providers", "tokens", "sandbox"},
    "flask_session": {"sessions"},
    "argon2": {"accounts"},
    "limits": {"web"},
    "pydantic": {"api"},
    "prometheus_client": {"monitoring"},
    "ua_parser": {"audit"},
    "ua_parser_builtins": {"audit"},
    "blinker": {"signals", "storage"},
}
NAMES: dict[str, set[str]] = {"login_user": {"sessions"}, "logout_user": {"sessions"}}

#: What only some rooms know: the others take values as arguments.
OF_A_REQUEST = {"request", "session", "g", "current_user", "has_request_context"}
#: Rooms and files that answer requests.
KNOW_THE_REQUEST = {"web", "login", "sessions", "core", "site"}
ANSWER_REQUESTS = (
    "/routes.py",
    "/token_keeper.py",
    "/cookies.py",
    "kakaoauth/audit/visitors.py",
    "/devices.py",
    "kakaoauth/translation.py",
)
ROOMS_OF_PAGES = {"staff", "api", "webhooks"}
#: The providers reach the session through Authlib, in one file.
AUTHLIB_SESSION = ("kakaoauth/providers/login_state.py", "authlib.integrations.flask_client.apps.session")

#: What takes hold of a whole Flask app, and who may switch it on.
WHOLE_APP = {"before_request", "after_request", "register_error_handler", "errorhandler", "wsgi_app"}
WHOLE_APP_FILES = {
    *(f"kakaoauth/web/{name}.py" for name in ("edge", "error_pages", "cors")),
    "kakaoauth/web/host_guards.py",  # our own errors only, which the host's pages raise by our guards
    "kakaoauth/web/neighbours.py",  # spares our own forms, before the host's CSRFProtect looks
}
SWITCHED_ON_BY_THE_SITE = {"edge", "error_pages", "logs"}

FUNCTION_LINES = 40
MODULE_LINES = 300
#: What `from kakaoauth import ...` finds is loaded on demand, so that the sandbox can be used without the site; `make
#: run` loads the site once no refusal is to be expected any more.
LAZY = {"kakaoauth/__init__.py", "kakaoauth/devserver/launch.py"}
#: Longer than allowed today: path, or path:function -> why.
LONG: dict[str, str] = {"kakaoauth/errors.py": "one family; cut in two, nobody would see it whole"}


class Module:
    """One file: `room` is the first part of its path in the package, `name` its dotted name."""

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self.source = source
        self.tree = ast.parse(source)
        self.nodes = list(ast.walk(self.tree))
        dotted = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        self.name = dotted
        self.room = dotted.split(".")[1] if dotted.startswith(f"{PACKAGE}.") else "" if dotted == PACKAGE else dotted

    def __repr__(self) -> str:
        return self.path


Modules = dict[str, Module]


def read_modules() -> Modules:
    files = [ROOT / "wsgi.py", *sorted((ROOT / PACKAGE).rglob("*.py"))]
    paths = [file.relative_to(ROOT).as_posix() for file in files]
    modules = [Module(path, (ROOT / path).read_text()) for path in paths if "/migrations/" not in path]
    return {module.name: module for module in modules}


def modules_of(**sources: str) -> Modules:
    """A made-up package: `providers__kakao` stands for kakaoauth/providers/kakao.py, `root` for the package itself."""
    paths = {"root": f"{PACKAGE}/__init__.py", "wsgi": "wsgi.py"}
    modules = [
        Module(paths.get(name, f"{PACKAGE}/{name.replace('__', '/')}.py"), source) for name, source in sources.items()
    ]
    return {module.name: module for module in modules}


def imports(module: Module) -> Iterator[tuple[str, int]]:
    """Every imported thing by its dotted name, `from x import y` as x.y, and the line it stands on."""
    for node in module.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative import: write the whole name"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def own_imports(module: Module, modules: Modules) -> Iterator[tuple[str, int]]:
    """The modules of the package that are imported; `from kakaoauth import x` is x, if x is a module."""
    for name, line in imports(module):
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            yield (name if name in modules else name.rpartition(".")[0]), line


def room_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def level_of(room: str) -> int | None:
    return next((level for level, rooms in enumerate(LEVELS) if room in rooms), None)


def in_list(rooms: set[str]) -> str:
    return ", ".join(f"kakaoauth/{room}" for room in sorted(rooms)) or "nobody"


# The rules: each returns its complaints


def every_module_has_a_level(modules: Modules) -> list[str]:
    return [
        f"{module}: has no level: add {module.room!r} to LEVELS in tests/test_architecture.py"
        for module in modules.values()
        if level_of(module.room) is None and module.room not in BESIDE
    ]


def imports_go_down(modules: Modules) -> list[str]:
    found = []
    for module in modules.values():
        here = level_of(module.room)
        for name, line in own_imports(module, modules):
            room = room_of(name)
            there = level_of(room)
            if room == module.room or here is None or there is None:
                continue
            if there > here:
                found.append(f"{module}:{line}: imports {name} from a higher level: hand the value in, or move it down")
            elif there == here:
                found.append(
                    f"{module}:{line}: imports {name} of a room beside its own: move what both need down, and link"
                    " pages by url_for"
                )
    return found


def what_stands_beside_stays_apart(modules: Modules) -> list[str]:
    found = []
    for module in modules.values():
        for name, line in own_imports(module, modules):
            room = room_of(name)
            if room == module.room:
                continue
            if module.room in BESIDE and room not in BESIDE[module.room]:
                allowed = in_list(BESIDE[module.room])
                found.append(f"{module}:{line}: imports {name}, but may import {allowed}: hand it in")
            if room in GUESTS and module.room not in GUESTS[room]:
                found.append(f"{module}:{line}: imports {name}, which serves {in_list(GUESTS[room])}: leave it out")
    return found


def no_cycle(modules: Modules) -> list[str]:
    graph = {name: {to for to, _ in own_imports(module, modules) if to != name} for name, module in modules.items()}
    # What nothing left imports, or what imports nothing left, is in no cycle.
    while free := {name for name, to in graph.items() if not to & graph.keys()}:
        graph = {name: to for name, to in graph.items() if name not in free}
    while free := graph.keys() - set().union(*graph.values()):
        graph = {name: to for name, to in graph.items() if name not in free}
    return [f"{modules[name]}: in an import cycle with {sorted(to & graph.keys())}" for name, to in graph.items()]


def no_hidden_import(modules: Modules) -> list[str]:
    found = []
    for module in modules.values():
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


def few_rooms_know_the_request(modules: Modules) -> list[str]:
    found = []
    for module in modules.values():
        if module.room in KNOW_THE_REQUEST | ROOMS_OF_PAGES | BESIDE.keys() or module.path.endswith(ANSWER_REQUESTS):
            continue
        for name, line in imports(module):
            top, last = name.split(".")[0], name.rpartition(".")[2]
            if top not in ("flask", "flask_login", "authlib") or last not in OF_A_REQUEST:
                continue
            if (module.path, name) != AUTHLIB_SESSION:
                found.append(f"{module}:{line}: imports {last}: take what you need as an argument")
    return found


def api_and_webhooks_know_no_session(modules: Modules) -> list[str]:
    return [
        f"{module}:{line}: imports {name}: no cookie counts here, so take the person from g.bearer or the message"
        for module in modules.values()
        if module.room in ("api", "webhooks")
        for name, line in imports(module)
        if name.partition(".")[0] == "flask_login" or name == "flask.session"
    ]


def nobody_imports_the_package_root(modules: Modules) -> list[str]:
    found = []
    for module in modules.values():
        for name, line in imports(module):
            from_root = name == PACKAGE or (
                name.startswith(f"{PACKAGE}.") and name.count(".") == 1 and name not in modules
            )
            if from_root and module.room != "wsgi":
                found.append(
                    f"{module}:{line}: imports {name} from the package root: import the module that defines it"
                )
    return found


def libraries_have_one_owner(modules: Modules) -> list[str]:
    found = []
    for module in modules.values():
        for name, line in imports(module):
            top, last = name.split(".")[0], name.rpartition(".")[2]
            for thing, owners in ((top, LIBRARIES.get(top)), (last, NAMES.get(last))):
                if owners and module.room not in owners:
                    found.append(f"{module}:{line}: imports {thing}, which belongs to {in_list(owners)}: ask there")
    return found


def one_file_commits(modules: Modules) -> list[str]:
    return [
        f"{module}:{node.lineno}: commits: put what belongs together under @transaction (kakaoauth/storage)"
        for module in modules.values()
        if module.path != "kakaoauth/storage/transaction.py"
        for node in module.nodes
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    ]


def only_the_site_takes_hold_of_the_whole_app(modules: Modules) -> list[str]:
    found = []
    for module in modules.values():
        if module.room == "sandbox":
            continue
        for node in module.nodes:
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
                continue
            place = f"{module}:{node.lineno}"
            if node.value.id == "app" and node.attr in WHOLE_APP and module.path not in WHOLE_APP_FILES:
                found.append(f"{place}: app.{node.attr}: a host's own pages would feel it; use the blueprint's")
            if node.attr == "init_app" and node.value.id in SWITCHED_ON_BY_THE_SITE and module.room != "site":
                found.append(f"{place}: {node.value.id} holds for every address: only kakaoauth/site.py switches it on")
    return found


def the_audit_trail_hears_no_signal(modules: Modules) -> list[str]:
    return [
        f"{module}:{line}: imports {name}: a row of the trail is part of the transaction, write it there"
        for module in modules.values()
        if module.room == "audit"
        for name, line in imports(module)
        if name.startswith(f"{PACKAGE}.signals")
    ]


def functions_are_short(modules: Modules) -> list[str]:
    return [
        f"{module}:{function.lineno}: {function.name}() has {lines} lines, at most {FUNCTION_LINES}: split it"
        for module in modules.values()
        for function in functions(module)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
        and f"{module}:{function.name}" not in LONG
    ]


def modules_are_short(modules: Modules) -> list[str]:
    return [
        f"{module}: {lines} lines, at most {MODULE_LINES}: split it by what it knows"
        for module in modules.values()
        if (lines := len(module.source.splitlines())) > MODULE_LINES and module.path not in LONG
    ]


def every_module_says_what_it_does(modules: Modules) -> list[str]:
    return [
        f"{module}: no docstring: say in its first line what the file does"
        for module in modules.values()
        if not ast.get_docstring(module.tree)
    ]


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


Rule = Callable[[Modules], list[str]]
RULES: tuple[Rule, ...] = (
    every_module_has_a_level,
    imports_go_down,
    what_stands_beside_stays_apart,
    no_cycle,
    no_hidden_import,
    few_rooms_know_the_request,
    api_and_webhooks_know_no_session,
    nobody_imports_the_package_root,
    libraries_have_one_owner,
    one_file_commits,
    only_the_site_takes_hold_of_the_whole_app,
    the_audit_trail_hears_no_signal,
    functions_are_short,
    modules_are_short,
    every_module_says_what_it_does,
)


@pytest.fixture(scope="module")
def modules() -> Modules:
    return read_modules()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_package_keeps_the_rule(modules: Modules, rule: Rule) -> None:
    complaints = rule(modules)
    assert not complaints, "\n" + "\n".join(complaints)


def test_every_name_on_a_level_is_a_module(modules: Modules) -> None:
    rooms = {module.room for module in modules.values()}
    gone = set().union(*LEVELS, BESIDE) - rooms
    assert not gone, f"take {sorted(gone)} out of LEVELS or BESIDE in tests/test_architecture.py: no such module"


def test_every_exception_is_still_needed(modules: Modules) -> None:
    lines = {module.path: len(module.source.splitlines()) for module in modules.values()}
    needed = {path for path, count in lines.items() if count > MODULE_LINES}
    for module in modules.values():
        for function in functions(module):
            if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES:
                needed.add(f"{module}:{function.name}")
    assert not LONG.keys() - needed, f"take {sorted(LONG.keys() - needed)} out of LONG in tests/test_architecture.py"


#: One broken package for every way to break a rule.
BROKEN: list[tuple[Rule, dict[str, str]]] = [
    (every_module_has_a_level, {"newcomer": ""}),
    (imports_go_down, {"models": "from kakaoauth.accounts import roles", "accounts__roles": ""}),
    (imports_go_down, {"models": "from kakaoauth.accounts.roles import promote", "accounts__roles": ""}),
    (imports_go_down, {"models": "import kakaoauth.accounts.roles", "accounts__roles": ""}),
    (imports_go_down, {"web__guards": "from kakaoauth.login.routes import bp", "login__routes": ""}),
    (imports_go_down, {"providers__kakao": "from kakaoauth.sessions import begin", "sessions": ""}),
    (imports_go_down, {"login__routes": "from kakaoauth.webhooks.routes import bp", "webhooks__routes": ""}),
    (imports_go_down, {"errors": "if TYPE_CHECKING:\n    from kakaoauth.models import User", "models": ""}),
    (what_stands_beside_stays_apart, {"sandbox__app": "from kakaoauth.config import ROOT", "config": ""}),
    (what_stands_beside_stays_apart, {"devserver": "from kakaoauth.models import User", "models": ""}),
    (what_stands_beside_stays_apart, {"login__routes": "from kakaoauth.sandbox import serve", "sandbox": ""}),
    (what_stands_beside_stays_apart, {"web": "from kakaoauth.devserver import redis_server", "devserver": ""}),
    (no_cycle, {"a": "from kakaoauth.b import x", "b": "import kakaoauth.c", "c": "from kakaoauth import a"}),
    (no_hidden_import, {"a": "def f():\n    import json"}),
    (no_hidden_import, {"a": "def f():\n    return __import__('json')"}),
    (few_rooms_know_the_request, {"accounts__roles": "from flask import request"}),
    (few_rooms_know_the_request, {"tokens__flows": "from flask_login import current_user"}),
    (few_rooms_know_the_request, {"audit": "from flask import Flask, g"}),
    (few_rooms_know_the_request, {"providers__kakao": "from authlib.integrations.flask_client.apps import session"}),
    (api_and_webhooks_know_no_session, {"api__users": "from flask import session"}),
    (api_and_webhooks_know_no_session, {"webhooks__routes": "from flask_login import current_user"}),
    (nobody_imports_the_package_root, {"login__routes": "from kakaoauth import create_app", "root": ""}),
    (nobody_imports_the_package_root, {"login__routes": "import kakaoauth", "root": ""}),
    (libraries_have_one_owner, {"login__routes": "import requests"}),
    (libraries_have_one_owner, {"sessions": "from joserfc import jwt"}),
    (libraries_have_one_owner, {"login__routes": "from flask_login import login_user"}),
    (libraries_have_one_owner, {"staff__user_list": "from pydantic import BaseModel"}),
    (one_file_commits, {"login__routes": "db.session.commit()"}),
    (one_file_commits, {"accounts__roles": "def f():\n    db.session.commit()"}),
    (only_the_site_takes_hold_of_the_whole_app, {"core": "app.after_request(f)"}),
    (only_the_site_takes_hold_of_the_whole_app, {"sessions": "app.register_error_handler(404, f)"}),
    (only_the_site_takes_hold_of_the_whole_app, {"core": "edge.init_app(app)"}),
    (the_audit_trail_hears_no_signal, {"audit": "from kakaoauth.signals import user_left", "signals": ""}),
    (functions_are_short, {"a": "def f():\n" + "    x = 1\n" * FUNCTION_LINES}),
    (modules_are_short, {"a": "x = 1\n" * (MODULE_LINES + 1)}),
    (every_module_says_what_it_does, {"a": "x = 1"}),
]


@pytest.mark.parametrize(
    ("rule", "sources"), BROKEN, ids=[f"{rule.__name__}-{n}" for n, (rule, _) in enumerate(BROKEN)]
)
def test_broken_rule_is_noticed(rule: Rule, sources: dict[str, str]) -> None:
    complaints = rule(modules_of(**sources))
    assert complaints
    assert all(complaint.startswith(("kakaoauth/", "wsgi.py")) and ": " in complaint for complaint in complaints)


def test_every_rule_is_shown_to_fail() -> None:
    assert {rule for rule, _ in BROKEN} == set(RULES)


def test_good_package_has_no_complaint() -> None:
    good = modules_of(
        root='"""x"""',
        wsgi='"""x"""\nfrom kakaoauth import create_app',
        core='"""x"""\nfrom kakaoauth.login import routes\nfrom kakaoauth.web import guards',
        site='"""x"""\nfrom kakaoauth.core import KakaoAuth\nfrom kakaoauth.web import edge\nedge.init_app(app)',
        login__routes='"""x"""\nfrom flask import request\nfrom kakaoauth.web import guards',
        web__guards='"""x"""\nfrom flask_login import current_user',
        cli='"""x"""\nfrom kakaoauth.sandbox import serve',
        sandbox='"""x"""\nimport joserfc',
        providers__login_state='"""x"""\nfrom authlib.integrations.flask_client.apps import session',
        storage__transaction='"""x"""\ndb.session.commit()',
    )
    assert [complaint for rule in RULES for complaint in rule(good)] == []


# The tests' own rules

TESTS = ROOT / "tests"


def imported_test_files(tree: ast.Module) -> list[int]:
    """The lines that import from another test file, or from a conftest."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names if not node.level)]
            if node.level:
                found.append(node.lineno)
        else:
            continue
        if any(part == "conftest" or part.startswith("test_") for name in names for part in name.split(".")):
            found.append(node.lineno)
    return found


@pytest.fixture(scope="module")
def trees_of_tests() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in sorted(TESTS.rglob("*.py"))}


def test_no_test_file_imports_another(trees_of_tests: dict[Path, ast.Module]) -> None:
    complaints = [
        f"{path.relative_to(ROOT)}:{line}: imports from a test file: move what both need to tests/support/"
        for path, tree in trees_of_tests.items()
        for line in imported_test_files(tree)
    ]
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.parametrize(
    "source",
    ["from test_x import y", "import test_x", "from .conftest import y", "from conftest import y", "from . import z"],
)
def test_import_of_a_test_file_is_noticed(source: str) -> None:
    assert imported_test_files(ast.parse(source))
    assert not imported_test_files(ast.parse("from support.webhooks import tell\nfrom support import log_in"))


def lost_cookie_headers(tree: ast.Module) -> list[int]:
    """The lines that write a Cookie header where no client without a cookie jar is made: a jar removes the header."""
    found = []
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        nodes = list(ast.walk(function))
        if any(isinstance(node, ast.keyword) and node.arg == "use_cookies" for node in nodes):
            continue
        for node in nodes:
            if isinstance(node, ast.Dict):
                keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
                found += [node.lineno for key in keys if str(key).lower() == "cookie"]
    return found


def test_no_test_sends_a_cookie_header_that_the_jar_removes(trees_of_tests: dict[Path, ast.Module]) -> None:
    complaints = [
        f"{path.relative_to(ROOT)}:{line}: sends no cookie: make the client with use_cookies=False"
        for path, tree in trees_of_tests.items()
        if path.name.startswith("test_")
        for line in lost_cookie_headers(tree)
    ]
    assert not complaints, "\n" + "\n".join(complaints)


def test_lost_cookie_header_is_noticed() -> None:
    sends = 'def f(app):\n    app.test_client({}).get("/", headers={{"Cookie": "a=b"}})'
    assert lost_cookie_headers(ast.parse(sends.format(""))) == [2]
    assert not lost_cookie_headers(ast.parse(sends.format("use_cookies=False")))
