"""The scenarios that come with netsim, and the schema that editors complete them with."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from netsim import nodes, reading
from netsim.loading import dump_scenario, load_scenario, parse_scenario, scenario_names, validate_file
from netsim.scenario import Scenario
from netsim.schema import scenario_schema
from tests.unit.wrong_scenarios import RIGHT, WRONG, Wrong

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"
SHIPPED = ("churn", "diurnal", "flash-crowd", "hua2019", "nr-umi", "table1", "table1-1mhz", "table1-one-layer", "tiny")
MOVING = ("churn", "diurnal", "flash-crowd")


def plain(text: str) -> Any:
    read = reading.read(text, "a.yaml")
    assert read.root is not None
    assert not read.faults
    return nodes.plain(read.root)


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = scenario_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_shipped_scenarios_are_these():
    assert scenario_names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_is_valid_by_name_and_by_path(name: str):
    assert load_scenario(name).to_dict() == load_scenario(FOLDER / f"{name}.yaml").to_dict()
    assert validate_file(FOLDER / f"{name}.yaml") == ()
    assert load_scenario(name).name == name


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_names_its_schema_and_describes_itself(name: str):
    lines = (FOLDER / f"{name}.yaml").read_text().splitlines()
    assert lines[0] == "# yaml-language-server: $schema=scenario.schema.json"
    assert lines[2].startswith("# ")
    assert load_scenario(name).description


@pytest.mark.parametrize("name", SHIPPED)
def test_a_scenario_written_and_read_again_is_equal(name: str):
    scenario = load_scenario(name)
    again = parse_scenario(dump_scenario(scenario), folder=scenario.folder)
    assert again == scenario
    assert again.hash == scenario.hash
    assert dump_scenario(again) == dump_scenario(scenario)


@pytest.mark.parametrize(
    "description",
    ["no", "1e3", "a: b", "#x", "", " x ", "two\nlines", "\x7f\x1b\t", "é \U0001f600", "~", "'", '"', "9" * 40],
)
def test_awkward_text_survives_writing(description: str):
    scenario = parse_scenario(RIGHT).model_copy(update={"description": description})
    assert parse_scenario(dump_scenario(scenario)) == scenario


def test_options_of_plugins_survive_writing():
    options = {"a": None, "b": [1, [2.5, "x"], {"c": True}], "d": {}, "e": [], "f-g": "on", "1": -1e-30}
    text = RIGHT.replace("{kind: round-robin}", f"{{kind: 'a:B', options: {json.dumps(options)}}}")
    scenario = parse_scenario(text)
    assert scenario.slices["voice"].scheduler.options == options
    assert parse_scenario(dump_scenario(scenario)) == scenario


# -- table1 is the model's


def test_table1_has_the_values_of_table_1():
    scenario = load_scenario("table1")
    assert scenario.slice_names == ("VoLTE", "video", "URLLC")
    assert [part.users for part in scenario.slices.values()] == [46, 46, 8]
    assert [part.sla.rate_floor_bps for part in scenario.slices.values()] == [51_000, 100_000_000, 10_000_000]
    assert [part.sla.latency_limit_ns for part in scenario.slices.values()] == [10_000_000, 10_000_000, 1_000_000]
    assert (scenario.carrier.bandwidth_hz, scenario.carrier.units) == (20_000_000, 100)
    assert (scenario.control.slot_ns, scenario.control.period_ns) == (500_000, 200_000_000)
    assert scenario.initial_allocation == (34, 33, 33)


def test_every_value_of_table1_but_its_slices_is_the_default():
    scenario = load_scenario("table1")
    bare = {"name": "table1", "slices": scenario.to_dict()["slices"]}
    assert Scenario.model_validate(bare).hash == scenario.hash


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("table1-1mhz", ["carrier.allocation_unit_prb=5"]),
        ("table1-one-layer", ["channel.link.layers=1"]),
        ("hua2019", ["channel.link={model: shannon, layers: 64, log: log10}", "channel.power=full"]),
    ],
)
def test_variants_differ_from_table1_in_what_they_are_for_only(name: str, overrides: list[str]):
    assert load_scenario("table1", overrides).hash == load_scenario(name).hash


@pytest.mark.parametrize("name", MOVING)
def test_moving_scenarios_move_within_their_run(name: str):
    scenario = load_scenario(name)
    length_ns = scenario.control.periods * scenario.control.period_ns
    instants = [event.at_ns for event in scenario.events]
    instants += [point.at_ns for part in scenario.slices.values() if part.load for point in part.load.points]
    assert instants
    assert max(instants) <= length_ns
    assert sum(instant > 0 for instant in instants) >= 6


# -- schema


def test_the_stored_schema_is_the_present_one():
    assert json.loads((FOLDER / "scenario.schema.json").read_text()) == scenario_schema()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_validates_against_the_schema(validator: Any, name: str):
    validator.validate(plain((FOLDER / f"{name}.yaml").read_text()))
    validator.validate(load_scenario(name).to_dict())


def test_the_schema_knows_what_keys_mean(validator: Any):
    definitions = scenario_schema()["$defs"]
    assert "Resource blocks in one unit" in definitions["Carrier"]["properties"]["allocation_unit_prb"]["description"]
    assert definitions["Renewal"]["description"].startswith("Independent gaps and sizes")


def _is_seen_by_a_schema(wrong: Wrong) -> bool:
    """Wrong keys, forms and choices are, unless the choice is a name that a plugin or the file itself gives."""
    plugged = wrong.key.endswith((".kind", "path_loss.model")) and "required" not in wrong.rule
    seen = ("is required", "is not a known key", "must be true", "must be a mapping", "must be one of ")
    refers = wrong.key.startswith("events.") and wrong.key.endswith(".slice")
    return wrong.rule.startswith(seen) and not plugged and not refers


@pytest.mark.parametrize("wrong", [w for w in WRONG if _is_seen_by_a_schema(w)], ids=lambda w: w.key)
def test_the_schema_refuses_wrong_keys_forms_and_choices(validator: Any, wrong: Wrong):
    text = RIGHT.replace(wrong.old, wrong.new.replace("^", "", 1), 1)
    assert not validator.is_valid(plain(text))
