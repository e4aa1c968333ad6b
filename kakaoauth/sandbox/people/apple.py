"""The people's Apple Accounts. All of them, and all their addresses, are invented."""

from kakaoauth.sandbox.people.accounts import Account

SAMPLE_PEOPLE = (
    Account(
        "haneul",
        "000123.5a9db0a05a9db0a05a9db0a05a9db001.0456",
        "하늘 김",
        "카카오의 하늘다람쥐와 같은 사람, 같은 이메일",
        "The same person as Kakao's haneul, with the same e-mail",
        email="haneul@example.kr",
        given_name="하늘",
        family_name="김",
    ),
    Account(
        "hidden",
        "000123.5a9db0a05a9db0a05a9db0a05a9db002.0457",
        "미나 김",
        "이메일을 숨김: 전달용 주소가 옴",
        "Hides the e-mail: a relay address comes",
        email="mina.invented@example.com",
        given_name="미나",
        family_name="김",
        hides_email=True,
    ),
    Account(
        "school",
        "000123.5a9db0a05a9db0a05a9db0a05a9db003.0458",
        "학교 정",
        "학교 계정, 확인되지 않은 주소: email_verified가 false",
        "A school account, address not verified: email_verified is false",
        email="unverified.school@example.com",
        email_verified=False,
        given_name="학교",
        family_name="정",
    ),
    Account(
        "noemail",
        "000123.5a9db0a05a9db0a05a9db0a05a9db004.0459",
        "수달 이",
        "회사 계정, 이메일 없음",
        "A work account without an e-mail",
        given_name="수달",
        family_name="이",
    ),
    Account(
        "noname",
        "000123.5a9db0a05a9db0a05a9db0a05a9db005.0460",
        "이름 없음",
        "이름이 비어 있는 계정",
        "An account with an empty name",
        email="noname.apple@example.com",
    ),
    # U+202E turns the text around; written as escapes so that this source stays readable
    Account(
        "html",
        "000123.5a9db0a05a9db0a05a9db0a05a9db006.0461",
        "<b>여우</b>\"'&<script>alert(1)</script>\U0001f98a\u202etxet\u202c",
        "이름에 HTML, 이모지, 글자 방향 바꿈 문자가 있음",
        "HTML, emoji and text-direction characters in the name",
        email="fox.apple@example.com",
        given_name="<b>여우</b>\"'&<script>alert(1)</script>",
        family_name="\U0001f98a\u202etxet\u202c",
    ),
)
