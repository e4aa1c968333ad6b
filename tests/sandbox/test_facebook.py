"""Facebook in the sandbox: the dialog, the Graph API's part for logins, the callbacks, their faults."""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from support.sandbox import START, Sandbox, page_of, receiver, request_id, serving

from kakaoauth.config import embedded
from kakaoauth.sandbox import FacebookSettings
from kakaoauth.sandbox.delivery.http import DeliveryError, deliver
from kakaoauth.sandbox.endpoints import GRAPH
from kakaoauth.sandbox.facebook.authentication import ENDED
from kakaoauth.sandbox.faults.facebook_codes import DIALOG_FAULTS, GRAPH_FAULTS
from kakaoauth.sandbox.pages.texts import TEXTS
from kakaoauth.sandbox.people.facebook import SAMPLE_PEOPLE
from kakaoauth.sandbox.people.kakao import SAMPLE_PEOPLE as KAKAO_PEOPLE
from kakaoauth.sandbox.signing.signed_request import FLAWS
from kakaoauth.sandbox.state.file import load
from kakaoauth.sandbox.state.state import State

SITE = "http://localhost:8000/facebook/login/callback/"
APP = FacebookSettings(redirect_uris=(SITE,))
APP_TOKEN = f"{APP.client_id}|{APP.client_secret}"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
MINJI = "10228604863005601"
V = "/v25.0"


class FacebookSandbox(Sandbox):
    def __init__(self, **changes):
        state_file = changes.pop("state_file", None)
        super().__init__(facebook=replace(APP, **changes), state_file=state_file)

    def dialog(self, path=f"{V}/dialog/oauth", **query):
        given = {"client_id": APP.client_id, "redirect_uri": SITE, "state": "s 1", "scope": "email,public_profile"}
        given |= query
        return self.browser.get(path, query_string={name: value for name, value in given.items() if value is not None})

    def be(self, chooser, person):
        """Choose that person and take the step that follows."""
        assert page_of(chooser) == "facebook_chooser", chooser.text
        step = self.browser.post("/dialog/oauth/person", data={"request": request_id(chooser), "person": person})
        assert step.status_code == 303
        return self.browser.get(step.location)

    def decide(self, consent, *items, decision="agree"):
        assert page_of(consent) == "facebook_consent", consent.text
        form = {"request": request_id(consent), "item": list(items), "decision": decision}
        return self.browser.post("/dialog/oauth/consent", data=form)

    def code(self, person="minji", items=("email",), **query):
        answer = self.dialog(**query)
        if page_of(answer) == "facebook_chooser":
            answer = self.be(answer, person)
        if page_of(answer) == "facebook_consent":
            answer = self.decide(answer, *items)
        return came_back(answer)["code"]

    def exchange(self, code=None, method="POST", path=f"{V}/oauth/access_token", **sent):
        given = {"client_id": APP.client_id, "client_secret": APP.client_secret, "redirect_uri": SITE, "code": code}
        given = {name: value for name, value in (given | sent).items() if value is not None}
        return self.server.open(path, method=method, **{"data" if method == "POST" else "query_string": given})

    def token(self, person="minji", items=("email",), **query):
        answer = self.exchange(self.code(person, items, **query))
        assert answer.status_code == 200, answer.text
        return answer.json["access_token"]

    def ask(self, path, token=None, method="GET", secret=APP.client_secret, **query):
        """Call as the site does: the token in a header, the proof in the address."""
        sent = {} if token is None or secret is None else {"appsecret_proof": proof(token, secret)}
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.server.open(path, method=method, query_string=sent | query, headers=headers)

    def me(self, token, fields="id,name,email"):
        return self.ask(f"{V}/me", token, fields=fields)

    def debug(self, token):
        return self.ask(f"{V}/debug_token", APP_TOKEN, secret=None, input_token=token)

    def mint(self, **body):
        answer = self.api("POST", "facebook/tokens", body)
        assert answer.status_code == 201, answer.text
        return answer.json["access_token"]


KIND = FacebookSandbox
IS_SHARED = True


@pytest.fixture(scope="module")
def listening():
    with receiver() as received:
        yield received


@pytest.fixture
def hook(listening):
    listening.requests.clear()
    listening.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    return listening


@pytest.fixture
def telling(sandbox, hook):
    sandbox.state.change_facebook(deauthorize_url=f"{hook.url}/gone", data_deletion_url=f"{hook.url}/deletion")
    return sandbox


def proof(token, secret=APP.client_secret):
    return hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()


def came_back(answer):
    """Return the query of the redirect to the site."""
    assert answer.status_code == 302, answer.text
    address, mark, rest = answer.location.partition("#_=_")
    assert mark
    assert not rest
    assert address.startswith(SITE)
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query, keep_blank_values=True).items()}


def refused(answer, code, subcode=None, type="OAuthException", status=400):
    """Check a refusal in Graph's shape and return its message."""
    assert answer.status_code == status, answer.text
    error = answer.json["error"]
    assert set(answer.json) == {"error"}
    assert re.fullmatch(r"A[\w-]{22}", error["fbtrace_id"])
    assert (error["code"], error.get("error_subcode"), error["type"]) == (code, subcode, type)
    return error["message"]


