"""Every setting: where it comes from, how it is read, and what is refused, in one line that names the cure."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from redis import Redis
from sqlalchemy.engine import make_url
from support.programs import run_program

from kakaoauth import config, create_app
from kakaoauth.config import embedded, load, settings
from kakaoauth.config.checks import ConfigError, is_loopback
from kakaoauth.config.parsing import SEVERAL_LINES
from kakaoauth.config.settings import ROOT, Settings

SECRET = "canary-secret-that-no-message-may-quote"
WHOLE: dict[str, Any] = {
    "SECRET_KEY": SECRET,
    "DATABASE_URL": "postgresql+psycopg://u:canary-db@db.example.kr/site",
    "REDIS_URL": "redis://:canary-redis@redis.example.kr:6379/0",
    "KAKAO_CLIENT_ID": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "KAKAO_CLIENT_SECRET": "canary-client-secret",
}
WITHOUT_KAKAO = {name: value for name, value in WHOLE.items() if not name.startswith("KAKAO_")}
WITHOUT_REDIS = {name: value for name, value in WHOLE.items() if name != "REDIS_URL"}
ODD_FOLDER = "내 폴더 50%25 #1?"
CANARIES = (SECRET, "canary-db", "canary-redis", "canary-client-secret", "canary-admin")

Place = Callable[..., dict[str, Any]]


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Load the settings from an environment, a `.env` and an `instance/config.py` of the test's own."""
    for name in (*settings.NAMES, *settings.RENAMED, "FLASK_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(config, "ROOT", tmp_path)
    monkeypatch.setattr(Settings, "INSTANCE_PATH", str(tmp_path / "instance"))

    def read(*, environ: dict[str, str] | None = None, dotenv: str = "", file: str = "") -> dict[str, Any]:
        (tmp_path / ".env").write_text(dotenv)
        (tmp_path / "instance").mkdir(exist_ok=True)
        (tmp_path / "instance" / "config.py").write_text(file)
        for name, value in (environ or {}).items():
            monkeypatch.setenv(name, value)
        return load()

    return read


def refusal(settings: dict[str, Any], tmp_path: Path) -> str:
    """The one line that a whole site made with these settings is refused with."""
    with pytest.raises(ConfigError) as caught:
        create_app({"INSTANCE_PATH": str(tmp_path / "instance"), **settings})
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 250
    assert not [canary for canary in CANARIES if canary in message]
    return message


# Where a setting comes from


def test_environment_wins_over_dotenv_over_file_over_default(places: Place) -> None:
    file = "KAKAO_SCOPE = 'file'\nPORT = 1\nSANDBOX_PORT = 1\n"
    dotenv = "KAKAO_SCOPE=dotenv\nPORT=2\n"
    values = places(environ={"KAKAO_SCOPE": "environ"}, dotenv=dotenv, file=file)
    assert (values["KAKAO_SCOPE"], values["PORT"], values["SANDBOX_PORT"]) == ("environ", 2, 1)
    assert values["KAKAOAUTH_SESSION_IDLE_SECONDS"] == 14 * 86400


def test_empty_value_counts_as_not_given(places: Place) -> None:
    values = places(environ={"KAKAO_SCOPE": ""}, dotenv="KAKAO_SCOPE=openid\nREDIS_URL=\n")
    assert values["KAKAO_SCOPE"] == "openid"
    assert values["KAKAOAUTH_EMBEDDED"] == {"redis", "kakao"}


@pytest.mark.parametrize("blank", ["", " ", " \t "])
def test_blank_value_counts_as_not_given_in_every_source(places: Place, blank: str) -> None:
    environ = {"INSTANCE_PATH": blank, "KAKAO_CLIENT_ID": blank, "KAKAO_SCOPE": blank, "PORT": blank}
    file = f"KAKAO_KAUTH_URL = {blank!r}\nKAKAO_KAPI_URL = {blank!r}\n"
    values = places(environ=environ, dotenv='KAKAO_SCOPE=openid\nREDIS_URL="  "\n', file=file)
    assert (values["KAKAO_SCOPE"], values["PORT"]) == ("openid", 8000)
    assert values["INSTANCE_PATH"] == Settings.INSTANCE_PATH
    assert values["KAKAOAUTH_EMBEDDED"] == {"redis", "kakao"}
    whole = load({**WHOLE, "INSTANCE_PATH": values["INSTANCE_PATH"], "KAKAO_KAUTH_URL": blank, "LOG_LEVEL": blank})
    assert (whole["KAKAO_KAUTH_URL"], whole["LOG_LEVEL"]) == ("https://kauth.kakao.com", "INFO")


def test_misspelt_name_is_refused_wherever_it_stands(places: Place) -> None:
    name = "KAKAOAUTH_EMAIL_REQUIERED"
    for source in ({"file": f"{name} = False\n"}, {"dotenv": f"{name}=false\n"}, {"environ": {name: "false"}}):
        with pytest.raises(ConfigError, match=f"^{name} is no setting of kakaoauth: KAKAOAUTH_EMAIL_REQUIRED is one$"):
            places(**source)  # type: ignore[arg-type]


def test_dotenv_of_another_encoding_is_refused_in_one_line(places: Place, tmp_path: Path) -> None:
    places()
    (tmp_path / ".env").write_bytes("KAKAOAUTH_SITE_NAME=책모임\n".encode("cp949"))
    with pytest.raises(ConfigError, match=r"^\.env cannot be read \(UnicodeDecodeError\): store it as UTF-8 text"):
        load()


def test_environment_of_another_encoding_is_refused_in_one_line(places: Place) -> None:
    name = "KAKAOAUTH_SITE_NAME"
    with pytest.raises(ConfigError, match=f"^{name} is not UTF-8 text"):
        places(environ={name: os.fsdecode("책모임".encode("cp949"))})


def test_tests_read_neither_environment_nor_file(places: Place, tmp_path: Path) -> None:
    places(environ={"KAKAO_SCOPE": "environ"}, dotenv="PORT=2\n", file="SANDBOX_PORT = 3\n")
    values = load({**WHOLE, "INSTANCE_PATH": str(tmp_path / "instance")})
    assert (values["KAKAO_SCOPE"], values["PORT"], values["SANDBOX_PORT"]) == ("", 8000, 8001)


def test_instance_path_may_be_given_in_dotenv(places: Place, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "config.py").write_text("PORT = 4\n")
    values = places(dotenv=f"INSTANCE_PATH={elsewhere}\n")
    assert (values["PORT"], values["INSTANCE_PATH"]) == (4, str(elsewhere))


def test_instance_stands_in_the_projects_root_by_default() -> None:
    assert Path(Settings.INSTANCE_PATH) == ROOT / "instance"
    assert (ROOT / "wsgi.py").exists()


def test_broken_file_is_refused_without_its_text(places: Place) -> None:
    with pytest.raises(ConfigError, match=r"^instance/config\.py cannot be read \(SyntaxError\): correct it") as caught:
        places(file=f"SECRET_KEY = '{SECRET}\n")
    assert SECRET not in str(caught.value)


def test_other_upper_case_names_in_the_file_reach_flask(places: Place) -> None:
    assert places(file="MY_OWN = 7\n")["MY_OWN"] == 7


# How a setting is read


@pytest.mark.parametrize("name", [name for name, kind in get_type_hints(Settings).items() if kind is bool])
@pytest.mark.parametrize(
    ("text", "value"),
    [(text, True) for text in ("1", "true", "TRUE", "yes", "on", " true ")]
    + [(text, False) for text in ("0", "false", "False", "no", "off")],
)
def test_yes_and_no_have_many_spellings(name: str, text: str, value: bool) -> None:
    assert load({**WHOLE, name: text})[name] is value


@pytest.mark.parametrize("name", [name for name, kind in get_type_hints(Settings).items() if kind in (int, float)])
def test_number_is_read_as_a_number_and_nothing_else_is(name: str, tmp_path: Path) -> None:
    kind = get_type_hints(Settings)[name]
    value = load({**WHOLE, name: " 7 "})[name]
    assert (value, type(value)) == (7, kind)
    for odd in ("seven", "7s", "7,5", "nan", "inf", "-inf", "0x7"):
        assert refusal({**WHOLE, name: odd}, tmp_path).startswith(f"{name} must be a number")
    assert refusal({**WHOLE, name: "-1"}, tmp_path).startswith(f"{name} must not be negative")
    assert refusal({**WHOLE, name: True}, tmp_path).startswith(f"{name} must be a number")


def test_whole_numbers_have_no_fraction_also_in_the_file(tmp_path: Path) -> None:
    assert refusal({**WHOLE, "TRUSTED_PROXIES": "1.5"}, tmp_path).startswith("TRUSTED_PROXIES must be a number")
    assert refusal({**WHOLE, "TRUSTED_PROXIES": 1.5}, tmp_path).startswith("TRUSTED_PROXIES must be a number")
    assert load({**WHOLE, "PROVIDER_READ_SECONDS": 3})["PROVIDER_READ_SECONDS"] == 3


def test_list_is_read_from_commas_and_from_a_list() -> None:
    expected = ("https://a.kr", "https://b.kr")
    assert (
        load({**WHOLE, "KAKAOAUTH_FRONTEND_ORIGINS": " https://a.kr ,, https://b.kr,"})["KAKAOAUTH_FRONTEND_ORIGINS"]
        == expected
    )
    assert load({**WHOLE, "KAKAOAUTH_FRONTEND_ORIGINS": list(expected)})["KAKAOAUTH_FRONTEND_ORIGINS"] == expected


def test_text_is_trimmed_of_blanks_and_a_last_line_break() -> None:
    assert load({**WHOLE, "KAKAO_CLIENT_ID": " abc\n"})["KAKAO_CLIENT_ID"] == "abc"


@pytest.mark.parametrize("name", [name for name, kind in get_type_hints(Settings).items() if kind is str])
def test_quotation_marks_and_control_characters_are_refused(name: str, tmp_path: Path) -> None:
    for quote in "\"'":
        odd = f"{quote}{SECRET}{quote}"
        assert refusal({**WHOLE, name: odd}, tmp_path) == f"{name} is wrapped in quotation marks: remove them"
    breaks = () if name in SEVERAL_LINES else ("\n",)
    for control in (*breaks, "\r", "\t", "\0", "\x1b", "\x7f"):
        message = refusal({**WHOLE, name: f"{SECRET}{control}{SECRET}"}, tmp_path)
        assert message == f"{name} contains a line break or control character: remove it"


def test_quoted_value_in_dotenv_is_the_value(places: Place) -> None:
    assert places(dotenv="KAKAO_SCOPE=\"openid,account_email\"\nPORT='9'\n")["PORT"] == 9


@pytest.mark.parametrize("name", [name for name, kind in get_type_hints(Settings).items() if kind is str])
@pytest.mark.parametrize("odd", [b"canary-secret-that-no-message-may-quote", 7, None, ["x"]])
def test_text_in_the_file_must_be_text(name: str, odd: Any, tmp_path: Path) -> None:
    message = refusal({"INSTANCE_PATH": str(tmp_path), **WHOLE, name: odd}, tmp_path)
    assert message.startswith(f"{name} must be text")


def test_yes_and_no_in_the_file_must_be_true_or_false(tmp_path: Path) -> None:
    assert refusal({**WHOLE, "KAKAOAUTH_EMAIL_REQUIRED": None}, tmp_path).startswith(
        "KAKAOAUTH_EMAIL_REQUIRED must be true or false"
    )
    assert refusal({**WHOLE, "KAKAOAUTH_EMAIL_REQUIRED": "maybe"}, tmp_path).startswith(
        "KAKAOAUTH_EMAIL_REQUIRED must be true or false"
    )
    assert load({**WHOLE, "KAKAOAUTH_EMAIL_REQUIRED": False})["KAKAOAUTH_EMAIL_REQUIRED"] is False


@pytest.mark.parametrize("prefix", ["postgres://", "postgresql://", "postgresql+psycopg://"])
def test_every_spelling_of_postgresql_means_psycopg_3(prefix: str) -> None:
    values = load({**WHOLE, "DATABASE_URL": f"{prefix}u:p%40w@h:5433/d?sslmode=require"})
    url = make_url(values["SQLALCHEMY_DATABASE_URI"])
    assert (url.drivername, url.password, url.port, url.query) == (
        "postgresql+psycopg",
        "p@w",
        5433,
        {"sslmode": "require"},
    )
    assert values["SQLALCHEMY_ENGINE_OPTIONS"]["pool_pre_ping"] is True


def test_sqlite_waits_for_a_lock_less_long_than_a_page_may_take() -> None:
    assert load({**WHOLE, "DATABASE_URL": "sqlite:////tmp/x.db"})["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"] == {
        "timeout": 2.0
    }


def test_kakao_addresses_are_built_on_the_two_hosts() -> None:
    values = load(
        {**WHOLE, "KAKAO_KAUTH_URL": "https://kauth.example.kr/", "KAKAO_KAPI_URL": "https://kapi.example.kr/"}
    )
    assert values["KAKAO_KAUTH_URL"] == "https://kauth.example.kr"
    assert values["KAKAO_AUTHORIZE_URL"] == "https://kauth.example.kr/oauth/authorize"
    assert values["KAKAO_ACCESS_TOKEN_URL"] == "https://kauth.example.kr/oauth/token"
    assert values["KAKAO_API_BASE_URL"] == "https://kapi.example.kr/"


def test_redirect_uri_is_kept_byte_for_byte() -> None:
    odd = "https://login.example.kr/kakao/login/callback/?a=%7e&b="
    assert load({**WHOLE, "KAKAO_REDIRECT_URI": odd})["KAKAO_REDIRECT_URI"] == odd


# What is refused


@pytest.mark.parametrize(
    ("changes", "names", "cure"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is missing", "secrets.token_urlsafe"),
        ({"SECRET_KEY": "canary-" * 4}, "SECRET_KEY is too short", "32 random characters"),
        ({"DATABASE_URL": "canary-db"}, "DATABASE_URL", "postgresql+psycopg://"),
        ({"DATABASE_URL": "oracle9://u:canary-db@h/d"}, "DATABASE_URL", "postgresql+psycopg://"),
        ({"DATABASE_URL": "mysql+oursql://u:canary-db@h/d"}, "DATABASE_URL", "postgresql+psycopg://"),
        ({"DATABASE_URL": "postgresql://u:canary-db@h:port/d"}, "DATABASE_URL", "postgresql+psycopg://"),
        ({"REDIS_URL": "canary-redis"}, "REDIS_URL must begin with", "redis://"),
        ({"REDIS_URL": "http://:canary-redis@h/"}, "REDIS_URL must begin with", "redis+sentinel://"),
        ({"KAKAO_KAUTH_URL": "http://kauth.kakao.com"}, "KAKAO_KAUTH_URL must use https://", "https://"),
        ({"KAKAOAUTH_LANGUAGE": "canary-fr"}, "KAKAOAUTH_LANGUAGE must be ko or en", "visitor's"),
        ({"KAKAO_KAPI_URL": "kapi.kakao.com"}, "KAKAO_KAPI_URL must be an absolute address", "https://"),
        ({"KAKAO_KAPI_URL": "https://kapi.kakao.com/v2"}, "KAKAO_KAPI_URL must be scheme and host only", "https://"),
        ({"KAKAO_REDIRECT_URI": "http://a.kr/kakao/login/callback/"}, "KAKAO_REDIRECT_URI must use https://", "https"),
        ({"KAKAO_REDIRECT_URI": "/kakao/login/callback/"}, "KAKAO_REDIRECT_URI must be an absolute address", "https"),
        ({"KAKAO_REDIRECT_URI": "https://[::1/x"}, "KAKAO_REDIRECT_URI must be an absolute address", "https"),
        ({"PROVIDER_MAX_CALLS": "0"}, "PROVIDER_MAX_CALLS must be 1 or more", ""),
        ({"KAKAOAUTH_SESSION_IDLE_SECONDS": "0"}, "KAKAOAUTH_SESSION_IDLE_SECONDS must be more than 0", ""),
        ({"KAKAOAUTH_STAFF_SESSION_MAX_SECONDS": 0}, "KAKAOAUTH_STAFF_SESSION_MAX_SECONDS must be more than 0", ""),
        ({"PROVIDER_DEADLINE_SECONDS": "0.0"}, "PROVIDER_DEADLINE_SECONDS must be more than 0", ""),
        (
            {"KAKAOAUTH_FRONTEND_ORIGINS": "https://a.kr/path"},
            "KAKAOAUTH_FRONTEND_ORIGINS must be scheme and host only",
            "https://",
        ),
        (
            {"KAKAOAUTH_FRONTEND_ORIGINS": "https://*.a.kr"},
            "KAKAOAUTH_FRONTEND_ORIGINS must be scheme and host only",
            "https://",
        ),
        (
            {"KAKAOAUTH_FRONTEND_ORIGINS": "https://u@a.kr"},
            "KAKAOAUTH_FRONTEND_ORIGINS must be scheme and host only",
            "https://",
        ),
        (
            {"KAKAOAUTH_FRONTEND_ORIGINS": "https://a.kr,http://b.kr"},
            "KAKAOAUTH_FRONTEND_ORIGINS must use https://",
            "https://",
        ),
        ({"KAKAOAUTH_FRONTEND_ORIGINS": "null"}, "KAKAOAUTH_FRONTEND_ORIGINS must be an absolute address", "https://"),
        ({"PUBLIC_URL": "http://login.example.kr"}, "PUBLIC_URL must use https://", "https://"),
        ({"PUBLIC_URL": "login.example.kr"}, "PUBLIC_URL must be an absolute address", "https://"),
        ({"PUBLIC_URL": "https://login.example.kr/site"}, "PUBLIC_URL must be scheme and host only", "https://"),
        ({"PUBLIC_URL": "https://login.example.kr:port"}, "PUBLIC_URL must be an absolute address", "https://"),
        ({"PUBLIC_URL": "https://login.example.kr?"}, "PUBLIC_URL must be scheme and host only", "https://"),
        ({"PUBLIC_URL": "https://login.example.kr#"}, "PUBLIC_URL must be scheme and host only", "https://"),
        ({"PUBLIC_URL": "https://login.example.kr\\"}, "PUBLIC_URL must be an absolute address", "https://"),
        ({"PUBLIC_URL": "https://login example.kr"}, "PUBLIC_URL must be an absolute address", "https://"),
        ({"PUBLIC_URL": "https://책모임.kr"}, "PUBLIC_URL must have its host in ASCII", "https://xn--"),
        ({"KAKAO_REDIRECT_URI": "https://a.kr/x y"}, "KAKAO_REDIRECT_URI must be an absolute address", "https"),
        ({"PORT": "0"}, "PORT is 0", "from 1 to 65535"),
        ({"SANDBOX_PORT": "65536"}, "SANDBOX_PORT is 65536", "from 1 to 65535"),
        ({"FRONTEND_PORT": 99999999}, "FRONTEND_PORT is 99999999", "from 1 to 65535"),
        ({"PROVIDER_MAX_CALLS": "1001"}, "PROVIDER_MAX_CALLS must be 1000 or fewer", ""),
        ({"KAKAOAUTH_SESSION_MAX_SECONDS": "9" * 20}, "KAKAOAUTH_SESSION_MAX_SECONDS must be 3153600000", "fewer"),
        ({"PROVIDER_READ_SECONDS": 1e20}, "PROVIDER_READ_SECONDS must be 3153600000", "fewer"),
        ({"METRICS_TOKEN": "지표" * 8}, "METRICS_TOKEN must be letters", "ASCII"),
        ({"KAKAO_ADMIN_KEY": "어드민 키"}, "KAKAO_ADMIN_KEY must be letters", "ASCII"),
        ({"KAKAOAUTH_LAYOUT": "없는/" * 60 + ".html"}, "KAKAOAUTH_LAYOUT: the site has no template", "remove it"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL must be", "INFO"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT must be text or json", ""),
        ({"DEBUG": True}, "FLASK_DEBUG is on", "switch it off"),
        ({"KAKAOAUTH_EMAIL_REQUIRED": "perhaps"}, "KAKAOAUTH_EMAIL_REQUIRED must be true or false", ""),
        ({"KAKAO_CLIENT_ID": embedded.SANDBOX_CLIENT_ID}, "KAKAO_CLIENT_ID is the sandbox's", "REST API key"),
        ({"KAKAOAUTH_SESION_KEEP": "a"}, "KAKAOAUTH_SESION_KEEP is no setting", "KAKAOAUTH_SESSION_KEEP is one"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], names: str, cure: str, tmp_path: Path) -> None:
    message = refusal({**WHOLE, **changes}, tmp_path)
    assert message.startswith(names)
    assert cure in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAKAO_CLIENT_SECRET", "canary-client-secret"),
        ("KAKAO_ADMIN_KEY", "canary-admin"),
        ("KAKAO_APP_ID", "123456"),
        ("KAKAO_REDIRECT_URI", "https://login.example.kr/kakao/login/callback/"),
        ("KAKAO_KAUTH_URL", "https://kauth.example.kr"),
        ("KAKAO_KAPI_URL", "https://kapi.example.kr"),
    ],
)
def test_setting_for_kakao_without_its_client_id_is_refused(name: str, value: str, tmp_path: Path) -> None:
    message = refusal({**WITHOUT_KAKAO, name: value}, tmp_path)
    assert message.startswith(f"{name} is set but KAKAO_CLIENT_ID is not: set KAKAO_CLIENT_ID")


