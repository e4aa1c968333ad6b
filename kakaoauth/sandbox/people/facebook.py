"""The people's Facebook accounts. All of them, and all their addresses, are invented."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FacebookPerson:
    """A Facebook account as this one app sees it: the id is app-scoped. None: the account has no such data."""

    key: str
    user_id: str
    name: str
    first_name: str
    last_name: str | None = None
    note_ko: str = ""
    note_en: str = ""
    email: str | None = None
    picture: bool = True  # False: the grey silhouette
    made: bool = False

    @property
    def subject(self) -> str:
        """The id under the name it has at the other providers."""
        return self.user_id


SAMPLE_PEOPLE = (
    FacebookPerson(
        "minji",
        "10228604863005601",
        "박민지",
        "민지",
        "박",
        "평범한 계정: 사진과 이메일이 있음. 카카오에는 없는 사람",
        "Ordinary: picture and e-mail. Nobody of this name at Kakao",
        email="minji.park@example.kr",
    ),
    FacebookPerson(
        "haneul",
        "10228604863005602",
        "김하늘",
        "하늘",
        "김",
        "카카오의 하늘다람쥐와 같은 사람, 같은 이메일",
        "The same person as Kakao's haneul, with the same e-mail",
        email="haneul@example.kr",
    ),
    FacebookPerson(
        "noemail",
        "10228604863005603",
        "이수달",
        "수달",
        "이",
        "전화번호로 가입한 계정: 동의해도 이메일이 오지 않음",
        "Signed up with a phone number: consent brings no e-mail",
    ),
    FacebookPerson(
        "refuses",
        "10228604863005604",
        "최슬기",
        "슬기",
        "최",
        "이메일은 있지만 주기 싫어함: 동의 화면에서 이메일 체크를 풀어 보세요",
        "Has an e-mail but would rather not: untick the e-mail on the consent page",
        email="careful.fb@example.kr",
    ),
    FacebookPerson(
        "silhouette",
        "10228604863005605",
        "정두리",
        "두리",
        "정",
        "사진을 올린 적 없음: is_silhouette이 true",
        "Never uploaded a picture: is_silhouette is true",
        email="crane@example.com",
        picture=False,
    ),
    # Accounts from the first years have ids this short
    FacebookPerson(
        "sameid",
        "3902187701",
        "Same Number",
        "Same",
        "Number",
        "페이스북 id가 카카오 하늘다람쥐의 회원번호와 같음: 서로 다른 사람",
        "The Facebook id is the user id of Kakao's haneul: two different people",
        email="same.number@example.com",
    ),
    FacebookPerson(
        "onename",
        "122093884958000607",
        "Suharto",
        "Suharto",
        None,
        "이름이 한 단어: last_name이 없음. 18자리 id",
        "A single name: there is no last_name. An id of 18 digits",
        email="one.name@example.com",
    ),
    # U+202E turns the text around; written as escapes so that this source stays readable
    FacebookPerson(
        "html",
        "10228604863005608",
        "<b>여우</b>\"'&<script>alert(1)</script>\U0001f98a\u202etxet\u202c",
        "<b>여우</b>",
        "\u202etxet\u202c",
        "이름에 HTML, 이모지, 글자 방향 바꿈 문자가 있음",
        "HTML, emoji and text-direction characters in the name",
        email="fox.fb@example.com",
    ),
)