def read_signed_request(body, secret=APP.client_secret):
    """Read it as a receiver does that believes nothing."""
    [text] = parse_qs(body.decode())["signed_request"]
    signature, payload = text.split(".")
    assert "=" not in text
    expected = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest()
    if base64.urlsafe_b64decode(signature + "=") != expected:
        raise ValueError("signature")
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def arrived(sandbox, hook):
    assert sandbox.state.outbox.join(10)
    found = [(path.rpartition("/")[2], body) for _, path, _, body in hook.requests]
    hook.requests.clear()
    return found


def press(sandbox, path, **form):
    token = re.search(r'name="token" value="([^"]+)"', sandbox.browser.get("/sandbox/facebook").text)[1]
    return sandbox.browser.post(f"/sandbox/facebook{path}", data={"token": token} | form)


# The dialog


def test_login_walks_through_chooser_and_consent_to_the_site(sandbox):
    consent = sandbox.be(sandbox.dialog(), "minji")
    assert 'value="public_profile" checked disabled' in consent.text
    assert 'value="email" checked>' in consent.text
    answer = sandbox.decide(consent, "email")
    assert re.fullmatch(re.escape(SITE) + r"\?code=AQ[\w-]+&state=s\+1#_=_", answer.location)


def test_second_login_sees_no_page(sandbox):
    sandbox.code()
    assert came_back(sandbox.dialog())["state"] == "s 1"
    other_browser = sandbox.app.test_client()
    sandbox.browser = other_browser
    assert came_back(sandbox.be(sandbox.dialog(), "minji"))["code"]


def test_cancel_returns_with_facebooks_words(sandbox):
    answer = sandbox.decide(sandbox.be(sandbox.dialog(), "refuses"), decision="cancel")
    expected = "error=access_denied&error_code=200&error_description=Permissions+error&error_reason=user_denied"
    assert answer.location == f"{SITE}?{expected}&state=s+1#_=_"
    assert not sandbox.state.facebook.installed


def test_declined_email_is_asked_for_again_only_on_demand(sandbox):
    sandbox.code("refuses", items=())
    assert sandbox.state.facebook.installed["refuses"].permissions == {"public_profile": True, "email": False}
    came_back(sandbox.dialog())
    again = sandbox.dialog(auth_type="rerequest", scope="email")
    assert "public_profile" not in again.text
    came_back(sandbox.decide(again, "email"))
    assert sandbox.state.facebook.installed["refuses"].permissions["email"]
    came_back(sandbox.dialog(auth_type="rerequest", scope="email"))


def test_reauthentication_asks_who_it_is(sandbox):
    sandbox.code()
    assert page_of(sandbox.dialog(auth_type="reauthenticate")) == "facebook_chooser"


def test_other_account_can_be_taken_from_the_consent_page_and_after_leaving(sandbox):
    step = sandbox.decide(sandbox.be(sandbox.dialog(), "minji"), decision="other")
    assert page_of(sandbox.browser.get(step.location)) == "facebook_chooser"
    sandbox.code("haneul", auth_type="reauthenticate")
    came_back(sandbox.dialog())
    press(sandbox, "/leave")
    assert page_of(sandbox.dialog()) == "facebook_chooser"


def test_state_comes_back_as_it_was_sent(sandbox):
    sandbox.code()
    answer = sandbox.browser.get(
        f"/dialog/oauth?client_id={APP.client_id}&redirect_uri={SITE}&state=%ff%26%23+%EA%B0%80"
    )
    assert answer.location.endswith("&state=%FF%26%23+%EA%B0%80#_=_")
    assert "state" not in came_back(sandbox.dialog(state=None))


@pytest.mark.parametrize("path", ["/dialog/oauth", "/v2.0/dialog/oauth", "/v13.0/dialog/oauth", "/v26.0/dialog/oauth"])
def test_dialog_stands_under_every_version_and_none(sandbox, path):
    assert page_of(sandbox.dialog(path)) == "facebook_chooser"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"redirect_uri": SITE + "x"}, "url_blocked"),
        ({"redirect_uri": None}, "url_blocked"),
        ({"redirect_uri": SITE.rstrip("/")}, "url_blocked"),
        ({"client_id": "100000000000002"}, "app_id"),
        ({"client_id": None}, "app_id"),
        ({"scope": "email,user_birthday"}, "scopes"),
        ({"response_type": "token"}, "response_type"),
        ({"code_challenge": "short"}, "challenge"),
        ({"path": "/v99.0/dialog/oauth"}, "version"),
    ],
)
def test_what_a_developer_gets_wrong_is_a_page_and_no_redirect(sandbox, query, why):
    answer = sandbox.dialog(**query)
    assert (answer.status_code, page_of(answer)) == (400, "facebook_error")
    assert TEXTS[f"facebook_why_{why}"][0].partition(" ")[0] in answer.text
    assert "Location" not in answer.headers


def test_app_that_is_not_live_lets_nobody_in(sandbox):
    press(sandbox, "/app", require_app_secret="1")
    assert page_of(sandbox.dialog()) == "facebook_error"
    press(sandbox, "/app", live="1")
    assert page_of(sandbox.dialog()) == "facebook_chooser"
    assert not sandbox.state.settings.facebook.require_app_secret


def test_dialog_of_another_browser_cannot_be_answered(sandbox):
    consent = sandbox.be(sandbox.dialog(), "minji")
    mine, sandbox.browser = sandbox.browser, sandbox.app.test_client()
    assert page_of(sandbox.decide(consent, "email")) == "facebook_error"
    sandbox.browser = mine
    first = sandbox.decide(consent, "email")
    assert sandbox.decide(consent, "email").location == first.location
    sandbox.clock.advance(6)
    assert page_of(sandbox.decide(consent, "email")) == "facebook_error"