@pytest.mark.parametrize(("rest", "missing"), [(WITHOUT_KAKAO, "KAKAO_CLIENT_ID"), (WITHOUT_REDIS, "REDIS_URL")])
def test_public_site_with_an_embedded_part_is_refused(rest: dict[str, Any], missing: str, tmp_path: Path) -> None:
    message = refusal({**rest, "PUBLIC_URL": "https://login.example.kr"}, tmp_path)
    assert message == f"PUBLIC_URL is a public address but {missing} is not set: set {missing}"
    message = refusal({**rest, "TRUSTED_PROXIES": "1"}, tmp_path)
    assert message == f"TRUSTED_PROXIES is set but {missing} is not: set {missing}"


def test_public_redirect_uri_with_the_embedded_redis_is_refused(tmp_path: Path) -> None:
    message = refusal({**WITHOUT_REDIS, "KAKAO_REDIRECT_URI": "https://a.kr/kakao/login/callback/"}, tmp_path)
    assert message == "KAKAO_REDIRECT_URI is a public address but REDIS_URL is not set: set REDIS_URL"


@pytest.mark.parametrize("text", ["1", "true", "on", "yes"])
def test_flask_debug_is_refused_where_nothing_is_embedded(places: Place, text: str) -> None:
    environ = {name: str(value) for name, value in WHOLE.items()}
    with pytest.raises(ConfigError, match=r"^FLASK_DEBUG is on: switch it off"):
        places(environ={**environ, "FLASK_DEBUG": text})


