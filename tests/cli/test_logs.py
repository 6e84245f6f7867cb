"""What a whole process writes."""

import io
import json
import logging
import subprocess
import sys

import pytest

from nvr.cli.logs import setup_logging


def test_each_record_is_one_json_object() -> None:
    stream = io.StringIO()
    setup_logging(is_verbose=False, log_format="json", fields={"instance_id": "p"}, stream=stream)
    logging.getLogger("nvr").info("first\nline", extra={"source_id": 1})
    logging.getLogger("nvr").debug("not told")
    [line] = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (line["message"], line["source_id"], line["instance_id"]) == ("first\nline", 1, "p")


def test_the_level_is_that_of_the_settings_unless_all_is_wanted() -> None:
    stream = io.StringIO()
    setup_logging(is_verbose=False, quiet_level="warning", stream=stream)
    logging.getLogger("nvr").info("not told")
    setup_logging(is_verbose=True, quiet_level="warning", stream=stream)
    logging.getLogger("nvr").debug("told")
    assert [line.rpartition(": ")[2] for line in stream.getvalue().splitlines()] == ["told"]


def test_what_was_held_back_is_told_when_logging_is_set_up_anew() -> None:
    stream = io.StringIO()
    setup_logging(is_verbose=False, stream=stream)
    for _ in range(15):
        logging.getLogger("nvr").warning("again")
    setup_logging(is_verbose=False, stream=stream)
    assert stream.getvalue().count("again") == 11
    assert stream.getvalue().endswith("again … and 5 more like it\n")


def test_what_was_held_back_is_told_at_the_end_of_the_process() -> None:
    code = (
        "import logging; from nvr.cli.logs import setup_logging; setup_logging(is_verbose=False)\n"
        "for _ in range(30): logging.getLogger('nvr').warning('again')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr.splitlines()[-1].endswith("again … and 20 more like it")
    assert len(result.stderr.splitlines()) == 11


@pytest.mark.camera
def test_a_processor_that_logs_json_says_of_each_record_which_camera_it_is_about() -> None:
    command = [sys.executable, "-m", "nvr", "processor", "rtsp://user:secret@127.0.0.1:1/live", "--model", "motion"]
    options = ["--no-mqtt", "--log-format", "json", "--instance-id", "p7"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(json.loads(line))
            if lines[-1].get("source_id") == 0:
                break
        process.terminate()
        rest = process.stderr.read()
    assert all(json.loads(line) for line in rest.splitlines())
    assert "refuses the connection" in lines[-1]["message"]
    assert (lines[-1]["level"], lines[-1]["instance_id"]) == ("warning", "p7")
    assert "secret" not in json.dumps(lines) + rest
