"""Times for people and programs: the same answer by either way, also where clocks change."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from scratchy.sessions.times import local_texts, local_time, utc_stamp


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_many_stamps_are_told_as_single_ones_are(zone, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        told, moment = local_texts(), datetime(2026, 3, 1, tzinfo=UTC)
        for _ in range(24 * 300):
            stamp = utc_stamp(moment)
            assert told(stamp) == local_time(stamp).isoformat()
            moment += timedelta(minutes=59, milliseconds=7)
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "Z",
        "baddate",
        "2026",
        "2026-01-01",
        "9999-12-31T23:59:59.999Z",
        "0001-01-01T00:00:00Z",
        "2025-11-22T20:30:15",
        "2026-01-01T00:00:00+05:00",
        "2126-01-01T00:00:00.000Z",
    ],
)
def test_what_others_wrote_is_some_time_and_never_an_error(stamp):
    assert local_texts()(stamp) == local_time(stamp).isoformat()
    assert local_time(stamp).tzinfo is None


def test_a_stamp_is_utc_with_milliseconds():
    moment = datetime(2026, 11, 20, 9, 0, 29, 483_900, tzinfo=UTC)
    assert utc_stamp(moment) == "2026-11-20T09:00:29.483Z" and len(utc_stamp()) == 24