def test_flask_debug_is_for_the_embedded_parts(places: Place) -> None:
    assert places(environ={"FLASK_DEBUG": "1"})["DEBUG"] is True
    assert places(environ={"FLASK_DEBUG": "0"})["DEBUG"] is False


@pytest.mark.parametrize("url", ["http://localhost:9000", "http://127.0.0.1:9000", "http://[::1]:9000"])
def test_plain_http_is_allowed_on_this_machine(url: str) -> None:
    values = load({**WHOLE, "PUBLIC_URL": url, "KAKAO_KAUTH_URL": url, "KAKAOAUTH_FRONTEND_ORIGINS": url})
    assert (values["PUBLIC_URL"], values["KAKAO_KAUTH_URL"], values["KAKAOAUTH_FRONTEND_ORIGINS"]) == (url, url, (url,))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_this_machine_has_these_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", [None, "", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1", "evil.example", "::"]
)
def test_this_machine_has_no_other_names(host: str | None) -> None:
    assert not is_loopback(host)


# What is embedded


def test_nothing_given_means_redis_sandbox_sqlite_and_a_secret_of_this_machine(tmp_path: Path) -> None:
    instance = tmp_path / "instance"
    values = load({"INSTANCE_PATH": str(instance)})
    assert values["KAKAOAUTH_EMBEDDED"] == {"redis", "kakao"}
    assert values["REDIS_URL"].startswith("unix://")
    assert values["KAKAO_CLIENT_ID"] == embedded.SANDBOX_CLIENT_ID
    assert values["KAKAO_APP_ID"] == embedded.SANDBOX_APP_ID
    assert values["KAKAO_KAUTH_URL"] == values["KAKAO_KAPI_URL"] == "http://127.0.0.1:8001"
    assert values["SQLALCHEMY_DATABASE_URI"] == f"sqlite:///{instance / 'kakaoauth.db'}"
    assert len(values["SECRET_KEY"]) >= 32