def test_person_of_ones_own(sandbox):
    form = {"request": request_id(sandbox.dialog()), "nickname": "Ada Lovelace", "email": "ada@example.com"}
    assert sandbox.browser.post("/dialog/oauth/new-person", data=form | {"email": "odd"}).status_code == 422
    step = sandbox.browser.post("/dialog/oauth/new-person", data=form)
    code = came_back(sandbox.decide(sandbox.browser.get(step.location), "email"))["code"]
    answer = sandbox.me(sandbox.exchange(code).json["access_token"], "first_name,last_name,email").json
    assert (answer["first_name"], answer["last_name"], answer["email"]) == ("Ada", "Lovelace", "ada@example.com")
    assert len(answer["id"]) == 17


# Codes and tokens


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_code_gives_a_token_of_sixty_days(sandbox, method):
    answer = sandbox.exchange(sandbox.code(), method)
    assert set(answer.json) == {"access_token", "token_type", "expires_in"}
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("bearer", 5183944)
    assert answer.json["access_token"].startswith("EAA")
    assert answer.headers["facebook-api-version"] == "v25.0"


def test_code_works_once(sandbox):
    code = sandbox.code()
    assert sandbox.exchange(code).status_code == 200
    answer = sandbox.exchange(code)
    assert refused(answer, 100, 36009) == "This authorization code has been used."
    assert answer.headers["WWW-Authenticate"].startswith('OAuth "Facebook Platform" "invalid_code"')


def test_code_ends_after_ten_minutes_and_with_the_app(sandbox):
    code = sandbox.code()
    sandbox.clock.advance(601)
    refused(sandbox.exchange(code), 100, 36007)
    code = sandbox.code()
    sandbox.api("POST", "facebook/people/minji/remove")
    refused(sandbox.exchange(code), 100)


@pytest.mark.parametrize(
    ("sent", "code", "subcode"),
    [
        ({"client_id": None}, 101, None),
        ({"client_id": "1"}, 101, None),
        ({"client_secret": "wrong"}, 1, None),
        ({"client_secret": None}, 1, None),
        ({"redirect_uri": None}, 191, None),
        ({"redirect_uri": SITE + "?x"}, 100, 36008),
        ({"code": "made-up"}, 100, None),
        ({"code": None}, 1, None),
        ({"grant_type": "password"}, 100, None),
        ({"code_verifier": VERIFIER}, 1, None),
    ],
)
def test_exchange_that_is_wrong_is_refused_and_spends_nothing(sandbox, sent, code, subcode):
    good = sandbox.code()
    refused(sandbox.exchange(**({"code": good} | sent)), code, subcode)
    assert sandbox.exchange(good).status_code == 200


@pytest.mark.parametrize("method", ["S256", "plain", "sha256", None])
def test_verifier_must_fit_the_challenge(sandbox, method):
    """A method that is not S256 counts as plain, as with Facebook."""
    code = sandbox.code(code_challenge=CHALLENGE, code_challenge_method=method)
    for wrong in (None, "short", "w" * 64):
        refused(sandbox.exchange(code, code_verifier=wrong), 1)
    right = VERIFIER if method == "S256" else CHALLENGE
    assert sandbox.exchange(code, code_verifier=right).status_code == 200


def test_app_token_does_not_show_the_secret(sandbox):
    answer = sandbox.exchange(grant_type="client_credentials", redirect_uri=None)
    token = answer.json["access_token"]
    assert token.startswith(f"{APP.client_id}|")
    assert APP.client_secret not in token
    data = sandbox.ask(f"{V}/debug_token", token, input_token=token).json["data"]
    assert data == {
        "app_id": APP.client_id,
        "type": "APP",
        "application": APP.app_name,
        "is_valid": True,
        "scopes": [],
    }


def test_token_can_be_exchanged_for_a_longer_one(sandbox):
    short = sandbox.mint(person="minji", seconds=3600)
    longer = sandbox.exchange(grant_type="fb_exchange_token", fb_exchange_token=short, redirect_uri=None).json
    assert longer["expires_in"] == 5183944
    assert sandbox.me(longer["access_token"]).json["id"] == MINJI
    sandbox.clock.advance(3600)
    refused(sandbox.exchange(grant_type="fb_exchange_token", fb_exchange_token=short), 190, 463)
    for foreign in (sandbox.mint(person="minji", app_id="2"), sandbox.mint(person="minji", type="PAGE"), APP_TOKEN):
        refused(sandbox.exchange(grant_type="fb_exchange_token", fb_exchange_token=foreign), 190)


# me


def test_me_tells_what_was_asked_for_and_granted(sandbox):
    fields = "id,name,first_name,last_name,email,picture.type(large){url,is_silhouette}"
    answer = sandbox.me(sandbox.token(), fields).json
    assert list(answer) == ["id", "name", "first_name", "last_name", "email", "picture"]
    assert (answer["id"], answer["name"], answer["email"]) == (MINJI, "박민지", "minji.park@example.kr")
    assert set(answer["picture"]["data"]) == {"url", "is_silhouette"}
    assert "height=200&width=200" in answer["picture"]["data"]["url"]


