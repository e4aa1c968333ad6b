"""What is read of a person. The shapes are those Kakao's documentation and public projects show; the values ours."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from kakaoauth.errors import ProviderUnavailable
from kakaoauth.providers.kakao.profile import AGE_RANGES, DEFAULT_NICKNAME, fill_gaps, read_claims, read_profile
from kakaoauth.providers.values import EmailState, Profile

TODAY = date(2026, 3, 1)
BIG = "https://k.kakaocdn.net/dn/moon/img_640x640.jpg"
SMALL = "https://k.kakaocdn.net/dn/moon/img_110x110.jpg"
DEFAULT_PICTURE = (
    "http://img1.kakaocdn.net/thumb/R640x640.q70/?fname=http://t1.kakaocdn.net/account_images/default_profile.jpeg"
)


def read(**account: Any) -> Profile:
    return read_profile({"id": 77, "kakao_account": account}, TODAY)


def everything() -> dict[str, Any]:
    return {
        "id": 31415926535,
        "connected_at": "2024-05-06T07:08:09Z",
        "kakao_account": {
            "profile_nickname_needs_agreement": False,
            "profile_image_needs_agreement": False,
            "profile": {
                "nickname": "달토끼",
                "thumbnail_image_url": SMALL.replace("https", "http"),
                "profile_image_url": BIG.replace("https", "http"),
                "is_default_image": False,
                "is_default_nickname": False,
            },
            "name_needs_agreement": False,
            "name": "한별",
            "email_needs_agreement": False,
            "is_email_valid": True,
            "is_email_verified": True,
            "email": "Hanbyul@mail.test",
            "age_range_needs_agreement": False,
            "age_range": "30~39",
            "birthyear_needs_agreement": False,
            "birthyear": "1994",
            "birthday_needs_agreement": False,
            "birthday": "0229",
            "birthday_type": "LUNAR",
            "is_leap_month": True,
            "gender_needs_agreement": False,
            "gender": "female",
            "phone_number_needs_agreement": False,
            "phone_number": "+82 10-0000-0000",
            "ci_needs_agreement": False,
            "ci": "x",
            "ci_authenticated_at": "2020-01-01T00:00:00Z",
        },
        "properties": {"favourite_planet": "saturn"},
        "for_partner": {"uuid": "u-1"},
    }


class TestShapes:
    def test_everything_agreed(self) -> None:
        assert read_profile(everything(), TODAY) == Profile(
            provider="kakao",
            subject="31415926535",
            email="Hanbyul@mail.test",
            email_state=EmailState.TRUSTED,
            name="한별",
            nickname="달토끼",
            profile_image=BIG,
            age=32,
            age_range="30~39",
            gender="female",
        )

    def test_items_not_agreed_are_not_used_though_they_are_sent(self) -> None:
        body = {
            "id": 27182818284,
            "properties": {"nickname": "Moon Hare", "profile_image": BIG, "thumbnail_image": SMALL},
            "kakao_account": {
                "profile_needs_agreement": False,
                "profile": {"nickname": "Moon Hare", "thumbnail_image_url": SMALL, "profile_image_url": BIG},
                "has_email": True,
                "email_needs_agreement": False,
                "is_email_valid": True,
                "is_email_verified": True,
                "email": "hare@mail.test",
                "has_age_range": True,
                "age_range_needs_agreement": True,
                "age_range": "20~29",
                "has_birthyear": True,
                "birthyear_needs_agreement": True,
                "birthyear": "2001",
                "has_gender": True,
                "gender_needs_agreement": True,
                "gender": "male",
                "name_needs_agreement": True,
                "name": "withheld",
            },
        }
        found = read_profile(body, TODAY)
        assert (found.name, found.age, found.age_range, found.gender) == (None, None, None, None)
        assert (found.nickname, found.profile_image, found.email) == ("Moon Hare", BIG, "hare@mail.test")

    def test_old_answer_with_custom_properties(self) -> None:
        body = everything()
        del body["kakao_account"]["profile"]
        body["properties"] = {"nickname": "옛이름", "profile_image": BIG, "thumbnail_image": SMALL, "custom": "1"}
        found = read_profile(body, TODAY)
        assert (found.nickname, found.profile_image) == ("옛이름", BIG)

    def test_nickname_only(self) -> None:
        found = read(profile_nickname_needs_agreement=False, profile={"nickname": "혼자"})
        assert found == Profile(provider="kakao", subject="77", nickname="혼자")

    def test_id_only(self) -> None:
        body = {"id": 8, "connected_at": "2024-05-06T07:08:09Z", "synched_at": "2024-05-06T07:08:09Z"}
        assert read_profile(body, TODAY) == Profile(provider="kakao", subject="8")

    def test_blank_email_and_blank_picture(self) -> None:
        found = read(profile={"profile_image_url": ""}, email="   ", is_email_valid=True, is_email_verified=True)
        assert (found.email, found.email_state, found.profile_image) == (None, EmailState.ABSENT, None)

    def test_default_nickname_hides_the_stored_one_too(self) -> None:
        body = {
            "id": 9,
            "properties": {"nickname": "토끼"},
            "kakao_account": {"name": "토끼", "profile": {"nickname": "토끼", "is_default_nickname": True}},
        }
        found = read_profile(body, TODAY)
        assert (found.nickname, found.name) == (None, "토끼")

    def test_email_without_flags(self) -> None:
        found = read_profile({"id": 1234567890123456789, "kakao_account": {"email": "bare@mail.test"}}, TODAY)
        assert (found.subject, found.email) == ("1234567890123456789", None)
        assert found.email_state is EmailState.UNVERIFIED

    def test_preregistered_person(self) -> None:
        found = read_profile(
            {"id": 5, "has_signed_up": False, "kakao_account": {"profile": {"nickname": "새싹"}}}, TODAY
        )
        assert (found.subject, found.nickname) == ("5", "새싹")


class TestSubject:
    @pytest.mark.parametrize(
        ("given", "text"),
        [
            (1, "1"),
            (1376016924429759228, "1376016924429759228"),
            (2**53 + 1, "9007199254740993"),
            (2**63 + 1, "9223372036854775809"),
            ("1376016924429759228", "1376016924429759228"),
            ("98765432109876543210", "98765432109876543210"),
        ],
    )
    def test_id_is_kept_exactly(self, given: object, text: str) -> None:
        assert read_profile({"id": given}, TODAY).subject == text

    @pytest.mark.parametrize(
        "given",
        [
            None,
            0,
            -1,
            True,
            False,
            1.0,
            1e18,
            float("nan"),
            "",
            "0",
            "-1",
            "007",
            "1.0",
            "1e3",
            "١٢",
            "12\n",
            " 12",
            [],
        ],
    )
    def test_nonsense_is_no_id(self, given: object) -> None:
        with pytest.raises(ProviderUnavailable):
            read_profile({"id": given}, TODAY)

    def test_endless_id_is_no_id(self) -> None:
        for given in (10**40, 10**5000, "1" * 41):
            with pytest.raises(ProviderUnavailable):
                read_profile({"id": given}, TODAY)

    def test_missing_id_is_no_id(self) -> None:
        with pytest.raises(ProviderUnavailable):
            read_profile({}, TODAY)


GOOD = {"email_needs_agreement": False, "is_email_valid": True, "is_email_verified": True, "email": "a@mail.test"}


class TestEmail:
    @pytest.mark.parametrize(
        ("changes", "state"),
        [
            ({}, EmailState.TRUSTED),
            ({"email_needs_agreement": None}, EmailState.TRUSTED),
            ({"email_needs_agreement": True}, EmailState.NOT_AGREED),
            ({"email": None}, EmailState.ABSENT),
            ({"email": ""}, EmailState.ABSENT),
            ({"email": "  "}, EmailState.ABSENT),
            ({"email": 7}, EmailState.ABSENT),
            ({"email": ["a@mail.test"]}, EmailState.ABSENT),
            ({"is_email_valid": False}, EmailState.EXPIRED),
            ({"is_email_valid": False, "is_email_verified": False}, EmailState.EXPIRED),
            ({"is_email_verified": False}, EmailState.UNVERIFIED),
            ({"is_email_valid": None}, EmailState.UNVERIFIED),
            ({"is_email_verified": None}, EmailState.UNVERIFIED),
            ({"is_email_valid": "true"}, EmailState.UNVERIFIED),
            ({"is_email_verified": 1}, EmailState.UNVERIFIED),
            ({"email": "a***@mail.test"}, EmailState.UNUSABLE),
            ({"email": "ab**@mail.test"}, EmailState.UNUSABLE),
            ({"email": "a@m***.test"}, EmailState.UNUSABLE),
            ({"email": "a@localhost"}, EmailState.UNUSABLE),
            ({"email": "nonsense"}, EmailState.UNUSABLE),
            ({"email": "a@b@mail.test"}, EmailState.UNUSABLE),
            ({"email": "a@mail.test\r\nBcc: b@mail.test"}, EmailState.UNUSABLE),
            ({"email": "x" * 300 + "@mail.test"}, EmailState.UNUSABLE),
            ({"email": "\ud800a@mail.test"}, EmailState.UNUSABLE),
            ({"email": "\u202ea@mail.test"}, EmailState.UNUSABLE),
        ],
    )
    def test_only_valid_and_verified_is_trusted(self, changes: dict[str, Any], state: EmailState) -> None:
        account = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
        found = read(**account)
        assert found.email_state is state
        assert found.email == ("a@mail.test" if state is EmailState.TRUSTED else None)

    def test_nothing_said_is_not_configured(self) -> None:
        assert read(profile={}, has_email=True).email_state is EmailState.NOT_CONFIGURED

    def test_agreed_without_a_value_is_absent(self) -> None:
        assert read(email_needs_agreement=False).email_state is EmailState.ABSENT
        assert read(email=None).email_state is EmailState.ABSENT

    def test_blanks_around_are_not_part_of_it(self) -> None:
        assert read(**{**GOOD, "email": " a@mail.test "}).email == "a@mail.test"

    def test_korean_address_is_accepted(self) -> None:
        assert read(**{**GOOD, "email": "별@한국.한국"}).email == "별@한국.한국"


class TestNicknameAndPicture:
    def test_default_nickname_by_its_text(self) -> None:
        assert read(profile={"nickname": DEFAULT_NICKNAME}).nickname is None
        assert read(profile={"nickname": f" {DEFAULT_NICKNAME} "}).nickname is None

    def test_stored_nickname_where_the_profile_has_none(self) -> None:
        body = {"id": 1, "properties": {"nickname": "지난"}, "kakao_account": {"profile": {"nickname": " "}}}
        assert read_profile(body, TODAY).nickname == "지난"

    @pytest.mark.parametrize("item", ["profile_needs_agreement", "profile_nickname_needs_agreement"])
    def test_nickname_not_agreed(self, item: str) -> None:
        body = {"id": 1, "properties": {"nickname": "x"}, "kakao_account": {item: True, "profile": {"nickname": "x"}}}
        assert read_profile(body, TODAY).nickname is None

    @pytest.mark.parametrize("item", ["profile_needs_agreement", "profile_image_needs_agreement"])
    def test_picture_not_agreed(self, item: str) -> None:
        profile = {"profile_image_url": BIG}
        body = {"id": 1, "properties": {"profile_image": BIG}, "kakao_account": {item: True, "profile": profile}}
        assert read_profile(body, TODAY).profile_image is None

    def test_default_picture_by_its_flag(self) -> None:
        body = {
            "id": 1,
            "properties": {"profile_image": BIG},
            "kakao_account": {"profile": {"profile_image_url": BIG, "is_default_image": True}},
        }
        assert read_profile(body, TODAY).profile_image is None

    @pytest.mark.parametrize(
        "address",
        [
            DEFAULT_PICTURE,
            DEFAULT_PICTURE.replace("R640x640", "R110x110"),
            "https://img1.kakaocdn.net/thumb/?fname=https%3A%2F%2Ft1.kakaocdn.net%2Faccount_images%2Fdefault_profile.jpeg",
        ],
    )
    def test_default_picture_by_its_address(self, address: str) -> None:
        assert read(profile={"profile_image_url": address}).profile_image is None

    def test_small_picture_where_there_is_no_big_one(self) -> None:
        assert read(profile={"thumbnail_image_url": SMALL}).profile_image == SMALL
        assert read(profile={"profile_image_url": "javascript:x", "thumbnail_image_url": SMALL}).profile_image == SMALL
        body = {"id": 1, "properties": {"thumbnail_image": SMALL}}
        assert read_profile(body, TODAY).profile_image == SMALL

    def test_texts_are_cleaned(self) -> None:
        found = read(profile={"nickname": "\u202e" + "쥐" * 10_000}, name="  홍\u200b  길동 ")
        assert (found.nickname, found.name) == ("쥐" * 100, "홍 길동")


class TestRest:
    @pytest.mark.parametrize("given", sorted(AGE_RANGES))
    def test_documented_age_ranges(self, given: str) -> None:
        assert read(age_range=given).age_range == given

    @pytest.mark.parametrize("given", ["20-29", "", "100~", "adult", 20, None, ["20~29"]])
    def test_other_age_ranges_are_none(self, given: object) -> None:
        assert read(age_range=given).age_range is None

    @pytest.mark.parametrize(("given", "found"), [("female", "female"), ("MALE", "male"), ("Female", "female")])
    def test_gender_in_any_case(self, given: str, found: str) -> None:
        assert read(gender=given).gender == found

    @pytest.mark.parametrize("given", ["other", "", 1, None, ["male"]])
    def test_other_genders_are_none(self, given: object) -> None:
        assert read(gender=given).gender is None

    @pytest.mark.parametrize(("given", "age"), [("2026", 0), ("2007", 19), ("1900", 126)])
    def test_age_by_birthyear(self, given: str, age: int) -> None:
        assert read(birthyear=given).age == age

    @pytest.mark.parametrize("given", ["2027", "1899", "94", "19940", "１９９４", "1994\n", "", 1994, None, True])
    def test_impossible_birthyear_is_none(self, given: object) -> None:
        assert read(birthyear=given).age is None

    def test_age_is_never_guessed_from_the_range(self) -> None:
        assert read(age_range="20~29").age is None

    @pytest.mark.parametrize("item", ["name", "gender", "age_range", "birthyear"])
    def test_item_under_needs_agreement_is_not_used(self, item: str) -> None:
        body = everything()
        body["kakao_account"][f"{item}_needs_agreement"] = True
        changed = read_profile(body, TODAY)
        assert getattr(changed, {"birthyear": "age"}.get(item, item)) is None
        assert changed.email == "Hanbyul@mail.test"

    @pytest.mark.parametrize("nonsense", [None, [], "text", 7, True, [{}]])
    def test_wrong_types_count_as_absent(self, nonsense: object) -> None:
        nothing = Profile(provider="kakao", subject="77")
        assert read_profile({"id": 77, "kakao_account": nonsense, "properties": nonsense}, TODAY) == nothing
        assert read(profile=nonsense) == nothing

    @pytest.mark.parametrize("nonsense", [[], {}, 7, True, 1.5, {"a": []}])
    def test_wrong_types_inside_count_as_absent(self, nonsense: object) -> None:
        body = everything()
        account = body["kakao_account"]
        for key in account:
            if key != "profile":
                account[key] = nonsense
        account["profile"] = dict.fromkeys(account["profile"], nonsense)
        found = read_profile(body, TODAY)
        assert found.subject == "31415926535"
        assert (found.email, found.name, found.nickname, found.profile_image) == (None, None, None, None)
        assert (found.age, found.age_range, found.gender) == (None, None, None)


class TestClaims:
    def test_claims_are_read_and_cleaned(self) -> None:
        body = {
            "sub": "16180339887",
            "email": "gold@mail.test",
            "nickname": " 금\u202e토끼 ",
            "picture": SMALL.replace("https", "http"),
        }
        assert read_claims(body) == Profile(
            provider="kakao",
            subject="16180339887",
            email="gold@mail.test",
            email_state=EmailState.TRUSTED,
            nickname="금토끼",
            profile_image=SMALL,
        )

    def test_defaults_are_none(self) -> None:
        found = read_claims({"sub": "1", "nickname": DEFAULT_NICKNAME, "picture": DEFAULT_PICTURE})
        assert found == Profile(provider="kakao", subject="1")

    @pytest.mark.parametrize(("email", "state"), [("a***@mail.test", "unusable"), ("", "absent"), (7, "absent")])
    def test_odd_email_is_not_used(self, email: object, state: str) -> None:
        found = read_claims({"sub": "1", "email": email})
        assert (found.email, found.email_state.value) == (None, state)


class TestGaps:
    CLAIMS = Profile("kakao", "77", email="old@mail.test", email_state=EmailState.TRUSTED, nickname="옛날", name="이름")

    def test_what_was_not_said_comes_from_the_other(self) -> None:
        found = fill_gaps(read(profile={"profile_image_url": BIG}), self.CLAIMS)
        assert (found.nickname, found.name, found.profile_image) == ("옛날", "이름", BIG)
        assert (found.email, found.email_state) == ("old@mail.test", EmailState.TRUSTED)

    def test_what_was_said_stays(self) -> None:
        assert fill_gaps(read(profile={"nickname": "새로"}), self.CLAIMS).nickname == "새로"

    @pytest.mark.parametrize("flag", ["is_email_valid", "is_email_verified"])
    def test_withdrawn_trust_is_not_overruled(self, flag: str) -> None:
        account = {"email": "old@mail.test", "is_email_valid": True, "is_email_verified": True, flag: False}
        found = fill_gaps(read(**account), self.CLAIMS)
        assert found.email is None
        assert found.email_state in (EmailState.EXPIRED, EmailState.UNVERIFIED)


def test_reader_is_pure(make: Callable[..., Any]) -> None:
    body = everything()
    read_profile(body, TODAY)
    assert body == everything()