def test_sandbox_is_where_its_port_says() -> None:
    assert load({**WITHOUT_KAKAO, "SANDBOX_PORT": "9001"})["KAKAO_KAUTH_URL"] == "http://127.0.0.1:9001"


@pytest.mark.parametrize(
    ("given", "embedded"), [(WHOLE, set()), (WITHOUT_KAKAO, {"kakao"}), (WITHOUT_REDIS, {"redis"})]
)
def test_only_what_is_not_given_is_embedded(given: dict[str, Any], embedded: set[str]) -> None:
    assert load(given)["KAKAOAUTH_EMBEDDED"] == embedded


def test_sandbox_needs_no_secret_key_but_the_real_kakao_does(tmp_path: Path) -> None:
    given = {**WITHOUT_KAKAO, "SECRET_KEY": "", "INSTANCE_PATH": str(tmp_path / "instance")}
    assert len(load(given)["SECRET_KEY"]) >= 32
    assert refusal({**WHOLE, "SECRET_KEY": ""}, tmp_path).startswith("SECRET_KEY is missing")


def test_secret_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    instance = tmp_path / "instance"
    first, second = (load({"INSTANCE_PATH": str(instance)})["SECRET_KEY"] for _ in range(2))
    assert first == second
    assert stat.S_IMODE((instance / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in instance.iterdir()] == ["secret_key"]
    assert load({"INSTANCE_PATH": str(tmp_path / "other")})["SECRET_KEY"] != first


def test_given_secret_wins_over_the_made_one(tmp_path: Path) -> None:
    instance = {"INSTANCE_PATH": str(tmp_path / "instance")}
    load(instance)
    assert load({**instance, "SECRET_KEY": SECRET})["SECRET_KEY"] == SECRET


@pytest.mark.parametrize("content", ["", "short"])
def test_damaged_secret_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "secret_key").write_text(content)
    assert refusal({}, tmp_path).startswith("SECRET_KEY is")


