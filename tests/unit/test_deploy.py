"""What `deploy/` ships: rules that fire, a dashboard of what exists, tight units and containers."""

import configparser
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "syncline.rules.yml"
RULE_TESTS = DEPLOY / "prometheus" / "syncline.rules.test.yml"
DASHBOARD = DEPLOY / "grafana" / "syncline.json"
CONTAINERS = sorted((DEPLOY / "container").glob("*.Containerfile"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))

#: What `systemd-analyze security` says of each unit, in tenths.
EXPOSURE_MAX = {"syncline-hub": 11, "syncline-node": 14}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="RULES NOT TESTED: promtool is missing here (package prometheus)"
)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(each) for each in arguments], capture_output=True, text=True, check=False)


def metrics() -> dict[str, set[str]]:
    """Every series that hub and node give, with its labels, as their documents list them; tests of their own
    compare the documents with what is served."""
    row = r"^\| `(syncline_hub_\w+)`(?: \{([^}]*)\})? \| "
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(row, document("metrics.md"), re.MULTILINE):
        given = {each.strip() for each in labels.split(",") if each.strip()}
        if name == "syncline_hub_node_state":
            given.add(name)
        found[name] = given
        if name.endswith("_duration_seconds"):
            found |= {f"{name}_bucket": given | {"le"}, f"{name}_count": given, f"{name}_sum": given}
    part = document("node.md").partition("## Metrics")[2].partition("\n## ")[0]
    for line in part.splitlines():
        if line.startswith("| `"):
            found |= {f"syncline_node_{name}": set() for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    return found


def document(name: str) -> str:
    return (ROOT / "docs" / "operations" / name).read_text()


def named(expression: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics of ours in a query, and the labels that are matched."""
    for name, matchers in re.findall(
        r"\b(syncline_(?:hub|node)_\w+)\b(?!\s*(?:=|!))(?:\{([^}]*)\})?", expression
    ):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", matchers))


def check_names(expression: str) -> None:
    known = metrics()
    for name, labels in named(expression):
        assert name in known, (name, expression)
        assert labels - {"instance", "job"} <= known[name], (name, labels, expression)


def rules() -> list[dict[str, Any]]:
    groups: dict[str, Any] = yaml.safe_load(RULES.read_text())
    return [rule for group in groups["groups"] for rule in group["rules"]]


@needs_promtool
def test_the_rules_are_rules() -> None:
    checked = run("promtool", "check", "rules", RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_promtool
def test_each_rule_fires_for_what_it_is_about_and_not_for_a_fleet_in_order() -> None:
    tested = run("promtool", "test", "rules", RULE_TESTS)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_rule_is_tested_in_both_directions() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) > 20
    tests: dict[str, Any] = yaml.safe_load(RULE_TESTS.read_text())
    cases = [case for test in tests["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == set(names)
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == set(names)


def test_each_rule_says_something_about_metrics_that_exist() -> None:
    for rule in rules():
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("critical", "warning")
        check_names(rule["expr"])
        assert "syncline" in rule["expr"]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_the_dashboard_fits_its_schema() -> None:
    schema = json.loads((DEPLOY / "grafana" / "dashboard.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(DASHBOARD.read_text()))


def test_the_dashboard_asks_for_what_exists() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [each["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"]
    for query in queries:
        [(name, label)] = re.findall(r"label_values\((\w+), (\w+)\)", query)
        assert label == "instance" or label in metrics()[name]
    for expression in expressions():
        check_names(expression)


def test_panels_have_places_of_their_own() -> None:
    every = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    taken: set[tuple[int, int]] = set()
    for panel in every:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@needs_promtool
def test_the_dashboards_queries_are_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$instance", ".*").replace("$partner", ".*")}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    checked = run("promtool", "check", "rules", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_readmes_say_what_was_not_tried() -> None:
    assert "**not loaded in Grafana**" in (DEPLOY / "grafana" / "README.md").read_text()
    assert "**not built**" in (DEPLOY / "container" / "README.md").read_text()


@pytest.mark.parametrize("file", CONTAINERS, ids=lambda file: file.stem)
def test_a_container_file_has_no_lint(file: Path) -> None:
    linted = run(Path(sys.executable).with_name("hadolint"), "--no-color", file)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("file", CONTAINERS, ids=lambda file: file.stem)
def test_a_container_is_made_of_what_is_locked_and_runs_as_nobody_special(file: Path) -> None:
    text = file.read_text()
    lines = [line.strip() for line in text.splitlines() if not line.startswith("#")]
    images = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert set(images) == {"python:3.11-slim-bookworm"}  # no registry is named: that is the builder's choice
    assert "://" not in text
    assert "--require-hashes" in text
    for install in re.findall(r"pip install [^\n]*", text):
        assert "--no-index" in install, install
    assert "USER 10001:10001" in lines
    assert lines.index("USER 10001:10001") < lines.index(f'ENTRYPOINT ["syncline-{file.stem}"]')
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    copied = [
        word
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    for name in copied:
        assert (ROOT / name).exists(), name
    assert {"audit", "core", "hub", "node", "security", "sync", "protos/gen"} <= set(copied)


def directives(unit: Path) -> list[tuple[str, str]]:
    lines = [line.partition("=") for line in unit.read_text().splitlines() if "=" in line and line[0] != "#"]
    return [(name, value) for name, _, value in lines]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_units_exposure_is_what_was_said(unit: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("UNITS NOT ANALYSED: systemd-analyze is missing here (package systemd)")
    threshold = EXPOSURE_MAX[unit.stem]
    analysed = run(analyze, "security", "--offline=true", f"--threshold={threshold}", "--no-pager", unit)
    assert analysed.returncode == 0, analysed.stdout + analysed.stderr


def test_the_nodes_unit_lets_it_do_its_work() -> None:
    """Mirrors can be written, and readers of footprints can start, confine themselves and be polite."""
    [unit] = [each for each in UNITS if each.stem == "syncline-node"]
    given = directives(unit)
    assert ("ReadWritePaths", "-/srv/mirror") in given
    assert ("ProtectHome", "read-only") in given  # datasets may stand in homes
    filters = [value for name, value in given if name == "SystemCallFilter"]
    assert filters == ["@system-service", "~@privileged @resources", "setpriority"]
    assert not any(name in ("TasksMax", "LimitNPROC", "LimitAS") for name, _ in given)


def test_units_can_be_read_by_others_than_systemd() -> None:
    for unit in UNITS:
        parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
        parser.read_string(unit.read_text())
        assert parser.has_section("Install")
