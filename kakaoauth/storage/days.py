"""Days in Korea."""

from datetime import date, datetime, time, timedelta, timezone

from kakaoauth.storage.columns import now

#: Korea's days, which the people who read the numbers live in.
KOREA = timedelta(hours=9)


def today() -> date:
    """Return the current day in Korea."""
    return (now() + KOREA).date()


#: As on the pages; a fixed offset, because Korea has no summer time and some machines have no time zone database.
SEOUL = timezone(timedelta(hours=9))
#: The calendar's ends have no name in UTC, and PostgreSQL's are nearer than Python's.
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9000, 1, 1)


def _start_of(day: date | None, *, days: int = 0) -> datetime | None:
    if day is None:
        return None
    return datetime.combine(max(FIRST_DAY, min(day, LAST_DAY)), time(), SEOUL) + timedelta(days=days)