def test_secret_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    (tmp_path / "instance").write_text("a file where the folder should be")
    message = refusal({}, tmp_path)
    assert message.startswith("SECRET_KEY cannot be kept in")
    assert message.endswith("make the folder writable or set SECRET_KEY")


def test_starts_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    program = (
        "import sys; from kakaoauth.config import load; print('ready', flush=True); sys.stdin.readline();"
        f" print(load({{'INSTANCE_PATH': {str(tmp_path / 'instance')!r}}})['SECRET_KEY'])"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(2)
    ]
    for start in starts:
        assert start.stdout is not None
        assert start.stdout.readline() == "ready\n"
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("\n")
        start.stdin.flush()
    secrets = {start.communicate(timeout=20)[0] for start in starts}
    assert len(secrets) == 1
    assert len(secrets.pop()) > 32
    assert [path.name for path in (tmp_path / "instance").iterdir()] == ["secret_key"]


def test_embedded_redis_has_a_socket_path_that_the_system_can_hold(tmp_path: Path) -> None:
    shallow, deep = tmp_path / "i", tmp_path / ("d" * 120)
    assert embedded.embedded_redis_socket(shallow) == shallow / "redis" / "redis.sock"
    alias = embedded.embedded_redis_socket(deep)
    assert len(os.fsencode(alias)) <= 100
    assert alias == embedded.embedded_redis_socket(deep) != embedded.embedded_redis_socket(tmp_path / ("e" * 120))