def test_me_without_fields_is_name_and_id(sandbox):
    assert list(sandbox.ask("/me", sandbox.token()).json) == ["name", "id"]


@pytest.mark.parametrize(("person", "items"), [("noemail", ("email",)), ("refuses", ())])
def test_no_email_is_no_field(sandbox, person, items):
    assert set(sandbox.me(sandbox.token(person, items)).json) == {"id", "name"}


def test_picture_is_the_sandboxs_own_where_it_has_some(sandbox):
    sandbox.state.change_settings(picture_base=None)
    for person, silhouette in (("minji", False), ("silhouette", True)):
        data = sandbox.me(sandbox.mint(person=person), "picture").json["picture"]["data"]
        address, _, query = data["url"].removeprefix("http://127.0.0.1:8001").partition("?")
        assert sandbox.browser.get(address).content_type == "image/svg+xml"
        assert ("default_profile" in address) == silhouette
        assert "height=50&width=50" in query


def test_people_are_found_on_the_login_page(sandbox):
    found = sandbox.browser.get(
        "/dialog/oauth/step", query_string={"request": request_id(sandbox.dialog()), "q": "하늘"}
    )
    assert re.findall(r'name="person" value="(\w+)"', found.text) == ["haneul", "sameid"]
    assert page_of(sandbox.be(found, "haneul")) == "facebook_consent"


def test_silhouette_and_single_name(sandbox):
    picture = sandbox.me(sandbox.token("silhouette"), "picture").json["picture"]["data"]
    assert picture["is_silhouette"] is True
    assert (picture["height"], picture["width"]) == (50, 50)
    assert "last_name" not in sandbox.me(sandbox.mint(person="onename"), "first_name,last_name").json


def test_picture_has_the_size_that_was_asked_for(sandbox):
    token = sandbox.mint(person="minji")
    data = sandbox.me(token, "picture.width(300).height(9999){width,height}").json["picture"]["data"]
    assert data == {"width": 300, "height": 2048}


@pytest.mark.parametrize(
    "fields", ["id,nonsense", "picture{nonsense}", "id,", "picture{url", "id}", "a b", "{" * 50, ""]
)
def test_odd_fields_are_refused(sandbox, fields):
    token = sandbox.mint(person="minji")
    answer = sandbox.me(token, fields)
    if not fields:
        assert answer.status_code == 200
    else:
        refused(answer, 100 if "nonsense" in fields else 2500)


def test_fields_that_need_more_are_left_out(sandbox):
    assert sandbox.me(sandbox.mint(person="minji"), "birthday,gender,id").json == {"id": MINJI}


def test_token_may_come_in_address_form_or_header(sandbox):
    token = sandbox.mint(person="minji")
    sent = {"access_token": token, "appsecret_proof": proof(token)}
    assert sandbox.server.get("/me", query_string=sent).json["id"] == MINJI
    assert sandbox.server.get("/me", data=sent).json["id"] == MINJI
    headers = {"Authorization": f"OAuth {token}"}
    assert sandbox.server.get("/me", query_string={"appsecret_proof": proof(token)}, headers=headers).status_code == 200


def test_own_id_is_me_and_others_do_not_exist(sandbox):
    token = sandbox.token()
    assert sandbox.ask(f"{V}/{MINJI}", token).json["name"] == "박민지"
    message = refused(sandbox.ask(f"{V}/10228604863005602", token), 100, 33, "GraphMethodException")
    assert "does not exist, cannot be loaded due to missing permissions" in message
    assert sandbox.ask(f"/{MINJI}", APP_TOKEN, secret=None, fields="email").json["email"] == "minji.park@example.kr"
    refused(sandbox.ask("/10228604863005602", APP_TOKEN, secret=None), 100, 33, "GraphMethodException")
    refused(sandbox.ask("/me", APP_TOKEN, secret=None), 2500)


def test_call_without_a_token_is_refused(sandbox):
    refused(sandbox.ask(f"{V}/me"), 2500)


def test_token_that_is_none_is_refused(sandbox):
    # As with Facebook the text repeats it: a log of it gives it away
    assert refused(sandbox.me("EAAmade-up"), 190) == "Malformed access token EAAmade-up"
    assert refused(sandbox.me("made-up"), 190) == "Invalid OAuth access token - Cannot parse access token"
    assert refused(sandbox.me(f"{APP.client_id}|wrong"), 190) == "Invalid OAuth access token signature."
    odd = sandbox.server.get("/me", query_string={"access_token": 'EAA"가\n'})
    assert '"invalid_token" "Malformed access token EAA???"' in odd.headers["WWW-Authenticate"]


def test_token_that_is_over_says_why(sandbox):
    token = sandbox.token()
    sandbox.clock.advance(5183944)
    message = refused(sandbox.me(token), 190, 463)
    assert re.search(r"Session has expired on \w+, \d\d-\w{3}-\d\d [\d:]{8} PST\. The current time is ", message)
    for subcode in ENDED:
        token = sandbox.mint(person="minji")
        assert sandbox.api("POST", "facebook/people/minji/end-tokens", {"subcode": subcode}).json["ended"]
        refused(sandbox.me(token), 190, subcode)


