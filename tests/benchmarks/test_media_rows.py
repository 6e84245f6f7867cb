from bench._media_cost import busy_rows, memory_rows, quiet_rows
from bench._media_many import Run, events_in, many_rows
from bench._rows import Row

FPS = 25


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


def test_a_quiet_camera_is_judged_by_its_cost_and_by_that_of_the_peer() -> None:
    rows = by_name(quiet_rows("vbr", [0.06, 0.062, 0.2], [0.05, 0.052, 0.19], [0.5, 0.48, 0.52], 4))
    assert rows["media.quiet.vbr.cpu"] == Row("media.quiet.vbr.cpu", 0.0155, "s/s", "<= 0.02", 0.125, ok=True)
    assert rows["media.recording.vbr.cpu"].value == 0.0025
    assert rows["media.quiet.vbr.share_of_peer"].value == 0.124
    assert rows["media.quiet.vbr.share_of_peer"].ok


def test_without_the_peer_there_is_no_share_of_it() -> None:
    rows = by_name(quiet_rows("vbr", [0.4], [0.36], None, 4))
    assert rows["media.quiet.vbr.cpu"].peer is None
    assert rows["media.quiet.vbr.cpu"].ok is False
    assert rows["media.recording.vbr.cpu"].ok is False
    assert "media.quiet.vbr.share_of_peer" not in rows


def test_a_busy_camera_is_judged_by_the_ratio_of_medians() -> None:
    rows = by_name(busy_rows([0.21, 0.20, 0.9], [0.20, 0.20, 0.20], 2))
    assert rows["media.busy.ratio"] == Row("media.busy.ratio", 1.05, "", "<= 1.05", None, ok=True)
    assert rows["media.busy.cpu"].peer == 0.1


def test_memory_per_camera_is_the_slope() -> None:
    rows = by_name(memory_rows([(1, 100.0), (4, 160.0), (8, 240.0)]))
    assert rows["media.memory.per_camera"] == Row("media.memory.per_camera", 20.0, "MB", "<= 25", None, ok=True)
    assert rows["media.memory.without_cameras"].value == 80.0


def run_of_a_camera() -> Run:
    """100 s of a loop of 40 s, with an event in frames 250 to 299, all analysed and recorded."""
    sent = [(number % 1000, 1000.0 + number / FPS) for number in range(2500)]
    return Run(
        1000.0,
        1100.0,
        40.0,
        sent={0: sent},
        analysed={0: [(1000.0 + step * 0.2, 80.0, False) for step in range(500)]},
        recorded={0: [at_s + 0.004 for _, at_s in sent]},
        scene_events={0: [(250, 299, "person", 900)]},
    )


def test_events_are_those_of_each_round_that_were_seen_whole() -> None:
    run = run_of_a_camera()
    assert [event.start_s for event in events_in(run, 0, run.sent[0])] == [1010.0, 1050.0, 1090.0]
    run.end_s = 1091.0
    assert [event.start_s for event in events_in(run, 0, run.sent[0])] == [1010.0, 1050.0]


def test_nothing_is_lost_and_latency_is_flat_where_all_went_well() -> None:
    rows = by_name(many_rows(run_of_a_camera()))
    assert rows["media.many.frames_sent"].value == 2500
    assert rows["media.many.frames_lost"].value == 0
    assert rows["media.many.events"].value == 3
    assert rows["media.many.events_long"].ok
    assert rows["media.many.latency_drift"].value == 1.0
    assert all(row.ok is not False for row in rows.values())


def test_frames_that_are_not_recorded_are_counted() -> None:
    run = run_of_a_camera()
    del run.recorded[0][700:740]
    assert by_name(many_rows(run))["media.many.frames_lost"].value >= 38


def test_latency_that_grows_is_not_flat_but_a_replay_is_no_latency() -> None:
    run = run_of_a_camera()
    run.analysed[0] = [
        (at_s, 80.0 if index % 10 else 5000.0, index % 10 == 0) for index, (at_s, _, _) in enumerate(run.analysed[0])
    ]
    assert by_name(many_rows(run))["media.many.latency_drift"].ok
    run.analysed[0] = [(at_s, at_s - 900, False) for at_s, _, _ in run.analysed[0]]
    assert by_name(many_rows(run))["media.many.latency_drift"].ok is False
