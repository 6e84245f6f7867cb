import logging
import threading

from nvr.core.log_context import current_fields, extras_of, log_fields


def test_fields_hold_within_their_block_and_add_up() -> None:
    with log_fields(command_id="c1"):
        with log_fields(source_id=3):
            assert current_fields() == {"command_id": "c1", "source_id": 3}
        assert current_fields() == {"command_id": "c1"}
    assert current_fields() == {}


def test_another_thread_has_its_own() -> None:
    seen: list[dict[str, object]] = []
    with log_fields(source_id=3):
        thread = threading.Thread(target=lambda: seen.append(dict(current_fields())), name="other")
        thread.start()
        thread.join()
    assert seen == [{}]


def test_extras_are_what_the_caller_gave() -> None:
    record = logging.getLogger("a").makeRecord("a", logging.INFO, "f", 1, "%s", ("x",), None, extra={"source_id": 1})
    assert extras_of(record) == {"source_id": 1}