def test_proof_is_demanded_and_checked(sandbox):
    token = sandbox.token()
    words = refused(sandbox.ask("/me", token, secret=None), 100, type="GraphMethodException")
    assert words == "API calls from the server require an appsecret_proof argument"
    words = refused(sandbox.ask("/me", token, secret="other"), 100, type="GraphMethodException")
    assert words == "Invalid appsecret_proof provided in the API argument"
    sandbox.api("POST", "facebook/app", {"require_app_secret": False})
    assert sandbox.ask("/me", token, secret=None).status_code == 200
    refused(sandbox.ask("/me", token, secret="other"), 100, type="GraphMethodException")


@pytest.mark.parametrize(("age", "status"), [(0, 200), (299, 200), (301, 400), (-301, 400)])
def test_proof_with_a_time_ends_after_five_minutes(sandbox, age, status):
    token, moment = sandbox.mint(person="minji"), int(START) - age
    dated = {"appsecret_proof": proof(f"{token}|{moment}"), "appsecret_time": str(moment)}
    assert sandbox.ask("/me", token, secret=None, **dated).status_code == status


# Permissions


def test_permissions_are_listed_and_withdrawn(sandbox):
    token = sandbox.token("refuses", items=())
    listed = sandbox.ask(f"{V}/me/permissions", token).json["data"]
    assert listed == [
        {"permission": "public_profile", "status": "granted"},
        {"permission": "email", "status": "declined"},
    ]
    token = sandbox.token("minji", auth_type="reauthenticate")
    assert sandbox.ask(f"{V}/me/permissions/email", token, "DELETE").json == {"success": True}
    assert "email" not in sandbox.me(token).json
    refused(sandbox.ask(f"{V}/me/permissions/email", token, "DELETE"), 100)


@pytest.mark.parametrize("path", ["/me/permissions", f"{V}/{MINJI}/permissions"])
def test_deauthorizing_ends_everything(sandbox, path):
    token = sandbox.token()
    assert sandbox.ask(path, token, "DELETE").json == {"success": True}
    refused(sandbox.me(token), 190, 458)
    refused(sandbox.ask(path, token, "DELETE"), 190, 458)
    refused(sandbox.ask(f"/{MINJI}/permissions", APP_TOKEN, "DELETE", secret=None), 100, 33, "GraphMethodException")
    assert page_of(sandbox.dialog()) == "facebook_consent"


def test_app_may_deauthorize_with_its_own_token(sandbox):
    sandbox.code()
    assert sandbox.ask(f"{V}/{MINJI}/permissions", APP_TOKEN, "DELETE", secret=None).json == {"success": True}
    assert not sandbox.state.facebook.installed


# debug_token


def test_debug_token_describes_a_persons_token(sandbox):
    data = sandbox.debug(sandbox.token()).json["data"]
    assert data == {
        "app_id": APP.client_id,
        "type": "USER",
        "application": APP.app_name,
        "data_access_expires_at": int(START) + 90 * 86400,
        "expires_at": int(START) + 5183944,
        "is_valid": True,
        "issued_at": int(START),
        "scopes": ["public_profile", "email"],
        "user_id": MINJI,
    }


def test_debug_token_describes_a_token_that_is_over(sandbox):
    token = sandbox.token()
    sandbox.clock.advance(5183944)
    data = sandbox.debug(token).json["data"]
    assert (data["is_valid"], data["error"]["code"], data["error"]["subcode"]) == (False, 190, 463)
    sandbox.clock.reset()
    sandbox.api("POST", "facebook/people/minji/remove")
    data = sandbox.debug(token).json["data"]
    assert (data["is_valid"], data["error"]["subcode"], data["user_id"]) == (False, 458, MINJI)


def test_debug_token_says_what_is_no_token(sandbox):
    data = sandbox.debug("made-up").json["data"]
    assert data["is_valid"] is False
    assert data["error"]["code"] == 190
    assert "app_id" not in data


def test_debug_token_does_not_describe_another_apps_token(sandbox):
    for kind in ("USER", "PAGE", "APP"):
        foreign = sandbox.mint(person="minji", type=kind, app_id="999999999999999")
        assert "did not match the Viewing App" in refused(sandbox.debug(foreign), 100)
    viewer = sandbox.mint(type="APP", app_id="999999999999999")
    refused(sandbox.ask("/debug_token", viewer, secret=None, input_token=sandbox.mint(person="minji")), 100)


def test_token_of_another_app_works_for_itself_and_fails_our_proof(sandbox):
    foreign = sandbox.mint(person="minji", app_id="999999999999999", user_id="777")
    refused(sandbox.me(foreign), 100, type="GraphMethodException")
    assert sandbox.ask("/me", foreign, secret=None).json == {"name": "박민지", "id": "777"}
    refused(sandbox.ask("/me/permissions", foreign, secret=None), 100, 33, "GraphMethodException")


def test_token_of_a_page_is_no_persons(sandbox):
    page = sandbox.mint(person="minji", type="PAGE")
    data = sandbox.debug(page).json["data"]
    assert (data["type"], data["user_id"], data["expires_at"], data["is_valid"]) == ("PAGE", MINJI, 0, True)
    assert data["profile_id"] != MINJI
    assert sandbox.me(page, "id,name").json["id"] == data["profile_id"]
    assert "on node type (Page)" in refused(sandbox.me(page, "email"), 100)
    refused(sandbox.ask(f"/{MINJI}", page), 100, 33, "GraphMethodException")


