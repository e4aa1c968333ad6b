"""Every sentence of the sandbox's pages, Korean and English."""

from kakaoauth.sandbox.pages.texts_accounts import ACCOUNT_TEXTS
from kakaoauth.sandbox.pages.texts_facebook import FACEBOOK_TEXTS
from kakaoauth.sandbox.pages.texts_tools import TOOL_TEXTS

LANGUAGES = ("ko", "en")

# key -> (Korean, English)
TEXTS: dict[str, tuple[str, str]] = {
    "chooser_title": ("누구로 로그인할까요?", "Log in as whom?"),
    "chooser_lead": (
        "연습용으로 지어낸 사람들이에요. 비밀번호는 없어요.",
        "Invented people for practice. There are no passwords.",
    ),
    "signed_in_as": ("지금 로그인된 사람", "Logged in at the moment"),
    "hinted": ("login_hint와 일치", "Matches login_hint"),
    "no_email": ("이메일 없음", "no e-mail"),
    "linked": ("연결됨", "connected"),
    "not_linked": ("연결 안 됨", "not connected"),
    "your_own": ("내가 만든 사람", "Made by you"),
    "make_title": ("새로운 사람 만들기", "Make a person of your own"),
    "search_label": ("이름, 이메일, 특징으로 찾기", "Search by name, e-mail or trait"),
    "search_button": ("찾기", "Search"),
    "search_found": ("{count}명을 찾았어요.", "Found: {count}."),
    "search_nothing": ("찾는 사람이 없어요.", "Nobody matches."),
    "search_all": ("모두 보기", "Show everybody"),
    "name_field": ("이름", "Name"),
    "nickname": ("닉네임", "Nickname"),
    "email": ("이메일 (비우면 없음)", "E-mail (empty: none)"),
    "email_verified": ("이메일 인증됨", "E-mail is verified"),
    "email_valid": ("이메일 유효함", "E-mail is valid"),
    "big_id": ("19자리 회원번호", "19-digit user id"),
    "birthyear": ("출생 연도", "Year of birth"),
    "gender": ("성별", "Gender"),
    "age_range": ("연령대", "Age range"),
    "none": ("없음", "none"),
    "female": ("여성", "female"),
    "male": ("남성", "male"),
    "under_14": ("만 14세 미만", "Under 14"),
    "default_nickname": ("기본 닉네임으로 바뀐 계정", "Nickname was replaced by the default one"),
    "make_button": ("만들고 로그인", "Make and log in"),
    "form_nickname": ("닉네임은 1~200자로 적어 주세요.", "Give a nickname of 1 to 200 characters."),
    "form_email": ("이메일 모양이 올바르지 않아요.", "This does not look like an e-mail address."),
    "form_birthyear": ("출생 연도는 네 자리 숫자로 적어 주세요.", "Give the year of birth in four digits."),
    "form_gender": ("성별 값이 올바르지 않아요.", "Unknown gender value."),
    "form_age_range": ("연령대 값이 올바르지 않아요.", "Unknown age range."),
    "form_full": (
        "만든 사람이 너무 많아요. 첫 화면에서 모두 지워 주세요.",
        "Too many people were made. Forget everything on the home page.",
    ),
    "consent_title": ("동의하고 시작하기", "Agree and start"),
    "consent_more_title": ("추가 동의", "More consent"),
    "consent_lead": ("이 사이트가 아래 정보를 요청해요.", "This site asks for the following."),
    "consent_nothing": ("요청하는 정보가 없어요.", "It asks for no information."),
    "consent_terms": ("이 사이트의 약관에 동의해요 (카카오싱크).", "You agree to this site's terms (Kakao Sync)."),
    "required": ("필수", "required"),
    "optional": ("선택", "optional"),
    "agree": ("동의하고 계속하기", "Agree and continue"),
    "cancel": ("취소", "Cancel"),
    "logout_title": ("로그아웃", "Log out"),
    "logout_lead": (
        "사이트에서는 로그아웃했어요. 샌드박스 계정에서도 로그아웃할까요?",
        "You left the site. Leave the sandbox account, too?",
    ),
    "logout_nobody": ("샌드박스에 로그인된 사람이 없어요.", "Nobody is logged in to the sandbox."),
    "logout_button": ("샌드박스 계정도 로그아웃", "Log out of the sandbox account, too"),
    "logout_cancel": ("취소 (샌드박스 계정은 그대로)", "Cancel (stay logged in to the sandbox)"),
    "logout_continue": ("계속", "Continue"),
    "home_title": ("로컬 로그인 연습장", "A place to practise logging in"),
    "home_lead": (
        "카카오 계정 없이 카카오 로그인을 시험하는 곳이에요. 이 컴퓨터 밖으로 아무것도 보내지 않아요.",
        "A local server to try Kakao login without a Kakao account. Nothing leaves this computer.",
    ),
    "home_settings": ("사이트에 넣을 설정", "Settings for your site"),
    "home_secret_off": ("클라이언트 시크릿: 꺼짐", "Client secret: OFF"),
    "home_redirects": ("등록된 리다이렉트 URI", "Registered redirect URIs"),
    "home_logout_redirects": ("등록된 로그아웃 리다이렉트 URI", "Registered logout redirect URIs"),
    "home_items": ("동의항목", "Consent items"),
    "home_none": ("없음", "none"),
    "home_people": ("사람들", "People"),
    "unlink": ("연결 끊기", "Disconnect"),
    "forget": ("모두 지우기", "Forget everything"),
    "forget_lead": (
        "만든 사람, 연결, 토큰을 모두 지워요.",
        "Removes the people you made, all connections and all tokens.",
    ),
    "error_back": ("사이트로 돌아가 다시 시작해 주세요.", "Go back to the site and start again."),
    "why_403": (
        "샌드박스는 이 컴퓨터에서 localhost나 127.0.0.1로만 쓸 수 있어요.",
        "The sandbox answers this computer only, as localhost or 127.0.0.1.",
    ),
    "why_500": (
        "샌드박스에 오류가 있어요. 터미널의 기록을 보세요.",
        "The sandbox has a bug. Look at the messages in the terminal.",
    ),
    "why_None": (
        "이 요청은 더는 유효하지 않거나 주소가 없어요.",
        "This request is over, or there is no such address.",
    ),
    "why_KOE001": (
        "요청 형식이 잘못됐어요. 같은 파라미터를 두 번 보냈는지 확인해 주세요.",
        "Malformed request. Was a parameter sent twice?",
    ),
    "why_KOE002": ("잘못된 주소로 요청했어요.", "This address does not exist."),
    "why_KOE006": (
        "등록하지 않은 리다이렉트 URI예요. 글자 하나까지 같아야 해요.",
        "The redirect URI is not registered. It must match to the letter.",
    ),
    "why_KOE007": ("등록하지 않은 로그아웃 리다이렉트 URI예요.", "The logout redirect URI is not registered."),
    "why_KOE101": ("앱 키가 잘못됐어요. REST API 키를 쓰세요.", "Wrong app key. Use the REST API key."),
    "why_KOE102": ("채널이 연결되지 않은 앱이에요.", "This app is not linked to a channel."),
    "why_KOE201": ("response_type은 code여야 해요.", "response_type must be code."),
    "why_KOE202": ("response_type=token은 지원하지 않아요.", "response_type=token is not supported."),
    "why_KOE204": ("파라미터 값이 잘못됐어요.", "A parameter has an invalid value."),
    "why_KOE205": (
        "앱에 설정하지 않은 동의항목을 요청했어요.",
        "A consent item was requested that the app has not configured.",
    ),
    "why_KOE207": ("필수 파라미터가 없어요.", "A required parameter is missing."),
    "why_KOE003": ("일시적인 오류예요. 잠시 뒤 다시 해 보세요.", "A temporary error. Try again in a moment."),
    "why_KOE004": ("카카오 로그인이 꺼져 있어요.", "Kakao Login is switched off for this app."),
    "why_KOE005": ("테스트 앱의 멤버가 아니에요.", "This person is not a member of the test app."),
    "why_KOE008": ("이 호출에 쓸 수 없는 종류의 앱 키예요.", "The wrong type of app key for this call."),
    "why_KOE023": ("팝업 로그인을 쓸 수 없어요.", "Login in a popup may not be used."),
    "why_KOE203": ("필수 동의항목에 동의하지 않았어요.", "A required consent item was not agreed to."),
    "delete_account": ("계정 삭제", "Delete account"),
    "home_people_lead": (
        "연결 끊기와 계정 삭제는 본인이 카카오에서 하는 것과 같아요. 주소가 있으면 웹훅을 보내요.",
        "Disconnect and Delete account are what the person would do at Kakao; webhooks follow if they have an address.",
    ),
    **TOOL_TEXTS,
    **FACEBOOK_TEXTS,
    **ACCOUNT_TEXTS,
}


def translate(key: str, language: str) -> str:
    """Return a text in ko or en. :raise KeyError: there is none."""
    return TEXTS[key][LANGUAGES.index(language)]
