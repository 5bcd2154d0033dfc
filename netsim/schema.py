"""JSON Schema of scenario files, by which editors complete and check while one types."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from netsim.diagnosis import DISCRIMINATORS
from netsim.scenario import PATH_LOSS_MODELS, SCHEDULERS, TRAFFIC_KINDS, Scenario

_PLUGGED = {
    "PluggedTraffic": ("kind", TRAFFIC_KINDS),
    "PluggedScheduler": ("kind", SCHEDULERS),
    "PluggedPathLoss": ("model", PATH_LOSS_MODELS),
}


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a scenario file."""
    schema = Scenario.model_json_schema(by_alias=True, schema_generator=_WithUnits)
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


class _WithUnits(GenerateJsonSchema):
    """Defaults as a file would have them: ``500 us``, not 500000."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        written: Any = schema["schema"].get("serialization", {}).get("function")
        if written is not None and "default" in made:
            made["default"] = written(schema["default"])
        return made


def _require_choice(part: dict[str, Any]) -> None:
    """What chooses a part among others must stand in the file even where the model has a default for it."""
    chosen = [key for key in DISCRIMINATORS if "const" in part.get("properties", {}).get(key, {})]
    part["required"] = sorted({*part.get("required", []), *chosen})
    if not part["required"]:
        del part["required"]
