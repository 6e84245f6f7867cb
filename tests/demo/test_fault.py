import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import ConfigurationError
from nvr.demo.fault import FAULT_NAMES, CameraFaults, FaultPlan, Freeze, ServerRestart, parse_faults
from nvr.demo.rtsp.digest import Credentials


def test_no_faults_is_a_plan_without_any() -> None:
    plan = parse_faults([], 2)
    assert plan == FaultPlan({0: CameraFaults(), 1: CameraFaults()})
    assert plan.of_camera(7) == CameraFaults()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0:drop=30", CameraFaults(drop_every_s=30)),
        ("0:freeze=10/5", CameraFaults(freeze=Freeze(10, 5))),
        ("0:freeze=10", CameraFaults(freeze=Freeze(10, None))),
        ("0:jitter=40", CameraFaults(jitter_s=0.04)),
        ("0:loss=0.02", CameraFaults(loss=0.02)),
        ("0:credentials=user:pa:ss=w", CameraFaults(credentials=Credentials("user", "pa:ss=w"))),
        ("0:skew=-3600", CameraFaults(clock_skew_s=-3600)),
        ("0:no-sr", CameraFaults(sends_reports=False)),
        ("0:mute", CameraFaults(is_mute=True)),
    ],
)
def test_a_fault_is_that_of_its_camera_only(text: str, expected: CameraFaults) -> None:
    plan = parse_faults([text], 2)
    assert plan.of_camera(0) == expected
    assert plan.of_camera(1) == CameraFaults()


@pytest.mark.parametrize("text", ["loss=0.5", "*:loss=0.5"])
def test_without_a_camera_all_are_meant(text: str) -> None:
    plan = parse_faults([text], 3)
    assert [plan.of_camera(index).loss for index in range(3)] == [0.5] * 3


def test_faults_of_a_camera_add_up_and_the_later_of_two_counts() -> None:
    plan = parse_faults(["1:loss=0.5", "1:jitter=10", "*:loss=0.1", "restart=30/4"], 2)
    assert plan.of_camera(1) == CameraFaults(loss=0.1, jitter_s=0.01)
    assert plan.restart == ServerRestart(30, 4)
    assert parse_faults(["restart=30"], 1).restart == ServerRestart(30, 2.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected CAMERA:NAME=VALUE"),
        ("x:loss=1", "expected CAMERA:NAME=VALUE"),
        ("2:loss=1", "expected a camera from 0 to 1, got 2"),
        ("0:explode=1", "is unknown, expected one of drop"),
        ("0:loss=2", "a number from 0 to 1, got '2'"),
        ("0:jitter=1001", "a number from 0 to 1000, got '1001'"),
        ("*:skew=1e20", "a number from -31536000 to 31536000, got '1e20'"),
        ("*:skew=-1e20", "a number from -31536000 to 31536000, got '-1e20'"),
        ("0:skew=nan", "a number from -31536000"),
        ("0:loss", "expected a number, got ''"),
        ("0:loss=nan", "from 0 to 1, got 'nan'"),
        ("0:jitter=-1", "from 0 to 1000, got '-1'"),
        ("0:drop=0", "more than 0 seconds, got 0"),
        ("0:drop=inf", "expected a number of at least 0"),
        ("0:freeze=1/x", "expected a number, got 'x'"),
        ("0:mute=1", "takes no value"),
        ("0:restart=3", "give no camera"),
        ("restart=0", "more than 0 seconds"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_faults([text], 2)


def test_a_refusal_does_not_show_the_password() -> None:
    for text in (
        "9:credentials=user:secret",
        "?credentials=user:secret",
        "0:credentials=:secret",
        "0:credentials:user:secret",
        "credentials user:secret",
        "0:restart=user:secret",
    ):
        with pytest.raises(ConfigurationError) as caught:
            parse_faults([text], 2)
        assert "secret" not in str(caught.value)
    assert "secret" not in repr(parse_faults(["credentials=user:secret"], 1))


@given(text=st.text(max_size=40) | st.builds("{}={}".format, st.sampled_from(FAULT_NAMES), st.text(max_size=10)))
def test_any_text_is_a_plan_or_refused(text: str) -> None:
    try:
        outcome: object = parse_faults([text], 2)
    except ConfigurationError as error:
        outcome = str(error)
    assert isinstance(outcome, FaultPlan) or "fault" in str(outcome)


def test_what_is_not_understood_is_shown_up_to_its_name() -> None:
    with pytest.raises(ConfigurationError, match="fault '0:credentials': expected CAMERA:NAME=VALUE"):
        parse_faults(["0:credentials:admin:secret"], 2)


def test_a_freeze_holds_for_its_time() -> None:
    freeze = Freeze(10, 5)
    assert [freeze.is_active(at_s) for at_s in (9.9, 10, 14.9, 15)] == [False, True, True, False]
    assert Freeze(10, None).is_active(1e9)
