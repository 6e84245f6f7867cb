import threading

from nvr.tracking.zone_counts import CountsSnapshot, LineSnapshot, ZoneCounts, ZoneSnapshot


def test_nothing_has_happened_in_any_zone_or_on_any_line() -> None:
    assert ZoneCounts(["yard"], ["gate"]).snapshot() == CountsSnapshot(
        {"yard": ZoneSnapshot({}, {})}, {"gate": LineSnapshot({}, {})}
    )


def test_classes_zones_and_directions_are_counted_apart() -> None:
    counts = ZoneCounts(["yard", "door"], ["gate"])
    for class_name in ("person", "person", "car"):
        counts.enter("yard", class_name)
    counts.leave("yard", "person")
    counts.leave("yard", "car")
    counts.enter("door", "person")
    counts.cross("gate", "in", "person")
    counts.cross("gate", "in", "person")
    counts.cross("gate", "out", "car")
    assert counts.snapshot() == CountsSnapshot(
        {
            "yard": ZoneSnapshot(now={"person": 1}, entered={"person": 2, "car": 1}),
            "door": ZoneSnapshot(now={"person": 1}, entered={"person": 1}),
        },
        {"gate": LineSnapshot(crossed_in={"person": 2}, crossed_out={"car": 1})},
    )


def test_a_snapshot_does_not_change_with_what_comes_later() -> None:
    counts = ZoneCounts(["yard"], ["gate"])
    counts.enter("yard", "person")
    before = counts.snapshot()
    counts.leave("yard", "person")
    counts.cross("gate", "in", "person")
    assert (before.zones["yard"].now, before.lines["gate"].crossed_in) == ({"person": 1}, {})


def test_any_thread_may_ask_while_another_counts() -> None:
    counts = ZoneCounts(["yard"], ["gate"])

    def count() -> None:
        for i in range(5000):
            counts.enter("yard", f"class-{i}")

    counting = threading.Thread(target=count, name="counting")
    counting.start()
    while counting.is_alive():
        assert len(counts.snapshot().zones["yard"].entered) <= 5000
    counting.join()
    assert len(counts.snapshot().zones["yard"].now) == 5000
