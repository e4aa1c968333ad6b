"""What the columns of a file are called, here and by Korean offices, and by what its cells are parted."""

import csv
import re
from collections.abc import Mapping

#: Our column -> what else it may be called. Compared without blanks, hyphens and underscores, in lower case.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("번호", "회원번호", "사용자번호", "순번", "연번", "no", "no."),
    "provider": ("가입경로", "로그인방법", "가입방법"),
    "name": ("이름", "성명", "성함", "실명", "회원명", "full name"),
    "nickname": ("닉네임", "별명", "별칭", "대화명"),
    "email": ("이메일", "이메일주소", "메일", "메일주소", "전자우편", "전자우편주소", "mail", "email address"),
    "age": ("나이", "연령"),
    "age_range": ("연령대", "나이대"),
    "gender": ("성별", "sex"),
    "profile_image": ("프로필사진", "프로필이미지", "사진"),
    "is_active": ("활성", "활성여부", "이용여부"),
    "is_staff": ("직원", "직원여부", "스태프"),
    "is_superuser": ("최고관리자", "최고관리자여부"),
    "date_joined": ("가입일", "가입일시", "가입일자", "가입날짜", "가입시각", "등록일", "등록일시"),
    "last_login": ("마지막로그인", "최근로그인", "최종로그인", "마지막접속", "최근접속", "최근접속일", "최종접속일"),
    "closed_at": ("탈퇴일", "탈퇴일시", "탈퇴시각"),
    "erase_at": ("삭제예정일", "삭제예정일시"),
    "identities": ("연결계정", "연결된계정", "소셜계정"),
    "consents": ("동의", "동의내역", "약관동의"),
}
DELIMITERS = (",", ";", "\t")
#: What Excel heeds in a first line, and writes for some.
SEPARATOR = re.compile(r"\"?sep=([,;\t])\"?[;,\t]*\s*", re.IGNORECASE)
_FILLING = re.compile(r"[\s_-]+")


def _bare(name: str) -> str:
    return _FILLING.sub("", name).casefold()


_NAMES = {_bare(name): column for column, others in ALIASES.items() for name in (column, *others)}


def column_of(name: str) -> str | None:
    """Our name of a column; None: there is no such column."""
    return _NAMES.get(_bare(name))


def delimiter_of(header: str) -> str:
    """The one at which the header's names are names of columns; a comma, if none is."""

    def known(delimiter: str) -> int:
        try:
            names = next(csv.reader([header], delimiter=delimiter, strict=True), [])
        except csv.Error:
            return 0
        return sum(column_of(name) is not None for name in names)

    return max(DELIMITERS, key=known)
