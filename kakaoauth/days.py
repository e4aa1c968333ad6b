"""Days in Korea, whose people read the pages and the numbers."""

from datetime import UTC, date, datetime, time, timedelta, timezone

#: A fixed offset: Korea has had no summer time since 1988, and some machines have no time zone database.
KOREA = timedelta(hours=9)
SEOUL = timezone(KOREA)
#: Days outside are taken for these: a moment at the calendar's ends may not exist in UTC, and PostgreSQL's calendar
#: is shorter than Python's.
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9000, 1, 1)


def today() -> date:
    """Return the current day in Korea."""
    return (datetime.now(UTC) + KOREA).date()


def last_day(end: datetime) -> date | None:
    """Return the last day in Korea that is over at `end`; None if `end` is within a day."""
    local = end.astimezone(SEOUL)
    return local.date() - timedelta(days=1) if local.time() == time() else None


def start_of(day: date) -> datetime:
    """Return the moment when a day begins in Korea."""
    return datetime.combine(max(FIRST_DAY, min(day, LAST_DAY)), time(), SEOUL)
