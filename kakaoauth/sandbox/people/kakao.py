"""The people who live in the sandbox. All of them, and all their addresses, are invented."""

from dataclasses import dataclass

DEFAULT_NICKNAME = "닉네임을 등록해주세요"

AGE_RANGES = ("1~9", "10~14", "15~19", "20~29", "30~39", "40~49", "50~59", "60~69", "70~79", "80~89", "90~")


@dataclass(frozen=True)
class Person:
    """A Kakao account. None means that the account has no such data."""

    key: str
    user_id: int
    nickname: str
    note_ko: str = ""
    note_en: str = ""
    email: str | None = None
    email_valid: bool = True
    email_verified: bool = True
    name: str | None = None
    gender: str | None = None
    age_range: str | None = None
    birthyear: str | None = None
    birthday: str | None = None
    phone_number: str | None = None
    picture: bool = True  # False: Kakao's default picture
    default_nickname: bool = False
    under_14: bool = False
    preregistered: bool = False
    made: bool = False


SAMPLE_PEOPLE = (
    Person(
        "haneul",
        3902187701,
        "하늘다람쥐",
        "평범한 계정: 사진, 이메일, 성별, 출생 연도가 모두 있음",
        "Ordinary: picture, e-mail, gender, year of birth are all there",
        email="haneul@example.kr",
        name="김하늘",
        gender="female",
        age_range="20~29",
        birthyear="1999",
        birthday="0714",
        phone_number="+82 10-0000-1234",
    ),
    Person(
        "noemail",
        3902187702,
        "메일없는수달",
        "계정에 이메일이 없음: 동의해도 값이 오지 않음",
        "The account has no e-mail: consent brings no value",
    ),
    Person(
        "unverified",
        3902187703,
        "확인전참새",
        "이메일 미인증: is_email_verified가 false",
        "Unverified e-mail: is_email_verified is false",
        email="unverified@example.com",
        email_verified=False,
    ),
    Person(
        "invalid",
        3902187704,
        "이사간너구리",
        "이메일이 다른 계정으로 넘어감: is_email_valid가 false",
        "E-mail taken over by another account: is_email_valid is false",
        email="moved@example.com",
        email_valid=False,
    ),
    Person(
        "refuses",
        3902187705,
        "조심스런고슴도치",
        "이메일은 있지만 주기 싫어함: 동의 화면에서 이메일 체크를 풀어 보세요",
        "Has an e-mail but would rather not: untick the e-mail on the consent page",
        email="careful@example.kr",
        gender="male",
        age_range="40~49",
    ),
    Person(
        "defaultname",
        3902187706,
        DEFAULT_NICKNAME,
        "정책 위반으로 바뀐 기본 닉네임: is_default_nickname이 true",
        "Nickname replaced by the default one: is_default_nickname is true",
        email="nameless@example.com",
        default_nickname=True,
    ),
    Person(
        "defaultpicture",
        3902187707,
        "사진없는두루미",
        "기본 프로필 사진: is_default_image가 true",
        "Default picture: is_default_image is true",
        email="nopicture@example.com",
        picture=False,
    ),
    Person(
        "bigid",
        1376016924429759228,
        "큰번호고래",
        "19자리 회원번호: 2^53보다 커서 자바스크립트 숫자로는 깨짐",
        "19-digit user id: above 2^53, broken by JavaScript numbers",
        email="bigid@example.com",
    ),
    Person(
        "under14",
        3902187708,
        "꼬마다람쥐",
        "만 14세 미만: 동의 화면 없이 거절됨",
        "Under 14: refused before any consent page",
        email="kid@example.com",
        age_range="10~14",
        under_14=True,
    ),
    # U+202E turns the text around; written as escapes so that this source stays readable
    Person(
        "html",
        3902187709,
        "<b>여우</b>\"'&<script>alert(1)</script>\U0001f98a\u202etxet\u202c",
        "닉네임에 HTML, 이모지, 글자 방향 바꿈 문자가 있음",
        "HTML, emoji and text-direction characters in the nickname",
        email="fox+tag@example.com",
    ),
    Person(
        "longname",
        3902187710,
        "아주긴이름의까치" * 25,
        "200자짜리 닉네임",
        "A nickname of 200 characters",
        email="a.rather.long.local.part.that.should.not.break.the.layout@long-subdomain.example.com",
    ),
    Person(
        "twin-a",
        3902187711,
        "쌍둥이 가",
        "쌍둥이 나와 같은 이메일을 씀 (둘 다 인증된 것으로 나옴)",
        "Shares one e-mail address with the other twin (verified for both)",
        email="twins@example.com",
    ),
    Person(
        "twin-b",
        3902187712,
        "쌍둥이 나",
        "쌍둥이 가와 같은 이메일을 씀 (둘 다 인증된 것으로 나옴)",
        "Shares one e-mail address with the other twin (verified for both)",
        email="twins@example.com",
    ),
    Person(
        "prereg",
        3902187713,
        "가입중인펭귄",
        "가입 대기: has_signed_up이 false, 프로필과 이메일만 나옴",
        "Preregistered: has_signed_up is false, only profile and e-mail are given",
        email="prereg@example.com",
        gender="female",
        preregistered=True,
    ),
)
