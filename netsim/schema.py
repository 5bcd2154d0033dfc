"""JSON Schema of scenario files, by which editors complete and check while one types."""

from typing import Any

from netsim.diagnosis import DISCRIMINATORS
from netsim.scenario import PATH_LOSS_MODELS, SCHEDULERS, TRAFFIC_KINDS, Scenario

_PLUGGED = {
    "PluggedTraffic": ("kind", TRAFFIC_KINDS),
    "PluggedScheduler": ("kind", SCHEDULERS),
    "PluggedPathLoss": ("model", PATH_LOSS_MODELS),
}


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a scenario file."""
    schema = Scenario.model_json_schema(by_alias=True)
    for name, part in schema["$defs"].items():
        _require_choice(part)
        if name in _PLUGGED:
            key, built_in = _PLUGGED[name]
            part["properties"][key]["not"] = {"enum": list(built_in)}
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "scenario.schema.json",
        "title": "netsim scenario",
    }
    return {**schema, **head}


def _require_choice(part: dict[str, Any]) -> None:
    """What chooses a part among others must stand in the file even where the model has a default for it."""
    chosen = [key for key in DISCRIMINATORS if "const" in part.get("properties", {}).get(key, {})]
    part["required"] = sorted({*part.get("required", []), *chosen})
    if not part["required"]:
        del part["required"]