def test_debug_token_wants_the_apps_token_and_something_to_look_at(sandbox):
    token = sandbox.token()
    assert "You must provide an app access token" in refused(sandbox.ask("/debug_token", token, input_token=token), 100)
    assert "input_token is required" in refused(sandbox.ask("/debug_token", APP_TOKEN, secret=None), 100)
    refused(sandbox.ask("/debug_token", f"{APP.client_id}|wrong", secret=None, input_token=token), 190)


# Versions


@pytest.mark.parametrize(
    ("prefix", "answers"),
    [("", "v21.0"), ("/v2.0", "v21.0"), ("/v3.3", "v21.0"), ("/v20.0", "v21.0"), ("/v24.0", "v24.0"), (V, "v25.0")],
)
def test_retired_version_is_answered_by_the_oldest_that_is_left(sandbox, prefix, answers):
    answer = sandbox.ask(f"{prefix}/me", sandbox.mint(person="minji"))
    assert answer.json["id"] == MINJI
    assert answer.headers["facebook-api-version"] == answers


@pytest.mark.parametrize("version", ["v99.0", "v25.1", "v1.0", "v0.0"])
def test_version_that_never_was_is_refused(sandbox, version):
    answer = sandbox.ask(f"/{version}/me", sandbox.mint(person="minji"))
    assert refused(answer, 2500) == "Unknown path components: /me"
    assert "facebook-api-version" not in answer.headers


def test_versions_can_be_retired(sandbox):
    sandbox.api("POST", "facebook/app", {"versions": ["v25.0", "v26.0"]})
    assert sandbox.ask("/v24.0/me", sandbox.mint(person="minji")).headers["facebook-api-version"] == "v25.0"


def test_nodes_that_are_not_there_answer_in_graphs_format(sandbox):
    for method in ("GET", "POST", "DELETE"):
        refused(sandbox.ask(f"{V}/nothing/feed", method=method), 100, 33, "GraphMethodException")
    refused(sandbox.server.post(f"{V}/me", data={"x": "y" * 70_000}), 100, 33, "GraphMethodException")
    refused(sandbox.server.post(f"{V}/oauth/access_token", data={"x": "y" * 70_000}), 1, status=413)


def test_kakaos_addresses_are_still_kakaos(sandbox):
    assert sandbox.server.get("/v2/user/me").json["code"] == -401
    assert sandbox.server.get("/v2/nothing").json["code"] == -2
    assert page_of(sandbox.authorize()) == "chooser"


# People


def test_people_are_told_apart():
    assert len({person.key for person in SAMPLE_PEOPLE}) == len({person.user_id for person in SAMPLE_PEOPLE})
    assert all(person.note_ko and person.note_en for person in SAMPLE_PEOPLE)
    assert all(re.search(r"[@.]example\.(com|kr)$", person.email) for person in SAMPLE_PEOPLE if person.email)


def test_people_make_the_cases_with_kakaos():
    kakao, facebook = {one.key: one for one in KAKAO_PEOPLE}, {one.key: one for one in SAMPLE_PEOPLE}
    assert facebook["haneul"].email == kakao["haneul"].email
    assert facebook["sameid"].user_id == str(kakao["haneul"].user_id)
    assert facebook["minji"].email not in {one.email for one in KAKAO_PEOPLE}


def test_people_can_be_made_and_changed(sandbox):
    person = {"key": "ada", "name": "Ada Byron", "email": "ada@example.com", "user_id": "42"}
    assert sandbox.api("POST", "facebook/people", person).status_code == 201
    assert sandbox.api("POST", "facebook/people", {"key": "ada", "email": None}).json["email"] is None
    assert sandbox.me(sandbox.mint(person="ada")).json == {"id": "42", "name": "Ada Byron"}
    declined = sandbox.api("POST", "facebook/people/ada/install", {"declined": ["email"]}).json
    assert declined["permissions"] == {"public_profile": True, "email": False}


@pytest.mark.parametrize(
    "person",
    [
        {},
        {"name": ""},
        {"name": "a", "email": "odd"},
        {"name": "a", "user_id": "0"},
        {"name": "a", "user_id": 7},
        {"name": "a", "user_id": MINJI},
        {"name": "a", "key": "A B"},
        {"name": "a", "picture": "yes"},
        {"key": "minji", "user_id": "42"},
        {"name": "a", "made": False},
    ],
)
def test_odd_person_is_refused(sandbox, person):
    assert sandbox.api("POST", "facebook/people", person).status_code == 400


# Callbacks


def test_removing_the_app_tells_the_site(telling, hook):
    telling.code()
    assert press(telling, "/remove", person="minji").status_code == 303
    [(kind, body)] = arrived(telling, hook)
    assert kind == "gone"
    assert read_signed_request(body) == {"algorithm": "HMAC-SHA256", "issued_at": int(START), "user_id": MINJI}
    press(telling, "/remove", person="minji")
    assert arrived(telling, hook) == []


def test_deauthorizing_by_the_api_tells_the_site(telling, hook):
    telling.ask("/me/permissions", telling.token(), "DELETE")
    assert [kind for kind, _ in arrived(telling, hook)] == ["gone"]


