"""The people's Google accounts. All of them, and all their addresses, are invented."""

from kakaoauth.sandbox.people.accounts import Account

SAMPLE_PEOPLE = (
    Account(
        "haneul",
        "104857600000000000001",
        "김하늘",
        "카카오의 하늘다람쥐와 같은 사람, 같은 이메일. 구글 밖의 주소라 구글이 지금도 본인 것이라고는 하지 않음",
        "The same person as Kakao's haneul, same e-mail: an outside address, which Google verified once",
        email="haneul@example.kr",
        given_name="하늘",
        family_name="김",
    ),
    Account(
        "gmail",
        "104857600000000000002",
        "서지메",
        "평범한 계정: gmail.com 주소",
        "Ordinary: an address at gmail.com",
        email="seo.gmail.invented@gmail.com",
        given_name="지메",
        family_name="서",
    ),
    Account(
        "workspace",
        "104857600000000000003",
        "오직원",
        "회사 계정: hd가 있음",
        "An organisation's account: hd is there",
        email="oh@company.example",
        given_name="직원",
        family_name="오",
        hd="company.example",
    ),
    Account(
        "unverified",
        "104857600000000000004",
        "안확인",
        "확인되지 않은 외부 주소: email_verified가 false",
        "An outside address not verified: email_verified is false",
        email="unverified.google@example.com",
        email_verified=False,
        given_name="확인",
        family_name="안",
    ),
    Account(
        "noname",
        "104857600000000000005",
        "이름 없음",
        "이름도 사진도 오지 않는 계정",
        "An account whose name and picture do not come",
        email="noname.invented@gmail.com",
        picture=False,
    ),
    # The sub is the user id of Kakao's haneul: two different people
    Account(
        "sameid",
        "3902187701",
        "Same Number",
        "sub가 카카오 하늘다람쥐의 회원번호와 같음: 서로 다른 사람",
        "The sub is the user id of Kakao's haneul: two different people",
        email="same.number.invented@gmail.com",
        given_name="Same",
        family_name="Number",
    ),
    # U+202E turns the text around; written as escapes so that this source stays readable
    Account(
        "html",
        "104857600000000000007",
        "<b>여우</b>\"'&<script>alert(1)</script>\U0001f98a\u202etxet\u202c",
        "이름에 HTML, 이모지, 글자 방향 바꿈 문자가 있음",
        "HTML, emoji and text-direction characters in the name",
        email="fox.invented@gmail.com",
        given_name="<b>여우</b>",
        family_name="\u202etxet\u202c",
    ),
)
