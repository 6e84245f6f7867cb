"""The Grafana dashboard asks for what the endpoints tell, and shows all of it."""

import json
import re
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from nvr.telemetry.prometheus import PROCESS_METRICS
from nvr.telemetry.specs import PROCESSOR_SPECS, WALL_SPECS

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "nvr.json"
METRIC = re.compile(r"\b(?:nvr|process|system|messaging|target)_[a-z0-9_]+")
SPECS = {spec.name: spec for spec in (*PROCESSOR_SPECS, *WALL_SPECS)}
OF_SERVERS = {"instance", "job", "le"}
"""Labels that Prometheus itself adds, and that of buckets."""


@cache
def dashboard() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return content


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    return asked + [
        variable["definition"] for variable in dashboard()["templating"]["list"] if "definition" in variable
    ]


def known(name: str) -> str | None:
    """Return the metric that a name in an expression belongs to."""
    for metric in (name, re.sub(r"_(bucket|sum|count)$", "", name)):
        if metric in SPECS or metric in PROCESS_METRICS:
            return metric
    return None


def asked_for() -> set[str]:
    names = {name for expression in expressions() for name in METRIC.findall(re.sub(r'"[^"]*"', '""', expression))}
    labels = {label for spec in SPECS.values() for label in spec.labels}
    return names - labels


def test_every_metric_that_is_asked_for_exists() -> None:
    assert {name for name in asked_for() if known(name) is None} == set()


def test_every_metric_that_exists_is_shown() -> None:
    shown = {known(name) for name in asked_for()}
    assert set(SPECS) - shown == set()


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_names_labels_that_its_metrics_have(expression: str) -> None:
    assert expression.count("(") == expression.count(")")
    assert expression.count("{") == expression.count("}")
    for name, matchers in re.findall(r"([a-z0-9_]+)\{([^}]*)\}", expression):
        metric = known(name)
        assert metric is not None
        spec = SPECS.get(metric)
        labels = set(re.findall(r"(\w+)(?:=~|!=|!~|=)", matchers))
        assert labels - OF_SERVERS <= set(() if spec is None else spec.labels), name
        assert (spec is not None and spec.kind == "histogram") == name.endswith("_bucket"), name


def test_counters_are_shown_as_rates_and_gauges_are_not() -> None:
    for expression in expressions():
        for function, name in re.findall(r"(\w+)\(([a-z0-9_]+)(?:\{[^}]*\})?\[", expression):
            assert function in {"rate", "increase"}
            assert name.endswith(("_total", "_bucket")), expression
        bare = re.sub(r"(?:rate|increase)\([^\]]*\]\)", "", expression)
        assert not re.search(r"_total\b", bare), expression


def test_legends_name_labels_only() -> None:
    labels = {label for spec in SPECS.values() for label in spec.labels} | OF_SERVERS
    for panel in panels():
        for target in panel["targets"]:
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels


def test_panels_have_places_of_their_own_and_numbers_and_titles() -> None:
    everything = dashboard()["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    titles = [panel["title"] for panel in panels()]
    assert len(set(titles)) == len(titles)
    for first, second in combinations([panel["gridPos"] for panel in everything], 2):
        apart = (
            first["x"] + first["w"] <= second["x"]
            or second["x"] + second["w"] <= first["x"]
            or first["y"] + first["h"] <= second["y"]
            or second["y"] + second["h"] <= first["y"]
        )
        assert apart, (first, second)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in everything)


def test_instance_and_camera_can_be_chosen_and_the_data_source_too() -> None:
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}
    assert set(variables) == {"datasource", "instance", "camera"}
    assert dashboard()["uid"] == "nvr"
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEF"[: len(panel["targets"])])