def test_deletion_shows_what_the_site_answered(telling, hook):
    body = b'{"url": "http://localhost:8000/status/abc", "confirmation_code": "abc123"}'
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    hook.answer = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    telling.code()
    press(telling, "/delete-data", delete="minji")
    assert [kind for kind, _ in arrived(telling, hook)] == ["gone", "deletion"]
    page = telling.browser.get("/sandbox/facebook").text
    assert "<code>abc123</code>" in page
    assert '<a href="http://localhost:8000/status/abc">' in page


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"url": 1}', b"[" * 100_000])
def test_deletion_answer_that_facebook_would_not_take_is_named(telling, hook, body):
    hook.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    [sent] = telling.api("POST", "facebook/people/minji/delete-data", {"wait": True}).json
    assert sent["status"] == 200
    assert TEXTS["facebook_bad_answer"][0] in telling.browser.get("/sandbox/facebook").text


def test_address_elsewhere_is_shown_but_is_no_link(telling, hook):
    body = b'{"url": "https://evil.example/<b>", "confirmation_code": "x"}'
    hook.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    telling.api("POST", "facebook/people/minji/delete-data", {"wait": True})
    page = telling.browser.get("/sandbox/facebook").text
    assert "https://evil.example/&lt;b&gt;" in page
    assert 'href="https://evil' not in page


def test_answer_without_end_is_cut_off(hook):
    hook.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000
    assert deliver("POST", hook.url, {}, b"", 100) == (200, b"x" * 100)
    hook.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    with pytest.raises(DeliveryError):
        deliver("POST", hook.url, {}, b"", 100)


@pytest.mark.parametrize("flaw", FLAWS)
def test_flawed_callback(telling, hook, flaw):
    body = {"kind": "deauthorize", "person": "minji", "flaws": [flaw], "wait": True}
    sent = telling.api("POST", "facebook/callbacks/send", body).json
    assert {one["status"] for one in sent} == {200}
    received = arrived(telling, hook)
    assert len(received) == (2 if flaw == "duplicate" else 1)
    content = received[0][1]
    good = {"algorithm": "HMAC-SHA256", "issued_at": int(START), "user_id": MINJI}
    if flaw == "no_field":
        assert content == b""
    elif flaw == "no_dot":
        assert b"." not in content
    elif flaw in ("bad_signature", "other_secret", "broken_base64", "no_json"):
        with pytest.raises(ValueError):
            read_signed_request(content)
    else:
        assert (read_signed_request(content) == good) == (flaw == "duplicate")


def test_wrong_words_send_nothing(telling, hook):
    for body in (
        {"kind": "nothing", "person": "minji"},
        {"kind": "deauthorize", "person": "nobody"},
        {"kind": "deauthorize", "person": "minji", "flaws": ["unknown"]},
    ):
        assert telling.api("POST", "facebook/callbacks/send", body).status_code == 400
    assert press(telling, "/send", kind="nothing", person="minji").status_code == 422
    assert press(telling, "/send", kind="deauthorize", person="nobody").status_code == 400
    assert arrived(telling, hook) == []
    assert telling.api("GET", "facebook/callbacks?wait=1").json == []


def test_without_an_address_nothing_is_sent(sandbox):
    sandbox.code()
    assert press(sandbox, "/delete-data", delete="minji").status_code == 422
    assert sandbox.api("POST", "facebook/people/minji/delete-data").status_code == 400
    assert sandbox.state.facebook.installed
    assert press(sandbox, "/remove", person="minji").status_code == 303
    assert sandbox.state.outbox.newest() == []


def test_sample_from_the_page_changes_nobody(telling, hook):
    telling.code()
    assert press(telling, "/send", kind="data-deletion", person="minji", flaw="bad_signature").status_code == 303
    assert [kind for kind, _ in arrived(telling, hook)] == ["deletion"]
    assert telling.state.facebook.installed


# Faults


@pytest.mark.parametrize("name", GRAPH_FAULTS)
def test_graph_fault(sandbox, name):
    code, subcode, message, kind, status, transient = GRAPH_FAULTS[name]
    sandbox.break_("graph_user", name, calls=1)
    answer = sandbox.me("EAAany")
    assert refused(answer, code, subcode, kind, status) == message
    assert answer.json["error"].get("is_transient", False) == transient
    refused(sandbox.me("EAAany"), 190)


def test_every_graph_address_can_break(sandbox):
    for endpoint in GRAPH:
        sandbox.break_(endpoint, "http_503")
    token = sandbox.mint(person="minji")
    answers = [
        sandbox.exchange("x"),
        sandbox.me(token),
        sandbox.ask(f"/{MINJI}", token),
        sandbox.debug(token),
        sandbox.ask("/me/permissions", token),
        sandbox.ask("/me/permissions", token, "DELETE"),
    ]
    assert {answer.status_code for answer in answers} == {503}
    assert sandbox.state.facebook.installed


@pytest.mark.parametrize("name", DIALOG_FAULTS)
def test_dialog_fault(sandbox, name):
    sandbox.break_("dialog", name, calls=1)
    assert came_back(sandbox.dialog()) == DIALOG_FAULTS[name] | {"state": "s 1"}
    sandbox.break_("dialog", name, calls=1)
    assert page_of(sandbox.dialog(redirect_uri="http://evil.example/")) == "facebook_error"


def test_facebook_that_is_down_speaks_html(sandbox):
    sandbox.break_("graph_user", "html", status=502)
    answer = sandbox.me(sandbox.mint(person="minji"))
    assert (answer.status_code, answer.mimetype) == (502, "text/html")


