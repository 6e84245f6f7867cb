"""When a camera may sleep; times are of the camera's own clock."""

from nvr.media.sleep_policy import LONGEST_GOP_S, ONSET_AFTER_S, SleepPolicy


def awake_policy(gop_s: float = 2.0, quiet_s: float = 5.0) -> SleepPolicy:
    policy = SleepPolicy(quiet_s)
    for index in range(4):
        policy.note_key_frame(index * gop_s)
    return policy


def watch(policy: SleepPolicy, start_s: float, end_s: float, *, is_moving: bool, weighs_packets: bool = True) -> None:
    for index in range(round((end_s - start_s) * 25)):
        policy.see(start_s + index / 25, is_moving=is_moving, weighs_packets=weighs_packets)


def test_falls_asleep_after_the_quiet_time_and_not_before() -> None:
    policy = awake_policy()
    watch(policy, 0, 1, is_moving=True)
    watch(policy, 1, 5.9, is_moving=False)
    assert not policy.is_asleep
    watch(policy, 5.9, 6.2, is_moving=False)
    assert policy.is_asleep


def test_motion_keeps_it_awake() -> None:
    policy = awake_policy()
    for second in range(0, 40, 4):
        watch(policy, second, second + 0.04, is_moving=True)
        watch(policy, second + 0.04, second + 4, is_moving=False)
    assert not policy.is_asleep


def test_stays_awake_where_an_event_could_hide_between_two_key_frames() -> None:
    policy = awake_policy(gop_s=2.0)
    watch(policy, 0, 60, is_moving=False, weighs_packets=False)
    assert not policy.is_asleep
    policy = awake_policy(gop_s=0.5)
    watch(policy, 0, 60, is_moving=False, weighs_packets=False)
    assert policy.is_asleep


def test_stays_awake_with_gops_too_long_to_replay_or_of_unknown_length() -> None:
    policy = awake_policy(gop_s=LONGEST_GOP_S + 1)
    watch(policy, 0, 60, is_moving=False)
    assert not policy.is_asleep
    policy = SleepPolicy()
    policy.note_key_frame(0)
    watch(policy, 0, 60, is_moving=False)
    assert not policy.is_asleep


def test_a_single_long_gop_is_forgotten() -> None:
    policy = awake_policy(gop_s=1.0)
    policy.note_key_frame(13.0)
    assert policy.gop_s == 10.0
    for second in range(14, 40):
        policy.note_key_frame(second)
    assert policy.gop_s < 1.1


def test_a_replayed_key_frame_changes_nothing() -> None:
    policy = awake_policy(gop_s=2.0)
    policy.note_key_frame(4.0)
    policy.note_key_frame(6.0)
    assert policy.gop_s == 2.0


def test_a_camera_that_stops_sending_key_frames_is_not_slept_through() -> None:
    policy = awake_policy()
    assert not policy.oversleeps(6.0 + LONGEST_GOP_S)
    assert policy.oversleeps(6.1 + LONGEST_GOP_S)


def test_does_not_fall_asleep_again_before_the_next_key_frame_comes() -> None:
    policy = awake_policy()
    policy.wake(6.1 + LONGEST_GOP_S)  # the GOP grows, and from its beginning each time it would be replayed
    watch(policy, 6.1 + LONGEST_GOP_S, 60, is_moving=False)
    assert not policy.is_asleep


def test_the_first_motion_after_a_rest_and_after_waking_is_an_onset() -> None:
    policy = awake_policy()
    assert policy.is_onset(0.0)
    policy.see(0.0, is_moving=True, weighs_packets=True)
    assert not policy.is_onset(0.04)
    assert policy.is_onset(ONSET_AFTER_S)
    policy.see(ONSET_AFTER_S, is_moving=True, weighs_packets=True)
    policy.wake(1.0)
    assert policy.is_onset(1.0)


def test_after_waking_it_stays_awake_for_the_quiet_time() -> None:
    policy = awake_policy()
    watch(policy, 0, 6, is_moving=False)
    assert policy.is_asleep
    policy.wake(8.0)
    watch(policy, 7.0, 12.3, is_moving=False)
    assert not policy.is_asleep
    watch(policy, 12.3, 13.5, is_moving=False)
    assert policy.is_asleep


def test_a_new_connection_begins_awake_with_nothing_known() -> None:
    policy = awake_policy()
    watch(policy, 0, 6, is_moving=False)
    policy.restart()
    assert not policy.is_asleep
    assert policy.gop_s == 0.0