def test_embedded_redis_is_found_where_its_name_has_odd_characters(tmp_path: Path) -> None:
    """The address is put together from a path: blanks, percent signs and Hangul in it must survive."""
    with tempfile.TemporaryDirectory(prefix="k") as short:
        instance = Path(short).resolve() / ODD_FOLDER
        redis: Redis = create_app({"INSTANCE_PATH": str(instance)}).extensions["kakaoauth_redis"]
    assert redis.connection_pool.connection_kwargs["path"] == str(instance / "redis" / "redis.sock")
    redis.close()


def test_embedded_database_is_found_where_its_name_has_odd_characters(tmp_path: Path) -> None:
    instance = tmp_path / ODD_FOLDER
    uri = load({"INSTANCE_PATH": str(instance)})["SQLALCHEMY_DATABASE_URI"]
    assert make_url(uri).database == str(instance / "kakaoauth.db")


# The server's handle


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of the project's code: nobody's `.env` or `instance/` comes into it."""
    root = tmp_path / "site"
    shutil.copytree(ROOT / "kakaoauth", root / "kakaoauth")  # with __pycache__: to compile it takes a second
    shutil.copy(ROOT / "wsgi.py", root)
    return root


def start(site: Path, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG")}
    return subprocess.run(
        [sys.executable, *command], cwd=site, env={**clean, **environ}, capture_output=True, text=True, timeout=60
    )


HALF = {"KAKAO_CLIENT_SECRET": "canary-client-secret"}


def test_half_a_configuration_ends_in_one_line_and_status_3(site: Path, tmp_path: Path) -> None:
    environ = {"INSTANCE_PATH": str(tmp_path / "instance"), "PATH": os.environ["PATH"], **HALF}
    expected = "kakaoauth: KAKAO_CLIENT_SECRET is set but KAKAO_CLIENT_ID is not: set KAKAO_CLIENT_ID to the app's REST"
    for ended in (
        start(site, "-c", "import wsgi", **HALF),
        run_program("flask", "--app", "wsgi", "users", "list", env=environ),
    ):
        assert ended.returncode == 3
        assert ended.stdout == ""
        assert ended.stderr.startswith(expected)
        assert ended.stderr.count("\n") == 1
        assert "Traceback" not in ended.stderr
        assert "canary" not in ended.stderr


def test_fresh_copy_starts_by_itself_and_keeps_its_data_in_its_instance(site: Path) -> None:
    program = (
        "import wsgi; print(wsgi.app.config['SQLALCHEMY_DATABASE_URI'], sorted(wsgi.app.config['KAKAOAUTH_EMBEDDED']))"
    )
    ended = start(site, "-W", "error", "-c", program)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"sqlite:///{site / 'instance' / 'kakaoauth.db'} ['kakao', 'redis']\n"
    assert (site / "instance" / "secret_key").exists()


def test_dotenv_in_the_projects_root_is_read_whatever_the_working_folder(site: Path, tmp_path: Path) -> None:
    (site / ".env").write_text("PORT=8123\n")
    ended = start(tmp_path, "-c", "import wsgi; print(wsgi.app.config['PORT'])", PYTHONPATH=str(site))
    assert (ended.returncode, ended.stdout) == (0, "8123\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("EMAIL_REQUIRED", "KAKAOAUTH_EMAIL_REQUIRED"),
        ("RATE_LIMITS", "KAKAOAUTH_RATE_LIMITS"),
        ("KAKAO_DEADLINE_SECONDS", "PROVIDER_DEADLINE_SECONDS"),
        ("KAKAO_PROXY_FROM_ENV", "PROVIDER_PROXY_FROM_ENV"),
    ],
)
def test_old_name_is_refused_with_the_new_one(places: Place, old: str, new: str) -> None:
    for source in ({"environ": {old: "1"}}, {"dotenv": f"{old}=1\n"}, {"file": f"{old} = 1\n"}):
        with pytest.raises(ConfigError, match=f"^{old} is called {new} now: rename it$"):
            places(**source)  # type: ignore[arg-type]


def test_every_setting_of_the_extension_has_a_prefix() -> None:
    without = {"SECRET_KEY", "SECRET_KEY_FALLBACKS", "DATABASE_URL", "REDIS_URL"}
    site = {"PUBLIC_URL", "TRUSTED_PROXIES", "METRICS_TOKEN", "PORT", "SANDBOX_PORT", "FRONTEND_PORT", "LOG_LEVEL"}
    prefixes = ("KAKAOAUTH_", "KAKAO_", "FACEBOOK_", "NAVER_", "GOOGLE_", "APPLE_", "PROVIDER_")
    rest = [name for name in settings.NAMES if name not in without | site | {"INSTANCE_PATH", "LOG_FORMAT"}]
    assert [name for name in rest if not name.startswith(prefixes)] == []