def test_answers_can_be_changed(sandbox):
    token = sandbox.mint(person="minji")
    sandbox.break_("graph_user", "other_id", calls=1)
    assert sandbox.me(token).json["id"] == str(int(MINJI) + 1)
    sandbox.break_("graph_debug_token", "other_id", calls=1)
    assert sandbox.debug(token).json["data"]["user_id"] == str(int(MINJI) + 1)
    sandbox.break_("graph_debug_token", "other_app", calls=1)
    assert sandbox.debug(token).json["data"]["app_id"] == "100000000000002"
    sandbox.break_("graph_user", "omit_fields", calls=1)
    assert sandbox.me(token).json == {"id": MINJI}
    sandbox.break_("graph_token", "omit_fields", calls=1)
    assert "access_token" not in sandbox.exchange(sandbox.code()).json
    sandbox.break_("graph_user", "wrong_types", calls=1)
    assert sandbox.me(token).json["id"] == 7


# What remains, what is written down, what stands on the pages


def test_everything_is_remembered_after_a_restart(tmp_path):
    first = FacebookSandbox(state_file=tmp_path / "state.json")
    token = first.token()
    first.api("POST", "facebook/people", {"key": "ada", "name": "Ada"})
    second = FacebookSandbox(state_file=tmp_path / "state.json")
    assert second.me(token).json["id"] == MINJI
    assert "ada" in second.state.facebook.people


def test_older_state_file_still_serves(tmp_path):
    path = tmp_path / "state.json"
    FacebookSandbox(state_file=path).token()
    stored = load(path)
    del stored["facebook"]
    path.write_text(json.dumps(stored))
    assert isinstance(FacebookSandbox(state_file=path).state, State)


def test_forgetting_everything_logs_out_of_facebook_too(sandbox):
    token = sandbox.token()
    sandbox.api("POST", "reset")
    refused(sandbox.me(token), 190)
    assert page_of(sandbox.dialog()) == "facebook_chooser"
    assert sandbox.api("GET", "state").json["facebook"]["installed"] == []


def test_log_names_parameters_and_keeps_no_value(sandbox):
    token = sandbox.token()
    sandbox.me(token)
    sandbox.debug(token)
    text = json.dumps(sandbox.api("GET", "log").json)
    assert "input_token" in text
    assert "appsecret_proof" in text
    for secret in (token, APP.client_secret, proof(token)):
        assert secret not in text


def pages_of(sandbox):
    yield sandbox.dialog()
    yield sandbox.be(sandbox.dialog(), "html")
    yield sandbox.dialog(redirect_uri="http://evil.example/<b>")
    yield sandbox.browser.get("/sandbox/facebook")
    yield press(sandbox, "/send", kind="nothing", person="minji")


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_page_says_that_it_is_not_facebook_and_has_nothing_inline(sandbox, language):
    sandbox.browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
    for page in pages_of(sandbox):
        assert f'<html lang="{language}">' in page.text
        assert "페이스북이 아닙니다 / not Facebook" in page.text
        assert "(not Facebook)</title>" in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|type=\"password\"", page.text)


def test_page_shows_settings_and_who_uses_the_app(sandbox):
    sandbox.code("refuses", items=())
    text = sandbox.browser.get("/sandbox/facebook").text
    for value in (APP.client_id, APP.client_secret, SITE, "v26.0", 'name="person" value="refuses"'):
        assert value in text
    assert 'href="/sandbox/facebook"' in sandbox.browser.get("/").text


@pytest.mark.parametrize("path", ["/app", "/remove", "/delete-data", "/leave", "/send"])
def test_forms_of_other_sites_are_refused(sandbox, path):
    sandbox.code()
    data = {"token": "x", "person": "minji", "delete": "minji"}
    assert sandbox.browser.post(f"/sandbox/facebook{path}", data=data).status_code == 400
    assert sandbox.state.facebook.installed


@pytest.mark.parametrize(
    "changes",
    [
        {"client_secret": ""},
        {"client_secret": None},
        {"deauthorize_url": "https://evil.example/"},
        {"versions": []},
        {"versions": ["v26.0", "v25.0"]},
        {"versions": ["25.0"]},
        {"versions": ["v1.0"]},
        {"live": "yes"},
        {"client_id": "7"},
    ],
)
def test_settings_that_make_no_sense_are_refused(sandbox, changes):
    assert sandbox.api("POST", "facebook/app", changes).status_code == 400
    assert sandbox.state.settings.facebook == APP


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("facebook/tokens", {"person": "nobody"}),
        ("facebook/tokens", {"person": "minji", "type": "ROBOT"}),
        ("facebook/tokens", {"person": "minji", "seconds": "soon"}),
        ("facebook/people/minji/end-tokens", {"subcode": 1}),
        ("facebook/people/nobody/remove", {}),
    ],
)
def test_odd_orders_are_refused(sandbox, path, body):
    assert sandbox.api("POST", path, body).status_code == 400


def test_site_and_sandbox_know_the_same_app():
    assert APP.client_id == embedded.SANDBOX_FACEBOOK_CLIENT_ID
    assert APP.client_secret == embedded.SANDBOX_FACEBOOK_CLIENT_SECRET


def test_served_for_real_it_answers_the_same(sandbox):
    with serving(sandbox) as port:
        body = f"client_id={APP.client_id}&client_secret={APP.client_secret}&redirect_uri={SITE}&code=x".encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        url = f"http://127.0.0.1:{port}{V}/oauth/access_token"
        status, answer = deliver("POST", url, headers, body, 1000)
    assert (status, json.loads(answer)["error"]["code"]) == (400, 100)
